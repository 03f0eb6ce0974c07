/** What is known of one mouth from the frames before; see lipseg/tracking/track.py. */

import { type Box, boxAround, type Point } from "../box.js";
import type { Card, OneEuroParams, TrackingConstants } from "../card.js";
import { type Lips, makeLips } from "../lips.js";
import { difference, gateOf, passes } from "./matching.js";
import { OneEuroFilter } from "./oneEuro.js";

export class Track {
  /** About the landmarks of the frame in which the mouth was last seen. */
  box: Box;
  /** `box` moved to where it is expected in the current frame. */
  predicted: Box;
  /** Of the box's centre, in pixels a second. */
  velocity: Point = [0, 0];
  /** Seconds, when the mouth was last seen. */
  time = -Infinity;
  /** Running mean of the distance between observed and predicted centre, in box lengths. */
  innovation: number;
  lowScores = 0;
  misses = 0;
  confirmed = false;
  lost = false;
  private readonly filter: OneEuroFilter | null;
  private held: Box;
  private before: readonly [Box, Point];

  constructor(
    box: Box,
    private readonly known: TrackingConstants,
    smooth: OneEuroParams | null,
    private readonly card: Card,
    public id = 0,
  ) {
    this.box = this.predicted = this.held = box;
    this.innovation = known.new_innovation;
    this.filter = smooth && new OneEuroFilter(smooth);
    this.before = [box, this.velocity];
  }

  /** Moves the box on to a new frame by its velocity. */
  predict(time: number): void {
    const step = this.confirmed ? Math.min(time - this.time, this.known.longest_step_s) : 0;
    const { box, velocity } = this;
    this.predicted = step ? { ...box, cx: box.cx + velocity[0] * step, cy: box.cy + velocity[1] * step } : box;
  }

  /** Returns the box that the model is to be shown: the one of the frame before, or the predicted one. */
  viewBox(): Box {
    const off = difference(this.held, this.predicted);
    const { held_shift, held_size, held_roll } = this.known;
    if (off.shift / held_shift + Math.log(off.size) / held_size + off.turn / held_roll >= 1) this.held = this.predicted;
    return this.held;
  }

  /** Returns the box about the model's landmarks, or null if they cannot be this mouth's. */
  gate(landmarks: readonly Point[], width: number, height: number): Box | null {
    const inside = landmarks.filter(([x, y]) => x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5);
    if (2 * inside.length < landmarks.length) return null;
    const box = boxAround(landmarks, this.card.runtime.scheme);
    if (!box || box.width < this.known.smallest_px || box.height > this.known.highest * box.width) return null;
    const gate = gateOf(this.confirmed ? this.known.jump : this.known.first);
    return passes(gate, difference(this.predicted, box)) ? box : null;
  }

  /** Takes what the model sees of the mouth in the current frame; returns it with smoothed landmarks. */
  update(lips: Lips, box: Box, time: number): Lips {
    this.before = [this.box, this.velocity];
    if (this.confirmed && time > this.time) {
      const { innovation_weight, velocity_weight } = this.known;
      this.innovation += innovation_weight * (difference(this.predicted, box).shift - this.innovation);
      const step = time - this.time;
      const [vx, vy] = this.velocity;
      this.velocity = [
        vx + velocity_weight * ((box.cx - this.box.cx) / step - vx),
        vy + velocity_weight * ((box.cy - this.box.cy) / step - vy),
      ];
    }
    this.box = this.predicted = box;
    this.time = time;
    this.confirmed = true;
    if (!this.filter) return lips;
    return makeLips(lips, this.filter.filter(lips.landmarks, time, box.width), this.card);
  }

  undoUpdate(): void {
    [this.box, this.velocity] = this.before;
  }
}
