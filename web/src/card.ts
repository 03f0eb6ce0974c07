/** The model's card: the one source of every number that the library computes with. */

import type { Box } from "./box.js";
import { inBrief, LipsegError } from "./errors.js";
import { flag, list, nullable, number, object, record, type Rule, text, Unfit, whole } from "./rules.js";

/** Where an average mouth lies in a face box, in the box's sides. */
export interface Relation {
  right: number;
  down: number;
  width: number;
  height: number;
}

export interface Thresholds {
  calibrated: boolean;
  min_score: number;
  min_presence: number;
  clear_presence: number;
  sure_presence: number;
  doubt: number;
  face_guess: number;
  mouth_guess: number;
  smallest_mouth_px: number;
  same_mouth: number;
}

/** How a mouth box becomes the square picture that the network sees. */
export interface ViewGeometry {
  size: number;
  shape: "square" | "stretch";
  margin: number;
}

/** The order of the landmarks. */
export interface Scheme {
  points: number;
  outer: [number, number];
  inner: [number, number];
  outer_corners: [number, number];
  inner_corners: [number, number];
}

/** How the landmarks of a source's annotators differ from the reference's on the same face. */
export interface Convention {
  /** x and y of each landmark's difference in the mouth's frame: RMS radius 1, x along the corners. */
  offset: number[];
  /** To the right and down, of all landmarks alike, in pixels of the picture. */
  pixels: [number, number];
}

export interface Runtime {
  view: ViewGeometry;
  components: number;
  locator: { view: { size: number; margin: number }; relation: Relation; passes: number } | null;
  thresholds: Thresholds;
  /** The source whose annotators the model answers as; "" where that is not known. */
  reference: string;
  /** How those of the other sources that it has learnt from differ, by their names. */
  conventions: Record<string, Convention>;
  scheme: Scheme;
}

export interface DetectorConstants {
  file: string;
  long_side: number;
  threshold: number;
  strides: number[];
  same_box: number;
  least_side: number;
  small_px: number;
  coarse_side: number;
  dark: number;
  lifted: number;
  turns: number[];
  turned_score: number;
  mean_face: [number, number][];
}

export interface FindingConstants {
  no_face: string;
  no_mouth: string;
  average_face: Relation;
  whole_faces: number[];
  widths: [number, number];
  same_face: number;
  flattest: number;
  smallest: number;
  around: number;
}

/** Limits of a difference between two boxes; null is no limit. */
export interface GateConstants {
  shift: number;
  size: number;
  turn: number | null;
}

export interface OneEuroParams {
  min_cutoff: number;
  beta: number;
  speed_cutoff: number;
}

/** How mouths are followed; the defaults stand on the card. */
export interface TrackParams {
  /** Frames between two detections that look for new people while every mouth is followed. */
  detect_every: number;
  /** Frames between two detections, at most, while there is none. */
  search_every: number;
  /** Seconds for which a lost mouth keeps its id. */
  keep_lost_s: number;
  /** A mouth that scores less for `patience` frames running is lost; the segmenter's `minScore` counts where it is higher. */
  min_score: number;
  patience: number;
  /** Detections running that may miss a mouth before it is lost. */
  unconfirmed: number;
  /** Mouths followed at once, the largest first; null is no limit. */
  max_mouths: number | null;
  /** Smoothing of the landmarks; null for none. */
  smooth: OneEuroParams | null;
  /** Whether detection may add people. */
  new_people: boolean;
}

export interface TrackingConstants {
  params: TrackParams;
  fps: number;
  followed: GateConstants;
  lost_size: number;
  lost_shift: number;
  lost_shift_per_s: number;
  lost_most: number;
  same_mouth: number;
  held_shift: number;
  held_size: number;
  held_roll: number;
  jump: GateConstants;
  first: GateConstants;
  highest: number;
  smallest_px: number;
  longest_step_s: number;
  new_innovation: number;
  velocity_weight: number;
  innovation_weight: number;
}

export interface DrawingConstants {
  upper_middle: number[];
  lower_middle: number[];
  labels: string[];
  outer: string;
  inner: string;
  lips: string;
  matte_lines: number;
  mask_fine: number;
}

export interface FinishConstants {
  texture: number;
  highlights: number;
  shine: number;
}

type Matrix3 = [[number, number, number], [number, number, number], [number, number, number]];

export interface LipstickConstants {
  finishes: Record<string, FinishConstants>;
  cones: Matrix3;
  lab: Matrix3;
  memory: number;
  widest_blur: number;
  feather: number;
  band: [number, number];
  edge: [number, number];
  opening_edge: [number, number];
  open: [number, number];
  texture: number;
  lines: number;
  rim: number;
  rim_average: number;
  rim_excess: number;
  darken: number;
  lighten: number;
  not_lips_blur: number;
  grey: number;
}

export interface Constants {
  detector: DetectorConstants;
  finding: FindingConstants;
  tracking: TrackingConstants;
  drawing: DrawingConstants;
  lipstick: LipstickConstants;
}

export interface Card {
  format: number;
  name?: string;
  description?: string;
  licence?: string;
  files: Record<string, { bytes: number; sha256: string }>;
  runtime: Runtime;
  constants: Constants;
}

export const CARD = "card.json";
export const CASCADE = "cascade.onnx";
export const LOCATOR = "locator.onnx";
const FORMAT = 5;

/** Bytes of a network, at most, as in Python. */
export const MOST_BYTES = 256 * 2 ** 20;
/** Bytes of a card. */
export const MOST_CARD_BYTES = 32 * 2 ** 20;

const positive = number(1e-6);
const share = number(0, 1);
const landmark = whole(0, 4095);
const pair = list(number(), 2);
const matrix = list(list(number(), 3), 3);
const colour = text(/^#[0-9a-f]{6}$/i, "a colour as #rrggbb");
const words = text(/^[^\p{Cc}]{0,200}$/u, "a short text");
const relation = object({ right: number(), down: number(), width: positive, height: positive });
const gate = object({ shift: number(0), size: number(0), turn: nullable(number(0)) });
// Up to 32 views go through a network at once, 100 MB of this size.
const view = { size: whole(1, 1024) };
const numbers = (names: string, rule = number()): Record<string, Rule> =>
  Object.fromEntries(names.split(" ").map((name) => [name, rule]));

const RUNTIME: Record<string, Rule> = {
  view: object({ ...view, shape: text(/^(square|stretch)$/, "square or stretch"), margin: number(0, 1e4) }),
  components: whole(1, 4096),
  locator: nullable(object({ view: object({ ...view, margin: number(1e-3, 100) }), relation, passes: whole(1, 16) })),
  thresholds: object({
    calibrated: flag,
    ...numbers(
      "min_score min_presence clear_presence sure_presence doubt face_guess mouth_guess smallest_mouth_px same_mouth",
    ),
  }),
  reference: words,
  conventions: record(object({ offset: list(number(), 0, 8192), pixels: pair })),
  scheme: object({
    points: whole(8, 4096),
    outer: list(whole(0, 4096), 2),
    inner: list(whole(0, 4096), 2),
    outer_corners: list(landmark, 2),
    inner_corners: list(landmark, 2),
  }),
};

const CONSTANTS: Record<string, Rule> = {
  detector: object({
    file: text(/^\w[\w.-]{0,100}$/, "the name of a file in the model's folder"),
    long_side: whole(32, 4096),
    least_side: whole(32, 4096),
    coarse_side: whole(32, 4096),
    // Pixels a cell, the last the most.
    strides: list(whole(2, 256), 1, 8),
    turns: list(number(-360, 360), 0, 32),
    mean_face: list(pair, 2, 5),
    // Each face that passes costs a view; with less than this, every cell of a picture is one.
    ...numbers("threshold turned_score", number(0.1, 1)),
    same_box: share,
    ...numbers("small_px dark lifted", number(0)),
  }),
  finding: object({
    no_face: words,
    no_mouth: words,
    average_face: relation,
    whole_faces: list(number(1e-3, 100), 0, 32),
    widths: pair,
    around: number(1, 4),
    ...numbers("same_face flattest smallest", number(0)),
  }),
  tracking: object({
    params: object({
      ...numbers("detect_every search_every patience unconfirmed", whole(1, 1e6)),
      keep_lost_s: number(0),
      min_score: nullable(number()),
      max_mouths: nullable(whole(1, 1e6)),
      smooth: nullable(object(numbers("min_cutoff beta speed_cutoff", number(0)))),
      new_people: flag,
    }),
    ...numbers("followed jump first", gate),
    ...numbers("fps longest_step_s", positive),
    ...numbers("lost_size lost_shift lost_shift_per_s lost_most same_mouth held_shift held_size held_roll", number(0)),
    ...numbers("highest smallest_px new_innovation velocity_weight innovation_weight", number(0)),
  }),
  drawing: object({
    upper_middle: list(landmark, 1, 64),
    lower_middle: list(landmark, 1, 64),
    labels: list(colour, 4),
    ...numbers("outer inner lips", colour),
    matte_lines: whole(1, 64),
    mask_fine: whole(1, 64),
  }),
  lipstick: object({
    finishes: record(object(numbers("texture highlights shine", number(0, 10)))),
    cones: matrix,
    lab: matrix,
    lines: whole(1, 64),
    widest_blur: number(0.1, 100),
    ...numbers("band edge opening_edge open", pair),
    ...numbers("memory feather texture rim rim_average rim_excess darken lighten not_lips_blur grey", number(0, 10)),
  }),
};

const CARD_RULE = object({
  files: record(
    object({ bytes: whole(1, MOST_BYTES), sha256: text(/^[0-9a-f]{64}$/, "a SHA-256 in hexadecimal") }),
  ),
  runtime: object(RUNTIME),
  constants: object(CONSTANTS),
});

/**
 * Returns the card that a file holds.
 *
 * @param text the file's content
 * @param origin what the file is called in messages
 * @throws LipsegError naming the file and the key that is missing or cannot be used
 */
export function parseCard(text: string, origin: string): Card {
  let card: unknown;
  try {
    card = JSON.parse(text);
  } catch {
    throw new LipsegError(`${origin}: no readable model card; write the folder again with make web`);
  }
  const format = typeof card === "object" && card !== null && "format" in card ? card.format : undefined;
  if (format !== FORMAT) {
    const shown = inBrief(JSON.stringify(format) ?? "none", 40);
    throw new LipsegError(`${origin}: a model of format ${shown}; this library reads format ${FORMAT}`);
  }
  try {
    CARD_RULE(card, "");
    fits(card as Card);
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    throw new LipsegError(`${origin}: ${inBrief(error.message)}; write the folder for the browser again with make web`);
  }
  return card as Card;
}

/** Refuses a card of which parts that are sound by themselves do not fit each other. */
function fits({ files, runtime, constants }: Card): void {
  const { points, outer, inner, outer_corners, inner_corners } = runtime.scheme;
  for (const name of runtime.locator ? [CASCADE, LOCATOR] : [CASCADE]) {
    if (!Object.hasOwn(files, name)) throw new Unfit(`files.${name}`, "there, and is missing");
  }
  for (const [name, convention] of Object.entries(runtime.conventions)) {
    const at = `runtime.conventions.${name.slice(0, 40)}.offset`;
    if (convention.offset.length !== 2 * points) throw new Unfit(at, `a list of ${2 * points}`);
  }
  for (const [name, [start, end]] of Object.entries({ outer, inner })) {
    if (!(start < end && end <= points)) throw new Unfit(`runtime.scheme.${name}`, `a part of the ${points} landmarks`);
  }
  const { upper_middle, lower_middle } = constants.drawing;
  const within = (corners: number[], [start, end]: [number, number]): boolean =>
    corners.every((corner) => corner >= start && corner < end);
  // The outer contour's far corner is counted from its own first landmark, which is the first of all.
  if (outer[0] !== 0 || !within(outer_corners, outer)) throw new Unfit("runtime.scheme.outer_corners", "in the contour");
  if (!within(inner_corners, inner)) throw new Unfit("runtime.scheme.inner_corners", "in the contour");
  if (upper_middle.length !== lower_middle.length || !within([...upper_middle, ...lower_middle], [0, points])) {
    throw new Unfit("constants.drawing.upper_middle", "landmarks, as many as in lower_middle");
  }
  const { strides } = constants.detector;
  if (strides.some((stride) => strides.at(-1)! % stride)) throw new Unfit("constants.detector.strides", "parts of the last");
  if (runtime.view.shape === "square" && !(runtime.view.margin >= 1e-3 && runtime.view.margin <= 100)) {
    throw new Unfit("runtime.view.margin", "a number from 0.001 to 100");
  }
}

/** Returns where an average face has its mouth, or the other way round: see `Relation` in Python. */
export function offset(relation: Relation, box: Box): { x: number; y: number } {
  const cos = Math.cos(box.roll);
  const sin = Math.sin(box.roll);
  return { x: cos * relation.right - sin * relation.down, y: sin * relation.right + cos * relation.down };
}
