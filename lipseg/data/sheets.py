"""Contact sheets: grids of equal pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


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
