"""Sizes of a mouth from its landmarks: width, opening, areas, centre."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.rendering.polygons import area

Points = NDArray[np.floating[Any]]

# The inner contour's points about its middle, upper lip over lower lip: the opening is theirs, not the noisier
# single pair's.
_UPPER_MIDDLE = np.array([34, 35, 36])
_LOWER_MIDDLE = np.array([50, 49, 48])


def centre(points: Points) -> Points:
    """Returns (2,) the mean of (56, 2) landmarks: the steadiest point of a mouth."""
    return points.mean(0)


def width(points: Points) -> float:
    """Returns the distance between the outer corners of (56, 2) landmarks, in their unit."""
    left, right = scheme.OUTER_CORNERS
    return float(np.hypot(*(points[right] - points[left])))


def opening(points: Points) -> float:
    """Returns how far the lips are apart in the middle of the mouth, across the line between its corners, >= 0.

    Args:
        points: (56, 2) landmarks (x, y), y pointing down; the result is in their unit.
    """
    left, right = scheme.OUTER_CORNERS
    along = points[right] - points[left]
    gap = (points[_LOWER_MIDDLE] - points[_UPPER_MIDDLE]).mean(0)
    length = float(np.hypot(*along))
    return max(0.0, float(along[0] * gap[1] - along[1] * gap[0]) / length) if length > 0 else 0.0


def areas(points: Points) -> dict[str, float]:
    """Returns the areas within the polygons of "upper", "lower" and "inner", in squares of the landmarks' unit, >= 0.

    Args:
        points: (56, 2) landmarks (x, y).
    """
    regions = scheme.region_polygons(points)
    return {name: area(regions[name]) for name in ("upper", "lower", "inner")}
