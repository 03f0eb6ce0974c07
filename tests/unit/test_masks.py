"""Landmarks to masks, against areas worked out by hand."""

import numpy as np
import pytest

from lipseg.rendering.masks import LOWER, REGIONS, UPPER, label_map, masks, region


def rectangle(x0: float, y0: float, x1: float, y1: float, corner: int) -> np.ndarray:
    """28 points around a rectangle in the scheme's order: from the middle of the left side over the top to point
    ``corner`` in the middle of the right side, and back along the bottom."""
    middle = (y0 + y1) / 2
    top = [(x0, middle), *((x, y0) for x in np.linspace(x0, x1, corner - 1)), (x1, middle)]
    bottom = [(x, y1) for x in np.linspace(x1, x0, 28 - len(top))]
    return np.array(top + bottom, float)


def square_mouth(dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
    """A mouth of 20 x 12 pixels with an opening of 10 x 4 in its middle."""
    outer, inner = rectangle(9.5, 9.5, 29.5, 21.5, 13), rectangle(14.5, 13.5, 24.5, 17.5, 14)
    return np.concatenate([outer, inner]) + np.array([dx, dy])


def test_rectangles_cover_exactly_the_pixels_whose_centres_they_hold():
    found = masks(square_mouth(), 40, 50)
    expected = np.zeros((40, 50), bool)
    expected[10:22, 10:30] = True
    inner = np.zeros((40, 50), bool)
    inner[14:18, 15:25] = True
    np.testing.assert_array_equal(found["mouth"], expected)
    np.testing.assert_array_equal(found["inner"], inner)
    np.testing.assert_array_equal(found["lips"], expected & ~inner)


def test_upper_and_lower_lip_meet_at_the_corners():
    labels = label_map(square_mouth(), 40, 50)
    assert (labels[10:14, 12:28] == UPPER).all()
    assert (labels[18:22, 12:28] == LOWER).all()
    # Beside the opening the lips are split at the corners' height, 15.5.
    assert (labels[14:16, 11:14] == UPPER).all()
    assert (labels[16:18, 11:14] == LOWER).all()
    assert (labels[14:16, 26:29] == UPPER).all()
    assert (labels[16:18, 26:29] == LOWER).all()


def test_regions_are_consistent():
    points = square_mouth(0.3, -0.2)
    found = masks(points, 40, 50)
    assert tuple(found) == REGIONS
    assert not (found["upper"] & found["lower"]).any()
    assert not (found["inner"] & found["lips"]).any()
    np.testing.assert_array_equal(found["upper"] | found["lower"], found["lips"])
    np.testing.assert_array_equal(found["lips"] | found["inner"], found["mouth"])


def test_a_closed_mouth_has_no_opening():
    points = square_mouth()
    points[28:, 1] = 15.3
    assert masks(points, 40, 50)["inner"].sum() == 0


def test_an_opening_beyond_the_outer_contour_is_cut_off_there():
    points = square_mouth()
    points[28:] += (0, 6)
    found = masks(points, 40, 50)
    assert found["mouth"].sum() == 20 * 12
    # Of its rows 20 to 23 the first two lie inside.
    assert found["inner"].sum() == 10 * 2
    assert not (found["inner"] & ~found["mouth"]).any()


@pytest.mark.parametrize("shift", [(-15, 0), (0, -14), (35, 5), (25, 30)])
def test_what_lies_beyond_the_edge_is_cut_off(shift):
    height, width, pad = 40, 50, 60
    inside = label_map(square_mouth(*shift), height, width)
    larger = label_map(square_mouth(shift[0] + pad, shift[1] + pad), height + 2 * pad, width + 2 * pad)
    np.testing.assert_array_equal(inside, larger[pad : pad + height, pad : pad + width])


def test_a_mouth_outside_the_picture_leaves_it_empty():
    assert label_map(square_mouth(500, 0), 40, 50).sum() == 0


def test_large_mouths_without_the_fine_grid_keep_their_area():
    found = masks(square_mouth() * 100, 2300, 3100)
    assert found["mouth"].sum() == pytest.approx(2000 * 1200, rel=2e-3)
    assert found["inner"].sum() == pytest.approx(1000 * 400, rel=5e-3)


@pytest.mark.parametrize("points", [np.zeros((28, 2)), np.full((56, 2), np.nan)])
def test_other_points_are_refused(points):
    with pytest.raises(ValueError, match="56 finite landmarks"):
        label_map(points, 10, 10)


def test_an_unknown_region_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'teeth'.*mouth, lips, inner, upper, lower"):
        region(np.zeros((2, 2), np.uint8), "teeth")
