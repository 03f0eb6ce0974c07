"""Pictures without a face, drawn by formula: what a mouth is not."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def draw_negative(rng: np.random.Generator, height: int, width: int, kind: str | None = None) -> Pixels:
    """Returns a picture without a face.

    Args:
        rng: source of all randomness.
        height: pixels.
        width: pixels.
        kind: one of ``KINDS``; None draws one.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: for another kind.
    """
    if kind is None:
        kind = KINDS[rng.integers(len(KINDS))]
    if kind not in _PAINTERS:
        raise ValueError(f"unknown kind {kind!r}, expected one of {', '.join(KINDS)}")
    return np.clip(_PAINTERS[kind](rng, height, width), 0, 255).astype(np.uint8)


def _grid(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns, 0 to 1 along the longer side."""
    rows, columns = np.mgrid[:height, :width]
    return rows / max(height, width), columns / max(height, width)


def _colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """Any colour; one in three is a skin's, which alone makes no face."""
    if rng.random() < 1 / 3:
        return np.array([235.0, 190.0, 160.0]) * rng.uniform(0.3, 1.0) * rng.uniform(0.9, 1.1, 3)
    return rng.uniform(0, 255, 3)


def _blend(share: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Two colours mixed by (height, width) shares."""
    first, second = _colour(rng), _colour(rng)
    return first + np.clip(share, 0, 1)[..., None] * (second - first)


def _gradient(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    rows, columns = _grid(height, width)
    angle = rng.uniform(0, 2 * np.pi)
    return _blend(0.5 + rng.uniform(0.3, 1.0) * (np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.5)), rng)


def _texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    rows, columns = _grid(height, width)
    waves = np.zeros((height, width))
    for _ in range(int(rng.integers(1, 6))):
        u, v = rng.normal(0, rng.choice([3.0, 10.0, 30.0]), 2)
        waves += np.sin(2 * np.pi * (u * rows + v * columns) + rng.uniform(0, 2 * np.pi))
    if rng.random() < 0.4:
        waves = np.sign(waves)  # checks and stripes
    return _blend(0.5 + 0.4 * waves, rng)


def _noise(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Noise of any fineness, from snow to clouds."""
    total = np.zeros((height, width, 3))
    for level in range(int(rng.integers(1, 7))):
        size = max(2, width >> level), max(2, height >> level)
        coarse = rng.normal(0, 1, (size[1], size[0], 3))
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * rng.uniform(0.3, 1.5)
    return _colour(rng) + total * rng.uniform(10, 40)


def _landscape(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    rows, columns = _grid(height, width)
    picture = _blend(rows * rng.uniform(0.5, 2), rng)
    if rng.random() < 0.6:
        sun = np.hypot(rows - rng.uniform(0, 0.4), columns - rng.uniform(0, 1)) < rng.uniform(0.03, 0.12)
        picture[sun] = _colour(rng)
    for level in np.sort(rng.uniform(0.3, 1.0, int(rng.integers(1, 5)))) * height / max(height, width):
        hills = level + sum(
            rng.uniform(0.0, 0.08) * np.sin(2 * np.pi * (rng.uniform(0.3, 6) * columns + rng.random()))
            for _ in range(4)
        )
        ground = _colour(rng) + rng.normal(0, rng.uniform(0, 25), (height, width, 1))
        picture = np.where((rows > hills)[..., None], ground, picture)
    return picture


def _text(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = np.clip(_colour(rng), 0, 255).astype(np.uint8)
    ink = tuple(int(c) for c in np.clip(_colour(rng), 0, 255))
    scale = rng.uniform(0.3, 2.0) * max(height, width) / 500
    step = max(6, round(34 * scale))
    for y in range(step, height + step, step):
        letters = "".join(rng.choice(list("abcdefghijklmnop qrstuvwxyz ABCDEFGHIJ 0123456789.,"), 60))
        font = int(rng.integers(0, 8))
        cv2.putText(picture, letters, (int(rng.integers(-40, 20)), y), font, scale, ink, max(1, round(2 * scale)))
    return picture.astype(np.float64)


def _shapes(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    picture = np.clip(_blend(_grid(height, width)[0], rng), 0, 255).astype(np.uint8)
    size = max(height, width)
    for _ in range(int(rng.integers(1, 25))):
        centre = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        extent = (float(rng.uniform(0.02, 0.5) * size), float(rng.uniform(0.02, 0.3) * size))
        box = (centre, extent, float(rng.uniform(0, 180)))
        colour = tuple(int(c) for c in np.clip(_colour(rng), 0, 255))
        if rng.random() < 0.5:
            cv2.ellipse(picture, box, colour, -1, cv2.LINE_AA)
        else:
            cv2.fillPoly(picture, [np.round(cv2.boxPoints(box)).astype(np.int32)], colour, cv2.LINE_AA)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 0.02 * size + 0.6)))
    return picture + rng.normal(0, rng.uniform(0, 8), picture.shape)


_PAINTERS: dict[str, Callable[[np.random.Generator, int, int], NDArray[np.float64]]] = {
    "gradient": _gradient,
    "texture": _texture,
    "noise": _noise,
    "landscape": _landscape,
    "text": _text,
    "shapes": _shapes,
}
KINDS = tuple(_PAINTERS)
