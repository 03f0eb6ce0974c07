"""The lips drawn over a picture."""

import numpy as np
import pytest

from lipseg.rendering import palette
from lipseg.rendering.overlay import draw_lips

RED, GREEN = (255, 0, 0), (0, 255, 0)


def black(height: int = 40, width: int = 50) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def square(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """28 points round a rectangle."""
    t = np.linspace(0, 1, 7, endpoint=False)
    xs = np.concatenate([x0 + (x1 - x0) * t, np.full(7, x1), x1 + (x0 - x1) * t, np.full(7, x0)])
    ys = np.concatenate([np.full(7, y0), y0 + (y1 - y0) * t, np.full(7, y1), y1 + (y0 - y1) * t])
    return np.stack([xs, ys], 1)


def mouth() -> np.ndarray:
    return np.concatenate([square(10, 8, 40, 30), square(18, 14, 32, 24)])


def test_contours_lie_on_their_points_in_the_picture_itself():
    image = black()
    drawn = draw_lips(image, mouth(), outer=RED, inner=GREEN)
    assert drawn is image
    assert drawn[8, 25, 0] > 200  # upper edge of the outer contour, red
    assert drawn[19, 40, 0] > 200  # right edge
    assert drawn[19, 10, 0] > 200  # left edge
    assert drawn[10, 10, 0] > 200  # between the last point and the first: the contour is closed
    assert drawn[14, 25, 1] > 180  # inner contour, green
    assert drawn[19, 18, 1] > 200
    assert not drawn[11, 25].any()  # between the two
    assert not drawn[19, 25].any()


def test_contours_are_placed_between_pixels():
    points = np.concatenate([square(10.5, 10, 30, 30), square(15, 15, 25, 25)])
    row = draw_lips(black(), points, outer=RED)[20, :, 0].astype(int)
    assert row[10] > 80
    assert abs(row[10] - row[11]) < 60


def test_a_contour_with_a_broken_point_is_left_out_and_one_outside_is_cut():
    points = mouth()
    points[3] = np.nan
    drawn = draw_lips(black(), points, outer=RED, inner=GREEN, tinted=True, label="7")
    assert not drawn[..., 0].any()
    assert drawn[..., 1].any()
    points[3] = 1e30
    assert not draw_lips(black(), points, outer=RED, inner=GREEN)[..., 0].any()
    assert not draw_lips(black(), mouth() + 500).any()
    assert draw_lips(black(), mouth() + 20)[28:, 45].any()


def test_regions_are_tinted_when_it_is_asked_for():
    grey = np.full((40, 50, 3), 100, np.uint8)
    plain, tinted = draw_lips(grey.copy(), mouth()), draw_lips(grey.copy(), mouth(), tinted=True)
    assert (plain[11, 25] == 100).all()
    for place, colour in (((11, 25), 1), ((27, 25), 2), ((19, 25), 3)):
        np.testing.assert_allclose(tinted[place], 0.65 * 100 + 0.35 * np.array(palette.LABELS[colour]), atol=1)
    assert (tinted[3, 5] == 100).all()


@pytest.mark.parametrize(("scale", "narrowest", "widest"), [(1, 1, 2), (10, 3, 7), (30, 9, 15)])
def test_lines_are_as_wide_as_the_mouth_asks_for(scale, narrowest, widest):
    image = draw_lips(black(40 * scale, 50 * scale), scale * mouth(), outer=RED)
    across = image[19 * scale, : 14 * scale, 0].astype(float) / 255
    # OpenCV's anti-aliased lines are some pixels wider than they are asked to be.
    assert narrowest <= across.sum() <= widest


def test_a_label_stands_above_the_mouth():
    plain, labelled = draw_lips(black(80, 80), mouth() + 30), draw_lips(black(80, 80), mouth() + 30, label="12")
    rows, columns = np.nonzero((plain != labelled).any(2))
    assert rows.max() < 38
    assert columns.min() >= 38
    assert (labelled[rows, columns].max(0) <= palette.OUTER).all()


def test_the_colours_of_lines_can_be_told_apart():
    colours = np.array([palette.OUTER, palette.INNER, palette.TRUTH], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert apart[np.triu_indices(3, 1)].min() > 90
    assert palette.css(palette.LIPS) == "#d55e00"
