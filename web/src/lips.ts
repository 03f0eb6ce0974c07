/** Lips, and their sizes from their landmarks; see lipseg/rendering/measures.py and lipseg/scheme.py. */

import type { Box, Point } from "./box.js";
import type { Card, Scheme } from "./card.js";

/** The lips of one face: plain data, in pixels of the picture, (x, y), pixel centres at integers. */
export interface Lips {
  /** The mouth box whose view the model was given. */
  box: Box;
  /** The estimated probability, 0 to 1, that the contours are right. */
  score: number;
  /** The mixture component, that is the mouth's state, whose head placed the landmarks. */
  component: number;
  /** The posterior over the components; sums to 1. */
  responsibilities: number[];
  /** All landmarks, outer contour first. */
  landmarks: Point[];
  /** The closed outer contour, from the image-left corner over the upper lip. */
  outer: Point[];
  /** The closed inner contour, likewise. */
  inner: Point[];
  /** The closed polygons of the two lips. */
  upper: Point[];
  lower: Point[];
  /** Pixels between the outer corners. */
  width: number;
  /** Pixels between the lips in the middle of the mouth. */
  openingPx: number;
  /** `openingPx` over `width`: 0 is closed. */
  opening: number;
  /** Square pixels. */
  areas: { upper: number; lower: number; inner: number };
}

/** The lips of one picture; surest first where faces were looked for. */
export interface Detections {
  lips: Lips[];
  width: number;
  height: number;
  /** Why there are none; "" where there are some, or where the caller gave the boxes. */
  reason: string;
}

export type Seen = Pick<Lips, "box" | "score" | "component" | "responsibilities">;

/** Returns lips of what the model saw and its landmarks, with all that follows from these. */
export function makeLips(seen: Seen, landmarks: Point[], card: Card): Lips {
  const scheme = card.runtime.scheme;
  const { upper_middle, lower_middle } = card.constants.drawing;
  const outer = landmarks.slice(...scheme.outer);
  const inner = landmarks.slice(...scheme.inner);
  const { upper, lower } = lipPolygons(outer, inner, scheme);
  const [left, right] = [landmarks[scheme.outer_corners[0]]!, landmarks[scheme.outer_corners[1]]!];
  const [ax, ay] = [right[0] - left[0], right[1] - left[1]];
  const width = Math.hypot(ax, ay);
  let [gx, gy] = [0, 0];
  upper_middle.forEach((above, k) => {
    const below = lower_middle[k]!;
    gx += (landmarks[below]![0] - landmarks[above]![0]) / upper_middle.length;
    gy += (landmarks[below]![1] - landmarks[above]![1]) / upper_middle.length;
  });
  const openingPx = width > 0 ? Math.max(0, (ax * gy - ay * gx) / width) : 0;
  return {
    ...seen,
    landmarks,
    outer,
    inner,
    upper,
    lower,
    width,
    openingPx,
    opening: width > 0 ? openingPx / width : 0,
    areas: { upper: area(upper), lower: area(lower), inner: area(inner) },
  };
}

/** Points this little short of the farthest are as far. */
const BLUNT = 1e-6;

/** Returns which point of a contour lies farthest from its first, towards the opposite corner. */
function farCorner(ring: readonly Point[], nominal: number): number {
  const [x0, y0] = ring[0]!;
  const [dx, dy] = [ring[nominal]![0] - x0, ring[nominal]![1] - y0];
  const reach = ring.map(([x, y]) => (x - x0) * dx + (y - y0) * dy);
  const most = Math.max(...reach.slice(1));
  let best = nominal;
  let off = Infinity;
  for (let k = 1; k < ring.length; k++) {
    if (reach[k]! >= (1 - BLUNT) * most && Math.abs(k - nominal) < off) {
      best = k;
      off = Math.abs(k - nominal);
    }
  }
  return best;
}

function lipPolygons(outer: Point[], inner: Point[], scheme: Scheme): { upper: Point[]; lower: Point[] } {
  const j = farCorner(outer, scheme.outer_corners[1]);
  const k = farCorner(inner, scheme.inner_corners[1] - scheme.inner[0]);
  return {
    upper: [...outer.slice(0, j + 1), ...inner.slice(0, k + 1).reverse()],
    lower: [...outer.slice(j), outer[0]!, inner[0]!, ...inner.slice(k).reverse()],
  };
}

/** Returns the area of a polygon that does not cross itself. */
export function area(polygon: readonly Point[]): number {
  let sum = 0;
  const [x0, y0] = polygon[0] ?? [0, 0];
  polygon.forEach(([x, y], index) => {
    const [nx, ny] = polygon[(index + 1) % polygon.length]!;
    sum += (x - x0) * (ny - y0) - (nx - x0) * (y - y0);
  });
  return Math.abs(sum) / 2;
}

/** Returns the upright box of the mouth's width about the mean of its landmarks: what tells two mouths apart. */
export function extentOf(lips: Lips): Box {
  const count = lips.landmarks.length;
  const width = Math.max(lips.width, 1e-3);
  return {
    cx: lips.landmarks.reduce((sum, [x]) => sum + x, 0) / count,
    cy: lips.landmarks.reduce((sum, [, y]) => sum + y, 0) / count,
    width,
    height: width,
    roll: 0,
    score: lips.score,
    origin: "landmarks",
  };
}
