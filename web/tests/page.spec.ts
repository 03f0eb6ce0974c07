/** The page, end to end in Chromium: photos, camera, error states, downloads, and that nothing leaves its origin. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, expect, type Page, test } from "@playwright/test";
import { apart, golden, type XY } from "./golden.js";

const file = (name: string): string => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));

/** What no test of the page may see: requests to other origins, anything sent, errors. */
const wrong: string[] = [];
test.beforeEach(() => void wrong.splice(0));
test.afterEach(() => expect(wrong).toEqual([]));

async function open(page: Page, query = ""): Promise<void> {
  const own = new URL(test.info().project.use.baseURL!).origin;
  // The context's requests are the page's and its worker's.
  page.context().on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (!["blob:", "data:"].includes(protocol) && origin !== own) wrong.push(`a request to ${request.url()}`);
    if (request.method() !== "GET") wrong.push(`${request.method()} ${request.url()}`);
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (line) => line.type() === "error" && wrong.push(line.text()));
  await page.goto(`/${query}`);
  await expect(page.locator("body")).toHaveAttribute("data-ready", /\d+/, { timeout: 60_000 });
}

async function choose(page: Page, name: string): Promise<void> {
  await page.locator("#file").setInputFiles(file(name));
}

const status = (page: Page) => page.locator("#status");

async function saved(page: Page, button: string): Promise<{ name: string; content: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  return { name: download.suggestedFilename(), content: readFileSync((await download.path())!) };
}

test("a photo in: contours, meters and downloads out, as Python gives them", async ({ page }) => {
  await open(page);
  await choose(page, "smile.png");
  await expect(status(page)).toHaveText(/^One mouth found/);
  await expect(page.getByRole("img", { name: "Photo with one mouth outlined" })).toBeVisible();
  const known = golden.pictures["smile"]!.lips[0]!;
  await expect(page.locator("#opening-value")).toHaveText(`${Math.round(100 * known.record.opening)} % of width`);
  await expect(page.locator("#state-value")).toHaveText(new RegExp(`^${known.component + 1} of `));

  const json = await saved(page, "Numbers");
  expect(json.name).toBe("smile.json");
  const record = JSON.parse(json.content.toString()) as { width: number; faces: { outer: XY[]; inner: XY[] }[] };
  expect(record.width).toBe(320);
  const [face] = record.faces;
  expect(apart([...face!.outer, ...face!.inner], known.landmarks)).toBeLessThan(0.5);

  const svg = await saved(page, "Contours");
  expect(svg.name).toBe("smile.svg");
  expect(svg.content.toString()).toMatch(/^<svg [^]*<path class="outer" fill="none" d="M[\d. C]+Z"\/>[^]*<\/svg>\n$/);

  const mask = await saved(page, "Mask");
  expect(mask.name).toBe("smile.mask.png");
  // Signature, 320 x 320 pixels, 8 bits, indexed.
  expect(mask.content.subarray(0, 8)).toEqual(Buffer.from("89504e470d0a1a0a", "hex"));
  expect([mask.content.readUInt32BE(16), mask.content.readUInt32BE(20), mask.content[24], mask.content[25]]).toEqual([320, 320, 8, 3]);
});

test("lipstick changes the lips and nothing else; by keyboard", async ({ page }) => {
  await open(page);
  await choose(page, "smile.png");
  await expect(status(page)).toHaveText(/^One mouth found/);
  await page.getByLabel("Draw the contours").uncheck();
  const pixels = () =>
    page.evaluate(() => {
      const canvas = document.querySelector("canvas")!;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let text = "";
      for (let at = 0; at < data.length; at += 4) text += String.fromCharCode(data[at]!);
      return btoa(text);
    });
  const bare = Buffer.from(await pixels(), "base64");
  await page.getByRole("radio", { name: "No lipstick" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("radio", { name: "Ruby" })).toBeChecked();
  const labels = Buffer.from(golden.labels, "base64");
  const changed = async () => {
    const now = Buffer.from(await pixels(), "base64");
    let [lips, far] = [0, 0];
    const { box } = golden.pictures["smile"]!.lips[0]!;
    for (let at = 0; at < labels.length; at++) {
      if (now[at] === bare[at]) continue;
      const [x, y] = [at % 320, Math.floor(at / 320)];
      if (labels[at]) lips++;
      else if (Math.abs(x - box.cx) > box.width || Math.abs(y - box.cy) > box.height) far++;
    }
    return { lips, far };
  };
  await expect.poll(async () => (await changed()).lips).toBeGreaterThan(labels.filter((label) => label === 1).length);
  expect((await changed()).far).toBe(0);
  await page.getByLabel("Opacity").fill("0");
  await expect.poll(async () => (await changed()).lips).toBe(0);
});

test("several faces can be looked at one after the other", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Try drawn faces" }).click();
  await expect(status(page)).toHaveText(/^2 mouths found/);
  const first = await page.locator("#opening-value").textContent();
  await page.getByLabel("Face").selectOption({ label: "2 of 2" });
  await expect(page.locator("#opening-value")).not.toHaveText(first!);
});

test("a pasted and a dropped picture", async ({ page }) => {
  await open(page);
  for (const [kind, name] of [["paste", "smile.png"], ["drop", "laugh.png"]] as const) {
    await page.evaluate(
      ([kind, name, content]) => {
        const data = new DataTransfer();
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], name, { type: "image/png" }));
        const event =
          kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true });
        document.querySelector("#frame")!.dispatchEvent(event);
      },
      [kind, name, readFileSync(file(name)).toString("base64")] as const,
    );
    await expect(status(page)).toHaveText(/^One mouth found/);
    await expect(page.locator("#opening-value")).toHaveText(
      `${Math.round(100 * golden.pictures[name.replace(".png", "")]!.lips[0]!.record.opening)} % of width`,
    );
  }
});

test("the page goes on without a network, and cannot ask another server", async ({ page, context }) => {
  await open(page);
  await context.setOffline(true);
  await choose(page, "smile.png");
  await expect(status(page)).toHaveText(/^One mouth found/);
  await context.setOffline(false);
  const asked = await page.evaluate(() => fetch("http://127.0.0.1:5199/").then(String, (error: Error) => error.name));
  expect(asked).toBe("TypeError");
  expect(wrong.splice(0).join()).toMatch(/Content Security Policy/);
});

test("it says what to do where no face is found and where a file is no picture", async ({ page }) => {
  await open(page);
  await choose(page, "nothing.png");
  await expect(status(page)).toHaveText(/^No face found\. Try a picture in which the face is larger/);
  await expect(page.getByRole("button", { name: "Mask" })).toBeDisabled();
  await choose(page, "cases.json");
  await expect(status(page)).toHaveText(/^cases.json cannot be read as a picture\. Choose a JPEG, PNG/);
});

test("it says what to do where the model cannot be loaded", async ({ page }) => {
  await page.route("**/card.json", (route) => route.fulfill({ status: 404, body: "" }));
  await page.goto("/");
  await expect(status(page)).toHaveText(/^The model cannot be loaded: .*card\.json: cannot be fetched \(404/);
});

async function withCamera(browser: Browser, args: string[], use: (page: Page) => Promise<void>): Promise<void> {
  const type = browser.browserType();
  const { launchOptions } = test.info().project.use;
  const own = await type.launch({ ...launchOptions, args: [...(launchOptions?.args ?? []), ...args] });
  try {
    await use(await own.newPage({ baseURL: test.info().project.use.baseURL, viewport: { width: 1280, height: 900 } }));
  } finally {
    await own.close();
  }
}

test("the camera: a moving face followed for 200 frames without losing it", async ({ browser }) => {
  test.setTimeout(240_000);
  const args = [
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-video-capture=${file("camera.mjpeg")}`,
  ];
  await withCamera(browser, args, async (page) => {
    await open(page);
    await page.getByRole("radio", { name: "Ruby" }).check();
    await page.getByRole("button", { name: "Start the camera" }).click();
    await expect(status(page)).toHaveText("Following your mouth.", { timeout: 30_000 });
    const frames = () => page.evaluate(() => Number(document.body.dataset["frames"]));
    await expect.poll(frames, { timeout: 180_000 }).toBeGreaterThan(200);
    const { ids, lost } = await page.evaluate(() => ({ ...document.body.dataset }));
    expect(ids).toBe("1");
    expect(lost).toBe("0");
    await expect(page.locator("#rate")).toHaveText(/^\d+ frames\/s · [\d.]+ ms a frame$/);
    await page.screenshot({ path: "test-results/camera.png" });
    await page.getByRole("button", { name: "Stop the camera" }).click();
    await expect(status(page)).toHaveText("The camera is off.");
  });
});

test("it says what to do where the camera is refused and where there is none", async ({ browser }) => {
  await withCamera(browser, ["--use-fake-device-for-media-stream", "--deny-permission-prompts"], async (page) => {
    await open(page);
    await page.getByRole("button", { name: "Start the camera" }).click();
    await expect(status(page)).toHaveText(/^The camera was refused\. Allow it for this page/);
  });
  await withCamera(browser, ["--use-fake-ui-for-media-stream"], async (page) => {
    await open(page);
    await page.getByRole("button", { name: "Start the camera" }).click();
    await expect(status(page)).toHaveText(/^There is no camera\. Plug one in/);
  });
});

test("looks in light and dark, on a screen and on a phone's width; with names and contrast for everybody", async ({ page }) => {
  const looks = [["light", 1280, 900], ["dark", 1280, 900], ["light", 390, 844], ["dark", 390, 844]] as const;
  const each = async (name: string) => {
    for (const [colorScheme, width, height] of looks) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      // Nothing is cut off at the side.
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await faults(page)).toEqual([]);
      await page.screenshot({ path: `test-results/${name}-${colorScheme}-${width}.png`, fullPage: true });
    }
  };
  await open(page);
  await each("empty");
  await page.getByRole("button", { name: "Try drawn faces" }).click();
  await expect(status(page)).toHaveText(/^2 mouths found/);
  const drawn = () => page.evaluate(() => document.querySelector("canvas")!.toDataURL("image/jpeg", 0.5));
  const bare = await drawn();
  await page.getByRole("radio", { name: "gloss" }).check();
  await page.getByRole("radio", { name: "Berry" }).check();
  await expect.poll(drawn).not.toBe(bare);
  await each("faces");
  await choose(page, "nothing.png");
  await expect(status(page)).toHaveText(/^No face found/);
  await each("none");
});

/** Returns what a screen reader or weak eyes would miss: controls without a name, text of too little contrast. */
function faults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    for (const control of document.querySelectorAll<HTMLElement>("button, input, select, meter, canvas, fieldset")) {
      const labels = (control as HTMLInputElement).labels;
      const named =
        control.getAttribute("aria-label") ??
        document.getElementById(control.getAttribute("aria-labelledby") ?? "")?.textContent ??
        (labels?.length ? labels[0]!.textContent : (control.querySelector("legend")?.textContent ?? control.textContent));
      if (!named?.trim()) found.push(`${control.tagName} #${control.id} has no name`);
    }
    const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })!;
    const rgb = (css: string, under: number[]): number[] => {
      probe.fillStyle = `rgb(${under.join(" ")})`;
      probe.fillRect(0, 0, 1, 1);
      probe.fillStyle = css;
      probe.fillRect(0, 0, 1, 1);
      return Array.from(probe.getImageData(0, 0, 1, 1).data.slice(0, 3));
    };
    const luminance = (colour: number[]): number =>
      colour
        .map((byte) => byte / 255)
        .map((code) => (code <= 0.04045 ? code / 12.92 : ((code + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, k) => sum + value * [0.2126, 0.7152, 0.0722][k]!, 0);
    const ground = (node: Element | null): number[] => {
      if (!node) return rgb(getComputedStyle(document.documentElement).backgroundColor, [255, 255, 255]);
      const own = getComputedStyle(node).backgroundColor;
      return rgb(own, ground(node.parentElement));
    };
    for (const node of document.querySelectorAll("body *")) {
      const text = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.textContent!.trim());
      const disabled = node.closest(":disabled");
      if (!text || disabled || node.closest(".unseen, script, svg, option, #rate") || !(node as HTMLElement).offsetParent) continue;
      const under = ground(node);
      const [a, b] = [luminance(rgb(getComputedStyle(node).color, under)), luminance(under)];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) found.push(`"${node.textContent!.trim().slice(0, 30)}" has a contrast of ${contrast.toFixed(2)}`);
    }
    return found;
  });
}
