"""Grey pictures: blurring them, and smooth steps between two values."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Grey = Floats  # (h, w), float32 where speed matters

# Deviation in pixels of the widest blur that is taken at the picture's own size.
_WIDEST = 10.0


def blur(grey: Grey, deviation: float) -> Grey:
    """Returns the picture blurred by a Gaussian; the edge's pixels go on beyond it."""
    if deviation < 0.2:
        return grey
    if deviation > _WIDEST:
        # As smooth at a fraction of the work: a large mouth's blur is taken from its smaller picture.
        rows, columns = grey.shape
        by = deviation / (_WIDEST / 2)
        small = (max(1, round(columns / by)), max(1, round(rows / by)))
        shrunk = blur(cv2.resize(grey, small, interpolation=cv2.INTER_AREA), _WIDEST / 2)  # type: ignore[arg-type]
        return cv2.resize(shrunk, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    size = 2 * int(np.ceil(3 * deviation)) + 1
    return cv2.GaussianBlur(grey, (size, size), deviation, borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def ramp(value: Grey, low: float, high: float) -> Grey:
    """Returns the smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def step(value: float, low: float, high: float) -> float:
    """Returns ``ramp`` of one number."""
    return float(ramp(np.float32(value), low, high))  # type: ignore[arg-type]
