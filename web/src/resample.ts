/** Cutting views out of pictures and shrinking them, as OpenCV does for lipseg in Python (lipseg/geometry.py). */

import { type Affine, after, apply, inverse, scaleOf } from "./geometry.js";
import { type Picture, type Raster, rasterPicture } from "./picture.js";

// What follows is OpenCV's arithmetic to the last bit: whole numbers here, single precision where it averages. What a network says can hang on a grey level where a mouth lies between two states.
/** Places are summed in this share of a pixel, and sampled at the coarser one. */
const SUMMED = 1024;
const STEPS = 32;
/** One, as a weight between two neighbours. */
const ONE = 2048;
/** From this many picture pixels a view pixel on, the picture is averaged before it is sampled. */
const AVERAGED_FROM = 1.2;
/** From this many on, it is halved before where the view is to be fast. */
const HALVED_FROM = 6;

const single = Math.fround;
const clip = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** The pixels that a share of the output reaches into along one axis, and their weights. */
interface Weights {
  first: Int32Array;
  count: Int32Array;
  weight: Float32Array[];
}

function areaWeights(from: number, to: number): Weights {
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weight: Float32Array[] = [];
  const step = from / to;
  for (let i = 0; i < to; i++) {
    const [low, high] = [i * step, Math.min((i + 1) * step, from)];
    const start = Math.floor(low + 1e-9);
    const stop = Math.max(start + 1, Math.min(from, Math.ceil(high - 1e-9)));
    const own = new Float32Array(stop - start);
    for (let k = start; k < stop; k++) own[k - start] = Math.max(Math.min(k + 1, high) - Math.max(k, low), 0) / step;
    first[i] = start;
    count[i] = stop - start;
    weight.push(own);
  }
  return { first, count, weight };
}

/** Returns a picture shrunk by averaging areas, each pixel by the share of it that counts. */
export function averaged(source: Raster, width: number, height: number): Raster {
  const [columns, rows] = [areaWeights(source.width, width), areaWeights(source.height, height)];
  const narrow = new Float32Array(3 * width * source.height);
  for (let y = 0; y < source.height; y++) {
    const row = 4 * y * source.width;
    for (let x = 0; x < width; x++) {
      const own = columns.weight[x]!;
      let at = row + 4 * columns.first[x]!;
      let [r, g, b] = [0, 0, 0];
      for (let k = 0; k < own.length; k++, at += 4) {
        const w = own[k]!;
        r = single(r + single(w * source.data[at]!));
        g = single(g + single(w * source.data[at + 1]!));
        b = single(b + single(w * source.data[at + 2]!));
      }
      const to = 3 * (y * width + x);
      narrow[to] = r;
      narrow[to + 1] = g;
      narrow[to + 2] = b;
    }
  }
  // OpenCV has a loop of its own for halves, which rounds up; every other rounds halves to even, as clamped arrays do.
  const half = source.width === 2 * width && source.height === 2 * height ? 1e-3 : 0;
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    const own = rows.weight[y]!;
    const start = rows.first[y]!;
    for (let x = 0; x < width; x++) {
      let [r, g, b] = [half, half, half];
      for (let k = 0; k < own.length; k++) {
        const w = own[k]!;
        const at = 3 * ((start + k) * width + x);
        r = single(r + single(w * narrow[at]!));
        g = single(g + single(w * narrow[at + 1]!));
        b = single(b + single(w * narrow[at + 2]!));
      }
      const to = 4 * (y * width + x);
      data[to] = r;
      data[to + 1] = g;
      data[to + 2] = b;
      data[to + 3] = 255;
    }
  }
  return { width, height, data };
}

/** The two neighbours of each output pixel along one axis, and the weight of the second in `ONE`s. */
function neighbours(from: number, to: number): { first: Int32Array; second: Int32Array; share: Int32Array } {
  const [first, second, share] = [new Int32Array(to), new Int32Array(to), new Int32Array(to)];
  for (let i = 0; i < to; i++) {
    const at = clip(single((i + 0.5) * (from / to) - 0.5), 0, from - 1);
    first[i] = Math.floor(at);
    second[i] = Math.min(first[i]! + 1, from - 1);
    share[i] = Math.round((at - first[i]!) * ONE);
  }
  return { first, second, share };
}

/** Returns a picture resized by interpolating between neighbours. */
export function interpolated(source: Raster, width: number, height: number): Raster {
  const [columns, rows] = [neighbours(source.width, width), neighbours(source.height, height)];
  const narrow = new Int32Array(3 * width * source.height);
  for (let y = 0; y < source.height; y++) {
    const row = 4 * y * source.width;
    for (let x = 0; x < width; x++) {
      const [left, right, share] = [row + 4 * columns.first[x]!, row + 4 * columns.second[x]!, columns.share[x]!];
      const to = 3 * (y * width + x);
      for (let k = 0; k < 3; k++) {
        // OpenCV drops four bits here and sixteen of each product below.
        narrow[to + k] = (source.data[left + k]! * (ONE - share) + source.data[right + k]! * share) >> 4;
      }
    }
  }
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let y = 0; y < height; y++) {
    const [upper, lower, share] = [3 * width * rows.first[y]!, 3 * width * rows.second[y]!, rows.share[y]!];
    for (let x = 0; x < width; x++) {
      const to = 4 * (y * width + x);
      for (let k = 0; k < 3; k++) {
        const [above, below] = [narrow[upper + 3 * x + k]!, narrow[lower + 3 * x + k]!];
        data[to + k] = ((((ONE - share) * above) >> 16) + ((share * below) >> 16) + 2) >> 2;
      }
    }
  }
  return { width, height, data };
}

/**
 * Samples a picture bilinearly at the places that a map gives.
 *
 * @param out filled with `channels` bytes a pixel: 3 for RGB, 4 for RGBA
 * @param border the grey level beyond the picture; undefined repeats its edge pixels
 */
function sample(
  source: Raster,
  map: Affine,
  width: number,
  height: number,
  out: Uint8Array | Uint8ClampedArray,
  channels: 3 | 4,
  border?: number,
): void {
  const { data, width: columns, height: rows } = source;
  const [right, bottom] = [columns - 1, rows - 1];
  const across = Float64Array.from({ length: 2 * width }, (_, at) =>
    Math.round((at < width ? map.a : map.d) * (at % width) * SUMMED),
  );
  const ratio = SUMMED / STEPS;
  for (let y = 0; y < height; y++) {
    const startX = Math.round((map.b * y + map.c) * SUMMED) + ratio / 2;
    const startY = Math.round((map.e * y + map.f) * SUMMED) + ratio / 2;
    for (let x = 0; x < width; x++) {
      const u = Math.floor((startX + across[x]!) / ratio);
      const v = Math.floor((startY + across[width + x]!) / ratio);
      const [x0, y0] = [Math.floor(u / STEPS), Math.floor(v / STEPS)];
      const [fx, fy] = [u - STEPS * x0, v - STEPS * y0];
      const left = 4 * clip(x0, 0, right);
      const next = 4 * clip(x0 + 1, 0, right);
      const upper = 4 * columns * clip(y0, 0, bottom);
      const lower = 4 * columns * clip(y0 + 1, 0, bottom);
      const to = channels * (y * width + x);
      for (let k = 0; k < 3; k++) {
        let [p, q, r, s] = [data[upper + left + k]!, data[upper + next + k]!, data[lower + left + k]!, data[lower + next + k]!];
        if (border !== undefined) {
          if (x0 < 0 || x0 > right || y0 < 0 || y0 > bottom) p = border;
          if (x0 + 1 < 0 || x0 + 1 > right || y0 < 0 || y0 > bottom) q = border;
          if (x0 < 0 || x0 > right || y0 + 1 < 0 || y0 + 1 > bottom) r = border;
          if (x0 + 1 < 0 || x0 + 1 > right || y0 + 1 < 0 || y0 + 1 > bottom) s = border;
        }
        const sum = (p * (STEPS - fx) + q * fx) * (STEPS - fy) + (r * (STEPS - fx) + s * fx) * fy;
        out[to + k] = Math.floor((sum + (STEPS * STEPS) / 2) / (STEPS * STEPS));
      }
      if (channels === 4) out[to + 3] = 255;
    }
  }
}

/** The least and the largest place in the picture that a view of this size shows. */
function reach(map: Affine, size: number): { low: [number, number]; high: [number, number] } {
  const ends = [-0.5, size - 0.5];
  const places = ends.flatMap((y) => ends.map((x) => apply(map, [x, y])));
  const [xs, ys] = [places.map((p) => p[0]), places.map((p) => p[1])];
  return { low: [Math.min(...xs), Math.min(...ys)], high: [Math.max(...xs), Math.max(...ys)] };
}

/**
 * Returns a `size` x `size` view of a picture as RGB bytes, anti-aliased when it shrinks; beyond the picture its edge
 * pixels repeat.
 *
 * @param map from the view's pixels to the picture's
 * @param fast whether a view that shrinks much is averaged in two steps, as Python does for the locator
 */
export function warp(picture: Picture, map: Affine, size: number, fast = false): Uint8Array {
  const shrink = scaleOf(map);
  const averages = shrink > AVERAGED_FROM;
  const beyond = averages ? 2 * shrink : 1;
  const { low, high } = reach(map, size);
  const limit = [picture.width, picture.height] as const;
  const from = [0, 1].map((k) => clip(Math.floor(low[k]! - beyond), 0, limit[k]! - 1)) as [number, number];
  const to = [0, 1].map((k) => clip(Math.ceil(high[k]! + beyond), from[k]! + 1, limit[k]!)) as [number, number];
  const least = Math.min(to[0] - from[0], to[1] - from[1]);
  let block = 1;
  while (fast && shrink >= HALVED_FROM * block && least >= 2 * block) block *= 2;
  const [wide, tall] = [0, 1].map((k) => Math.floor((to[k]! - from[k]!) / block) * block) as [number, number];
  let part = picture.read(from[0], from[1], from[0] + wide, from[1] + tall);
  let toPart: Affine = { a: 1, b: 0, c: -from[0], d: 0, e: 1, f: -from[1] };
  if (averages) {
    const width = Math.max(Math.round(wide / shrink), 1);
    const height = Math.max(Math.round(tall / shrink), 1);
    const [rx, ry] = [width / wide, height / tall];
    for (; block > 1; block /= 2) part = averaged(part, part.width / 2, part.height / 2);
    part = averaged(part, width, height);
    toPart = { a: rx, b: 0, c: (0.5 - from[0]) * rx - 0.5, d: 0, e: ry, f: (0.5 - from[1]) * ry - 0.5 };
  }
  const view = new Uint8Array(3 * size * size);
  sample(part, after(toPart, map), size, size, view, 3);
  return view;
}

/** Returns a picture with a long side of at most so many pixels, and the factor that it was shrunk by. */
export function shrunk(source: Raster, longSide: number): { raster: Raster; scale: number } {
  const scale = Math.max(source.width, source.height) / longSide;
  if (scale <= 1) return { raster: source, scale: 1 };
  const width = Math.max(1, Math.round(source.width / scale));
  const height = Math.max(1, Math.round(source.height / scale));
  return { raster: (scale >= 2 ? averaged : interpolated)(source, width, height), scale };
}

/** Returns a picture in which what is turned by `roll` is upright, and the map back. */
export function turned(source: Raster, roll: number): { raster: Raster; back: Affine } {
  const [cos, sin] = [Math.cos(roll), Math.sin(roll)];
  const width = Math.ceil(Math.abs(cos) * source.width + Math.abs(sin) * source.height);
  const height = Math.ceil(Math.abs(sin) * source.width + Math.abs(cos) * source.height);
  const [hx, hy] = [(width - 1) / 2, (height - 1) / 2];
  const back: Affine = {
    a: cos,
    b: -sin,
    c: (source.width - 1) / 2 - (cos * hx - sin * hy),
    d: sin,
    e: cos,
    f: (source.height - 1) / 2 - (sin * hx + cos * hy),
  };
  const data = new Uint8ClampedArray(4 * width * height);
  sample(source, back, width, height, data, 4, 128);
  return { raster: { width, height, data }, back };
}

/** The surroundings of a mouth, kept for a second view. */
export interface Part {
  picture: Picture;
  /** From its pixels to the whole picture's. */
  toImage: Affine;
}

/** Returns the part of a picture that a view shows, shrunk by a whole number; see lipseg/inference/part.py. */
export function partShown(picture: Picture, map: Affine, size: number): Part {
  const { low, high } = reach(map, size);
  const limit = [picture.width, picture.height] as const;
  const from = [0, 1].map((k) => clip(Math.floor(low[k]!), 0, limit[k]! - 1)) as [number, number];
  const to = [0, 1].map((k) => clip(Math.ceil(high[k]!) + 1, from[k]! + 1, limit[k]!)) as [number, number];
  const block = Math.max(1, Math.min(Math.trunc(scaleOf(map)), limit[0] - from[0], limit[1] - from[1]));
  const count = [0, 1].map((k) =>
    Math.min(Math.ceil((to[k]! - from[k]!) / block), Math.floor((limit[k]! - from[k]!) / block)),
  ) as [number, number];
  const read = picture.read(from[0], from[1], from[0] + count[0] * block, from[1] + count[1] * block);
  // Not spread: what a canvas gives has its width and height from its class.
  const kept = { width: read.width, height: read.height, data: read.data.slice() };
  const raster = block > 1 ? averaged(read, count[0], count[1]) : kept;
  const half = (block - 1) / 2;
  const toImage = { a: block, b: 0, c: from[0] + half, d: 0, e: block, f: from[1] + half };
  return { picture: rasterPicture(raster), toImage };
}

/** Returns a view of the picture that a part was taken from. */
export function warpPart(part: Part, map: Affine, size: number): Uint8Array {
  return warp(part.picture, after(inverse(part.toImage), map), size);
}
