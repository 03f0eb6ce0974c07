/** Oklab (Ottosson, "A perceptual color space for image processing", 2020); see lipseg/makeup/oklab.py. */

import type { LipstickConstants } from "../card.js";

type Matrix = readonly (readonly [number, number, number])[];

function inverted(m: Matrix): Matrix {
  const [[a, b, c], [d, e, f], [g, h, i]] = m as LipstickConstants["cones"];
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const det = a * A + b * B + c * C;
  return [
    [A / det, (c * h - b * i) / det, (b * f - c * e) / det],
    [B / det, (a * i - c * g) / det, (c * d - a * f) / det],
    [C / det, (b * g - a * h) / det, (a * e - b * d) / det],
  ];
}

/** The linear light, 0..1, of each sRGB byte (IEC 61966-2-1). */
const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = byte / 255;
  return code <= 0.04045 ? code / 12.92 : ((code + 0.055) / 1.055) ** 2.4;
});

export class Oklab {
  private readonly conesBack: Matrix;
  private readonly labBack: Matrix;

  constructor(
    private readonly cones: Matrix,
    private readonly lab: Matrix,
  ) {
    this.conesBack = inverted(cones);
    this.labBack = inverted(lab);
  }

  /** Writes L, a, b of an sRGB colour to `out` at `at`. */
  fromRgb(red: number, green: number, blue: number, out: Float32Array, at: number): void {
    const [r, g, b] = [LINEAR[red]!, LINEAR[green]!, LINEAR[blue]!];
    const [p, q, s] = this.cones as LipstickConstants["cones"];
    const l = Math.cbrt(p[0] * r + p[1] * g + p[2] * b);
    const m = Math.cbrt(q[0] * r + q[1] * g + q[2] * b);
    const n = Math.cbrt(s[0] * r + s[1] * g + s[2] * b);
    for (let k = 0; k < 3; k++) out[at + k] = this.lab[k]![0] * l + this.lab[k]![1] * m + this.lab[k]![2] * n;
  }

  /** Writes the sRGB bytes of an Oklab colour, clipped to the gamut, to `out` at `at`. */
  toRgb(lightness: number, a: number, b: number, out: Uint8ClampedArray, at: number): void {
    const root = (k: number): number =>
      (this.labBack[k]![0] * lightness + this.labBack[k]![1] * a + this.labBack[k]![2] * b) ** 3;
    const [l, m, n] = [root(0), root(1), root(2)];
    for (let k = 0; k < 3; k++) {
      const row = this.conesBack[k]!;
      const linear = Math.min(Math.max(row[0] * l + row[1] * m + row[2] * n, 0), 1);
      out[at + k] = 255 * (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055);
    }
  }
}
