/** The One Euro filter (Casiez, Roussel and Vogel, CHI 2012); see lipseg/tracking/one_euro.py. */

import type { Point } from "../box.js";
import type { OneEuroParams } from "../card.js";

/** Returns the weight of the newest sample in a first-order low-pass filter. */
function smoothing(cutoff: number, step: number): number {
  const angle = 2 * Math.PI * step * cutoff;
  return angle / (angle + 1);
}

export class OneEuroFilter {
  private points: Point[] | null = null;
  private velocity: Point[] = [];
  private time = 0;

  constructor(private readonly params: OneEuroParams) {}

  /** Returns the filtered points; `size` is the mouth's width, the unit of the speed. */
  filter(points: readonly Point[], time: number, size: number): Point[] {
    if (!this.points) {
      this.points = [...points];
      this.velocity = points.map(() => [0, 0]);
      this.time = time;
      return [...points];
    }
    const step = time - this.time;
    if (step <= 0) return [...this.points];
    const { min_cutoff, beta, speed_cutoff } = this.params;
    const newest = smoothing(speed_cutoff, step);
    this.points = this.points.map(([px, py], index) => {
      const [dx, dy] = [points[index]![0] - px, points[index]![1] - py];
      const [ux, uy] = this.velocity[index]!;
      const vx = ux + newest * (dx / (step * size) - ux);
      const vy = uy + newest * (dy / (step * size) - uy);
      this.velocity[index] = [vx, vy];
      const weight = smoothing(min_cutoff + beta * Math.hypot(vx, vy), step);
      return [px + weight * dx, py + weight * dy];
    });
    this.time = time;
    return [...this.points];
  }
}
