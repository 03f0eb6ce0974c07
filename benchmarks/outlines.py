"""Other schemes' lip outlines as the project's 56 points, without moving or losing a vertex.

A half contour gets its missing points on its longest edges, so the closed outline stays the same polygon: no system is
judged on a smoothed or shortened form of its answer.
"""

import numpy as np

from lipseg import scheme
from lipseg.scheme import Points

# iBUG's 68 points, 0-based: image-left corner, over the upper lip to the other corner, back along the lower lip.
IBUG_OUTER = (tuple(range(48, 55)), (*range(54, 60), 48))
IBUG_INNER = (tuple(range(60, 65)), (*range(64, 68), 60))

# MediaPipe's face mesh (478 points refined, 468 plain), from the image-left corner likewise; the order follows
# FACEMESH_LIPS of mediapipe/python/solutions/face_mesh_connections.py.
MESH_OUTER = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 61),
)
MESH_INNER = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (308, 324, 318, 402, 317, 14, 87, 178, 88, 95, 78),
)

Chains = tuple[tuple[int, ...], tuple[int, ...]]


def fill_up(chain: Points, n: int) -> Points:
    """Returns a polyline of ``n`` points that runs exactly along ``chain``: new points go onto its longest pieces.

    Args:
        chain: (m, 2) vertices, 2 <= m <= n.
        n: number of points.

    Raises:
        ValueError: if the chain has more points already.
    """
    if not 2 <= len(chain) <= n:
        raise ValueError(f"a chain of {len(chain)} points cannot be filled up to {n}")
    chain = np.asarray(chain, np.float64)
    lengths = np.hypot(*np.diff(chain, axis=0).T)
    parts = np.ones(len(lengths), int)
    for _ in range(n - len(chain)):
        parts[np.argmax(lengths / parts)] += 1
    steps = [
        start + (end - start) * np.arange(count)[:, None] / count
        for start, end, count in zip(chain[:-1], chain[1:], parts, strict=True)
    ]
    return np.concatenate([*steps, chain[-1:]])


def to_56(points: Points, outer: Chains, inner: Chains) -> Points:
    """Returns the 56 points of ``lipseg.scheme`` that draw the same outlines.

    Args:
        points: (n, 2) landmarks of another scheme, any frame.
        outer: the indices of the upper and the lower half of its outer outline, corners included in both.
        inner: likewise of the inner one.
    """
    (outer_left, outer_right), (inner_left, inner_right) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
    halves = []
    for (upper, lower), first, second in ((outer, outer_left, outer_right), (inner, inner_left, inner_right)):
        over = second - first + 1
        halves += [fill_up(points[list(upper)], over), fill_up(points[list(lower)], 30 - over)[1:-1]]
    return np.concatenate(halves)
