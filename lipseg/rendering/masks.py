"""From lip contours to pictures: label maps, region masks and smooth closed curves."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.rendering.coverage import scanline_coverage

Points = NDArray[np.floating[Any]]

BACKGROUND, UPPER, LOWER, INNER = 0, 1, 2, 3
REGIONS = ("mouth", "lips", "inner", "upper", "lower")

# Polygons are drawn on a grid this many times finer (odd, so that a fine pixel lies on every pixel's centre): OpenCV
# also fills the pixels that an outline touches, which at the picture's own resolution thickens a lip by half a pixel
# on either side and opens every closed mouth.
_FINE = 5
# Scan lines a pixel row of a matte; fewer where a large mouth would take more than this many cells in memory.
_MATTE_LINES = 8
_MATTE_CELLS = 4_000_000
# Fractional bits of the vertices given to OpenCV.
_SHIFT = 4
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
    if points.shape != (scheme.N_POINTS, 2) or not np.isfinite(points).all():
        raise ValueError(f"expected {scheme.N_POINTS} finite landmarks (x, y), got an array of shape {points.shape}")
    labels = np.zeros((height, width), np.uint8)
    # Only the part of the picture under the mouth is drawn.
    limit = np.array([width, height])
    low = np.clip(np.floor(points.min(0)), 0, limit).astype(int)
    high = np.clip(np.floor(points.max(0)) + 1, low, limit).astype(int)
    columns, rows = high - low
    if columns == 0 or rows == 0:
        return labels
    fine = _FINE if max(columns, rows) <= _FINE_LIMIT else 1
    shape = (int(rows) * fine, int(columns) * fine)

    def fill(polygon: Points) -> NDArray[np.bool_]:
        vertices = (polygon.astype(np.float64) - low + 0.5) * fine - 0.5
        # Far beyond the edge a vertex only has to stay outside, and within OpenCV's 32-bit coordinates.
        vertices = np.clip(vertices, -1e6, 1e6)
        canvas = np.zeros(shape, np.uint8)
        cv2.fillPoly(canvas, [np.round(vertices * 2**_SHIFT).astype(np.int32)], (1,), cv2.LINE_8, _SHIFT)
        return canvas[fine // 2 :: fine, fine // 2 :: fine] > 0

    regions = {name: fill(polygon) for name, polygon in scheme.region_polygons(points).items()}
    part = labels[low[1] : high[1], low[0] : high[0]]
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
    if name not in ("lips", "mouth", "inner"):
        raise ValueError(f"unknown region {name!r}, expected lips, mouth or inner")
    if points.shape != (scheme.N_POINTS, 2) or not np.isfinite(points).all():
        raise ValueError(f"expected {scheme.N_POINTS} finite landmarks (x, y), got an array of shape {points.shape}")
    covered = np.zeros((height, width), np.float32)
    outer, inner = smooth(points[scheme.OUTER]), smooth(points[scheme.INNER])
    limit = np.array([width, height])
    low = np.clip(np.floor(outer.min(0)), 0, limit).astype(int)
    high = np.clip(np.floor(outer.max(0)) + 2, low, limit).astype(int)
    columns, rows = (int(n) for n in high - low)
    if columns == 0 or rows == 0:
        return covered
    fine = max(1, min(_MATTE_LINES, _MATTE_CELLS // (rows * columns)))
    corner = (int(low[0]), int(low[1]))
    share = scanline_coverage(outer, corner, rows, columns, fine)
    if name != "mouth":
        # Line by line, the opening is cut off at the outer contour; so lips and inner add up to the mouth.
        opening = np.minimum(scanline_coverage(inner, corner, rows, columns, fine), share)
        share = opening if name == "inner" else share - opening
    covered[low[1] : high[1], low[0] : high[0]] = share.mean(1)
    return covered


def bezier_controls(contour: Points) -> tuple[Points, Points]:
    """Returns the two control points of each cubic Bezier piece of the smooth closed curve through a contour.

    The curve is the centripetal Catmull-Rom spline, which makes neither cusps nor loops where a densely sampled part
    of the contour meets a sparse one (Yuksel et al., "Parameterization and applications of Catmull-Rom curves", 2011).

    Args:
        contour: (n, 2) points of the closed contour, n >= 3, any frame.

    Returns:
        Two (n, 2) arrays: piece i runs from ``contour[i]`` to ``contour[i + 1]`` by ``first[i]`` and ``second[i]``.
    """
    here = contour.astype(np.float64)
    after, before, beyond = np.roll(here, -1, 0), np.roll(here, 1, 0), np.roll(here, -2, 0)
    span = np.sqrt(np.linalg.norm(after - here, axis=1, keepdims=True))
    span_before, span_after = np.roll(span, 1, 0), np.roll(span, -1, 0)

    def control(anchor: Points, other: Points, far: Points, own: Points) -> Points:
        """The control point beside ``anchor`` towards ``far``; ``own`` is the span between ``other`` and ``anchor``."""
        weighted = own**2 * far - span**2 * other + (2 * own**2 + 3 * own * span + span**2) * anchor
        divisor = 3 * own * (own + span)
        # Where two points coincide there is no tangent to take over: the curve leaves the anchor straight.
        return np.where(own > 1e-6, weighted / np.where(own > 1e-6, divisor, 1.0), anchor)

    return control(here, before, after, span_before), control(after, beyond, here, span_after)


def smooth(contour: Points, pieces: int = 6) -> Points:
    """Returns points along the smooth closed curve through a contour, for drawing.

    Args:
        contour: (n, 2) points of the closed contour, n >= 3, any frame.
        pieces: points for every point of the contour.

    Returns:
        (n * pieces, 2) float64, the contour's own points among them.
    """
    first, second = bezier_controls(contour)
    t = np.arange(pieces)[None, :, None] / pieces
    here, after = contour.astype(np.float64)[:, None], np.roll(contour.astype(np.float64), -1, 0)[:, None]
    curve = (
        (1 - t) ** 3 * here
        + 3 * (1 - t) ** 2 * t * first[:, None]
        + 3 * (1 - t) * t**2 * second[:, None]
        + t**3 * after
    )
    return curve.reshape(-1, 2)


def svg_path(contour: Points) -> str:
    """Returns the ``d`` attribute of an SVG path: the smooth closed curve through a contour, as cubic Beziers.

    Args:
        contour: (n, 2) points of the closed contour, n >= 3. The path is in the same frame; where pixel centres lie at
            integers, an SVG of the picture needs it moved by half a pixel.
    """

    def pair(point: Points) -> str:
        # Adding zero turns "-0" into "0".
        return " ".join(f"{round(float(value), 2) + 0.0:g}" for value in point)

    first, second = bezier_controls(contour)
    ends = np.roll(contour, -1, 0)
    curves = "".join(f"C{pair(a)} {pair(b)} {pair(end)}" for a, b, end in zip(first, second, ends, strict=True))
    return f"M{pair(contour[0])}{curves}Z"
