/** How much two boxes differ, and which detection belongs to which track; see lipseg/tracking/matching.py. */

import { type Box, longer, wrapped } from "../box.js";
import type { GateConstants } from "../card.js";

export interface Difference {
  /** Distance of the centres, in lengths of the reference. */
  shift: number;
  /** Factor between the two lengths, at least 1. */
  size: number;
  /** Radians between the two rolls. */
  turn: number;
}

/** Limits of a difference. */
export type Gate = Difference;

export function gateOf(constants: GateConstants): Gate {
  return { ...constants, turn: constants.turn ?? Infinity };
}

export function difference(reference: Box, box: Box): Difference {
  const [before, now] = [longer(reference), longer(box)];
  return {
    shift: Math.hypot(box.cx - reference.cx, box.cy - reference.cy) / before,
    size: Math.max(now / before, before / now),
    turn: Math.abs(wrapped(box.roll - reference.roll)),
  };
}

export function passes(gate: Gate, off: Difference): boolean {
  return off.shift < gate.shift && off.size < gate.size && off.turn < gate.turn;
}

/** Returns positions of detections by the positions of their tracks: greedily, the pair that differs least first. */
export function associate(tracks: readonly (readonly [Box, Gate])[], detections: readonly Box[]): Map<number, number> {
  const costs: [cost: number, track: number, detection: number][] = [];
  tracks.forEach(([predicted, gate], t) => {
    detections.forEach((detection, d) => {
      const off = difference(predicted, detection);
      if (passes(gate, off)) costs.push([off.shift + Math.log(off.size), t, d]);
    });
  });
  costs.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  const pairs = new Map<number, number>();
  const taken = new Set<number>();
  for (const [, t, d] of costs) {
    if (pairs.has(t) || taken.has(d)) continue;
    pairs.set(t, d);
    taken.add(d);
  }
  return pairs;
}
