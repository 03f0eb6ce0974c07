"""Grids of pictures and contours over them."""

import numpy as np
import pytest

from lipseg.data.sheets import draw_contours, tile


def flat(value: int, height: int = 4, width: int = 6) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def square(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """28 points round a rectangle."""
    t = np.linspace(0, 1, 7, endpoint=False)
    xs = np.concatenate([x0 + (x1 - x0) * t, np.full(7, x1), x1 + (x0 - x1) * t, np.full(7, x0)])
    ys = np.concatenate([np.full(7, y0), y0 + (y1 - y0) * t, np.full(7, y1), y1 + (y0 - y1) * t])
    return np.stack([xs, ys], 1)


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


def test_contours_lie_on_their_points_and_the_picture_is_left_alone():
    image = flat(0, 40, 50)
    points = np.concatenate([square(10, 8, 40, 30), square(18, 14, 32, 24)])
    drawn = draw_contours(image, points, outer=(255, 0, 0), inner=(0, 255, 0))
    assert not image.any()
    assert drawn.shape == image.shape
    assert drawn[8, 25, 0] > 200  # upper edge of the outer contour, red
    assert drawn[19, 40, 0] > 200  # right edge
    assert drawn[19, 10, 0] > 200  # left edge
    assert drawn[10, 10, 0] > 200  # between the last point and the first: the contour is closed
    assert drawn[14, 25, 1] > 200  # inner contour, green
    assert drawn[19, 18, 1] > 200
    assert not drawn[11, 25].any()  # between the two
    assert not drawn[19, 25].any()


@pytest.mark.parametrize("scale", [2, 3])
def test_enlarged_contours_keep_to_pixel_centres(scale):
    points = np.concatenate([square(10, 10, 30, 30), square(15, 15, 25, 25)])
    drawn = draw_contours(flat(0, 40, 40), points, scale=scale, outer=(255, 0, 0))
    assert drawn.shape == (40 * scale, 40 * scale, 3)
    # The middle of the left edge's ink, weighted over a row: x = (10 + 0.5) * scale - 0.5.
    ink = drawn[20 * scale, : 13 * scale, 0].astype(float)
    assert (ink * np.arange(len(ink))).sum() / ink.sum() == pytest.approx((10 + 0.5) * scale - 0.5, abs=0.15)


def test_contours_are_placed_between_pixels():
    points = np.concatenate([square(10.5, 10, 30, 30), square(15, 15, 25, 25)])
    row = draw_contours(flat(0, 40, 40), points, outer=(255, 0, 0))[20, :, 0].astype(int)
    assert row[10] > 80
    assert abs(row[10] - row[11]) < 60


def test_contours_that_are_not_finite_or_far_outside_are_left_out_or_cut():
    points = np.concatenate([square(10, 10, 30, 30), square(15, 15, 25, 25)])
    points[3] = np.nan
    drawn = draw_contours(flat(0, 40, 40), points, outer=(255, 0, 0), inner=(0, 255, 0))
    assert not drawn[..., 0].any()
    assert drawn[..., 1].any()
    points[3] = 1e30
    assert not draw_contours(flat(0, 40, 40), points, outer=(255, 0, 0), inner=(0, 255, 0))[..., 0].any()
    assert draw_contours(flat(0, 20, 20), points + 500)[..., 0].sum() == 0
