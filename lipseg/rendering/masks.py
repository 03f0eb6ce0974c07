"""From landmarks to masks: label maps and the masks of regions."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.rendering.polygons import FRACTION_BITS, fixed_point, from_corner, pixels_under, require_landmarks

Points = NDArray[np.floating[Any]]

BACKGROUND, UPPER, LOWER, INNER = 0, 1, 2, 3
REGIONS = ("mouth", "lips", "inner", "upper", "lower")

# Polygons are drawn on a grid this many times finer (odd, so that a fine pixel lies on every pixel's centre): OpenCV
# also fills the pixels that an outline touches, which at the picture's own resolution thickens a lip by half a pixel
# on either side and opens every closed mouth.
_FINE = 5
# A mouth wider than this is drawn without the finer grid: half a pixel no longer matters, the memory would.
_FINE_LIMIT = 1500


def label_map(points: Points, height: int, width: int) -> NDArray[np.uint8]:
    """Returns the picture of labels: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth.

    A pixel belongs to the region that its centre lies in. The inner mouth is cut off at the outer contour; a pixel of
    the lips that both lips claim (on the seams between the corners) goes to the upper one, one that neither claims to
    the lower one, so that the labels always partition the mouth.

    Args:
        points: (56, 2) landmarks (x, y) in pixels of the picture, pixel centres at integers.
        height: pixels of the picture.
        width: pixels of the picture.

    Returns:
        (height, width) uint8.

    Raises:
        ValueError: if ``points`` has another shape or is not finite.
    """
    require_landmarks(points)
    labels = np.zeros((height, width), np.uint8)
    rows_under, columns_under = pixels_under(points, height, width)
    part = labels[rows_under, columns_under]
    if part.size == 0:
        return labels
    rows, columns = part.shape
    low = [columns_under.start, rows_under.start]
    fine = _FINE if max(columns, rows) <= _FINE_LIMIT else 1

    def fill(polygon: Points) -> NDArray[np.bool_]:
        canvas = np.zeros((rows * fine, columns * fine), np.uint8)
        vertices = from_corner(polygon - low) * fine - 0.5
        cv2.fillPoly(canvas, [fixed_point(vertices)], (1,), cv2.LINE_8, FRACTION_BITS)
        return canvas[fine // 2 :: fine, fine // 2 :: fine] > 0

    regions = {name: fill(polygon) for name, polygon in scheme.region_polygons(points).items()}
    part[regions["mouth"]] = LOWER
    part[regions["mouth"] & regions["upper"]] = UPPER
    part[regions["mouth"] & regions["inner"]] = INNER
    return labels


def region(labels: NDArray[np.uint8], name: str) -> NDArray[np.bool_]:
    """Returns the mask of one region of a label map.

    Args:
        labels: (height, width) as ``label_map`` gives it.
        name: "mouth" (everything inside the outer contour), "lips" (mouth without inner), "inner", "upper" or "lower".

    Raises:
        ValueError: for another name.
    """
    if name == "mouth":
        return labels != BACKGROUND
    if name == "lips":
        return (labels == UPPER) | (labels == LOWER)
    single = {"inner": INNER, "upper": UPPER, "lower": LOWER}
    if name not in single:
        raise ValueError(f"unknown region {name!r}, expected one of {', '.join(REGIONS)}")
    return labels == single[name]


def masks(points: Points, height: int, width: int) -> dict[str, NDArray[np.bool_]]:
    """Returns a (height, width) mask for each of the regions mouth, lips, inner, upper and lower.

    ``lips`` is ``mouth`` without ``inner`` and the disjoint union of ``upper`` and ``lower``.

    Args:
        points: (56, 2) landmarks (x, y) in pixels of the picture, pixel centres at integers.
        height: pixels of the picture.
        width: pixels of the picture.
    """
    labels = label_map(points, height, width)
    return {name: region(labels, name) for name in REGIONS}
