/** The library answers what lipseg in Python answers. */

import { expect, type Page, test as base } from "@playwright/test";
import { apart, farthest, golden, openHarness } from "./golden.js";

// One page for all tests of the file: the model is loaded once.
const test = base.extend<object, { shared: Page }>({
  shared: [
    async ({ browser }, use) => {
      const page = await browser.newPage({ baseURL: "http://localhost:5199" });
      await openHarness(page);
      await use(page);
      await page.close();
    },
    { scope: "worker" },
  ],
  page: ({ shared }, use) => use(shared),
});

for (const [index, known] of golden.views.entries()) {
  test(`view ${index} of ${known.picture}: the same pixels, in a second view too, and the same landmarks from the same pixels`, async ({ page }) => {
    const found = await page.evaluate(async (known) => {
      const lips = await h.segmenter();
      const { view, scheme } = lips.card.runtime;
      const picture = await h.openPicture(await h.bitmap(`${known.picture}.png`));
      const map = h.geometry.mouthView(view, h.box.makeBox(known.box.cx, known.box.cy, known.box.width, known.box.height, known.box.roll));
      const pixels = h.bytes(known.pixels);
      const own = h.resample.warp(picture, map, view.size);
      const difference = own.reduce((sum, value, at) => sum + Math.abs(value - pixels[at]!), 0) / own.length;
      const { around } = lips.card.constants.finding;
      const wide = { ...view, size: Math.round(around * view.size), margin: around * view.margin };
      const part = h.resample.partShown(picture, h.geometry.mouthView(wide, { ...known.box, score: 1, origin: "" }), wide.size);
      const second = h.geometry.mouthView(view, { ...known.again.box, score: 1, origin: "" });
      const secondPixels = h.bytes(known.again.pixels);
      const seen = h.resample.warpPart(part, second, view.size);
      const again = seen.reduce((sum, value, at) => sum + Math.abs(value - secondPixels[at]!), 0) / own.length;
      const network = await h.network("cascade.onnx");
      const said = await network.look([pixels], view.size, ["points_unit", "score", "component"]);
      const points = h.geometry.fromUnit(said["points_unit"]!, 0, scheme.points, view.size, h.geometry.IDENTITY);
      return { map, difference, again, points, score: said["score"]![0]!, component: said["component"]![0]! };
    }, known);
    const { a, b, c, d, e, f } = found.map;
    [[a, b, c], [d, e, f]].flat().forEach((value, at) => expect(value).toBeCloseTo(known.matrix.flat()[at]!, 9));
    expect(found.difference).toBeLessThan(0.25);
    expect(found.again).toBeLessThan(0.25);
    expect(farthest(found.points, known.points)).toBeLessThan(0.01);
    expect(found.score).toBeCloseTo(known.score, 3);
    expect(found.component).toBe(known.component);
  });
}

for (const known of golden.locator) {
  test(`the mouth that the locator sees in ${known.picture}`, async ({ page }) => {
    const found = await page.evaluate(async (known) => {
      const lips = await h.segmenter();
      const { view } = lips.card.runtime.locator!;
      const { cx, cy, width, height, roll } = known.face;
      const face = h.box.makeBox(cx, cy, width, height, roll);
      const picture = await h.openPicture(await h.bitmap(`${known.picture}.png`));
      const map = h.geometry.viewToImage(face, view.margin * width, view.margin * height, view.size);
      const pixels = h.bytes(known.pixels);
      const own = h.resample.warp(picture, map, view.size, true);
      const difference = own.reduce((sum, value, at) => sum + Math.abs(value - pixels[at]!), 0) / own.length;
      const network = await h.network("locator.onnx");
      const said = await network.look([pixels], view.size, h.LOCATOR_OUTPUTS);
      const points = h.geometry.fromUnit(said["points_unit"]!, 0, 4, view.size, map);
      const mouth = h.mouthOf(points, lips.card.constants.finding.smallest, face);
      return { difference, mouth, presence: said["presence"]![0]! };
    }, known);
    expect(found.difference).toBeLessThan(0.25);
    expect(found.presence).toBeCloseTo(known.presence, 2);
    for (const key of ["cx", "cy", "width", "height"] as const) expect(found.mouth[key]).toBeCloseTo(known.mouth[key], 1);
    expect(found.mouth.roll).toBeCloseTo(known.mouth.roll, 3);
  });
}

for (const { picture, attempts } of golden.attempts) {
  test(`the faces that each attempt of the detector finds in ${picture}`, async ({ page }) => {
    const found = await page.evaluate(async (picture) => {
      const { detector } = (await h.segmenter()).card.constants;
      const yunet = new h.YuNet(await h.network(detector.file), detector);
      const all = [];
      for await (const faces of yunet.attempts(await h.openPicture(await h.bitmap(`${picture}.png`)))) all.push(faces);
      return all;
    }, picture);
    expect(found.map((faces) => faces.length)).toEqual(attempts.map((faces) => faces.length));
    attempts.flat().forEach((known, index) => {
      const own = found.flat()[index]!;
      expect(own.origin).toBe(known.origin);
      expect(own.score).toBeCloseTo(known.score, 1);
      expect(own.roll).toBeCloseTo(known.roll, 1);
      expect(Math.hypot(own.cx - known.cx, own.cy - known.cy)).toBeLessThan(0.02 * known.width);
      expect(Math.abs(own.width / known.width - 1)).toBeLessThan(0.02);
    });
  });
}

for (const [name, known] of Object.entries(golden.pictures)) {
  test(`the lips of the whole picture ${name}`, async ({ page }) => {
    const found = await page.evaluate(async (name) => (await h.segmenter()).segment(await h.bitmap(`${name}.png`)), name);
    expect(found.reason).toBe(known.reason);
    expect(found.lips.length).toBe(known.lips.length);
    known.lips.forEach((lips, index) => {
      const own = found.lips[index]!;
      // Half a pixel where the mouth is 100 pixels wide.
      expect(apart(own.landmarks, lips.landmarks)).toBeLessThan(0.005 * lips.record.width);
      expect(own.score).toBeCloseTo(lips.score, 1);
      expect(own.component).toBe(lips.component);
      expect(Math.abs(own.width / lips.record.width - 1)).toBeLessThan(0.03);
      expect(own.opening).toBeCloseTo(lips.record.opening, 2);
      expect(own.responsibilities.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
    });
  });
}

test("a picture as image data, canvas, image element and video frame gives the same lips", async ({ page }) => {
  const found = await page.evaluate(async () => {
    const lips = await h.segmenter();
    const bitmap = await h.bitmap("smile.png");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
    const image = new Image();
    image.src = "/golden/smile.png";
    await image.decode();
    const frame = new VideoFrame(canvas, { timestamp: 0 });
    const sources = [bitmap, await h.imageData("smile.png"), canvas, image, frame];
    const answers = [];
    for (const source of sources) answers.push((await lips.segment(source)).lips[0]!.landmarks);
    frame.close();
    return answers;
  });
  for (const landmarks of found) expect(farthest(landmarks, found[0]!)).toBeLessThan(0.3);
});

test("a mouth whose box is given", async ({ page }) => {
  const { picture, corners, lips: known } = golden.boxed;
  const found = await page.evaluate(
    async ([picture, corners]) => (await h.segmenter()).segment(await h.bitmap(`${picture}.png`), { boxes: [corners] }),
    [picture, corners] as const,
  );
  expect(apart(found.lips[0]!.landmarks, known.landmarks)).toBeLessThan(0.1);
});

test("lips in every convention of the model, in pictures and video; the reference's is the default", async ({ page }) => {
  const { picture, each } = golden.conventions;
  const found = await page.evaluate(
    async ([picture, names]) => {
      const image = await h.bitmap(`${picture}.png`);
      const answers = [];
      for (const convention of [undefined, ...names]) {
        const lips = await h.LipSegmenter.load("/model", { runtimeUrl: "/ort/", threads: 1, convention });
        const [seen] = (await lips.segment(image)).lips;
        const [mouth] = (await lips.tracker().next(image, 0)).mouths;
        answers.push({ seen: seen!, tracked: mouth!.lips });
      }
      const unknown = await h.LipSegmenter.load("/model", { convention: "nobody" }).catch((error: Error) => error.message);
      return { answers, unknown };
    },
    [picture, each.map(({ name }) => name)] as const,
  );
  expect(each.length).toBeGreaterThan(1);
  [each[0]!, ...each].forEach(({ lips, tracked }, index) => {
    const own = found.answers[index]!;
    expect(apart(own.seen.landmarks, lips.landmarks)).toBeLessThan(0.005 * lips.record.width);
    expect(apart(own.tracked.landmarks, tracked)).toBeLessThan(0.005 * lips.record.width);
    expect(own.seen.score).toBeCloseTo(lips.score, 1);
    expect(own.seen.opening).toBeCloseTo(lips.record.opening, 2);
  });
  // They differ by more than the comparison allows.
  expect(apart(each[0]!.lips.landmarks, each[1]!.lips.landmarks)).toBeGreaterThan(0.01 * each[0]!.lips.record.width);
  const names = each.map(({ name }) => name);
  expect(found.unknown).toBe(`this model has no convention "nobody"; it knows ${[names[0], ...names.slice(1).sort()].join(", ")}`);
});

test("sizes, label map, matte, SVG and JSON from the same landmarks", async ({ page }) => {
  const known = golden.pictures["smile"]!.lips[0]!;
  const found = await page.evaluate(async (known) => {
    const lips = await h.segmenter();
    const seen = { ...known, box: { ...known.box, score: 1, origin: "known" } };
    const answer = { lips: [h.makeLips(seen, known.landmarks, lips.card)], width: 320, height: 320, reason: "" };
    const labels = h.labelMap(answer.lips, answer.width, answer.height, lips.card);
    const { x, y, width, height, alpha } = h.matte(answer.lips[0]!, answer.width, answer.height, lips.card);
    const whole = new Array<number>(answer.width * answer.height).fill(0);
    alpha.forEach((value, at) => (whole[(y + Math.floor(at / width)) * answer.width + x + (at % width)] = value));
    const png = await h.toMaskPng(answer, lips.card);
    const read = await createImageBitmap(png, { colorSpaceConversion: "none" });
    return {
      labels: Array.from(labels),
      alpha: whole,
      cells: height * width,
      svg: h.toSvg(answer, "smile.png", lips.card),
      json: h.toRecord(answer, "smile.png"),
      png: [read.width, read.height],
    };
  }, known);
  const labels = Buffer.from(golden.labels, "base64");
  const inside = labels.filter((label) => label > 0).length;
  const different = found.labels.filter((label, at) => label !== labels[at]).length;
  expect(different / inside).toBeLessThan(0.03);
  const matte = Buffer.from(golden.matte, "base64");
  const off = found.alpha.reduce((sum, value, at) => sum + Math.abs(value - matte[at]! / 255), 0);
  expect(off / matte.reduce((sum, value) => sum + value / 255, 0)).toBeLessThan(0.01);
  expect(found.png).toEqual([320, 320]);
  expect(Object.keys(found.json)).toEqual(Object.keys(golden.json));
  const [own, expected] = [found.json, golden.json].map((record) => (record["faces"] as Record<string, unknown>[])[0]!);
  expect(own).toEqual(expected);
  const numbers = (svg: string): number[] => [...svg.matchAll(/-?\d+(\.\d+)?/g)].map(([text]) => Number(text));
  const shape = (svg: string): string => svg.replace(/-?\d+(\.\d+)?/g, "0");
  expect(shape(found.svg)).toBe(shape(golden.svg));
  numbers(found.svg).forEach((value, at) => expect(value).toBeCloseTo(numbers(golden.svg)[at]!, 1));
});

for (const [finish, picture] of Object.entries({ ...golden.lipstick.finishes, open: "painted-open.png" })) {
  test(`lipstick: ${finish}`, async ({ page }) => {
    const found = await page.evaluate(
      async ([finish, picture, colour, opacity, corners]) => {
        const lips = await h.segmenter();
        const name = finish === "open" ? "open.png" : "smile.png";
        const boxes = finish === "open" ? [corners] : undefined;
        const answer = await lips.segment(await h.bitmap(name), { boxes });
        const style = { colour, opacity, finish: finish === "open" ? "satin" : finish };
        const [patch] = await new h.Lipstick(lips.card, style).apply(await h.bitmap(name), answer.lips);
        const { x, y, image } = patch!;
        const cut = async (name: string) => {
          const whole = await h.openPicture(await h.imageData(name));
          return whole.read(x, y, x + image.width, y + image.height).data;
        };
        const [bare, known] = [await cut(name), await cut(picture)];
        let [off, change, count] = [0, 0, 0];
        for (let at = 0; at < known.length; at++) {
          if (at % 4 === 3 || known[at] === bare[at]) continue;
          off += Math.abs(image.data[at]! - known[at]!);
          change += Math.abs(known[at]! - bare[at]!);
          count += 1;
        }
        return { off: off / count, change: change / count };
      },
      [
        finish,
        picture,
        `#${golden.lipstick.colour.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`,
        golden.lipstick.opacity,
        golden.boxed.corners,
      ] as const,
    );
    expect(found.change).toBeGreaterThan(10);
    expect(found.off).toBeLessThan(1.5);
  });
}

test("mouths are followed as in Python: the same ids, the same places, the same number of detections", async ({ page }) => {
  const { fps, frames, detections } = golden.tracked;
  const found = await page.evaluate(
    async ([count, fps]) => {
      const tracker = (await h.segmenter()).tracker();
      const seen = [];
      for (let index = 0; index < count; index++) {
        const frame = await h.bitmap(`frame-${String(index).padStart(2, "0")}.png`);
        const { mouths } = await tracker.next(frame, index / fps);
        seen.push(mouths.map(({ id, lips }) => ({ id, landmarks: lips.landmarks })));
      }
      return { seen, detections: tracker.detections };
    },
    [frames.length, fps] as const,
  );
  expect(found.detections).toBe(detections);
  const off = frames.map((known, index) => {
    expect(found.seen[index]!.map(({ id }) => id)).toEqual(known.map(({ id }) => id));
    return Math.max(...known.map(({ landmarks }, k) => apart(found.seen[index]![k]!.landmarks, landmarks)));
  });
  // Each frame's view comes from the last one's answer: the last bit of a number grows to a grey level, and where a mouth
  // lies between two states that makes a pixel.
  expect(off.sort((a, b) => a - b)[off.length >> 1]).toBeLessThan(0.5);
  expect(off.at(-1)).toBeLessThan(3);
});

test("the library works in a worker", async ({ page }) => {
  const [landmarks] = (await page.evaluate(() => h.inWorker("smile.png"))) as [number[][]];
  expect(apart(landmarks, golden.pictures["smile"]!.lips[0]!.landmarks)).toBeLessThan(0.5);
});

test("where the graphics card cannot be used WebAssembly answers", async ({ page }) => {
  const [backend, landmarks] = await page.evaluate(async () => {
    const lips = await h.LipSegmenter.load("/model", { runtimeUrl: "/ort/", threads: 1, backend: "fastest" });
    return [lips.backend, (await lips.segment(await h.bitmap("smile.png"))).lips[0]!.landmarks] as const;
  });
  expect(backend).toBe("wasm");
  expect(apart(landmarks, golden.pictures["smile"]!.lips[0]!.landmarks)).toBeLessThan(0.1);
});

test("errors say what is wrong", async ({ page }) => {
  const messages = await page.evaluate(async () => {
    const lips = await h.segmenter();
    const image = await h.bitmap("smile.png");
    const message = (work: Promise<unknown>): Promise<string> => work.then(() => "none", (error: Error) => `${error.name}: ${error.message}`);
    const tracker = lips.tracker();
    const first = tracker.next(image);
    const twice = await message(tracker.next(image));
    await first;
    return [
      await message(h.LipSegmenter.load("/golden")),
      await message(lips.segment(image, { boxes: [[400, 400, 500, 450]] })),
      await message(lips.segment(image, { boxes: [[50, 50, 50, 60]] })),
      await message(lips.segment(document.createElement("video"))),
      twice,
      await message(Promise.resolve().then(() => new h.Lipstick(lips.card, { colour: "red" }))),
      await message(Promise.resolve().then(() => new h.Lipstick(lips.card, { colour: "#aa0000", finish: "wet" }))),
    ];
  });
  const expected = [/card.json: cannot be fetched \(404/, /boxes\[0\]: lies outside/, /boxes\[0\]: x0 must be smaller/, /has no pixels/];
  expected.push(/wait for one frame/, /no colour; write #rrggbb/, /no finish; choose matte, satin, gloss/);
  messages.forEach((message, index) => {
    expect(message).toMatch(expected[index]!);
    expect(message).toMatch(/^LipsegError: /);
  });
});
