/** From a picture to mouth boxes: the detected faces' mouths, or guesses; see lipseg/inference/mouths.py. */

import { type Box, makeBox, near, overlap, side, withoutDoubles } from "./box.js";
import { type Card, offset, type Thresholds } from "./card.js";
import type { FaceDetector } from "./detector.js";
import type { Locator } from "./locator.js";
import type { Picture } from "./picture.js";

/** Where a mouth may be. */
export interface Candidate {
  box: Box;
  /** Least score of its lips. */
  least: number;
  /** Where an average face in the same box has its mouth. */
  average: Box | null;
  presence: number;
  face: Box | null;
}

export interface Candidates {
  mouths: Candidate[];
  /** Why the picture shows no lips, in case that all candidates are dropped. */
  reason: string;
}

export function candidate(box: Box, least = 0): Candidate {
  return { box, least, average: null, presence: Infinity, face: null };
}

/** Returns the mouths that a picture may show, surest first. */
export async function findMouths(
  picture: Picture,
  detector: FaceDetector,
  locator: Locator | null,
  card: Card,
  minScore?: number,
): Promise<Candidates> {
  const rules = card.runtime.thresholds;
  const known = card.constants.finding;
  const [clear, unclear] = minScore === undefined ? [0, rules.min_score] : [minScore, minScore];
  const seen: Candidate[] = [];
  let found: Candidate[] = [];
  for await (const faces of detector.attempts(picture)) {
    seen.push(...(await located(picture, faces, locator, card)));
    found = accepted(seen, picture, rules, rules.min_presence, known.same_face);
    if (found.length && found[0]!.presence >= rules.sure_presence) break;
  }
  if (found.length) {
    const mouths = found.map((mouth) => ({
      ...mouth,
      least: mouth.presence >= rules.clear_presence ? clear : unclear,
    }));
    const reason = minScore === undefined ? known.no_mouth : `${known.no_mouth} of the least score ${minScore}`;
    return { mouths, reason };
  }
  const reason = seen.length ? known.no_mouth : known.no_face;
  if (!rules.calibrated || !locator) return { mouths: [], reason };
  const guesses = await located(picture, wholeFaces(picture, known.whole_faces), locator, card);
  found = accepted(guesses, picture, rules, Math.max(rules.min_presence, 0), known.same_face);
  const mouths = found.map((mouth) => ({ ...mouth, least: Math.max(clear, rules.face_guess) }));
  mouths.push(candidate(wholePicture(picture, card), Math.max(clear, rules.mouth_guess)));
  return { mouths, reason };
}

async function located(picture: Picture, faces: Box[], locator: Locator | null, card: Card): Promise<Candidate[]> {
  if (!faces.length) return [];
  const { average_face: relation, widths } = card.constants.finding;
  const averages = faces.map((face) => {
    const length = side(face);
    const off = offset(relation, face);
    return {
      ...face,
      cx: face.cx + off.x * length,
      cy: face.cy + off.y * length,
      width: relation.width * length,
      height: relation.height * length,
    };
  });
  if (!locator) return faces.map((face, index) => ({ ...candidate(averages[index]!), face }));
  const sightings = await locator.locate(picture, faces);
  return sightings.map(({ mouth, presence }, index) => {
    const [face, average] = [faces[index]!, averages[index]!];
    const share = mouth.width / side(face);
    const box = widths[0] < share && share < widths[1] ? mouth : average;
    return { box, least: 0, average, presence, face };
  });
}

/** Returns the candidates that are kept, surest first. */
function accepted(
  seen: Candidate[],
  picture: Picture,
  rules: Thresholds,
  leastPresence: number,
  sameFace: number,
): Candidate[] {
  const kept = seen.filter(
    ({ box, presence }) =>
      box.cx >= -0.5 &&
      box.cx <= picture.width - 0.5 &&
      box.cy >= -0.5 &&
      box.cy <= picture.height - 0.5 &&
      box.width >= rules.smallest_mouth_px &&
      presence >= leastPresence,
  );
  const same = (a: Candidate, b: Candidate): boolean =>
    near(a.box, b.box, rules.same_mouth) ||
    // One face that two attempts have read in different ways.
    (a.face !== null && b.face !== null && a.face.origin !== b.face.origin && overlap(a.face, b.face) > sameFace);
  const order = withoutDoubles(
    kept,
    kept.map((mouth) => mouth.presence),
    same,
  );
  return order.map((position) => kept[position]!);
}

/** Returns the mouth box of a picture that is a mouth crop: the one whose view shows the whole picture. */
export function wholePicture(picture: { width: number; height: number }, card: Card): Box {
  const { shape, margin } = card.runtime.view;
  const flattest = card.constants.finding.flattest;
  let [width, height] = [picture.width / margin, picture.height / margin];
  if (shape === "stretch") {
    width = Math.max(picture.width - 2 * margin, flattest * picture.width);
    height = Math.max(picture.height - 2 * margin, flattest * width);
  }
  return makeBox((picture.width - 1) / 2, (picture.height - 1) / 2, width, height, 0, "whole picture");
}

function wholeFaces(picture: { width: number; height: number }, shares: readonly number[]): Box[] {
  const shorter = Math.min(picture.width, picture.height);
  return shares.map((share) => {
    const length = share * shorter;
    return makeBox((picture.width - 1) / 2, (picture.height - 1) / 2, length, length, 0, "whole picture as a face");
  });
}
