"""Grids of pictures."""

import numpy as np
import pytest

from lipseg.data.sheets import tile


def flat(value: int, height: int = 4, width: int = 6) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_tile_lays_pictures_out_row_by_row_on_white():
    sheet = tile([flat(10), flat(20), flat(30)], columns=2, pad=3)
    assert sheet.shape == (2 * (4 + 3) + 3, 2 * (6 + 3) + 3, 3)
    assert (sheet[3:7, 3:9] == 10).all()
    assert (sheet[3:7, 12:18] == 20).all()
    assert (sheet[10:14, 3:9] == 30).all()
    assert (sheet[10:14, 12:18] == 255).all()
    assert (sheet[:3] == 255).all()
    assert (sheet[:, 9:12] == 255).all()


def test_tile_is_no_wider_than_its_pictures():
    assert tile([flat(1)], columns=5, pad=0).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("images", "columns", "said"),
    [([], 2, "at least one picture"), ([flat(1)], 0, "column"), ([flat(1), flat(1, 5)], 2, "one shape")],
)
def test_tile_refuses_what_makes_no_grid(images, columns, said):
    with pytest.raises(ValueError, match=said):
        tile(images, columns)
