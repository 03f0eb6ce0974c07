"""Contours to masks and curves, against areas and coordinates worked out by hand."""

import re

import numpy as np
import pytest

from lipseg.rendering import masks as contours


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
    masks = contours.masks(square_mouth(), 40, 50)
    expected = np.zeros((40, 50), bool)
    expected[10:22, 10:30] = True
    inner = np.zeros((40, 50), bool)
    inner[14:18, 15:25] = True
    np.testing.assert_array_equal(masks["mouth"], expected)
    np.testing.assert_array_equal(masks["inner"], inner)
    np.testing.assert_array_equal(masks["lips"], expected & ~inner)


def test_upper_and_lower_lip_meet_at_the_corners():
    labels = contours.label_map(square_mouth(), 40, 50)
    assert (labels[10:14, 12:28] == contours.UPPER).all()
    assert (labels[18:22, 12:28] == contours.LOWER).all()
    # Beside the opening the lips are split at the corners' height, 15.5.
    assert (labels[14:16, 11:14] == contours.UPPER).all()
    assert (labels[16:18, 11:14] == contours.LOWER).all()
    assert (labels[14:16, 26:29] == contours.UPPER).all()
    assert (labels[16:18, 26:29] == contours.LOWER).all()


def test_regions_are_consistent():
    points = square_mouth(0.3, -0.2)
    masks = contours.masks(points, 40, 50)
    assert tuple(masks) == contours.REGIONS
    assert not (masks["upper"] & masks["lower"]).any()
    assert not (masks["inner"] & masks["lips"]).any()
    np.testing.assert_array_equal(masks["upper"] | masks["lower"], masks["lips"])
    np.testing.assert_array_equal(masks["lips"] | masks["inner"], masks["mouth"])


def test_a_closed_mouth_has_no_opening():
    points = square_mouth()
    points[28:, 1] = 15.3
    assert contours.masks(points, 40, 50)["inner"].sum() == 0


def test_an_opening_beyond_the_outer_contour_is_cut_off_there():
    points = square_mouth()
    points[28:] += (0, 6)
    masks = contours.masks(points, 40, 50)
    assert masks["mouth"].sum() == 20 * 12
    # Of its rows 20 to 23 the first two lie inside.
    assert masks["inner"].sum() == 10 * 2
    assert not (masks["inner"] & ~masks["mouth"]).any()


@pytest.mark.parametrize("shift", [(-15, 0), (0, -14), (35, 5), (25, 30)])
def test_what_lies_beyond_the_edge_is_cut_off(shift):
    height, width, pad = 40, 50, 60
    inside = contours.label_map(square_mouth(*shift), height, width)
    larger = contours.label_map(square_mouth(shift[0] + pad, shift[1] + pad), height + 2 * pad, width + 2 * pad)
    np.testing.assert_array_equal(inside, larger[pad : pad + height, pad : pad + width])


def test_a_mouth_outside_the_picture_leaves_it_empty():
    assert contours.label_map(square_mouth(500, 0), 40, 50).sum() == 0


def test_large_mouths_without_the_fine_grid_keep_their_area():
    masks = contours.masks(square_mouth() * 100, 2300, 3100)
    assert masks["mouth"].sum() == pytest.approx(2000 * 1200, rel=2e-3)
    assert masks["inner"].sum() == pytest.approx(1000 * 400, rel=5e-3)


@pytest.mark.parametrize("points", [np.zeros((28, 2)), np.full((56, 2), np.nan)])
def test_other_points_are_refused(points):
    with pytest.raises(ValueError, match="56 finite landmarks"):
        contours.label_map(points, 10, 10)


def test_an_unknown_region_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'teeth'.*mouth, lips, inner, upper, lower"):
        contours.region(np.zeros((2, 2), np.uint8), "teeth")


def parse(path: str) -> tuple[np.ndarray, np.ndarray]:
    """The start (2,) and the pieces (n, 3, 2) of a path."""
    match = re.fullmatch(r"M([^CZ]+)((?:C[^CZ]+)+)Z", path)
    assert match is not None
    start = np.array(match[1].split(), float)
    pieces = [np.array(piece.split(), float).reshape(3, 2) for piece in match[2].split("C")[1:]]
    return start, np.array(pieces)


def test_svg_path_goes_through_the_points_and_closes():
    contour = square_mouth(0.37, 0.11)[:28]
    start, pieces = parse(contours.svg_path(contour))
    np.testing.assert_allclose(start, contour[0], atol=0.0051)
    np.testing.assert_allclose(pieces[:, 2], np.roll(contour, -1, axis=0), atol=0.0051)


def test_svg_path_is_smooth_at_every_point():
    angle = np.sort(np.random.default_rng(0).uniform(0, 2 * np.pi, 28))
    contour = np.stack([100 * np.cos(angle), 40 * np.sin(angle)], 1)
    first, second = contours.bezier_controls(contour)
    leaving, arriving = first - contour, contour - np.roll(second, 1, 0)
    cross = leaving[:, 0] * arriving[:, 1] - leaving[:, 1] * arriving[:, 0]
    size = np.linalg.norm(leaving, axis=1) * np.linalg.norm(arriving, axis=1)
    np.testing.assert_allclose(cross / size, 0, atol=1e-9)
    assert ((leaving * arriving).sum(1) > 0).all()


def test_even_points_give_the_catmull_rom_tangents():
    angle = np.arange(8) * np.pi / 4
    contour = np.stack([np.cos(angle), np.sin(angle)], 1)
    first, _ = contours.bezier_controls(contour)
    np.testing.assert_allclose(first, contour + (np.roll(contour, -1, 0) - np.roll(contour, 1, 0)) / 6, atol=1e-12)


def test_points_that_coincide_give_a_finite_curve():
    contour = square_mouth()[:28].copy()
    contour[5:8] = contour[5]
    assert np.isfinite(contours.smooth(contour)).all()
    assert "nan" not in contours.svg_path(contour)


def test_smooth_keeps_the_points_and_stays_near_them():
    angle = np.arange(28) / 28 * 2 * np.pi
    contour = np.stack([np.cos(angle), np.sin(angle)], 1)
    curve = contours.smooth(contour, pieces=5)
    np.testing.assert_allclose(curve[::5], contour, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*curve.T), 1, atol=1e-3)
