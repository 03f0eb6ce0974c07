/** Faces by YuNet; see lipseg/inference/yunet.py. */

import { type Box, makeBox, side, withoutDoubles, wrapped } from "./box.js";
import type { DetectorConstants } from "./card.js";
import { apply } from "./geometry.js";
import type { Network, Wanted } from "./network.js";
import type { Picture, Raster } from "./picture.js";
import { shrunk, turned } from "./resample.js";

/** Anything that finds faces: attempts, the cheapest first, each a list of boxes, surest first. */
export interface FaceDetector {
  attempts(picture: Picture): AsyncIterable<Box[]>;
}

/** A face as the network gives it: box, five points (x, y) from the picture's edge, score. */
interface Row {
  x: number;
  y: number;
  width: number;
  height: number;
  points: [number, number][];
  score: number;
}

/** The network's outputs for each stride, and the numbers that they have for each cell. */
const KINDS = { cls: 1, obj: 1, bbox: 4, kps: 10 };

export class YuNet implements FaceDetector {
  constructor(
    private readonly network: Network,
    private readonly constants: DetectorConstants,
  ) {}

  /** Returns the outputs for a picture of so many pixels. */
  private wanted(columns: number, rows: number): Wanted {
    const each = this.constants.strides.map((stride) => [stride, (columns / stride) * (rows / stride)] as const);
    return Object.fromEntries(
      Object.entries(KINDS).flatMap(([kind, count]) => each.map(([stride, cells]) => [`${kind}_${stride}`, count * cells])),
    );
  }

  /** Yields the faces that each attempt finds; runs only as far as it is asked. */
  async *attempts(picture: Picture): AsyncGenerator<Box[]> {
    const known = this.constants;
    const whole = picture.read(0, 0, picture.width, picture.height);
    const longest = Math.max(whole.width, whole.height);
    let searched = Math.min(Math.max(Math.floor(longest / 2), known.least_side), known.long_side);
    const first = searched;
    const finest = Math.min(longest, 2 * known.long_side);
    let faces = await this.search(shrunk(whole, searched), 0, "yunet");
    while (
      faces.length &&
      searched < finest &&
      (Math.min(...faces.map(side)) * searched) / longest < known.small_px
    ) {
      searched *= 2;
      faces = merged(await this.search(shrunk(whole, searched), 0, "yunet"), faces);
    }
    yield faces;
    yield this.search(shrunk(whole, known.coarse_side), 0, "yunet+coarse");
    while (searched < finest) {
      searched *= 2;
      yield this.search(shrunk(whole, searched), 0, "yunet+fine");
    }
    const small = shrunk(whole, first);
    const lit = brightened(small.raster, known.dark, known.lifted);
    if (lit !== small.raster) yield this.search({ raster: lit, scale: small.scale }, 0, "yunet+brightened");
    const least = shrunk(lit, known.least_side);
    for (const degrees of known.turns) {
      const copy = { raster: least.raster, scale: small.scale * least.scale };
      yield this.search(copy, (degrees * Math.PI) / 180, `yunet+turned ${degrees}`);
    }
  }

  /** Returns the faces of a shrunk picture turned upright by `roll`, in pixels of the picture itself. */
  private async search(copy: { raster: Raster; scale: number }, roll: number, origin: string): Promise<Box[]> {
    const known = this.constants;
    const upright = roll ? turned(copy.raster, roll) : null;
    const threshold = roll ? Math.max(known.threshold, known.turned_score) : known.threshold;
    const rows = await this.rows(upright?.raster ?? copy.raster, threshold);
    return rows.map((row) => {
      const count = row.points.length;
      let [re, im, mx, my] = [0, 0, 0, 0];
      row.points.forEach(([x, y], k) => {
        // The fit of the five points to a mean face, as complex numbers: its angle is the head's roll.
        const [u, v] = known.mean_face[k]!;
        re += x * u + y * v;
        im += y * u - x * v;
        mx += x / count;
        my += y / count;
      });
      let centre: readonly [number, number] = [mx - 0.5, my - 0.5];
      if (upright) centre = apply(upright.back, centre);
      const length = Math.sqrt(row.width * row.height) * copy.scale;
      const angle = wrapped(roll + Math.atan2(im, re));
      const [cx, cy] = [(centre[0] + 0.5) * copy.scale - 0.5, (centre[1] + 0.5) * copy.scale - 0.5];
      return { ...makeBox(cx, cy, length, length, angle, origin), score: row.score };
    });
  }

  private async rows(raster: Raster, threshold: number): Promise<Row[]> {
    const coarsest = this.constants.strides.at(-1)!;
    const columns = Math.ceil(raster.width / coarsest) * coarsest;
    const rows = Math.ceil(raster.height / coarsest) * coarsest;
    // Blue, green, red, one plane after the other.
    const blob = new Float32Array(3 * rows * columns);
    for (let y = 0; y < raster.height; y++) {
      let from = 4 * y * raster.width;
      let to = y * columns;
      for (let x = 0; x < raster.width; x++, from += 4, to++) {
        blob[to] = raster.data[from + 2]!;
        blob[to + rows * columns] = raster.data[from + 1]!;
        blob[to + 2 * rows * columns] = raster.data[from]!;
      }
    }
    const out = await this.network.run("float32", blob, [1, 3, rows, columns], this.wanted(columns, rows));
    const found: Row[] = [];
    for (const stride of this.constants.strides) {
      const [cls, obj] = [out[`cls_${stride}`]!, out[`obj_${stride}`]!];
      const [boxes, points] = [out[`bbox_${stride}`]!, out[`kps_${stride}`]!];
      const across = columns / stride;
      for (let cell = 0; cell < cls.length; cell++) {
        const squared = unit(cls[cell]!) * unit(obj[cell]!);
        if (squared < threshold ** 2) continue;
        const [cx, cy] = [cell % across, Math.floor(cell / across)];
        const width = Math.exp(boxes[4 * cell + 2]!) * stride;
        const height = Math.exp(boxes[4 * cell + 3]!) * stride;
        found.push({
          x: (cx + boxes[4 * cell]!) * stride - width / 2,
          y: (cy + boxes[4 * cell + 1]!) * stride - height / 2,
          width,
          height,
          points: this.constants.mean_face.map((_, k) => [
            (points[10 * cell + 2 * k]! + cx) * stride,
            (points[10 * cell + 2 * k + 1]! + cy) * stride,
          ]),
          score: Math.sqrt(squared),
        });
      }
    }
    const same = (a: Row, b: Row): boolean => shared(a, b) > this.constants.same_box;
    const kept = withoutDoubles(
      found,
      found.map((row) => row.score),
      same,
    );
    return kept.map((position) => found[position]!);
  }
}

const unit = (value: number): number => Math.min(Math.max(value, 0), 1);

/** Intersection over union. */
function shared(a: Row, b: Row): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const common = Math.max(width, 0) * Math.max(height, 0);
  return common / (a.width * a.height + b.width * b.height - common);
}

/** Returns the faces of a finer search and those of a coarser one that it has missed, surest first. */
function merged(finer: Box[], coarser: Box[]): Box[] {
  const same = (a: Box, b: Box): boolean =>
    Math.hypot(a.cx - b.cx, a.cy - b.cy) < Math.max(side(a), side(b)) / 2;
  const missed = coarser.filter((face) => !finer.some((other) => same(face, other)));
  return [...finer, ...missed].sort((a, b) => b.score - a.score);
}

/** Returns a dark picture as light as a well lit one; the same one if it is not dark. */
function brightened(raster: Raster, dark: number, lifted: number): Raster {
  const counts = new Uint32Array(256);
  for (let at = 0; at < raster.data.length; at++) {
    if (at % 4 !== 3) counts[raster.data[at]!]!++;
  }
  const light = percentile(counts, 0.99);
  if (light >= dark) return raster;
  const gain = lifted / Math.max(light, 1);
  const data = raster.data.map((value, at) => (at % 4 === 3 ? 255 : value * gain));
  return { width: raster.width, height: raster.height, data };
}

/** Returns a percentile of counted grey levels, between two of them as NumPy does. */
function percentile(counts: Uint32Array, share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const place = share * (total - 1);
  const level = (rank: number): number => {
    let seen = 0;
    for (let value = 0; value < counts.length; value++) {
      seen += counts[value]!;
      if (seen > rank) return value;
    }
    return counts.length - 1;
  };
  const below = Math.floor(place);
  const [low, high] = [level(below), level(Math.min(below + 1, total - 1))];
  return low + (place - below) * (high - low);
}
