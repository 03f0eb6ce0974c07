/** What a source's annotators would have drawn; see lipseg/inference/conventions.py. */

import type { Point } from "./box.js";
import type { Convention, Runtime, Scheme } from "./card.js";
import { LipsegError } from "./errors.js";

/**
 * Returns the convention of that name; null for the reference's, or without a name.
 *
 * @throws LipsegError if the model knows no source of that name; lists those that it knows
 */
export function conventionOf({ reference, conventions }: Runtime, name?: string): Convention | null {
  if (name === undefined || name === reference) return null;
  const found = Object.hasOwn(conventions, name) ? conventions[name] : undefined;
  if (found) return found;
  const known = [reference, ...Object.keys(conventions).sort()].filter(Boolean);
  const thereAre = known.length ? `it knows ${known.join(", ")}` : "it knows none";
  throw new LipsegError(`this model has no convention "${name}"; ${thereAre}`);
}

/** Returns landmarks, pixels of the picture, that are as the reference has them as the convention's annotators would. */
export function drawnBy(convention: Convention, landmarks: readonly Point[], scheme: Scheme): Point[] {
  const count = landmarks.length;
  const cx = landmarks.reduce((sum, [x]) => sum + x, 0) / count;
  const cy = landmarks.reduce((sum, [, y]) => sum + y, 0) / count;
  const radius = Math.sqrt(landmarks.reduce((sum, [x, y]) => sum + (x - cx) ** 2 + (y - cy) ** 2, 0) / count);
  let [a, b] = [0, 0];
  for (const [left, right] of [scheme.outer_corners, scheme.inner_corners]) {
    a += landmarks[right]![0] - landmarks[left]![0];
    b += landmarks[right]![1] - landmarks[left]![1];
  }
  // A mouth without width has no direction: it is moved by nothing rather than by what is not a number.
  const length = Math.max(Math.hypot(a, b), Number.EPSILON);
  const [along, across] = [(radius * a) / length, (radius * b) / length];
  const [px, py] = convention.pixels;
  return landmarks.map(([x, y], k) => {
    const [right, down] = [convention.offset[2 * k]!, convention.offset[2 * k + 1]!];
    return [x + right * along - down * across + px, y + right * across + down * along + py];
  });
}
