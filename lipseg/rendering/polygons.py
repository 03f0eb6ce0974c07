"""Polygons: their area, their part in a picture, their coordinates as OpenCV and as annotation tools count."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme

Points = NDArray[np.floating[Any]]

# Fractional bits of the coordinates that OpenCV draws at ("shift").
FRACTION_BITS = 4
# Far beyond the edge a vertex only has to stay outside, and within OpenCV's 32-bit coordinates.
_FARTHEST_PX = 1e6


def require_landmarks(points: Points) -> None:
    """Refuses what are not 56 finite landmarks.

    Raises:
        ValueError: if ``points`` has another shape than (56, 2) or is not finite.
    """
    if points.shape != (scheme.N_POINTS, 2) or not np.isfinite(points).all():
        raise ValueError(f"expected {scheme.N_POINTS} finite landmarks (x, y), got an array of shape {points.shape}")


def pixels_under(points: Points, height: int, width: int, *, beyond: int = 0) -> tuple[slice, slice]:
    """Returns the rows and the columns of a picture that points reach into: the part that has to be drawn.

    Args:
        points: (n, 2) (x, y) in pixels of the picture, pixel centres at integers.
        height: pixels of the picture.
        width: pixels of the picture.
        beyond: more rows and columns at the lower and right end.
    """
    limit = np.array([width, height])
    low = np.clip(np.floor(points.min(0)), 0, limit).astype(int).tolist()
    high = np.clip(np.floor(points.max(0)) + 1 + beyond, low, limit).astype(int).tolist()
    return slice(low[1], high[1]), slice(low[0], high[0])


def fixed_point(points: Points) -> NDArray[np.int32]:
    """Returns points (..., 2) as OpenCV's drawing takes them with ``FRACTION_BITS``.

    OpenCV too counts from the first pixel's centre. Points more than a million pixels away are moved to that distance.
    """
    return np.round(np.clip(points, -_FARTHEST_PX, _FARTHEST_PX) * 2**FRACTION_BITS).astype(np.int32)


def from_corner(points: Points) -> NDArray[np.float64]:
    """Returns points counted from the outer corner of the first pixel, as COCO and labelme count.

    Args:
        points: (..., 2) in pixels of the picture, pixel centres at integers.

    Returns:
        The same points, where the first pixel reaches from 0 to 1 and its centre lies at 0.5.
    """
    return points.astype(np.float64) + 0.5


def clipped(polygon: Points, height: int, width: int) -> NDArray[np.float64]:
    """Returns the part of a polygon that lies in the picture.

    After Sutherland and Hodgman, "Reentrant polygon clipping" (1974). Where the picture's edge cuts a polygon in two,
    the parts stay joined along the edge, without area between them.

    Args:
        polygon: (n, 2) vertices (x, y) of the closed polygon, counted from the first pixel's corner.
        height: pixels of the picture.
        width: pixels of the picture.

    Returns:
        (m, 2) vertices in 0..width and 0..height; m is 0 where nothing lies in the picture.
    """
    rest = polygon.astype(np.float64)
    if np.all((rest >= 0) & (rest <= (width, height))):
        return rest
    for axis, limit, side in ((0, 0.0, 1.0), (0, float(width), -1.0), (1, 0.0, 1.0), (1, float(height), -1.0)):
        inside = side * (rest[:, axis] - limit) >= 0
        kept: list[NDArray[np.float64]] = []
        for i in range(len(rest)):
            if inside[i] != inside[i - 1]:
                share = (limit - rest[i - 1, axis]) / (rest[i, axis] - rest[i - 1, axis])
                crossing = rest[i - 1] + share * (rest[i] - rest[i - 1])
                crossing[axis] = limit
                kept.append(crossing)
            if inside[i]:
                kept.append(rest[i])
        rest = np.array(kept).reshape(-1, 2)
    return rest if len(rest) >= 3 else np.zeros((0, 2))


def area(polygon: Points) -> float:
    """Returns the area of a polygon that does not cross itself.

    Args:
        polygon: (n, 2) vertices of the closed polygon.
    """
    if len(polygon) == 0:
        return 0.0
    # About a vertex of its own: far from the origin the products would lose digits.
    x, y = (polygon.astype(np.float64) - polygon[0]).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def regions_in_picture(landmarks: Points, height: int, width: int) -> dict[str, NDArray[np.float64]]:
    """Returns the polygons of upper lip, lower lip and inner mouth, named by ``scheme.REGION_NAMES``.

    Args:
        landmarks: (56, 2) in pixels of the picture, pixel centres at integers.
        height: pixels of the picture.
        width: pixels of the picture.

    Returns:
        By name, (n, 2) vertices counted from the first pixel's corner, clipped to the picture; a region that lies
        wholly outside is left out.
    """
    polygons = scheme.region_polygons(from_corner(landmarks))
    found = {name: clipped(polygons[region], height, width) for region, name in scheme.REGION_NAMES.items()}
    return {name: polygon for name, polygon in found.items() if len(polygon)}
