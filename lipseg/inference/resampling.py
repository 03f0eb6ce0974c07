"""The copies of a picture that face detectors search: shrunk, and turned upright."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def shrunk(image: Pixels, long_side: int) -> tuple[Pixels, float]:
    """Returns a picture with a long side of at most ``long_side`` pixels, and the factor that it was shrunk by."""
    # Averaging over areas that are no whole number of pixels takes as long as the search itself, and below a factor of
    # two there is little to average: detectors find the same faces.
    height, width = image.shape[:2]
    scale = max(height, width) / long_side
    if scale <= 1:
        return np.ascontiguousarray(image), 1.0
    size = max(1, round(width / scale)), max(1, round(height / scale))
    how = cv2.INTER_AREA if scale >= 2 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how), scale  # type: ignore[return-value]


def turned(image: Pixels, roll: float) -> tuple[Pixels, NDArray[np.float64]]:
    """Returns a picture in which what is turned by ``roll`` is upright, and the (2, 3) map back into ``image``."""
    if roll == 0:
        return image, np.eye(2, 3)
    height, width = image.shape[:2]
    cos, sin = math.cos(roll), math.sin(roll)
    new = math.ceil(abs(cos) * width + abs(sin) * height), math.ceil(abs(sin) * width + abs(cos) * height)
    turn = np.array([[cos, -sin], [sin, cos]])
    offset = np.array([(width - 1) / 2, (height - 1) / 2]) - turn @ [(new[0] - 1) / 2, (new[1] - 1) / 2]
    back = np.column_stack([turn, offset])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # Grey, not repeated edges: streaks look like features.
    turned = cv2.warpAffine(image, back, new, flags=flags, borderValue=(128, 128, 128))
    return turned, back  # type: ignore[return-value]
