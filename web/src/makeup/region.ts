/** The part of a picture that holds the lips, and how much of each of its pixels is lip; see lipseg/makeup/region.py. */

import type { Point } from "../box.js";
import type { LipstickConstants } from "../card.js";
import { meanOfLines, scanlineCoverage } from "../coverage.js";
import { smooth } from "../curves.js";
import { area, type Lips } from "../lips.js";
import { blur, type Grey, made, ramp } from "./grey.js";

export interface Region {
  /** Of the part's upper left pixel in the picture. */
  x: number;
  y: number;
  /** The contours in the part's pixels. */
  outer: Point[];
  inner: Point[];
  /** The mouth's width in pixels. */
  across: number;
  /** The softened share of the lips, 0..1. */
  alpha: Grey;
  /** 1 near the inner contour, 0 far from it. */
  band: Grey;
}

/** Returns the part of a picture of this size under the lips, or null where they lie outside. */
export function regionOf(lips: Lips, width: number, height: number, known: LipstickConstants): Region | null {
  const outer = smooth(lips.outer);
  const [xs, ys] = [outer.map((p) => p[0]), outer.map((p) => p[1])];
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const across = Math.max(x1 - x0, y1 - y0);
  const feather = known.feather * across;
  const clip = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
  const [x, right] = [clip(Math.floor(x0 - feather), width), clip(Math.ceil(x1 + feather) + 1, width)];
  const [y, bottom] = [clip(Math.floor(y0 - feather), height), clip(Math.ceil(y1 + feather) + 1, height)];
  const part = { width: right - x, height: bottom - y };
  if (!(part.width > 0 && part.height > 0 && across >= 1)) return null;
  const inner = smooth(lips.inner);
  const { lines } = known;
  const outerLines = scanlineCoverage(outer, x, y, part.height, part.width, lines);
  const innerLines = scanlineCoverage(inner, x, y, part.height, part.width, lines);
  const cut = innerLines.map((value, at) => Math.min(value, outerLines[at]!));
  const mouth = { ...part, data: meanOfLines(outerLines, part.height, part.width, lines) };
  const opening = { ...part, data: meanOfLines(cut, part.height, part.width, lines) };
  const bare = ramp(openingHeight(lips.inner) / across, ...known.open);
  const [softMouth, softOpening] = [blur(mouth, feather, known.widest_blur), blur(opening, feather, known.widest_blur)];
  const alpha = made(
    part,
    (at) =>
      ramp(softMouth.data[at]!, ...known.edge) *
      (1 - ramp(softOpening.data[at]!, ...known.opening_edge)) *
      (1 - opening.data[at]! * bare),
  );
  const distance = distances(inner, x, y, part);
  const band = made(part, (at) => 1 - ramp(Math.min(distance[at]!, across) / across, ...known.band));
  const moved = (points: readonly Point[]): Point[] => points.map(([px, py]) => [px - x, py - y]);
  return { x, y, outer: moved(lips.outer), inner: moved(lips.inner), across, alpha, band };
}

/** Returns how high the opening between the lips is, in pixels: its area over two thirds of its width. */
function openingHeight(inner: readonly Point[]): number {
  const [xs, ys] = [inner.map((p) => p[0]), inner.map((p) => p[1])];
  const extent = Math.hypot(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  return (1.5 * area(inner)) / Math.max(extent, 1e-6);
}

/** Steps of a distance transform to the next pixel and to the next diagonally (Borgefors, 1986; OpenCV's 3 x 3 mask). */
const STRAIGHT = 0.955;
const DIAGONAL = 1.3693;

/** Returns the distance of each pixel of a part from a closed curve, about. */
function distances(curve: readonly Point[], left: number, top: number, { width, height }: { width: number; height: number }): Float32Array {
  const far = new Float32Array(width * height).fill(Infinity);
  curve.forEach(([px, py], index) => {
    const [qx, qy] = curve[(index + 1) % curve.length]!;
    const steps = Math.max(1, Math.ceil(2 * Math.max(Math.abs(qx - px), Math.abs(qy - py))));
    for (let k = 0; k <= steps; k++) {
      const [x, y] = [Math.round(px + ((qx - px) * k) / steps - left), Math.round(py + ((qy - py) * k) / steps - top)];
      if (x >= 0 && x < width && y >= 0 && y < height) far[y * width + x] = 0;
    }
  });
  const pass = (order: 1 | -1): void => {
    for (let i = 0; i < far.length; i++) {
      const at = order === 1 ? i : far.length - 1 - i;
      const [x, y] = [at % width, Math.floor(at / width)];
      const take = (dx: number, dy: number, step: number): void => {
        const [u, v] = [x + dx, y + dy];
        if (u < 0 || u >= width || v < 0 || v >= height) return;
        far[at] = Math.min(far[at]!, far[v * width + u]! + step);
      };
      take(-order, 0, STRAIGHT);
      take(0, -order, STRAIGHT);
      take(-order, -order, DIAGONAL);
      take(order, -order, DIAGONAL);
    }
  };
  pass(1);
  pass(-1);
  return far;
}
