"""From masks to landmarks: the 56 points along the outlines of a label map, finer than its pixels."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.errors import DataError
from lipseg.rendering.masks import BACKGROUND, INNER, LOWER, UPPER

Labels = NDArray[np.uint8]
Array = NDArray[np.float64]

# Outlines are traced where a smoothed mask crosses one half, on a grid on which the mouth is this many pixels wide.
_FINE_PX = 720
# Standard deviation of that smoothing in pixels of the mask: it takes the steps off, and little off the corners.
_SMOOTH_PX = 0.8
# Pixels of background around the mouth, for the smoothing and for outlines along the picture's edge.
_ROOM = 4
# A mouth of fewer pixels, or a lip of a smaller share of its mouth, has no outline worth tracing.
_LEAST_PIXELS = 60
_LEAST_LIP = 0.04
# A second piece of more than this share of the largest is another mouth, or a hand across this one.
_MOST_LOOSE = 0.05
# From corner to corner it is at least this share of the mouth's height, or they are no corners.
_LEAST_LENGTH = 0.2
# The lips meet on the outer contour within this share of its length before or behind the mouth's tip.
_TIP_REACH = 0.06
# A pixel of the way along the outline from where they meet to the tip costs this much of a pixel farther out.
_TIP_PRICE = 0.4
# How far inside the outer corners the lips begin to part, in mouth widths: the mean of Helen's training faces.
_INSET = 0.065
# Width of a mouth from corner to corner over the distance between the eyes: likewise.
_MOUTH_INTER_OCULARS = 0.87
# The line where the lips meet is smoothed with this standard deviation, in mouth widths.
_SEAM_SMOOTH = 0.012


def trace(labels: Labels) -> Array:
    """Returns the landmarks of the one mouth in a label map: the inverse of ``rendering.masks.label_map``.

    The outer contour bounds all three parts together, holes filled. Its corners are where the outlines of the upper
    and the lower lip meet, moved to the tip beside it. The inner contour bounds the inner mouth, and along the line
    where the lips meet it goes on without area to a little inside the corners, where annotators of points begin; in a
    closed mouth it is that line alone. Each half contour has its points at equal arc length, as in
    ``scheme.from_68``.

    Args:
        labels: (height, width) uint8: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth.

    Returns:
        (56, 2) float64 (x, y) in pixels of the map, pixel centres at integers.

    Raises:
        DataError: if a lip is missing, the mouth is tiny, in several pieces or upside down.
    """
    part, corner_px = one_mouth(labels)
    soft = [_smoothed(part == label) for label in (UPPER, LOWER, INNER)]
    mouth = _smoothed(part != BACKGROUND)
    height, width = part.shape
    scale = _FINE_PX / (max(height, width) - 2 * _ROOM)
    straight = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
    ring = _contour(_on_corners(_view(mouth, straight, (round(height * scale), round(width * scale))) > 0.5))
    ring = (ring + 0.5) / scale - 0.5
    left, right = _corners(ring, soft[0] - soft[1])
    # Turned so that the corners lie level: what is above and below the seam can then be told column by column.
    span = ring[right] - ring[left]
    if span[0] <= 0:
        raise DataError("the upper lip lies below the lower one; are the labels 1 and 2 exchanged?")
    outer = _halves(ring, left, right, 14, 16)
    inner = _inner(soft, mouth, ring, left, span)
    return np.concatenate([outer, inner]) + corner_px


def one_mouth(labels: Labels) -> tuple[Labels, Array]:
    """Returns the part of a label map that holds its mouth, with room around, and where it begins.

    Stray pixels away from the mouth go and holes count as inner mouth.

    Args:
        labels: as ``trace`` has them.

    Returns:
        labels (height, width) uint8 of the part; (2,) float64 (x, y) of its first pixel in the map.

    Raises:
        DataError: if a lip is missing, the mouth is tiny or in several pieces.
    """
    around = bounds(labels != BACKGROUND)
    whole, labels = labels, labels[around]
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(
        np.pad(labels != BACKGROUND, 1).astype(np.uint8), connectivity=8
    )
    sizes = stats[1:, cv2.CC_STAT_AREA]
    if count < 2 or sizes.max() < _LEAST_PIXELS:
        raise DataError(f"the mouth has {sizes.max() if count > 1 else 0} pixels, fewer than {_LEAST_PIXELS}")
    largest = int(sizes.argmax())
    if (second := np.delete(sizes, largest)).size and second.max() > _MOST_LOOSE * sizes[largest]:
        raise DataError("the mouth is in several pieces, or there are several mouths; leave one")
    x, y, width, height, _ = (int(value) for value in stats[1 + largest])
    x, y, pieces = x - 1, y - 1, pieces[1:-1, 1:-1]  # without the edge of one pixel
    there = (slice(y, y + height), slice(x, x + width))
    part = np.pad(np.where(pieces[there] == 1 + largest, labels[there], BACKGROUND), _ROOM).astype(np.uint8)
    for label, name in ((UPPER, "upper"), (LOWER, "lower")):
        if (part == label).sum() < _LEAST_LIP * sizes[largest]:
            raise DataError(f"no {name} lip" if not (whole == label).any() else f"next to nothing of the {name} lip")
    # Background that the border does not reach is a hole.
    outside = cv2.connectedComponents((part == BACKGROUND).astype(np.uint8), connectivity=4)[1]
    part[(part == BACKGROUND) & (outside != outside[0, 0])] = INNER
    return part, np.array([around[1].start + x - _ROOM, around[0].start + y - _ROOM], float)


def bounds(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Returns the rows and columns that all of a mask (height, width) lies in, empty where it is empty.

    Masks of faces are mostly background, and what is done with them is done here in a twentieth of the time.
    """
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def held(labels: Labels) -> Callable[[], Labels]:
    """Returns a function that returns a label map and keeps no more of it than what is no background.

    Args:
        labels: as ``trace`` has them.
    """
    there = bounds(labels != BACKGROUND)
    return partial(_laid_out, labels[there].copy(), there[0].start, there[1].start, labels.shape)


def _laid_out(part: Labels, top: int, left: int, shape: tuple[int, ...]) -> Labels:
    labels = np.full(shape, BACKGROUND, np.uint8)
    labels[top : top + part.shape[0], left : left + part.shape[1]] = part
    return labels


def _smoothed(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SMOOTH_PX, borderType=cv2.BORDER_REPLICATE)
    return soft.astype(np.float32, copy=False)


def _view(soft: NDArray[np.float32], matrix: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns (height, width) = size of a smoothed mask, seen through (2, 3) mask pixels -> view pixels."""
    return cv2.warpAffine(soft, matrix, size[::-1], flags=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def _on_corners(mask: NDArray[np.bool_]) -> Labels:
    """Returns the upper left corners of all pixels, 1 where one of the four pixels around it is in the mask.

    OpenCV's outlines run through the outermost pixels' centres, half a pixel too far inside: through these they are
    right, and a narrow opening does not lose a pixel of its height.
    """
    return cv2.dilate(mask.astype(np.uint8), np.ones((2, 2), np.uint8), anchor=(1, 1)).astype(np.uint8, copy=False)


def _contour(corners: Labels) -> Array:
    """Returns (n, 2) pixels along the outline of the longest piece of ``_on_corners``, clockwise as one sees it."""
    rings, _ = cv2.findContours(corners, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not rings:
        raise DataError("the mouth is too thin to be traced")
    ring = max(rings, key=len)[:, 0].astype(np.float64) - 0.5
    x, y = (ring - ring[0]).T
    return ring if x @ np.roll(y, -1) - y @ np.roll(x, -1) >= 0 else ring[::-1]


def _corners(ring: Array, lips: NDArray[np.float32]) -> tuple[int, int]:
    """Returns which points of the outer contour are its left and its right corner.

    Args:
        ring: (n, 2) clockwise, in pixels of the mask.
        lips: (height, width), upper lip minus lower lip.
    """
    # Softened over a few pixels: on the outline itself both lips may be away (inner mouth at the edge).
    near = cv2.GaussianBlur(lips, (0, 0), 1.5)
    x, y = ring.T.astype(np.float32)
    side = cv2.remap(near, x[:, None], y[:, None], cv2.INTER_LINEAR)[:, 0].astype(float)
    n = len(ring)
    # Beginning where the running sum about its mean is lowest and ending where it is highest, a stretch of the closed
    # outline has as much of the upper lip and as little of the lower one as any: single stray pixels do not matter.
    total = np.cumsum(side - side.mean())
    start, end = (int(total.argmin()) + 1) % n, int(total.argmax())
    axis = ring[end] - ring[start]
    length = float(np.hypot(*axis))
    if length < _LEAST_LENGTH * np.ptp(ring, axis=0).max():
        raise DataError("the lips do not meet at two corners")
    # A tip has to be worth the way to it: beside a blunt corner, the outline goes on outwards a little for long.
    axis /= length
    reach = max(1, round(_TIP_REACH * n))
    steps = np.arange(-reach, reach + 1)
    return _tip(ring, (start + steps) % n, -axis), _tip(ring, (end + steps) % n, axis)


def _tip(ring: Array, window: NDArray[np.intp], outward: Array) -> int:
    """Returns which of the points ``window`` of a ring lies farthest out, less the way there from the middle one."""
    stretch = ring[window]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stretch, axis=0).T))])
    gain = stretch @ outward - _TIP_PRICE * np.abs(along - along[len(window) // 2])
    return int(window[gain.argmax()])


def _halves(ring: Array, left: int, right: int, upper: int, lower: int) -> Array:
    """Returns (28, 2) points of a clockwise contour: ``upper`` from corner to corner, then back, corners once."""
    n = len(ring)
    over = ring[(left + np.arange((right - left) % n + 1)) % n]
    under = ring[(right + np.arange((left - right) % n + 1)) % n]
    return _joined(over, upper, under, lower)


def _joined(over: Array, upper: int, under: Array, lower: int) -> Array:
    """Returns a closed contour of ``upper`` points along one polyline and ``lower`` along the other, ends once."""
    halves = [scheme.resample_chain(over, upper), scheme.resample_chain(under, lower)[1:-1]]
    return np.concatenate(halves).astype(np.float64)


def _inner(soft: list[NDArray[np.float32]], mouth: NDArray[np.float32], ring: Array, left: int, span: Array) -> Array:
    """Returns (28, 2) the inner contour, in pixels of the mask.

    Args:
        soft: smoothed masks of upper lip, lower lip and inner mouth.
        mouth: smoothed mask of all three.
        ring: the outer contour.
        left: which point of it is the left corner.
        span: from there to the right corner.
    """
    length = float(np.hypot(*span))
    along = span / length
    scale = _FINE_PX / length
    turn = scale * np.array([along, [-along[1], along[0]]])
    turned = (ring - ring[left]) @ turn.T
    top = turned[:, 1].min() - 2
    matrix = np.column_stack([turn, -turn @ ring[left] - [0, top]])
    size = (int(np.ptp(turned[:, 1])) + 5, _FINE_PX + 1)
    upper, lower, hollow, mouth = (_view(part, matrix, size) for part in (*soft, mouth))
    columns = np.arange(round(_INSET * _FINE_PX), round((1 - _INSET) * _FINE_PX) + 1)
    inside = slice(columns[0], columns[-1] + 1)
    seam = _seam(upper[:, inside] - lower[:, inside], mouth[:, inside] > 0.5)
    canvas = _on_corners(hollow > 0.5)
    if not canvas.any():
        chain = np.column_stack([columns.astype(np.float64), seam])
        points = _joined(chain, 15, chain[::-1], 15)
    else:
        line = np.column_stack([columns, np.round(seam + 0.5)]).astype(np.int32)
        cv2.polylines(canvas, [line], isClosed=False, color=(1,), thickness=1)
        traced = _contour(canvas)
        points = _halves(traced, _end(traced, -1), _end(traced, 1), 15, 15)
    return (points - matrix[:, 2]) @ np.linalg.inv(turn).T


def _end(ring: Array, side: int) -> int:
    """Returns which point of a ring is its left (``side`` -1) or right end (1): of a blunt one's the middle one."""
    (far,) = np.nonzero(side * ring[:, 0] >= (side * ring[:, 0]).max() - 1)
    return int(far[np.abs(ring[far, 1] - (ring[far, 1].min() + ring[far, 1].max()) / 2).argmin()])


def _seam(lips: NDArray[np.float32], mouth: NDArray[np.bool_]) -> Array:
    """Returns the row where the lips meet in every column of a view.

    Args:
        lips: (height, columns), upper lip minus lower lip.
        mouth: (height, columns), where the mouth is; no column is empty.
    """
    above = lips.astype(float)
    for row, next_row in pairwise(above):  # a cumsum along the columns, five times as fast
        next_row += row
    # Where neither lip is, in the open mouth, every row is as good: the middle one.
    good = above >= above.max(0) - 1e-3
    ends = [(mask.argmax(0), len(mask) - 1 - mask[::-1].argmax(0)) for mask in (good, mouth)]
    rows = np.mean([np.clip(row, ends[1][0] - 1, ends[1][1]) for row in ends[0]], axis=0) + 0.5
    return cv2.GaussianBlur(rows[None], (0, 0), _SEAM_SMOOTH * _FINE_PX, borderType=cv2.BORDER_REPLICATE)[0]


def inter_ocular_estimate(points: Array) -> float:
    """Returns the distance between the eyes that goes with a mouth of this width, for faces whose eyes are unknown.

    Lips stretch and pout, so a single face is off by a sixth (one standard deviation among Helen's training faces).

    Args:
        points: (56, 2) landmarks (x, y) in any frame.
    """
    outer = points[scheme.OUTER]
    corner = outer[scheme.far_corner(outer, scheme.OUTER_CORNERS[1])]
    return float(np.hypot(*(corner - outer[0]))) / _MOUTH_INTER_OCULARS
