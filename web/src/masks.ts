/** From lips to label maps and soft mattes; see lipseg/rendering/masks.py and matte.py. */

import type { Point } from "./box.js";
import type { Card } from "./card.js";
import { meanOfLines, scanlineCoverage } from "./coverage.js";
import { smooth } from "./curves.js";
import type { Lips } from "./lips.js";

/** What the pixels of a label map say. */
export const LABELS = { background: 0, upper: 1, lower: 2, inner: 3 } as const;

/** A part of a picture, its upper left pixel at (x, y). */
export interface Part {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Returns the pixels of a picture that points reach into, without those beyond its edges. */
function pixelsUnder(points: readonly Point[], width: number, height: number): Part {
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const clip = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
  const [x, y] = [clip(Math.floor(Math.min(...xs)), width), clip(Math.floor(Math.min(...ys)), height)];
  const [right, bottom] = [clip(Math.floor(Math.max(...xs)) + 2, width), clip(Math.floor(Math.max(...ys)) + 2, height)];
  return { x, y, width: Math.max(0, right - x), height: Math.max(0, bottom - y) };
}

/**
 * Returns whether the centre of each pixel of a part lies in a polygon, or this near to it.
 *
 * Python draws polygons with OpenCV, on a finer grid, and OpenCV also fills the fine pixels that an outline touches.
 */
function centresIn(polygon: readonly Point[], part: Part, touch: number): Uint8Array {
  const inside = new Uint8Array(part.width * part.height);
  for (let row = 0; row < part.height; row++) {
    for (const y of [part.y + row - touch, part.y + row, part.y + row + touch]) {
      const xs: number[] = [];
      polygon.forEach(([px, py], index) => {
        const [qx, qy] = polygon[(index + 1) % polygon.length]!;
        if (py <= y !== qy <= y) xs.push(px + ((y - py) * (qx - px)) / (qy - py));
      });
      xs.sort((a, b) => a - b);
      for (let k = 0; k + 1 < xs.length; k += 2) {
        const first = Math.max(0, Math.ceil(xs[k]! - touch - part.x));
        const last = Math.min(part.width - 1, Math.floor(xs[k + 1]! + touch - part.x));
        if (first <= last) inside.fill(1, row * part.width + first, row * part.width + last + 1);
      }
    }
  }
  return inside;
}

/**
 * Returns the labels of a picture's pixels: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth.
 *
 * A pixel belongs to the region that its centre lies in; where mouths overlap, to the last one.
 */
export function labelMap(lips: readonly Lips[], width: number, height: number, card: Card): Uint8Array {
  const touch = 0.5 / card.constants.drawing.mask_fine;
  const labels = new Uint8Array(width * height);
  for (const { outer, inner, upper } of lips) {
    const part = pixelsUnder([...outer, ...inner], width, height);
    const [mouth, above, opening] = [outer, upper, inner].map((polygon) => centresIn(polygon, part, touch)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    mouth.forEach((is, at) => {
      if (!is) return;
      const label = opening[at] ? LABELS.inner : above[at] ? LABELS.upper : LABELS.lower;
      labels[(part.y + Math.floor(at / part.width)) * width + part.x + (at % part.width)] = label;
    });
  }
  return labels;
}

export interface Matte extends Part {
  /** 0 to 1 for each pixel of the part: how much of it the lips cover. Beyond the part it is 0. */
  alpha: Float32Array;
}

/** Returns how much of each pixel the lips (the mouth without its opening) cover, bounded by smooth curves. */
export function matte(lips: Lips, width: number, height: number, card: Card): Matte {
  const lines = card.constants.drawing.matte_lines;
  const [outer, inner] = [smooth(lips.outer), smooth(lips.inner)];
  const part = pixelsUnder(outer, width, height);
  const { x, y, height: rows, width: columns } = part;
  const mouth = scanlineCoverage(outer, x, y, rows, columns, lines);
  const opening = scanlineCoverage(inner, x, y, rows, columns, lines);
  const share = mouth.map((covered, at) => covered - Math.min(opening[at]!, covered));
  return { ...part, alpha: meanOfLines(share, rows, columns, lines) };
}
