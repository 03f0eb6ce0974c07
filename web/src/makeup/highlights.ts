/** The highlights of wet lips, which gloss adds; see lipseg/makeup/highlights.py. */

import type { Point } from "../box.js";
import type { LipstickConstants, Scheme } from "../card.js";
import { blur, type Grey, made, ramp } from "./grey.js";
import type { Region } from "./region.js";

/** Points along the ridge of a lip. */
const ALONG = 41;

/** A lip: its outer and inner chain, where its ridge lies between them and along it, and how strong its streak is. */
interface Half {
  outline: Point[];
  edge: Point[];
  height: number;
  start: number;
  stop: number;
  strength: number;
}

/** Returns the highlights, 0..1: a streak along the ridge of each lip, broken up by the texture, where the lips are lit. */
export function wetHighlights(ratio: Grey, texture: Grey, region: Region, scheme: Scheme, known: LipstickConstants): Grey {
  const { outer, inner } = region;
  const [right, far] = [scheme.outer_corners[1], scheme.inner_corners[1] - scheme.inner[0]];
  const halves: Half[] = [
    {
      outline: outer.slice(0, right + 1),
      edge: inner.slice(0, far + 1),
      height: 0.62,
      start: 0.3,
      stop: 0.7,
      strength: 0.55,
    },
    {
      outline: [...outer.slice(right), outer[0]!].reverse(),
      edge: [...inner.slice(far), inner[0]!].reverse(),
      height: 0.42,
      start: 0.25,
      stop: 0.75,
      strength: 1,
    },
  ];
  const canvas = new Float32Array(ratio.data.length);
  for (const { outline, edge, height, start, stop, strength } of halves) {
    const [low, high] = [resampled(edge, ALONG), resampled(outline, ALONG)];
    const ridge = low.map(([x, y], k): Point => {
      const [u, v] = high[k]!;
      return [(1 - height) * x + height * u, (1 - height) * y + height * v];
    });
    const [sparse, other] = [resampled(outline, 9), resampled(edge, 9)];
    const gaps = sparse.map(([x, y], k) => Math.hypot(x - other[k]![0], y - other[k]![1])).sort((a, b) => a - b);
    const thickness = gaps[4]!;
    // A thin lip has no room for a streak: it would look like a wire.
    const own = strength * ramp(thickness / region.across, 0.02, 0.12);
    const streak = { ...ratio, data: new Float32Array(canvas.length) };
    const radius = Math.max(1, Math.round(0.12 * thickness)) / 2;
    for (let k = 0; k < ALONG; k++) {
      const along = k / (ALONG - 1);
      const light = own * Math.min(Math.max(Math.min(along - start, stop - along) / 0.15, 0), 1);
      if (light > 0) drawn(streak, ridge[k]!, ridge[Math.min(k + 1, ALONG - 1)]!, radius, light);
    }
    const soft = blur(streak, Math.max(0.12 * thickness, 0.9), known.widest_blur);
    canvas.forEach((value, at) => (canvas[at] = Math.max(value, soft.data[at]!)));
  }
  return made(ratio, (at) => {
    const broken = Math.min(Math.max(1 + 6 * (texture.data[at]! - 1), 0.3), 2);
    return canvas[at]! * broken * ramp(ratio.data[at]!, 0.75, 1.05);
  });
}

/** Draws a line of a value into a picture: the pixels whose centres lie within its radius. */
function drawn(grey: Grey, [px, py]: Point, [qx, qy]: Point, radius: number, value: number): void {
  const reach = Math.max(radius, 0.5);
  const [x0, x1] = [Math.max(0, Math.ceil(Math.min(px, qx) - reach)), Math.min(grey.width - 1, Math.floor(Math.max(px, qx) + reach))];
  const [y0, y1] = [Math.max(0, Math.ceil(Math.min(py, qy) - reach)), Math.min(grey.height - 1, Math.floor(Math.max(py, qy) + reach))];
  const length = (qx - px) ** 2 + (qy - py) ** 2;
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const t = length > 0 ? Math.min(Math.max(((x - px) * (qx - px) + (y - py) * (qy - py)) / length, 0), 1) : 0;
      const off = Math.hypot(x - px - t * (qx - px), y - py - t * (qy - py));
      if (off <= reach) grey.data[y * grey.width + x] = value;
    }
  }
}

/** Returns points at equal arc length along an open polyline, both ends included. */
function resampled(chain: readonly Point[], count: number): Point[] {
  const along = [0];
  for (let k = 1; k < chain.length; k++) {
    along.push(along[k - 1]! + Math.hypot(chain[k]![0] - chain[k - 1]![0], chain[k]![1] - chain[k - 1]![1]));
  }
  let piece = 0;
  return Array.from({ length: count }, (_, k): Point => {
    const wanted = (along.at(-1)! * k) / (count - 1);
    while (piece < chain.length - 2 && along[piece + 1]! < wanted) piece++;
    const span = along[piece + 1]! - along[piece]!;
    const t = span > 0 ? Math.min((wanted - along[piece]!) / span, 1) : 0;
    const [p, q] = [chain[piece]!, chain[piece + 1]!];
    return [p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])];
  });
}
