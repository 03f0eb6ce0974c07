"""Contours and ids over a frame, to look at."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.data.sheets import INNER_COLOUR, OUTER_COLOUR
from lipseg.rendering.masks import smooth
from lipseg.tracking.tracker import TrackedLips

_SHIFT = 4
# Points along the curve for every landmark.
_PIECES = 4


def draw_lips(image: NDArray[np.uint8], mouths: Sequence[TrackedLips]) -> NDArray[np.uint8]:
    """Draws the contours of every mouth as smooth anti-aliased curves, with its id, into the frame.

    Args:
        image: RGB uint8 (height, width, 3); drawn on.
        mouths: of this frame.

    Returns:
        The same array.
    """
    for mouth in mouths:
        width = mouth.width
        thickness = max(1, round(width / 90))
        for contour, colour in ((mouth.inner, INNER_COLOUR), (mouth.outer, OUTER_COLOUR)):
            points = np.clip(smooth(contour, _PIECES), -1e5, 1e5)
            fixed = np.round(points * 2**_SHIFT).astype(np.int32)
            cv2.polylines(image, [fixed], True, colour, thickness, cv2.LINE_AA, _SHIFT)
        left, top = mouth.outer.min(0)
        place = (int(np.clip(left, -1e5, 1e5)), int(np.clip(top - 0.08 * width, -1e5, 1e5)))
        size = max(0.4, width / 200)
        cv2.putText(image, str(mouth.id), place, cv2.FONT_HERSHEY_SIMPLEX, size, OUTER_COLOUR, thickness, cv2.LINE_AA)
    return image
