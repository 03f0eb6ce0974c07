/** Affine maps between pixel frames, and the views that the networks see; see lipseg/geometry.py. */

import type { Box, Point } from "./box.js";
import type { ViewGeometry } from "./card.js";

/** The map (x, y) -> (a x + b y + c, d x + e y + f). */
export interface Affine {
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
}

export const IDENTITY: Affine = { a: 1, b: 0, c: 0, d: 0, e: 1, f: 0 };

export function apply(map: Affine, [x, y]: Point): [number, number] {
  return [map.a * x + map.b * y + map.c, map.d * x + map.e * y + map.f];
}

/** Returns the map that applies `first` and then `then`. */
export function after(then: Affine, first: Affine): Affine {
  return {
    a: then.a * first.a + then.b * first.d,
    b: then.a * first.b + then.b * first.e,
    c: then.a * first.c + then.b * first.f + then.c,
    d: then.d * first.a + then.e * first.d,
    e: then.d * first.b + then.e * first.e,
    f: then.d * first.c + then.e * first.f + then.f,
  };
}

export function inverse(map: Affine): Affine {
  const det = map.a * map.e - map.b * map.d;
  const [a, b, d, e] = [map.e / det, -map.b / det, -map.d / det, map.a / det];
  return { a, b, c: -(a * map.c + b * map.f), d, e, f: -(d * map.c + e * map.f) };
}

/** Target pixels per source pixel: the geometric mean over the axes. */
export function scaleOf(map: Affine): number {
  return Math.sqrt(Math.abs(map.a * map.e - map.b * map.d));
}

/** Returns the map from the pixels of a `size` x `size` view, turned by a box's roll about its centre, to the picture. */
export function viewToImage(box: Box, width: number, height: number, size: number): Affine {
  const cos = Math.cos(box.roll);
  const sin = Math.sin(box.roll);
  const [a, b, d, e] = [(cos * width) / size, (-sin * height) / size, (sin * width) / size, (cos * height) / size];
  const half = (size - 1) / 2;
  return { a, b, c: box.cx - (a + b) * half, d, e, f: box.cy - (d + e) * half };
}

/** Returns the map from the pixels of the view of a mouth box to the picture's. */
export function mouthView(view: ViewGeometry, box: Box): Affine {
  if (view.shape === "square") {
    const side = view.margin * Math.max(box.width, box.height);
    return viewToImage(box, side, side, view.size);
  }
  return viewToImage(box, box.width + 2 * view.margin, box.height + 2 * view.margin, view.size);
}

/** Returns points in units of a view (0 and 1 are its outer edges) in the picture that the view was cut from. */
export function fromUnit(units: ArrayLike<number>, first: number, count: number, size: number, map: Affine): Point[] {
  return Array.from({ length: count }, (_, index) => {
    const at = first + 2 * index;
    return apply(map, [units[at]! * size - 0.5, units[at + 1]! * size - 0.5]);
  });
}
