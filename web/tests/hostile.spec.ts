/** A card or a network that lies about itself gives one clear error, and the page goes on. */

import { expect, type Page, test as base } from "@playwright/test";
import { openHarness } from "./golden.js";

const test = base.extend<object, { shared: Page }>({
  shared: [
    async ({ browser }, use) => {
      const page = await browser.newPage({ baseURL: "http://localhost:5199" });
      await openHarness(page);
      await page.evaluate(lies);
      await use(page);
      await page.close();
    },
    { scope: "worker" },
  ],
  page: ({ shared }, use) => use(shared),
});

/** What loading and using a model came to: "" for lips all of whose numbers are some, or the error. */
interface Outcome {
  name: string;
  message: string;
}

interface Lie {
  /** Changes the card's text. */
  card?: (text: string) => string;
  /** The network in the cascade's place, of golden/hostile; the card then knows its hash. */
  cascade?: string;
  /** Leaves the card's hash as it was. */
  unknown?: boolean;
}

declare global {
  /** Loads a model of which something is changed, and uses it on a drawn face. */
  var tell: (lie: Lie) => Promise<Outcome>;
  /** Makes a random change of a card. */
  var changed: (text: string, random: () => number) => string;
  /** Returns random numbers from 0 to 1 that a seed determines (mulberry32). */
  var seeded: (seed: number) => () => number;
}

function lies(): void {
  globalThis.seeded = (state) => () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const values = [
    ..."0 -1 -0.5 0.5 1e-300 1e300 -1e300 1e999 4096 4097 2147483648 9007199254740993 1e12 null true [] {} [[]]".split(" "),
    ...['""', '"80"', '"NaN"', '"../x"', '"https://example.com/x"', '"<script>"', '"\\u0000"', '{"length":1e9}', "[1,2,3]"],
    ...['{"__proto__":{"size":80}}', '{"toString":1,"valueOf":1}', `${"[".repeat(500)}${"]".repeat(500)}`, "[null]"],
  ];
  globalThis.changed = (text, random) => {
    const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
    if (random() < 0.1) {
      const [at, length] = [Math.floor(random() * text.length), Math.floor(20 * random())];
      return pick([text.slice(0, at), text.slice(0, at) + text.slice(at + length), text.slice(0, at) + pick(values) + text.slice(at)]);
    }
    const card = JSON.parse(text) as Record<string, unknown>;
    let [holder, key]: [Record<string, unknown>, string] = [card, pick(["format", "files", ...Array(8).fill("runtime"), ...Array(8).fill("constants")])];
    for (let depth = 0; depth < 9 && random() < 0.85; depth++) {
      const inside = Object.keys(Object(holder[key]) === holder[key] ? (holder[key] as object) : {});
      if (!inside.length) break;
      [holder, key] = [holder[key] as Record<string, unknown>, pick(inside)];
    }
    const [mark, old] = ["@place@", holder[key]];
    if (random() < 0.15) {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      return JSON.stringify(card);
    }
    const numbers = typeof old === "number" ? [-old, 1e6 * old, old / 1e6, old + 1, old + 0.5].map(String) : [];
    holder[key] = mark;
    return JSON.stringify(card).replace(`"${mark}"`, () => pick([...values, ...numbers, ...numbers, ...numbers]));
  };
  const real = globalThis.fetch.bind(globalThis);
  let told: Lie = {};
  let text = "";
  globalThis.fetch = async (input, init) => {
    const place = new URL(input instanceof Request ? input.url : String(input), location.href);
    if (!place.pathname.startsWith("/lie/")) return real(input, init);
    const name = place.pathname.slice("/lie/".length);
    if (name === "card.json") return new Response(text);
    return real(name === "cascade.onnx" && told.cascade ? `/golden/hostile/${told.cascade}.onnx` : `/model/${name}`);
  };
  globalThis.tell = async (lie) => {
    told = lie;
    const card = await (await real("/model/card.json")).json();
    if (lie.cascade && !lie.unknown) {
      const content = await (await real(`/golden/hostile/${lie.cascade}.onnx`)).arrayBuffer();
      const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", content))];
      card.files["cascade.onnx"] = { bytes: content.byteLength, sha256: digest.map((byte) => byte.toString(16).padStart(2, "0")).join("") };
    }
    text = (lie.card ?? ((same) => same))(JSON.stringify(card));
    try {
      const lips = await h.LipSegmenter.load("/lie", { runtimeUrl: "/ort/", threads: 1 });
      const picture = await h.imageData("smile.png");
      const { lips: found } = await lips.segment(picture);
      const boxed = await lips.segment(picture, { boxes: [[60, 80, 150, 130]] });
      const numbers = [...found, ...boxed.lips].flatMap((one) => [...one.landmarks.flat(), one.score, one.opening, one.width]);
      if (!numbers.every(Number.isFinite)) return { name: "silent", message: "landmarks that are no numbers" };
      return { name: "", message: "" };
    } catch (error) {
      return { name: (error as Error).name, message: (error as Error).message };
    }
  };
}

/** Whether an error is one line of lipseg's own, not too long. */
function clear({ name, message }: Outcome): boolean {
  return name === "LipsegError" && message.length < 500 && !/\p{Cc}/u.test(message);
}

test("a card that is damaged anyhow is refused in a line, or is one that the library can compute with", async ({ page }) => {
  const found = await page.evaluate(async () => {
    const { format, files, runtime, constants } = await (await fetch("/model/card.json")).json();
    const text = JSON.stringify({ format, files, runtime, constants });
    const random = seeded(1);
    const outcomes: Outcome[] = [];
    const sound: string[] = [];
    for (let run = 0; run < 4000; run++) {
      const card = changed(text, random);
      try {
        h.parseCard(card, "card.json");
        if (card !== text) sound.push(card);
      } catch (error) {
        outcomes.push({ name: (error as Error).name, message: (error as Error).message });
      }
    }
    const used: Outcome[] = [];
    for (let at = 0; at < 6; at++) used.push(await tell({ card: () => sound[Math.floor((at * sound.length) / 6)]! }));
    return { outcomes, used, sound: sound.length };
  });
  expect(found.sound).toBeGreaterThan(12);
  expect(found.outcomes.length).toBeGreaterThan(3000);
  expect(found.outcomes.filter((outcome) => !clear(outcome) || !outcome.message.startsWith("card.json: "))).toEqual([]);
  expect(found.used.filter((outcome) => outcome.name && !clear(outcome))).toEqual([]);
  expect(found.used.filter(({ name }) => !name).length).toBeGreaterThan(2);
});

const LIES: [what: string, lie: Omit<Lie, "card"> & { set?: [path: string, value: unknown] }, said: RegExp][] = [
  ["a network that the card does not know", { cascade: "sound", unknown: true }, /^cascade\.onnx: not the file that card\.json describes/],
  ["a network that is cut off", { cascade: "half" }, /^cascade\.onnx: is no ONNX file, or cut off/],
  ["a network that is a text", { cascade: "words" }, /^cascade\.onnx: is no ONNX file, or cut off/],
  ["landmarks that are no numbers", { cascade: "numbers" }, /^cascade\.onnx: gives what is no number/],
  ["landmarks that are infinite", { cascade: "infinite" }, /^cascade\.onnx: /],
  ["a landmark less than the card says", { cascade: "points" }, /^cascade\.onnx: gives 110 numbers as "points_unit", not 112/],
  ["a component more", { cascade: "components" }, /^cascade\.onnx: gives 5 numbers as "responsibilities", not 4/],
  ["views of another size", { cascade: "size" }, /^cascade\.onnx: ONNX Runtime cannot run it/],
  ["an output of another name", { cascade: "output" }, /^cascade\.onnx: ONNX Runtime cannot run it/],
  ["an output of another type", { cascade: "kind" }, /^cascade\.onnx: gives "score" as another type of number/],
  ["4 GB to be allocated", { cascade: "large" }, /^cascade\.onnx: ONNX Runtime cannot/],
  ["16 TB to be allocated", { cascade: "huge" }, /^cascade\.onnx: ONNX Runtime cannot/],
  ["a branch", { cascade: "branch" }, /^cascade\.onnx: has a loop or a branch, the operator "If"/],
  ["an operator of its own", { cascade: "operator" }, /^cascade\.onnx: has the custom operator "Shell"/],
  ["weights in another file", { cascade: "elsewhere" }, /^cascade\.onnx: names another file/],
  ["a card with views of another size", { set: ["runtime.view.size", 96] }, /^cascade\.onnx: ONNX Runtime cannot run it/],
  ["a card with huge views", { set: ["runtime.view.size", 1e6] }, /^card\.json: "runtime\.view\.size" must be a whole number/],
  ["a card with fewer landmarks", { set: ["runtime.scheme.points", 50] }, /^card\.json: "runtime\.conventions/],
  ["a card with more components", { set: ["runtime.components", 9] }, /^cascade\.onnx: gives 4 numbers as "responsibilities", not 9/],
  ["a card whose locator sees more", { set: ["runtime.locator.view.size", 64] }, /^locator\.onnx: ONNX Runtime cannot run it/],
  ["a search without an end", { set: ["constants.detector.least_side", 0] }, /^card\.json: "constants\.detector\.least_side"/],
  ["a detector from elsewhere", { set: ["constants.detector.file", "https://example.com/x.onnx"] }, /^card\.json: .*a file in the model's folder/],
  ["strides that the detector lacks", { set: ["constants.detector.strides", [8, 16]] }, /^$/],
  ["strides of another network", { set: ["constants.detector.strides", [4, 8]] }, /^face_detector\.onnx: ONNX Runtime cannot run it/],
  ["a colour that is markup", { set: ["constants.drawing.lips", '"/><script>'] }, /^card\.json: .*a colour as #rrggbb/],
];

test("a model that lies about itself gives one clear error, and the page goes on", async ({ page }) => {
  for (const [what, { set, ...lie }, said] of LIES) {
    const outcome = await page.evaluate(
      ([lie, set]) =>
        tell({
          ...lie,
          card: (text) => {
            if (!set) return text;
            const card = JSON.parse(text);
            const keys = set[0].split(".");
            const last = keys.pop()!;
            keys.reduce((part, key) => part[key], card)[last] = set[1];
            return JSON.stringify(card);
          },
        }),
      [lie, set] as const,
    );
    expect(outcome.message, what).toMatch(said);
    expect(outcome.name === "" || clear(outcome), outcome.message).toBe(true);
  }
  expect(await page.evaluate(() => tell({ cascade: "sound" }))).toEqual({ name: "", message: "" });
  expect(await page.evaluate(() => tell({}))).toEqual({ name: "", message: "" });
});

test("a finish that every object has is none", async ({ page }) => {
  const said = await page.evaluate(async () => {
    const { card } = await h.segmenter();
    try {
      new h.Lipstick(card, { colour: "#aa0000", finish: "constructor" } as never);
    } catch (error) {
      return String(error);
    }
    return "";
  });
  expect(said).toMatch(/LipsegError: "constructor" is no finish/);
});
