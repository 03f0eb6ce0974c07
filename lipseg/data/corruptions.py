"""What comes between a face and its picture: a light from one side, something that hides a part."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.geometry import Array


def side_lit(image: Array, strength: float, rng: np.random.Generator) -> Array:
    """Returns a (size, size, 3) picture lit from one side: brighter there and darker on the other, by up to 0.6.

    Args:
        image: float, of any range; what is returned may exceed it.
        strength: scales the change; 1 for the whole.
        rng: draws the side and the change.
    """
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6) * strength
    ramp = np.linspace(-1, 1, len(image), dtype=np.float32)
    light = 1 + depth * (np.cos(angle) * ramp[None, :, None] + np.sin(angle) * ramp[:, None, None])
    return image * light.astype(np.float32)


def patched(
    image: NDArray[np.uint8],
    cover: NDArray[Any],
    centre: Array,
    extent: Array,
    angle: float,
    *,
    oval: bool,
) -> NDArray[np.uint8]:
    """Returns a picture with a patch over it, a turned rectangle or an ellipse.

    Args:
        image: (height, width, 3) uint8.
        cover: (height, width, 3) what the patch shows, grey levels; what exceeds 0..255 is cut off.
        centre: (2,) x, y of the patch, pixels.
        extent: (2,) its lengths along and across, pixels.
        angle: degrees by which it is turned (positive: the x axis towards +y).
        oval: whether it is an ellipse.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    box = ((float(centre[0]), float(centre[1])), (float(extent[0]), float(extent[1])), angle)
    if oval:
        cv2.ellipse(mask, box, 1, -1)
    else:
        cv2.fillPoly(mask, [np.round(cv2.boxPoints(box)).astype(np.int32)], 1)
    hidden = image.copy()
    hidden[mask > 0] = np.clip(cover[mask > 0], 0, 255).astype(np.uint8)
    return hidden
