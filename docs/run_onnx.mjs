// The landmarks of a mouth whose box is known, from a model folder by ONNX Runtime alone: docs/run_onnx.py in JavaScript.
//
// `node run_onnx.mjs MODEL photo.ppm 210,305,298,351` prints 56 lines "x y", pixels of the picture. It reads binary PPM, which
// needs no library; onnxruntime-web runs in Node.js and in browsers, and onnxruntime-node has the same calls.
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";

// picture: { data, width, height } with RGB bytes; box: x0, y0, x1, y1. Returns 56 points and the score.
export async function landmarks(cascade, card, picture, [x0, y0, x1, y1]) {
  const { size, margin } = card.runtime.view;
  const { pixels, step, origin } = cut(picture, [(x0 + x1) / 2, (y0 + y1) / 2], margin * Math.max(x1 - x0, y1 - y0), size);
  const views = new ort.Tensor("uint8", pixels, [1, size, size, 3]);
  const { points_unit, score } = await cascade.run({ views }, ["points_unit", "score"]);
  const place = (k, axis) => (points_unit.data[2 * k + axis] * size - 0.5) * step + origin[axis];
  return { points: Array.from({ length: 56 }, (_, k) => [place(k, 0), place(k, 1)]), score: score.data[0] };
}

// A square of the picture as size x size pixels; pixel p of it lies at p * step + origin in the picture.
export function cut(picture, centre, side, size) {
  const step = side / size;
  const origin = centre.map((c) => c - (step * (size - 1)) / 2);
  const places = origin.map((first) => Float64Array.from({ length: size }, (_, k) => k * step + first));
  const limit = [picture.width, picture.height];
  let source = picture;
  if (step > 1.2) {
    // Shrunk by area first, else fine texture turns into false edges.
    const low = origin.map((o, a) => Math.min(Math.max(Math.floor(o - 2.5 * step), 0), limit[a] - 1));
    const high = origin.map((o, a) => Math.min(Math.max(Math.ceil(o + (size + 1.5) * step), low[a] + 1), limit[a]));
    const small = low.map((l, a) => Math.max(Math.round((high[a] - l) / step), 1));
    source = shrink(picture, low, high, small);
    places.forEach((at, a) => at.forEach((x, k) => (at[k] = ((x + 0.5 - low[a]) * small[a]) / (high[a] - low[a]) - 0.5)));
  }
  const pixels = new Uint8Array(size * size * 3);
  const { data, width, height } = source;
  const near = (n, most) => Math.min(Math.max(n, 0), most - 1); // beyond the picture its edge repeats
  const [xs, ys] = places.map((at) => at.map((x) => Math.round(x * 32) / 32)); // as OpenCV does
  for (let row = 0, out = 0; row < size; row++) {
    const y = Math.floor(ys[row]);
    const fy = ys[row] - y;
    const [upper, lower] = [near(y, height) * width, near(y + 1, height) * width];
    for (let column = 0; column < size; column++) {
      const x = Math.floor(xs[column]);
      const fx = xs[column] - x;
      const [left, right] = [near(x, width), near(x + 1, width)];
      for (let c = 0; c < 3; c++, out++) {
        const at = (line, place) => data[(line + place) * 3 + c];
        const above = at(upper, left) * (1 - fx) + at(upper, right) * fx;
        const below = at(lower, left) * (1 - fx) + at(lower, right) * fx;
        pixels[out] = Math.floor(above * (1 - fy) + below * fy + 0.5);
      }
    }
  }
  return { pixels, step, origin };
}

// The part from low to high of a picture, averaged by area to small[0] x small[1] pixels.
function shrink({ data, width }, low, high, small) {
  const [[across, down], n] = [[0, 1].map((a) => shares(high[a] - low[a], small[a])), small[0] * small[1] * 3];
  const sums = new Float64Array(n);
  down.forEach((rows, y) =>
    rows.forEach(([row, wy]) =>
      across.forEach((columns, x) =>
        columns.forEach(([column, wx]) => {
          const from = ((low[1] + row) * width + low[0] + column) * 3;
          for (let c = 0; c < 3; c++) sums[(y * small[0] + x) * 3 + c] += wx * wy * data[from + c];
        }),
      ),
    ),
  );
  return { data: Uint8Array.from(sums, Math.round), width: small[0], height: small[1] };
}

// Of n pixels in a row, those that each of m equal parts covers, with their weights.
function shares(n, m) {
  return Array.from({ length: m }, (_, part) => {
    const [first, last] = [(part * n) / m, ((part + 1) * n) / m];
    const covered = Array.from({ length: Math.ceil(last) - Math.floor(first) }, (_, k) => Math.floor(first) + k);
    const weight = (k) => ((Math.min(last, k + 1) - Math.max(first, k)) * m) / n;
    return covered.filter((k) => k < n && weight(k) > 0).map((k) => [k, weight(k)]);
  });
}

function readPpm(bytes) {
  const [header, width, height] = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(bytes.subarray(0, 64).toString("latin1"));
  return { data: bytes.subarray(header.length), width: Number(width), height: Number(height) };
}

const [folder, file, box] = process.argv.slice(2);
const card = JSON.parse(await readFile(`${folder}/card.json`, "utf8"));
const cascade = await ort.InferenceSession.create(await readFile(`${folder}/cascade.onnx`));
const { points } = await landmarks(cascade, card, readPpm(await readFile(file)), box.split(",").map(Number));
for (const [x, y] of points) console.log(x.toFixed(2), y.toFixed(2));
