/** Smooth closed curves through contours; see lipseg/rendering/curves.py. */

import type { Point } from "./box.js";

interface Controls {
  first: Point[];
  second: Point[];
}

/**
 * Returns the two control points of each cubic Bezier piece of the centripetal Catmull-Rom spline through a closed
 * contour (Yuksel et al., "Parameterization and applications of Catmull-Rom curves", 2011).
 */
export function bezierControls(contour: readonly Point[]): Controls {
  const count = contour.length;
  const point = (index: number): Point => contour[(index + count) % count]!;
  const span = contour.map(([x, y], index) => {
    const [nx, ny] = point(index + 1);
    return Math.sqrt(Math.hypot(nx - x, ny - y));
  });
  const control = (anchor: Point, other: Point, far: Point, here: number, own: number): Point => {
    if (own <= 1e-6) return anchor;
    const mixed = (axis: 0 | 1): number =>
      (own ** 2 * far[axis] -
        here ** 2 * other[axis] +
        (2 * own ** 2 + 3 * own * here + here ** 2) * anchor[axis]) /
      (3 * own * (own + here));
    return [mixed(0), mixed(1)];
  };
  const spanAt = (index: number): number => span[(index + count) % count]!;
  return {
    first: contour.map((here, i) => control(here, point(i - 1), point(i + 1), spanAt(i), spanAt(i - 1))),
    second: contour.map((here, i) => control(point(i + 1), point(i + 2), here, spanAt(i), spanAt(i + 1))),
  };
}

/** Returns points along the smooth closed curve through a contour: so many for every point of it. */
export function smooth(contour: readonly Point[], pieces = 6): Point[] {
  const { first, second } = bezierControls(contour);
  return contour.flatMap((here, i) => {
    const end = contour[(i + 1) % contour.length]!;
    return Array.from({ length: pieces }, (_, k): Point => {
      const t = k / pieces;
      const [w0, w1, w2, w3] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
      const at = (axis: 0 | 1): number =>
        w0 * here[axis] + w1 * first[i]![axis] + w2 * second[i]![axis] + w3 * end[axis];
      return [at(0), at(1)];
    });
  });
}

/** Returns the `d` attribute of an SVG path: the smooth closed curve through a contour. */
export function svgPath(contour: readonly Point[]): string {
  // Adding zero turns "-0" into "0".
  const pair = (point: Point): string => point.map((value) => String(Number(value.toFixed(2)) + 0)).join(" ");
  const { first, second } = bezierControls(contour);
  const pieces = contour.map(
    (_, i) => `C${pair(first[i]!)} ${pair(second[i]!)} ${pair(contour[(i + 1) % contour.length]!)}`,
  );
  return `M${pair(contour[0]!)}${pieces.join("")}Z`;
}
