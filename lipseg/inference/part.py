"""The surroundings of a mouth, kept for a second view so that the whole picture need not be."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.geometry import Affine, warp


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A rectangle of a picture, shrunk by a whole number.

    Attributes:
        pixels: (height, width, 3) uint8 RGB, of its own memory.
        to_image: map from its pixels to the picture's.
    """

    pixels: NDArray[np.uint8]
    to_image: Affine

    def view(self, to_image: Affine, size: int) -> NDArray[np.uint8]:
        """Returns a (size, size, 3) view of the picture as ``warp`` does; beyond the part its edge pixels repeat."""
        return warp(self.pixels, self.to_image.inverse().after(to_image), size)


def part_shown(image: NDArray[np.uint8], to_image: Affine, size: int) -> Part:
    """Returns the part of a picture that a view shows, at the view's resolution or up to twice that.

    Much cheaper than the view: blocks of whole pixels are averaged, or the rectangle is merely copied. However large
    the picture, a part has some (2.9 * size) ** 2 pixels at most: twice as fine, and the view on its corner.

    Args:
        image: (height, width, 3) uint8 RGB.
        to_image: map from the view's pixels to the picture's.
        size: pixels a side of the view.
    """
    x0, y0, x1, y1 = to_image.reach(size, size)
    limit = np.array(image.shape[1::-1])
    low = np.clip(np.floor([x0, y0]), 0, limit - 1).astype(int)
    high = np.clip(np.ceil([x1, y1]) + 1, low + 1, limit).astype(int)
    block = max(1, min(int(to_image.scale), *(limit - low)))
    # Whole blocks: at the picture's right and lower edge less than one of them, a pixel of the view, is left out.
    count = np.minimum(-(-(high - low) // block), (limit - low) // block)
    high = low + count * block
    pixels = image[low[1] : high[1], low[0] : high[0]]
    if block == 1:
        pixels = pixels.copy()
    else:
        pixels = cv2.resize(pixels, (int(count[0]), int(count[1])), interpolation=cv2.INTER_AREA)
    offset = low + (block - 1) / 2
    return Part(pixels, Affine(np.column_stack([np.eye(2) * block, offset])))  # type: ignore[arg-type]
