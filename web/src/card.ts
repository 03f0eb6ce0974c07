/** The model's card: the one source of every number that the library computes with. */

import type { Box } from "./box.js";
import { LipsegError } from "./errors.js";

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
  agreed_box: number;
  least_side: number;
  again_side: number;
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
  /** A mouth that scores less for `patience` frames running is lost; null takes the model's own least score. */
  min_score: number | null;
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

const SECTIONS: readonly (keyof Constants)[] = ["detector", "finding", "tracking", "drawing", "lipstick"];
const RUNTIME: readonly (keyof Runtime)[] = [
  "view",
  "components",
  "locator",
  "thresholds",
  "reference",
  "conventions",
  "scheme",
];

/**
 * Returns the card that a file holds.
 *
 * @param text the file's content
 * @param origin what the file is called in messages
 * @throws LipsegError naming the file and the key that is missing or cannot be used
 */
export function parseCard(text: string, origin: string): Card {
  let card: Partial<Card>;
  try {
    card = JSON.parse(text) as Partial<Card>;
  } catch {
    throw new LipsegError(`${origin}: no readable model card; write the folder again with make web`);
  }
  if (card.format !== FORMAT) {
    throw new LipsegError(`${origin}: a model of format ${String(card.format)}; this library reads format ${FORMAT}`);
  }
  const missing =
    RUNTIME.find((key) => card.runtime?.[key] === undefined) ??
    SECTIONS.find((key) => card.constants?.[key] === undefined) ??
    (card.files?.[CASCADE] ? undefined : CASCADE);
  if (missing !== undefined) {
    throw new LipsegError(`${origin}: "${missing}" is missing; write the folder for the browser with make web`);
  }
  const { conventions, scheme } = card.runtime!;
  for (const [name, convention] of Object.entries(conventions)) {
    if (!finite(convention.offset, 2 * scheme.points) || !finite(convention.pixels, 2)) {
      throw new LipsegError(`${origin}: the convention "${name}" is damaged; get the folder again`);
    }
  }
  return card as Card;
}

function finite(numbers: unknown, count: number): boolean {
  return Array.isArray(numbers) && numbers.length === count && numbers.every(Number.isFinite);
}

/** Returns where an average face has its mouth, or the other way round: see `Relation` in Python. */
export function offset(relation: Relation, box: Box): { x: number; y: number } {
  const cos = Math.cos(box.roll);
  const sin = Math.sin(box.roll);
  return { x: cos * relation.right - sin * relation.down, y: sin * relation.right + cos * relation.down };
}
