"""The landmarks of a mouth whose box is known, from a model folder by ONNX Runtime and NumPy alone, without lipseg.

``python docs/run_onnx.py lipseg/shipped photo.jpg 210,305,298,351`` prints 56 lines "x y", the landmarks in pixels of
the picture, as ``lipseg predict photo.jpg --box 210,305,298,351`` finds them. Pillow reads the file.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def landmarks(folder, image, box):
    """Returns (56, 2) points and the score of the mouth in box x0, y0, x1, y1 of an RGB (height, width, 3) picture."""
    runtime = json.loads((folder / "card.json").read_text(encoding="utf-8"))["runtime"]
    view, low, high = runtime["view"], np.array(box[:2]), np.array(box[2:])
    pixels, step, origin = cut(image, (low + high) / 2, view["margin"] * (high - low).max(), view["size"])
    session = onnxruntime.InferenceSession(folder / "cascade.onnx", providers=["CPUExecutionProvider"])
    points_unit, score = session.run(["points_unit", "score"], {"views": pixels[None]})
    return (points_unit[0] * view["size"] - 0.5) * step + origin, score[0]


def cut(image, centre, side, size):
    """Returns a square of the picture as size x size pixels; pixel p of it lies at p * step + origin in the picture."""
    step = side / size
    origin = centre - step * (size - 1) / 2
    at, limit = np.arange(size)[:, None] * step + origin, np.array(image.shape[1::-1])  # (size, 2) x and y; edges
    if step > 1.2:  # shrunk by area first, else fine texture turns into false edges
        low = np.clip(np.floor(origin - 2.5 * step), 0, limit - 1).astype(int)
        high = np.clip(np.ceil(origin + (size + 1.5) * step), low + 1, limit).astype(int)
        small = np.maximum(np.round((high - low) / step), 1).astype(int)
        columns, rows = (averaging(n, m) for n, m in zip(high - low, small, strict=True))
        part = image[low[1] : high[1], low[0] : high[0]]
        image, limit = np.round(columns @ np.tensordot(rows, part, 1)), small
        at = (at + 0.5 - low) * small / (high - low) - 0.5
    at = np.round(at * 32) / 32  # as OpenCV does
    first, share = np.floor(at).astype(int), at % 1
    (x0, y0), (x1, y1) = (np.clip(first + k, 0, limit - 1).T for k in (0, 1))  # beyond the picture its edge repeats
    fx, fy = share[None, :, :1], share[:, None, 1:]
    upper, lower = (image[y][:, x0] * (1 - fx) + image[y][:, x1] * fx for y in (y0, y1))
    return np.floor(upper * (1 - fy) + lower * fy + 0.5).astype(np.uint8), step, origin


def averaging(n, m):
    """Returns the (m, n) weights by which m equal parts of n pixels in a row are averaged."""
    edges, pixel = np.arange(m + 1)[:, None] * n / m, np.arange(n)
    shared = np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel)
    return np.maximum(shared, 0) * m / n


if __name__ == "__main__":
    from PIL import Image, ImageOps

    picture = np.asarray(ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB"))
    points, _ = landmarks(Path(sys.argv[1]), picture, [float(text) for text in sys.argv[3].split(",")])
    np.savetxt(sys.stdout, points, "%.2f")
