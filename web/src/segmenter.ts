/** The public class: pictures in, lips out; see lipseg/inference/segmenter.py. */

import { type Box, boxAround, type Corners, givenBox, near, type Point, withoutDoubles } from "./box.js";
import {
  CARD,
  CASCADE,
  type Card,
  type Convention,
  LOCATOR,
  MOST_BYTES,
  MOST_CARD_BYTES,
  parseCard,
  type Runtime,
} from "./card.js";
import { conventionOf, drawnBy } from "./conventions.js";
import { type FaceDetector, YuNet } from "./detector.js";
import { inBrief, LipsegError } from "./errors.js";
import { type Affine, fromUnit, mouthView } from "./geometry.js";
import { type Detections, extentOf, type Lips, makeLips } from "./lips.js";
import { Locator, LOCATOR_OUTPUTS } from "./locator.js";
import { type Candidate, candidate, findMouths } from "./mouths.js";
import { configure, Network, openViews, type RuntimeOptions, startRuntime, type Wanted } from "./network.js";
import { type ImageSource, openPicture, type Picture } from "./picture.js";
import { type Part, partShown, warp, warpPart } from "./resample.js";
import { Tracker } from "./tracking/tracker.js";
import type { TrackParams } from "./card.js";

export interface LoadOptions extends RuntimeOptions {
  /** How faces are found in pictures that come without boxes; by default YuNet, from the model's folder. */
  detector?: FaceDetector;
  /** Mouths with a lower score are dropped, where no boxes are given; by default the model's own choice. */
  minScore?: number;
  /**
   * A source of training faces, whose annotators' way to draw lips the landmarks follow; by default the lips come as the
   * model's reference has them. The names stand on the card: `card.runtime.conventions`.
   */
  convention?: string;
}

export interface SegmentOptions {
  /** Mouth boxes in pixels of the picture; without them faces are looked for. */
  boxes?: readonly (Corners | Box)[];
}

/** The cascade's outputs, and the numbers that each has for a view. */
function outputs({ scheme, components }: Runtime): Wanted {
  return { points_unit: 2 * scheme.points, component: 1, responsibilities: components, score: 1 };
}

/** What the model sees of a mouth. */
interface View {
  box: Box;
  map: Affine;
  pixels: Uint8Array;
}

/** Finds lips: `const lips = await LipSegmenter.load(url); const { lips: found } = await lips.segment(image)`. */
export class LipSegmenter {
  private constructor(
    /** The model's card. */
    readonly card: Card,
    private readonly cascade: Network,
    private readonly locator: Locator | null,
    private readonly detector: FaceDetector,
    private readonly convention: Convention | null,
    private readonly options: LoadOptions,
  ) {}

  /**
   * Loads a model.
   *
   * @param modelUrl of the model's folder, which holds card.json and the networks
   * @throws LipsegError naming the file that is missing, damaged or does not fit, or the option that cannot be used
   */
  static async load(modelUrl: string | URL, options: LoadOptions = {}): Promise<LipSegmenter> {
    if (options.minScore !== undefined && !(options.minScore >= 0 && options.minScore <= 1)) {
      throw new LipsegError(`the least score must be from 0 to 1, not ${options.minScore}`);
    }
    configure(options);
    startRuntime();
    const folder = new URL(String(modelUrl).replace(/\/?$/, "/"), globalThis.location?.href);
    // All at once: what the card names for certain comes while it is being read.
    const content = fetched(new URL(CASCADE, folder));
    content.catch(() => {});
    const card = parseCard(new TextDecoder().decode(await fetched(new URL(CARD, folder), MOST_CARD_BYTES)), CARD);
    const { runtime, constants } = card;
    const convention = conventionOf(runtime, options.convention);
    const backend = options.backend ?? "wasm";
    const own = options.detector;
    const network = async (name: string, content = fetched(new URL(name, folder))): Promise<Uint8Array> =>
      checked(await content, name, card);
    const [cascade, located, faces] = await Promise.all([
      network(CASCADE, content).then((content) => openViews(content, CASCADE, runtime.view.size, outputs(runtime), backend)),
      runtime.locator &&
        network(LOCATOR).then((content) => openViews(content, LOCATOR, runtime.locator!.view.size, LOCATOR_OUTPUTS, "wasm")),
      own ?? fetched(new URL(constants.detector.file, folder)).then((content) => Network.open(content, constants.detector.file)),
    ]);
    const locator = located && new Locator(located, runtime.locator!, constants.finding.smallest);
    const detector = faces instanceof Network ? new YuNet(faces, constants.detector) : faces;
    const made = new LipSegmenter(card, cascade, locator, detector, convention, options);
    // Each network runs once when it is opened, so that a model that does not fit is told now.
    await cascade.look([new Uint8Array(3 * runtime.view.size ** 2)], runtime.view.size, outputs(runtime));
    if (located) {
      const { size } = runtime.locator!.view;
      await located.look([new Uint8Array(3 * size ** 2)], size, LOCATOR_OUTPUTS);
    }
    return made;
  }

  /** What the cascade runs on. */
  get backend(): "wasm" | "webgpu" {
    return this.cascade.backend;
  }

  /** The least score that was asked for, else 0. */
  get minScore(): number {
    return this.options.minScore ?? 0;
  }

  /**
   * Returns the lips of one picture; where there are none, `reason` says why.
   *
   * @throws LipsegError if the picture or a box cannot be used
   */
  async segment(image: ImageSource, options: SegmentOptions = {}): Promise<Detections> {
    const picture = await openPicture(image);
    try {
      const found = await this.asReference(picture, options.boxes);
      // The convention comes last: second views, scores and which mouths are kept do not depend on it.
      return { ...found, lips: found.lips.map((lips) => this.inConvention(lips)) };
    } finally {
      picture.close();
    }
  }

  /** Returns a tracker for the frames of a video; settings that are not given stand on the card. */
  tracker(params: Partial<TrackParams> = {}): Tracker {
    return new Tracker(this, params);
  }

  /**
   * Returns lips that are as the reference has them in the convention that was asked for.
   *
   * @internal
   */
  inConvention(lips: Lips): Lips {
    if (!this.convention) return lips;
    const { box, score, component, responsibilities, landmarks } = lips;
    const drawn = drawnBy(this.convention, landmarks, this.card.runtime.scheme);
    return makeLips({ box, score, component, responsibilities }, drawn.map(single), this.card);
  }

  /**
   * As `segment`, of a picture that is open, but as the model's reference has the lips.
   *
   * @internal
   */
  async asReference(picture: Picture, boxes?: readonly (Corners | Box)[]): Promise<Detections> {
    const { width, height } = picture;
    if (boxes) {
      const given = boxes.map((box, index) => candidate(givenBox(box, index, width, height)));
      const views = given.map((mouth) => this.view(picture, mouth.box));
      return { lips: await this.look(views), width, height, reason: "" };
    }
    const { mouths, reason } = await findMouths(picture, this.detector, this.locator, this.card, this.options.minScore);
    const { thresholds: rules, view } = this.card.runtime;
    const views = mouths.map((mouth) => this.view(picture, mouth.box));
    const around = rules.calibrated && view.shape === "square" ? mouths.map((m) => this.around(picture, m.box)) : [];
    const best = await this.look(views);
    if (around.length) await this.lookAgain(mouths, views, around, best);
    const kept = best.filter((lips, index) => lips.score >= mouths[index]!.least);
    const order = withoutDoubles(
      kept.map(extentOf),
      kept.map((lips) => lips.score),
      (a, b) => near(a, b, rules.same_mouth),
    ).sort((a, b) => a - b);
    const lips = order.map((position) => kept[position]!);
    return { lips, width, height, reason: lips.length ? "" : reason };
  }

  private view(picture: Picture, box: Box): View {
    const map = mouthView(this.card.runtime.view, box);
    return { box, map, pixels: warp(picture, map, this.card.runtime.view.size) };
  }

  /** Returns the surroundings of a mouth, for a second view. */
  private around(picture: Picture, box: Box): Part {
    const { view } = this.card.runtime;
    const share = this.card.constants.finding.around;
    const wide = { ...view, size: Math.round(share * view.size), margin: share * view.margin };
    return partShown(picture, mouthView(wide, box), wide.size);
  }

  /** Returns what the model sees in views, in pixels of their pictures. */
  private async look(views: readonly View[]): Promise<Lips[]> {
    if (!views.length) return [];
    const { view, scheme, components } = this.card.runtime;
    const found = await this.cascade.look(
      views.map(({ pixels }) => pixels),
      view.size,
      outputs(this.card.runtime),
    );
    return views.map(({ box, map }, row) => {
      const landmarks = fromUnit(found["points_unit"]!, 2 * scheme.points * row, scheme.points, view.size, map);
      const seen = {
        box,
        score: found["score"]![row]!,
        component: found["component"]![row]!,
        responsibilities: Array.from(found["responsibilities"]!.subarray(components * row, components * (row + 1))),
      };
      return makeLips(seen, landmarks.map(single), this.card);
    });
  }

  /** Shows the model each doubtful mouth again; the answer with the highest score takes its place in `best`. */
  private async lookAgain(mouths: Candidate[], views: View[], around: Part[], best: Lips[]): Promise<void> {
    const { size } = this.card.runtime.view;
    const again: { at: number; view: View }[] = [];
    best.forEach((lips, at) => {
      if (lips.score >= this.card.runtime.thresholds.doubt) return;
      const first = views[at]!.box;
      const share = lips.width / first.width;
      const boxes = [
        share > 0.5 && share < 2 ? boxAround(lips.landmarks, this.card.runtime.scheme, first.origin) : null,
        mouths[at]!.average,
      ];
      for (const box of boxes) {
        if (!box || sameBox(box, first)) continue;
        const map = mouthView(this.card.runtime.view, box);
        again.push({ at, view: { box, map, pixels: warpPart(around[at]!, map, size) } });
      }
    });
    const others = await this.look(again.map(({ view }) => view));
    again.forEach(({ at }, index) => {
      if (others[index]!.score > best[at]!.score) best[at] = others[index]!;
    });
  }
}

function sameBox(a: Box, b: Box): boolean {
  return a.cx === b.cx && a.cy === b.cy && a.width === b.width && a.height === b.height && a.roll === b.roll;
}

/** Landmarks are single precision, as in Python. */
function single([x, y]: Point): Point {
  return [Math.fround(x), Math.fround(y)];
}

/** Returns a file's content; of a file of more bytes than `most` nothing is kept. */
async function fetched(url: URL, most = MOST_BYTES): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new LipsegError(`${url.pathname}: cannot be fetched (${inBrief(error)})`);
  }
  if (!response.ok) throw new LipsegError(`${url.pathname}: cannot be fetched (${response.status} ${response.statusText})`);
  const parts: Uint8Array[] = [];
  let length = 0;
  if (!response.body) return new Uint8Array();
  const reader = response.body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.length;
      if (length > most) {
        void reader.cancel();
        throw new LipsegError(`${url.pathname}: larger than ${most >> 20} MB, and so no file of a model`);
      }
      parts.push(part.value);
    }
  } catch (error) {
    if (error instanceof LipsegError) throw error;
    throw new LipsegError(`${url.pathname}: cannot be fetched (${inBrief(error)})`);
  }
  const content = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return content;
}

/** Refuses a network that is not the one that the card was written for; hashes where the browser offers them. */
async function checked(content: Uint8Array, name: string, card: Card): Promise<Uint8Array> {
  const known = card.files[name];
  const digest = globalThis.crypto?.subtle
    ? Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", content as Uint8Array<ArrayBuffer>)), (byte) =>
        byte.toString(16).padStart(2, "0"),
      ).join("")
    : known?.sha256;
  if (!known || content.length !== known.bytes || digest !== known.sha256) {
    throw new LipsegError(`${name}: not the file that ${CARD} describes; get the folder again`);
  }
  return content;
}
