"""Pictures for people to look at: contours drawn over a mouth, and grids of equal pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.scheme import INNER, OUTER, Points

Colour = tuple[int, int, int]

OUTER_COLOUR: Colour = (0, 230, 255)
INNER_COLOUR: Colour = (255, 220, 0)

# cv2 takes fixed-point coordinates with this many fractional bits.
_SHIFT = 6


def tile(images: Sequence[NDArray[np.uint8]], columns: int, pad: int = 2) -> NDArray[np.uint8]:
    """Returns equal pictures laid out row by row on white, every one with ``pad`` white pixels around it.

    Args:
        images: at least one picture (height, width, 3) uint8, all of one shape.
        columns: pictures a row; a single row is no wider than it needs to be.
        pad: white pixels between neighbours and along the border.

    Raises:
        ValueError: if there is no picture, ``columns`` is below 1 or the shapes differ.
    """
    if not images:
        raise ValueError("a sheet needs at least one picture")
    if columns < 1:
        raise ValueError(f"a sheet needs at least one column, not {columns}")
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise ValueError(f"the pictures of a sheet must have one shape, not {shapes[0]} and {shapes[1]}")
    height, width, channels = images[0].shape
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + pad) + pad, columns * (width + pad) + pad, channels), 255, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = pad + row * (height + pad), pad + column * (width + pad)
        sheet[top : top + height, left : left + width] = image
    return sheet


def draw_contours(
    image: NDArray[np.uint8],
    points: Points,
    *,
    scale: int = 1,
    outer: Colour = OUTER_COLOUR,
    inner: Colour = INNER_COLOUR,
    thickness: int = 1,
) -> NDArray[np.uint8]:
    """Returns an enlarged copy of a picture with the two lip contours over it, anti-aliased and closed.

    Contours of which a point is not finite are left out; those that reach over the edge are cut off there.

    Args:
        image: (height, width, 3) uint8 RGB.
        points: (56, 2) landmarks (x, y) in the picture's pixels, pixel centres at integers.
        scale: how many times larger the copy is.
        outer: RGB of the outer contour.
        inner: RGB of the inner contour.
        thickness: of the lines in pixels of the copy.

    Returns:
        (scale * height, scale * width, 3) uint8.
    """
    canvas = image.copy()
    if scale != 1:
        canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    canvas = np.ascontiguousarray(canvas)
    # The copy's pixel centres lie half a pixel off the picture's: x -> (x + 0.5) * scale - 0.5.
    placed = (np.asarray(points, float) + 0.5) * scale - 0.5
    for part, colour in ((INNER, inner), (OUTER, outer)):
        contour = placed[part]
        # Beyond this the fixed-point coordinates would overflow.
        if np.isfinite(contour).all() and np.abs(contour).max() < 2**24:
            fixed = np.round(contour * 2**_SHIFT).astype(np.int32)
            cv2.polylines(canvas, [fixed], True, colour, thickness, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.uint8, copy=False)
