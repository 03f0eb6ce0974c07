/** Files of what was found, as lipseg in Python writes them: JSON, SVG and the mask as an indexed PNG. */

import { corners, type Point } from "./box.js";
import type { Card } from "./card.js";
import { svgPath } from "./curves.js";
import type { Detections, Lips } from "./lips.js";
import { labelMap } from "./masks.js";

const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals)) + 0;
const pixels = (values: readonly number[]): number[] => values.map((value) => rounded(value, 2));

/** Returns what is known of one face, as it stands in JSON; coordinates and lengths are in pixels of the picture. */
export function faceRecord(lips: Lips): Record<string, unknown> {
  const roll = rounded((lips.box.roll * 180) / Math.PI, 2);
  return {
    box: pixels(corners(lips.box)),
    ...(roll ? { roll } : {}),
    score: Number.isFinite(lips.score) ? rounded(lips.score, 4) : null,
    component: lips.component,
    opening: rounded(lips.opening, 4),
    opening_px: rounded(lips.openingPx, 2),
    width: rounded(lips.width, 2),
    areas: {
      upper: rounded(lips.areas.upper, 2),
      lower: rounded(lips.areas.lower, 2),
      inner: rounded(lips.areas.inner, 2),
    },
    outer: lips.outer.map((point: Point) => pixels(point)),
    inner: lips.inner.map((point: Point) => pixels(point)),
  };
}

/** Returns the record of a picture, as a line of `lipseg predict --format json` holds it. */
export function toRecord(found: Detections, name: string): Record<string, unknown> {
  return {
    image: name,
    width: found.width,
    height: found.height,
    faces: found.lips.map(faceRecord),
    ...(found.reason ? { reason: found.reason } : {}),
  };
}

/** Returns the contours as an SVG: smooth closed curves in pixels of the picture, a group for each face. */
export function toSvg(found: Detections, name: string, card: Card): string {
  const colour = card.constants.drawing.lips;
  const escaped = name.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const { width, height } = found;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<title>${escaped}</title>`,
    // Pixel centres lie at integers, whereas SVG counts from the pixel's corner.
    `<g transform="translate(0.5 0.5)" stroke="${colour}" stroke-linejoin="round">`,
  ];
  for (const lips of found.lips) {
    const [outer, inner] = [svgPath(lips.outer), svgPath(lips.inner)];
    lines.push(
      `<g class="face" data-component="${lips.component}" data-score="${lips.score.toFixed(4)}">`,
      `<path class="lips" fill="${colour}" fill-opacity="0.4" fill-rule="evenodd" stroke="none" d="${outer}${inner}"/>`,
      `<path class="outer" fill="none" d="${outer}"/>`,
      `<path class="inner" fill="none" d="${inner}"/>`,
      "</g>",
    );
  }
  return [...lines, "</g>", "</svg>", ""].join("\n");
}

/** Returns the mask as an indexed PNG: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth. */
export async function toMaskPng(found: Detections, card: Card): Promise<Blob> {
  const labels = labelMap(found.lips, found.width, found.height, card);
  return indexedPng(labels, found.width, found.height, card.constants.drawing.labels);
}

/** Returns an 8-bit indexed PNG (ISO/IEC 15948); `palette` holds "#rrggbb" by the index. */
async function indexedPng(indices: Uint8Array, width: number, height: number, palette: readonly string[]): Promise<Blob> {
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++) {
    // Each row begins with the kind of its filter, 0 for none.
    rows.set(indices.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const compressed = new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate")));
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 3, 0, 0, 0], 8);
  const colours = palette.flatMap((css) => [1, 3, 5].map((at) => parseInt(css.slice(at, at + 2), 16)));
  return new Blob(
    [
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      chunk("IHDR", header),
      chunk("PLTE", Uint8Array.from(colours)),
      chunk("IDAT", new Uint8Array(await compressed.arrayBuffer())),
      chunk("IEND", new Uint8Array(0)),
    ],
    { type: "image/png" },
  );
}

function chunk(kind: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(data.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  whole.set(new TextEncoder().encode(kind), 4);
  whole.set(data, 8);
  view.setUint32(data.length + 8, crc32(whole.subarray(4, data.length + 8)));
  return whole;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
