/** Boxes of faces and mouths, and non-maximum suppression; see lipseg/boxes.py. */

import type { Scheme } from "./card.js";
import { LipsegError } from "./errors.js";

/** x to the right and y down, in pixels; pixel centres lie at integers. */
export type Point = readonly [x: number, y: number];

/** A rectangle turned about its own centre. */
export interface Box {
  cx: number;
  cy: number;
  width: number;
  height: number;
  /** Angle in radians of the box's x axis against the picture's; positive: its right side lower. */
  roll: number;
  score: number;
  origin: string;
}

/** Corners x0, y0, x1, y1 of an upright box, in pixels. */
export type Corners = readonly [x0: number, y0: number, x1: number, y1: number];

/** A box may reach beyond the picture, but one this many times larger than it is a mistake of units. */
const LARGEST = 20;

export function makeBox(cx: number, cy: number, width: number, height: number, roll = 0, origin = "box"): Box {
  if (![cx, cy, width, height, roll].every(Number.isFinite)) {
    throw new LipsegError(`${origin}: ${[cx, cy, width, height, roll].join(",")} is not finite`);
  }
  if (!(width > 0 && height > 0)) {
    throw new LipsegError(`${origin}: x0 must be smaller than x1 and y0 than y1, not ${width} by ${height} pixels`);
  }
  return { cx, cy, width, height, roll, score: 1, origin };
}

/** Returns a box that a caller gave, as corners or as a `Box`, after a look whether it lies in the picture. */
export function givenBox(box: Corners | Box, index: number, width: number, height: number): Box {
  const origin = `boxes[${index}]`;
  const made =
    "cx" in box
      ? makeBox(box.cx, box.cy, box.width, box.height, box.roll, origin)
      : makeBox((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1], 0, origin);
  const [x0, y0, x1, y1] = corners(made);
  if (x0 >= width - 0.5 || y0 >= height - 0.5 || x1 <= -0.5 || y1 <= -0.5) {
    throw new LipsegError(`${origin}: lies outside the picture of ${width} x ${height} pixels`);
  }
  if (longer(made) > LARGEST * Math.max(width, height)) {
    throw new LipsegError(`${origin}: is far larger than the picture of ${width} x ${height} pixels`);
  }
  return made;
}

export function corners(box: Box): Corners {
  return [box.cx - box.width / 2, box.cy - box.height / 2, box.cx + box.width / 2, box.cy + box.height / 2];
}

/** Geometric mean of width and height. */
export function side(box: Box): number {
  return Math.sqrt(box.width * box.height);
}

export function longer(box: Box): number {
  return Math.max(box.width, box.height);
}

/** Returns the box about a mouth's landmarks, turned as its corners lie; null where the landmarks have no extent. */
export function boxAround(points: readonly Point[], scheme: Scheme, origin = "landmarks"): Box | null {
  let alongX = 0;
  let alongY = 0;
  for (const [left, right] of [scheme.outer_corners, scheme.inner_corners]) {
    alongX += points[right]![0] - points[left]![0];
    alongY += points[right]![1] - points[left]![1];
  }
  const roll = Math.atan2(alongY, alongX);
  const cos = Math.cos(roll);
  const sin = Math.sin(roll);
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    const u = x * cos + y * sin;
    const v = y * cos - x * sin;
    x0 = Math.min(x0, u);
    x1 = Math.max(x1, u);
    y0 = Math.min(y0, v);
    y1 = Math.max(y1, v);
  }
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  if (![x, y, x1 - x0, y1 - y0].every(Number.isFinite) || !(x1 > x0 && y1 > y0)) return null;
  return makeBox(cos * x - sin * y, sin * x + cos * y, x1 - x0, y1 - y0, roll, origin);
}

/** Returns the positions, surest first, of the items that are left after greedy non-maximum suppression. */
export function withoutDoubles<T>(
  items: readonly T[],
  scores: readonly number[],
  same: (a: T, b: T) => boolean,
): number[] {
  const order = items.map((_, index) => index).sort((a, b) => scores[b]! - scores[a]!);
  const kept: number[] = [];
  for (const position of order) {
    if (!kept.some((other) => same(items[position]!, items[other]!))) kept.push(position);
  }
  return kept;
}

/** Whether the centres of two mouths are no farther apart than a share of the wider one's width. */
export function near(a: Box, b: Box, share: number): boolean {
  return Math.hypot(a.cx - b.cx, a.cy - b.cy) <= share * Math.max(a.width, b.width);
}

/** Returns the share of the smaller box that two boxes have in common, each taken as its upright square. */
export function overlap(a: Box, b: Box): number {
  const smaller = Math.min(side(a), side(b));
  const reach = (side(a) + side(b)) / 2;
  const common = (off: number): number => Math.min(Math.max(reach - Math.abs(off), 0), smaller);
  return (common(a.cx - b.cx) * common(a.cy - b.cy)) / smaller ** 2;
}

/** Returns the remainder of an angle nearest to 0, as Python's math.remainder(angle, tau). */
export function wrapped(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}
