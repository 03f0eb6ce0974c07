/** Grey pictures: blurring them, and smooth steps between two values; see lipseg/makeup/grey.py. */

/** One value a pixel, row by row. */
export interface Grey {
  width: number;
  height: number;
  data: Float32Array;
}

/** Returns the smooth step from 0 at `low` to 1 at `high`. */
export function ramp(value: number, low: number, high: number): number {
  const t = Math.min(Math.max((value - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
}

/** Returns a picture of a function of each place. */
export function made(like: { width: number; height: number }, value: (at: number) => number): Grey {
  const data = new Float32Array(like.width * like.height);
  for (let at = 0; at < data.length; at++) data[at] = value(at);
  return { width: like.width, height: like.height, data };
}

/** Returns the picture blurred by a Gaussian; the edge's pixels go on beyond it. */
export function blur(grey: Grey, deviation: number, widest: number): Grey {
  if (deviation < 0.2) return grey;
  if (deviation > widest) {
    // As smooth at a fraction of the work: a large mouth's blur is taken from its smaller picture.
    const by = deviation / (widest / 2);
    const small = scaled(grey, Math.max(1, Math.round(grey.width / by)), Math.max(1, Math.round(grey.height / by)), true);
    return scaled(blur(small, widest / 2, widest), grey.width, grey.height, false);
  }
  const reach = Math.ceil(3 * deviation);
  const kernel = Float32Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-((k - reach) ** 2) / (2 * deviation ** 2)));
  const sum = kernel.reduce((total, weight) => total + weight, 0);
  kernel.forEach((weight, k) => (kernel[k] = weight / sum));
  const { width, height } = grey;
  const across = along(grey.data, width, height, 1, width, kernel);
  return { width, height, data: along(across, height, width, width, 1, kernel) };
}

/** Convolves along one axis: `count` values `step` apart, on `lines` lines `next` apart. */
function along(data: Float32Array, count: number, lines: number, step: number, next: number, kernel: Float32Array): Float32Array {
  const out = new Float32Array(data.length);
  const reach = (kernel.length - 1) / 2;
  const padded = new Float32Array(count + 2 * reach);
  for (let line = 0; line < lines; line++) {
    const start = line * next;
    for (let k = 0; k < padded.length; k++) padded[k] = data[start + step * Math.min(Math.max(k - reach, 0), count - 1)]!;
    for (let k = 0; k < count; k++) {
      let sum = 0;
      for (let j = 0; j < kernel.length; j++) sum += kernel[j]! * padded[k + j]!;
      out[start + step * k] = sum;
    }
  }
  return out;
}

/** Returns a picture of another size: averaged over areas, or interpolated. */
function scaled(grey: Grey, width: number, height: number, average: boolean): Grey {
  const across = rows(grey.data, grey.width, grey.height, width, average);
  const turned = transposed(across, width, grey.height);
  const down = rows(turned, grey.height, width, height, average);
  return { width, height, data: transposed(down, height, width) };
}

function rows(data: Float32Array, from: number, lines: number, to: number, average: boolean): Float32Array {
  const out = new Float32Array(to * lines);
  const step = from / to;
  for (let x = 0; x < to; x++) {
    const at = Math.min(Math.max((x + 0.5) * step - 0.5, 0), from - 1);
    const [low, high] = average ? [x * step, (x + 1) * step] : [Math.floor(at), Math.min(Math.floor(at) + 1, from - 1)];
    for (let line = 0; line < lines; line++) {
      const start = line * from;
      let value = 0;
      if (average) {
        for (let k = Math.floor(low); k < Math.min(from, Math.ceil(high - 1e-9)); k++) {
          value += (data[start + k]! * (Math.min(k + 1, high) - Math.max(k, low))) / step;
        }
      } else {
        value = data[start + low]! + (at - low) * (data[start + high]! - data[start + low]!);
      }
      out[line * to + x] = value;
    }
  }
  return out;
}

function transposed(data: Float32Array, width: number, height: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = data[y * width + x]!;
  return out;
}
