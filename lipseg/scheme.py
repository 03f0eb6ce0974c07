"""The landmark scheme: 56 lip points (Helen's points 58-113), its contours, mirror permutation and conversions.

Helen orders both contours as closed polygons of 28 points. The outer contour starts at the image-left corner and
runs over the upper lip to the image-right corner and back along the lower lip; the inner one likewise
(Le et al., "Interactive facial feature localization", ECCV 2012).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]

N_POINTS = 56
OUTER = slice(0, 28)
INNER = slice(28, 56)

HELEN_POINTS = 194
HELEN_LIPS = slice(58, 114)
HELEN_EYES = (slice(114, 134), slice(134, 154))

# 68-point scheme of iBUG (Sagonas et al., 300-W, 2013), 0-based: outer lips 48-59, inner lips 60-67.
IBUG_POINTS = 68
IBUG_EYES = (slice(36, 42), slice(42, 48))
_IBUG_OUTER_UPPER = (48, 49, 50, 51, 52, 53, 54)
_IBUG_OUTER_LOWER = (54, 55, 56, 57, 58, 59, 48)
_IBUG_INNER_UPPER = (60, 61, 62, 63, 64)
_IBUG_INNER_LOWER = (64, 65, 66, 67, 60)

# Positions of the two mouth corners among the 56 points: (image-left, image-right; the latter on the mean shape).
OUTER_CORNERS = (0, 13)
INNER_CORNERS = (28, 42)

# What the points are called in files for other tools; left and right are the picture's.
POINT_NAMES: tuple[str, ...] = (
    "outer_left",
    *(f"outer_upper_{i}" for i in range(1, 13)),
    "outer_right",
    *(f"outer_lower_{i}" for i in range(1, 15)),
    "inner_left",
    *(f"inner_upper_{i}" for i in range(1, 14)),
    "inner_right",
    *(f"inner_lower_{i}" for i in range(1, 14)),
)
# The regions that partition the mouth, as ``region_polygons`` names them, and what they are called in such files.
REGION_NAMES = {"upper": "upper_lip", "lower": "lower_lip", "inner": "inner_mouth"}
# The two closed contours as pairs of neighbouring points.
EDGES: tuple[tuple[int, int], ...] = tuple((start + i, start + (i + 1) % 28) for start in (0, 28) for i in range(28))

# Where point i goes when the picture is mirrored left to right. The contours' corners are 13 steps apart on the
# outer contour and 14 on the inner one (measured on the mean shape of Helen's training faces).
MIRROR: NDArray[np.intp] = np.concatenate([(13 - np.arange(28)) % 28, 28 + (14 - np.arange(28)) % 28])


def mirror(points: Points, width: float) -> Points:
    """Returns the landmarks of the picture mirrored left to right, in the scheme's order.

    Args:
        points: (..., 56, 2) landmarks (x, y), pixel centres at integers.
        width: width of the picture in pixels.
    """
    flipped = points[..., MIRROR, :].copy()
    flipped[..., 0] = (width - 1) - flipped[..., 0]
    return flipped


_TINY = 1.0e-12
# Points this little short of the farthest, as a share of its distance, are as far; of those the nominal one counts.
_BLUNT = 1.0e-6


def far_corner(ring: Points, nominal: int) -> int:
    """Returns which point of a contour lies farthest from its first, towards the opposite corner; never the first.

    Helen's annotators began at the image-left corner and the points follow at equal arc length, so the image-right
    corner falls on no fixed point (on the outer contour on the 13th of most faces, but on the 12th to 15th of others).

    Args:
        ring: (28, 2) points (x, y) of the contour.
        nominal: position of the opposite corner on the mean shape, which gives the direction.
    """
    reach = (ring[1:] - ring[0]) @ (ring[nominal] - ring[0])
    (far,) = np.nonzero(reach >= (1 - _BLUNT) * reach.max())
    # Without finite points there is no farthest.
    return 1 + int(far[np.abs(far + 1 - nominal).argmin()]) if far.size else nominal


def retrace(points: Points) -> Points:
    """Returns the landmarks that an annotator gives who sees the picture mirrored, placed in the picture as it is.

    Both contours begin at their other corner and run the other way round; the points keep their shares of the
    contour's length. ``mirror`` maps point to point instead, which leaves each where it is: exact for a scheme whose
    corners are fixed points, but on Helen it puts a mirrored face's corner points up to a step away from its corners.

    Args:
        points: (56, 2) landmarks (x, y).

    Returns:
        (56, 2) landmarks in the same frame, in the order of the mirrored picture.
    """
    traced = np.empty_like(points)
    for part, corner in ((OUTER, OUTER_CORNERS[1]), (INNER, INNER_CORNERS[1] - INNER.start)):
        ring = points[part]
        shares = _along(ring)
        back = ring[(far_corner(ring, corner) - np.arange(len(ring))) % len(ring)]
        length = _along(back)
        closed = np.concatenate([back, back[:1]])
        wanted = shares[:-1] / max(shares[-1], _TINY) * length[-1]
        traced[part] = np.stack([np.interp(wanted, length, closed[:, k]) for k in range(2)], axis=1)
    return traced


def _along(ring: Points) -> Points:
    """Returns (n + 1,) the arc length from the first of n points of a closed contour to each, and back to it."""
    steps = np.hypot(*(np.roll(ring, -1, axis=0) - ring).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def region_polygons(points: Points) -> dict[str, Points]:
    """Returns the closed polygons of the regions, in the frame of ``points``.

    ``mouth`` is the outer contour, ``inner`` the inner one; ``upper`` and ``lower`` are the two lips, each bounded by
    its half of the outer contour and its half of the inner contour, from corner to corner (``far_corner``). The region
    "lips" is ``mouth`` minus ``inner``.

    Args:
        points: (56, 2) landmarks (x, y).
    """
    outer, inner = points[OUTER], points[INNER]
    j, k = far_corner(outer, OUTER_CORNERS[1]), far_corner(inner, INNER_CORNERS[1] - INNER.start)
    upper = np.concatenate([outer[: j + 1], inner[k::-1]])
    lower = np.concatenate([outer[j:], outer[:1], inner[:1], inner[: k - 1 : -1]])
    return {"mouth": outer, "inner": inner, "upper": upper, "lower": lower}


def resample_chain(chain: Points, n: int) -> Points:
    """Returns ``n`` points at equal arc length along an open polyline, both ends included.

    Args:
        chain: (m, 2) vertices, m >= 2.
        n: number of points, at least 2.
    """
    steps = np.hypot(*np.diff(chain, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, along[-1], n)
    return np.stack([np.interp(wanted, along, chain[:, k]) for k in range(2)], axis=1)


def from_68(points: Points) -> Points:
    """Returns the 56 lip points of a face annotated with iBUG's 68 points.

    Each half contour (upper and lower, outer and inner) is resampled at equal arc length between its two corners,
    which are the same anatomical points in both schemes.

    Args:
        points: (68, 2) landmarks (x, y) in any frame.

    Returns:
        (56, 2) landmarks in the same frame.

    Raises:
        ValueError: if ``points`` does not have the shape (68, 2).
    """
    if points.shape != (IBUG_POINTS, 2):
        raise ValueError(f"expected 68 points of the iBUG scheme, got an array of shape {points.shape}")

    def chain(indices: tuple[int, ...], n: int) -> Points:
        return resample_chain(points[list(indices)], n)

    return np.concatenate(
        [
            chain(_IBUG_OUTER_UPPER, 14),
            chain(_IBUG_OUTER_LOWER, 16)[1:-1],
            chain(_IBUG_INNER_UPPER, 15),
            chain(_IBUG_INNER_LOWER, 15)[1:-1],
        ]
    )


def inter_ocular(points: Points) -> float:
    """Returns the distance between the mean points of the two eyes: the usual normaliser of landmark errors.

    Args:
        points: (194, 2) landmarks in Helen's order or (68, 2) in iBUG's.

    Raises:
        ValueError: for any other number of points.
    """
    first, second = eyes(points)
    return float(np.hypot(*(first - second)))


def eyes(points: Points) -> tuple[Points, Points]:
    """Returns the (2,) mean points of the two eyes.

    Args:
        points: (194, 2) landmarks in Helen's order or (68, 2) in iBUG's.

    Raises:
        ValueError: for any other number of points.
    """
    found = {HELEN_POINTS: HELEN_EYES, IBUG_POINTS: IBUG_EYES}.get(len(points))
    if found is None:
        raise ValueError(f"the eyes are known for 194 or 68 points, not for {len(points)}")
    return points[found[0]].mean(0), points[found[1]].mean(0)
