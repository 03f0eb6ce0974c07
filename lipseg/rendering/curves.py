"""Smooth closed curves through contours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]


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
