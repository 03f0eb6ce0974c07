/** How much of each pixel a polygon covers; see lipseg/rendering/coverage.py. */

import type { Point } from "./box.js";

/**
 * Returns the share of each pixel that a polygon covers along `fine` scan lines a pixel row.
 *
 * Along a scan line the share is exact. Inside is what an odd number of edges encloses. After the accumulation buffer of
 * Carpenter ("The A-buffer, an antialiased hidden surface method", SIGGRAPH 1984).
 *
 * @param left of the first pixel of the part that is wanted, in the polygon's frame (pixel centres at integers)
 * @param top likewise
 * @returns rows x fine x columns values in 0..1
 */
export function scanlineCoverage(
  polygon: readonly Point[],
  left: number,
  top: number,
  rows: number,
  columns: number,
  fine: number,
): Float32Array {
  const lines = rows * fine;
  const crossings: number[][] = Array.from({ length: lines }, () => []);
  polygon.forEach(([px, py], index) => {
    const [qx, qy] = polygon[(index + 1) % polygon.length]!;
    const [x0, y0] = [px - left + 0.5, (py - top + 0.5) * fine];
    const [x1, y1] = [qx - left + 0.5, (qy - top + 0.5) * fine];
    if (y0 === y1) return;
    const slope = (x1 - x0) / (y1 - y0);
    const first = Math.max(0, Math.ceil(Math.min(y0, y1) - 0.5));
    const last = Math.min(lines, Math.ceil(Math.max(y0, y1) - 0.5));
    for (let line = first; line < last; line++) {
      crossings[line]!.push(Math.min(Math.max(x0 + slope * (line + 0.5 - y0), 0), columns));
    }
  });
  const covered = new Float32Array(lines * columns);
  crossings.forEach((xs, line) => {
    xs.sort((a, b) => a - b);
    for (let k = 0; k + 1 < xs.length; k += 2) {
      const [from, to] = [xs[k]!, xs[k + 1]!];
      const start = line * columns;
      for (let x = Math.floor(from); x < Math.min(columns, Math.ceil(to)); x++) {
        covered[start + x]! += Math.min(to, x + 1) - Math.max(from, x);
      }
    }
  });
  return covered;
}

/** Returns the mean over the scan lines of each row. */
export function meanOfLines(lines: Float32Array, rows: number, columns: number, fine: number): Float32Array {
  const mean = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let line = 0; line < fine; line++) {
      const start = (row * fine + line) * columns;
      for (let x = 0; x < columns; x++) mean[row * columns + x]! += lines[start + x]! / fine;
    }
  }
  return mean;
}
