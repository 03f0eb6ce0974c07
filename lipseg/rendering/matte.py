"""From landmarks to the soft matte of a region: how much of each pixel it covers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.rendering.coverage import scanline_coverage
from lipseg.rendering.curves import smooth
from lipseg.rendering.polygons import pixels_under, require_landmarks

Points = NDArray[np.floating[Any]]

REGIONS = ("lips", "mouth", "inner")

# Scan lines a pixel row; fewer where a large mouth would take more than this many cells in memory.
_LINES = 8
_CELLS = 4_000_000


def matte(points: Points, height: int, width: int, name: str = "lips") -> NDArray[np.float32]:
    """Returns the share of each pixel that a region covers, bounded by the smooth curves through the contours.

    Args:
        points: (56, 2) landmarks (x, y) in pixels of the picture, pixel centres at integers.
        height: pixels of the picture.
        width: pixels of the picture.
        name: "lips" (mouth without inner), "mouth" or "inner".

    Returns:
        (height, width) float32 in 0..1: exact along x, and to a sixteenth of a pixel along y.

    Raises:
        ValueError: for another region, or if ``points`` has another shape or is not finite.
    """
    if name not in REGIONS:
        raise ValueError(f"unknown region {name!r}, expected lips, mouth or inner")
    require_landmarks(points)
    covered = np.zeros((height, width), np.float32)
    outer, inner = smooth(points[scheme.OUTER]), smooth(points[scheme.INNER])
    rows_under, columns_under = pixels_under(outer, height, width, beyond=1)
    part = covered[rows_under, columns_under]
    if part.size == 0:
        return covered
    rows, columns = part.shape
    corner = (columns_under.start, rows_under.start)
    fine = max(1, min(_LINES, _CELLS // (rows * columns)))
    share = scanline_coverage(outer, corner, rows, columns, fine)
    if name != "mouth":
        # Line by line, the opening is cut off at the outer contour; so lips and inner add up to the mouth.
        opening = np.minimum(scanline_coverage(inner, corner, rows, columns, fine), share)
        share = opening if name == "inner" else share - opening
    part[:] = share.mean(1)
    return covered
