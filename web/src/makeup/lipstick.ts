/** Lipstick: the colour of the lips changed, their shading and texture kept; see lipseg/makeup. */

import type { Card, FinishConstants, LipstickConstants, Scheme } from "../card.js";
import { LipsegError } from "../errors.js";
import type { Lips } from "../lips.js";
import { type ImageSource, openPicture, type Picture, type Raster } from "../picture.js";
import { blur, type Grey, made, ramp } from "./grey.js";
import { wetHighlights } from "./highlights.js";
import { Oklab } from "./oklab.js";
import { type Region, regionOf } from "./region.js";

export interface LipstickStyle {
  /** "#rrggbb". */
  colour: string;
  /** 0 changes nothing, 1 covers the lips' own colour. */
  opacity?: number;
  /** "matte", "satin" or "gloss". */
  finish?: string;
}

/** A painted part of a picture: draw it there with `context.putImageData(patch.image, patch.x, patch.y)`. */
export interface Patch {
  x: number;
  y: number;
  image: ImageData;
}

/** The colour of bare lips in Oklab, which paint is measured against. */
interface Tone {
  lightness: number;
  highlight: number;
  a: number;
  b: number;
}

/** Lips to paint, or followed lips: their id says whose they are from frame to frame. */
export type Wearer = Lips | { lips: Lips; id: number };

/** Puts the same lipstick on pictures or on every frame of a video. */
export class Lipstick {
  private readonly known: LipstickConstants;
  private readonly scheme: Scheme;
  private readonly oklab: Oklab;
  private readonly finish: FinishConstants;
  private readonly paint: Float32Array;
  private readonly opacity: number;
  private tones = new Map<number, Tone>();

  /** @throws LipsegError if the colour, the opacity or the finish is none */
  constructor(card: Card, style: LipstickStyle) {
    this.known = card.constants.lipstick;
    this.scheme = card.runtime.scheme;
    this.oklab = new Oklab(this.known.cones, this.known.lab);
    const name = style.finish ?? "satin";
    const finish = Object.hasOwn(this.known.finishes, name) ? this.known.finishes[name] : undefined;
    if (!finish) {
      throw new LipsegError(`"${style.finish}" is no finish; choose ${Object.keys(this.known.finishes).join(", ")}`);
    }
    this.finish = finish;
    this.opacity = style.opacity ?? 0.6;
    if (!(this.opacity >= 0 && this.opacity <= 1)) throw new LipsegError(`the opacity must be from 0 to 1, not ${this.opacity}`);
    const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(style.colour);
    if (!parts) throw new LipsegError(`"${style.colour}" is no colour; write #rrggbb`);
    this.paint = new Float32Array(3);
    const [red, green, blue] = parts.slice(1).map((hex) => parseInt(hex, 16)) as [number, number, number];
    this.oklab.fromRgb(red, green, blue, this.paint, 0);
  }

  /** Takes over what another lipstick has learnt of the bare lips, so that a change of colour does not flicker. */
  remember(other: Lipstick): void {
    this.tones = other.tones;
  }

  /** Returns the painted parts of a picture or of the next frame of a video; the picture is not changed. */
  async apply(image: ImageSource, wearers: readonly Wearer[]): Promise<Patch[]> {
    const picture = await openPicture(image);
    try {
      return this.applyTo(picture, wearers);
    } finally {
      picture.close();
    }
  }

  /** As `apply`, to a picture that is open. */
  applyTo(picture: Picture, wearers: readonly Wearer[]): Patch[] {
    const tones = new Map<number, Tone>();
    const patches: Patch[] = [];
    wearers.forEach((wearer, place) => {
      const { lips, id } = "lips" in wearer ? wearer : { lips: wearer, id: undefined };
      const region = regionOf(lips, picture.width, picture.height, this.known);
      if (!region) return;
      const { width, height } = region.alpha;
      const part = picture.read(region.x, region.y, region.x + width, region.y + height);
      const lab = this.labOf(part);
      const before = id === undefined ? undefined : this.tones.get(id);
      const tone = towards(measured(lab, region.alpha), before, this.known.memory);
      tones.set(id ?? -1 - place, tone);
      patches.push({ x: region.x, y: region.y, image: this.painted(part, lab, tone, region) });
    });
    // Who is not in this frame is forgotten.
    this.tones = tones;
    return patches;
  }

  private labOf(part: Raster): Float32Array {
    const lab = new Float32Array(3 * part.width * part.height);
    for (let from = 0, to = 0; to < lab.length; from += 4, to += 3) {
      this.oklab.fromRgb(part.data[from]!, part.data[from + 1]!, part.data[from + 2]!, lab, to);
    }
    return lab;
  }

  private painted(part: Raster, lab: Float32Array, tone: Tone, region: Region): ImageData {
    const bare = this.notLips(lab, tone, region);
    const under = this.underPaint(lab, tone, region);
    const out = new Uint8ClampedArray(part.data);
    for (let at = 0; at < region.alpha.data.length; at++) {
      const weight = region.alpha.data[at]! * (1 - bare.data[at]!) * this.opacity;
      if (!(weight > 0)) continue;
      const mixed = (k: number): number => lab[3 * at + k]! + weight * (under[3 * at + k]! - lab[3 * at + k]!);
      this.oklab.toRgb(mixed(0), mixed(1), mixed(2), out, 4 * at);
    }
    return new ImageData(out, part.width, part.height);
  }

  /** Returns how surely a pixel is no lip: teeth, the mouth's cavity, hair. */
  private notLips(lab: Float32Array, tone: Tone, region: Region): Grey {
    const grey = this.known.grey;
    const chroma = Math.hypot(tone.a, tone.b);
    const saturation = chroma / tone.lightness;
    const coloured = ramp(saturation, grey, 2 * grey);
    const found = made(region.alpha, (at) => {
      const lightness = Math.max(lab[3 * at]!, 1e-3);
      const ratio = lightness / tone.lightness;
      const dot = lab[3 * at + 1]! * tone.a + lab[3 * at + 2]! * tone.b;
      const along = dot / (Math.max(chroma, 1e-3) * lightness) / Math.max(saturation, 1e-3);
      const pale = 1 - ramp(along, 0.5, 0.85);
      const teeth = pale * ramp(ratio, 1.05, 1.2) * coloured + ramp(ratio, 1.3, 1.6) * (1 - coloured);
      const cavity = ramp(-ratio, -0.6, -0.35);
      const hair = (1 - ramp(along, 0.35, 0.7)) * ramp(-ratio, -0.8, -0.55) * coloured;
      return Math.max(Math.max(teeth, cavity) * region.band.data[at]!, hair);
    });
    return blur(found, this.known.not_lips_blur * region.across, this.known.widest_blur);
  }

  /** Returns the lips as they look under paint that covers fully, in Oklab. */
  private underPaint(lab: Float32Array, tone: Tone, region: Region): Float32Array {
    const { known, finish, paint } = this;
    const step = paint[0]! - tone.lightness;
    const target = tone.lightness + step * (step < 0 ? known.darken : known.lighten);
    const dim = Math.min(1, target / Math.max(paint[0]!, 0.05));
    const [a, b] = [paint[1]! * dim, paint[2]! * dim];
    const diffuse = made(region.alpha, (at) => Math.min(lab[3 * at]!, tone.highlight));
    const raw = made(region.alpha, (at) => Math.max(diffuse.data[at]!, 1e-3) / tone.lightness);
    const { rim, limit } = this.rim(raw, region);
    let ratio = made(raw, (at) =>
      Math.max(raw.data[at]! - rim.data[at]! * Math.max(raw.data[at]! - limit.data[at]!, 0), 1e-3),
    );
    const texture = finish.texture * Math.min(1, tone.lightness / target);
    if (texture !== 1) {
      const plain = ratio;
      const own = this.textureOf(plain, region);
      ratio = made(plain, (at) => plain.data[at]! * own.data[at]! ** (texture - 1));
    }
    const wet = finish.shine ? wetHighlights(ratio, this.textureOf(ratio, region), region, this.scheme, known) : null;
    const out = new Float32Array(lab.length);
    for (let at = 0; at < ratio.data.length; at++) {
      const own = ratio.data[at]!;
      const kept = (finish.highlights / Math.max(1 - tone.highlight, 0.1)) * (lab[3 * at]! - diffuse.data[at]!);
      const reflected = (1 - rim.data[at]!) * kept + (wet ? wet.data[at]! * finish.shine : 0);
      const white = Math.min(Math.max(reflected, 0), 0.95);
      out[3 * at] = target * own + white * (1 - target * own);
      out[3 * at + 1] = a * own * (1 - white);
      out[3 * at + 2] = b * own * (1 - white);
    }
    return out;
  }

  private textureOf(grey: Grey, region: Region): Grey {
    const around = blur(grey, this.known.texture * region.across, this.known.widest_blur);
    return made(grey, (at) => grey.data[at]! / around.data[at]!);
  }

  /** Returns how much a pixel belongs to the lips' rim, and how light it may be there. */
  private rim(ratio: Grey, region: Region): { rim: Grey; limit: Grey } {
    const { known } = this;
    const depth = blur(region.alpha, known.rim * region.across, known.widest_blur);
    const weight = made(ratio, (at) => (region.alpha.data[at]! * depth.data[at]!) ** 4);
    const wide = known.rim_average * region.across;
    const share = blur(weight, wide, known.widest_blur);
    const sum = blur(
      made(ratio, (at) => ratio.data[at]! * weight.data[at]!),
      wide,
      known.widest_blur,
    );
    const limit = made(ratio, (at) => {
      const average = share.data[at]! > 1e-4 ? sum.data[at]! / share.data[at]! : ratio.data[at]!;
      return average * known.rim_excess;
    });
    return { rim: made(depth, (at) => 1 - ramp(depth.data[at]!, 0.75, 0.97)), limit };
  }
}

/** Returns a tone a share of the way to the one of the frame before. */
function towards(tone: Tone, before: Tone | undefined, share: number): Tone {
  if (!before) return tone;
  const mix = (mine: number, its: number): number => mine + share * (its - mine);
  return {
    lightness: mix(tone.lightness, before.lightness),
    highlight: mix(tone.highlight, before.highlight),
    a: mix(tone.a, before.a),
    b: mix(tone.b, before.b),
  };
}

/** Returns the tone of the lips by medians over the well covered pixels. */
function measured(lab: Float32Array, alpha: Grey): Tone {
  const most = alpha.data.reduce((high, value) => Math.max(high, value), 0);
  const least = Math.min(0.9, 0.8 * most);
  const chosen: number[] = [];
  alpha.data.forEach((value, at) => {
    if (value > least) chosen.push(at);
  });
  if (!chosen.length) return { lightness: 0.5, highlight: 0.5, a: 0, b: 0 };
  const sorted = (k: number): Float32Array => Float32Array.from(chosen, (at) => lab[3 * at + k]!).sort();
  const light = sorted(0);
  return {
    lightness: Math.max(quantile(light, 0.5), 0.05),
    highlight: Math.max(quantile(light, 0.85), 0.05),
    a: quantile(sorted(1), 0.5),
    b: quantile(sorted(2), 0.5),
  };
}

function quantile(sorted: Float32Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  return low + (place - below) * (sorted[Math.min(below + 1, sorted.length - 1)]! - low);
}
