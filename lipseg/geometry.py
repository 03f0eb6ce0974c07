"""Coordinate frames: the invertible transform between an image and a crop of it, boxes, and resampling.

All coordinates are (x, y) with pixel centres at integers: the top left pixel covers [-0.5, 0.5] x [-0.5, 0.5]. Unit
coordinates run from 0 to 1 between the outer edges of a square crop; this module is the only place that knows the
half-pixel between the two.
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box

Array = NDArray[np.floating[Any]]

# OpenCV's warpAffine refuses a picture with a side of this many pixels or more (SHRT_MAX).
_LARGEST_SIDE = 32767
# Fast views that shrink by at least this factor are halved before, for which OpenCV has a loop that takes a tenth of
# the time of its averaging over shares of pixels. What is left is a factor of three or more, which hides most of
# the difference.
_HALVED_FROM = 6.0


@dataclass(frozen=True, slots=True)
class Affine:
    """An invertible affine map between two pixel frames: ``target = matrix[:, :2] @ source + matrix[:, 2]``.

    Attributes:
        matrix: (2, 3) float64.
    """

    matrix: Array

    def __call__(self, points: Array) -> Array:
        """Returns ``points`` (..., 2) mapped into the target frame."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def inverse(self) -> "Affine":
        """Returns the map from target to source."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return Affine(np.column_stack([linear, -linear @ self.matrix[:, 2]]))

    def after(self, first: "Affine") -> "Affine":
        """Returns the map that applies ``first`` and then this one."""
        matrix = self.matrix[:, :2] @ first.matrix
        matrix[:, 2] += self.matrix[:, 2]
        return Affine(matrix)

    @property
    def scale(self) -> float:
        """Target pixels per source pixel (geometric mean over the axes)."""
        (a, b, _), (d, e, _) = self.matrix.tolist()
        return math.sqrt(abs(a * e - b * d))

    def reach(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Returns the box x0, y0, x1, y1 in the target of a width x height picture, its outer edges included."""
        (a, b, c), (d, e, f) = self.matrix.tolist()
        xs, ys = (-0.5, width - 0.5), (-0.5, height - 0.5)
        across, down = [a * x + b * y + c for x in xs for y in ys], [d * x + e * y + f for x in xs for y in ys]
        return min(across), min(down), max(across), max(down)


def affine(a: float, b: float, c: float, d: float, e: float, f: float) -> Affine:
    """Returns the map to ``(a * x + b * y + c, d * x + e * y + f)``."""
    # Six numbers are worked out faster by Python than by NumPy, whose every call takes microseconds.
    return Affine(np.array([[a, b, c], [d, e, f]]))


def view_to_image(centre: Array, sides: Array, size: int, roll: float = 0.0, mirrored: bool = False) -> Affine:
    """Returns the map from a ``size`` x ``size`` view's pixels to the image's.

    Args:
        centre: (2,) centre of the view in image pixels.
        sides: (2,) width and height of the view in image pixels, along the view's own axes.
        size: pixels a side of the view.
        roll: angle in radians by which the view's x axis is turned against the image's (positive: towards +y).
        mirrored: whether the view shows the image mirrored left to right.
    """
    (x, y), (across, down) = centre, sides
    cos, sin = math.cos(roll), math.sin(roll)
    across, down = (-across if mirrored else across) / size, down / size
    a, b, d, e = cos * across, -sin * down, sin * across, cos * down
    half = (size - 1) / 2
    return affine(a, b, x - (a + b) * half, d, e, y - (d + e) * half)


def to_unit(points_crop: Array, size: int) -> Array:
    """Returns crop pixels (..., 2) as unit coordinates of the ``size`` x ``size`` crop."""
    return (points_crop + 0.5) / size


def from_unit(points_unit: Array, size: int) -> Array:
    """Returns unit coordinates (..., 2) as pixels of the ``size`` x ``size`` crop."""
    return points_unit * size - 0.5


def bounding_box(points: Array) -> Array:
    """Returns (..., 4) boxes x0, y0, x1, y1 of (..., n, 2) points."""
    return np.concatenate([points.min(-2), points.max(-2)], axis=-1)


def warp(
    image: NDArray[np.uint8], to_image: Affine, size: int, height: int | None = None, *, fast: bool = False
) -> NDArray[np.uint8]:
    """Returns a view of an image, anti-aliased when it shrinks; outside, edge pixels repeat.

    Args:
        image: (height, width, 3) uint8.
        to_image: map from the view's pixels to the image's.
        size: width of the view in pixels.
        height: of the view; None is as high as wide.
        fast: whether a view that shrinks much may be averaged in two steps: a third of the time, and values that differ
            by one or two grey levels on average.

    Returns:
        (height, size, 3) uint8.
    """
    height = size if height is None else height
    shrink = to_image.scale
    if shrink > 1.2 or max(image.shape[:2]) >= _LARGEST_SIDE:
        # Cut the part that the view shows, shrink it by area averaging to the view's resolution, then sample.
        x0, y0, x1, y1 = to_image.reach(size, height)
        (left, wide), (top, high) = (
            _within(low - 2 * shrink, up + 2 * shrink, limit)
            for low, up, limit in ((x0, x1, image.shape[1]), (y0, y1, image.shape[0]))
        )
        block = 1
        while fast and shrink >= _HALVED_FROM * block and min(wide, high) >= 2 * block:
            block *= 2
        # In whole blocks: what is left out beyond them lies farther out than the view shows, or at the picture's edge,
        # and is then less than half a pixel of the view.
        wide, high = wide // block * block, high // block * block
        part = image[top : top + high, left : left + wide]
        columns, rows = (max(round(side / max(shrink, 1.0)), 1) for side in (wide, high))
        while block > 1:
            part = cv2.resize(part, (part.shape[1] // 2, part.shape[0] // 2), interpolation=cv2.INTER_AREA)
            block //= 2
        image = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        across, down = columns / wide, rows / high
        shrunk = affine(across, 0.0, (0.5 - left) * across - 0.5, 0.0, down, (0.5 - top) * down - 0.5)
        to_image = shrunk.after(to_image)
    return cv2.warpAffine(  # type: ignore[return-value]
        image,
        to_image.matrix,
        (size, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _within(low: float, high: float, limit: int) -> tuple[int, int]:
    """Returns the first pixel and the number, at least 1, of those from ``low`` to ``high`` that a picture has."""
    first = min(max(math.floor(low), 0), limit - 1)
    return first, min(max(math.ceil(high), first + 1), limit) - first


@dataclass(frozen=True, slots=True)
class View:
    """The geometry of the network's input: how a mouth box becomes a square picture, the view.

    Attributes:
        size: pixels a side.
        shape: "square" keeps the aspect ratio, its side is ``margin`` times the longer side of the box; "stretch"
            takes the box widened by ``margin`` image pixels on every side and stretches it to a square (the protocol
            of the original TCNN lip code, which leaks the mouth's extent).
        margin: see ``shape``.
    """

    size: int
    shape: str
    margin: float

    def to_image(self, box: Array, roll: float = 0.0, mirrored: bool = False) -> Affine:
        """Returns the map from the view's pixels to the image's.

        Args:
            box: (4,) x0, y0, x1, y1 of the mouth. With a roll, the box is meant in the frame turned by ``roll`` about
                the box's own centre.
            roll: angle in radians of the view's x axis against the image's.
            mirrored: whether the view is mirrored left to right.
        """
        return self._around((box[:2] + box[2:]) / 2, box[2:] - box[:2], roll, mirrored)

    def of(self, box: Box) -> Affine:
        """Returns the map from the pixels of the view of a mouth box to the image's."""
        return self._around(box.centre, np.array([box.width, box.height]), box.roll, False)

    def _around(self, centre: Array, extent: Array, roll: float, mirrored: bool) -> Affine:
        sides = np.full(2, self.margin * extent.max()) if self.shape == "square" else extent + 2 * self.margin
        return view_to_image(centre, sides, self.size, roll, mirrored)
