"""Faces spoilt in named ways: what hides the mouth, bad light, bad lenses, small files, a head on its side.

Lengths are in mouth widths, so that every face suffers alike whatever its picture's size, and the draws follow from the
face's name and the way alone: two systems, two runs and two models see the same pictures.
"""

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.data import corruptions
from lipseg.geometry import Affine
from lipseg.scheme import Points

Pixels = NDArray[np.uint8]
Spoiler = Callable[[Pixels, Points, np.random.Generator], Pixels]

ROLLED = "head on its side"
_JPEG_MOUTH_PX = 48.0  # of the copy that is compressed: at full size the same quality does little


def _width(points: Points) -> float:
    return float(np.ptp(points[:, 0]))


def _shadowed(image: Pixels, points: Points, rng: np.random.Generator) -> Pixels:
    return corruptions.shadowed(image, points, rng.uniform(0.65, 0.85), rng)


def _dark(image: Pixels, points: Points, rng: np.random.Generator) -> Pixels:
    level = float(np.exp(rng.uniform(*np.log([8, 25]))))
    return corruptions.darkened(image, min(1.0, level / max(float(image.mean()), 1.0)), rng)


def _defocused(image: Pixels, points: Points, rng: np.random.Generator) -> Pixels:
    return corruptions.defocused(image, rng.uniform(0.06, 0.12) * _width(points))


def _shaken(image: Pixels, points: Points, rng: np.random.Generator) -> Pixels:
    return corruptions.shaken(image, rng.uniform(0.15, 0.3) * _width(points), rng.uniform(0, np.pi))


def _coarse(image: Pixels, points: Points, rng: np.random.Generator) -> Pixels:
    return corruptions.coarsened(image, max(1.0, _width(points) / rng.uniform(10, 18)))


def _compressed(image: Pixels, points: Points, rng: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    factor = max(1.0, _width(points) / _JPEG_MOUTH_PX)
    few = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = np.asarray(cv2.resize(image, few, interpolation=cv2.INTER_AREA), np.uint8)
    small = corruptions.compressed(small, int(rng.integers(5, 15)))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


_SPOILERS: dict[str, Spoiler] = {
    "hand": corruptions.with_hand,
    "microphone": corruptions.with_microphone,
    "drawn beard": corruptions.bearded,
    "shadow's edge": _shadowed,
    "dark and noisy": _dark,
    "out of focus": _defocused,
    "shaken": _shaken,
    "mouth of 10 to 18 pixels": _coarse,
    "JPEG, quality 5 to 14": _compressed,
}
WAYS = (*_SPOILERS, ROLLED)


def spoilt(image: Pixels, points_px: Points, way: str, name: str) -> tuple[Pixels, Affine]:
    """Returns a face's picture, spoilt, and the map from the pixels of the picture as it was to its own.

    Args:
        image: (height, width, 3) uint8.
        points_px: (56, 2) landmarks, pixels of it.
        way: one of ``WAYS``.
        name: of the face.
    """
    rng = np.random.default_rng(zlib.crc32(f"{way}/{name}".encode()))
    if way == ROLLED:
        return _rolled(image, float(rng.uniform(30, 60) * rng.choice([-1, 1])))
    return _SPOILERS[way](image, points_px, rng), Affine(np.eye(2, 3))


def _rolled(image: Pixels, degrees: float) -> tuple[Pixels, Affine]:
    """Turns a picture about its middle on a canvas that holds all of it."""
    height, width = image.shape[:2]
    side = int(np.ceil(np.hypot(height, width)))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    turned = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), Affine(np.asarray(matrix, np.float64))
