"""The lips drawn over a picture, to look at."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.rendering import measures, palette
from lipseg.rendering.curves import smooth
from lipseg.rendering.palette import Colour
from lipseg.rendering.polygons import FRACTION_BITS, fixed_point, pixels_under

Points = NDArray[np.floating[Any]]

# A line is as wide for the mouth in a large photo as in a small one: the mouth is this many times wider.
_MOUTH_WIDTHS = 100
# Of the tint over the regions; the picture has the rest.
_TINT = 0.35
# What a number beside the mouth is written with: its distance and its size (in OpenCV's unit) by the mouth's width.
_LABEL_RISE, _LABEL_SIZE, _SMALLEST_LABEL = 0.08, 1 / 200, 0.4
# A point further away than this is a broken one; OpenCV's coordinates would overflow.
_FARTHEST_PX = 1e6


def draw_lips(
    image: NDArray[np.uint8],
    landmarks: Points,
    *,
    outer: Colour = palette.OUTER,
    inner: Colour = palette.INNER,
    tinted: bool = False,
    label: str = "",
) -> NDArray[np.uint8]:
    """Draws the contours of one mouth into a picture, as smooth closed curves, anti-aliased.

    What reaches over the edge is cut off there; a contour with a broken point (not finite, or a million pixels away) is
    left out.

    Args:
        image: (height, width, 3) uint8 RGB; drawn on.
        landmarks: (56, 2) (x, y) in pixels of the picture, pixel centres at integers.
        outer: colour of the outer contour and of the label.
        inner: colour of the inner contour.
        tinted: whether the regions get a tint of ``palette.LABELS``.
        label: written above the mouth's left end.

    Returns:
        The same array.
    """
    # A comparison with NaN is false.
    inner_usable, outer_usable = (
        bool(np.all(np.abs(landmarks[part]) < _FARTHEST_PX)) for part in (scheme.INNER, scheme.OUTER)
    )
    if tinted and inner_usable and outer_usable:
        _tint(image, landmarks)
    width = measures.width(landmarks) if outer_usable else 0.0
    thickness = max(1, round(width / _MOUTH_WIDTHS))
    for part, colour, usable in ((scheme.INNER, inner, inner_usable), (scheme.OUTER, outer, outer_usable)):
        if usable:
            curve = fixed_point(smooth(landmarks[part]))
            cv2.polylines(image, [curve], True, colour, thickness, cv2.LINE_AA, FRACTION_BITS)
    if label and outer_usable:
        left, top = landmarks[scheme.OUTER].min(0)
        size = max(_SMALLEST_LABEL, _LABEL_SIZE * width)
        place = (int(left), int(top - _LABEL_RISE * width))
        cv2.putText(image, label, place, cv2.FONT_HERSHEY_SIMPLEX, size, outer, thickness, cv2.LINE_AA)
    return image


def _tint(image: NDArray[np.uint8], landmarks: Points) -> None:
    """Mixes the colours of the regions into the picture."""
    # A copy of what lies under the mouth alone: the picture may be large.
    soft = np.concatenate([landmarks - 2, landmarks + 2])  # anti-aliased edges reach a little farther
    rows, columns = pixels_under(soft, *image.shape[:2])
    part = image[rows, columns]
    if part.size == 0:
        return
    coloured = part.copy()
    regions = scheme.region_polygons(landmarks)
    corner = np.array([columns.start, rows.start])
    for name, colour in zip(scheme.REGION_NAMES, palette.LABELS[1:], strict=True):
        cv2.fillPoly(coloured, [fixed_point(regions[name] - corner)], colour, cv2.LINE_AA, FRACTION_BITS)
    part[:] = cv2.addWeighted(coloured, _TINT, part, 1 - _TINT, 0)
