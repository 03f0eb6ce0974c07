/** What the page and its worker say to each other. */

import type { Card, Detections, LipstickStyle } from "../src/index.js";

export type Request =
  | { kind: "load"; modelUrl: string; runtimeUrl: string; threads?: number }
  | { kind: "photo"; bitmap: ImageBitmap; style: LipstickStyle | null }
  | { kind: "repaint"; style: LipstickStyle | null }
  | { kind: "begin" }
  | { kind: "frame"; bitmap: ImageBitmap; time: number; style: LipstickStyle | null };

/** Painted pixels and where they belong. */
export interface PaintedPart {
  x: number;
  y: number;
  image: ImageData;
}

export interface Answer {
  found: Detections;
  /** The ids of the followed mouths, as `found.lips`. */
  ids: number[];
  patches: PaintedPart[];
  /** Milliseconds: of the search or the tracking, and of the paint. */
  spent: number;
  painting: number;
  /** The frame that was looked at. */
  bitmap?: ImageBitmap;
}

export type Reply =
  | { kind: "loaded"; card: Card }
  | { kind: "answer"; answer: Answer }
  | { kind: "begun" }
  | { kind: "failed"; message: string };
