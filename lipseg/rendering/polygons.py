"""The lips as polygons for annotation tools, which count from the corner of a picture's first pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme

Points = NDArray[np.floating[Any]]


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
