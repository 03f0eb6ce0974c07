"""Soft mattes: how much of each pixel the lips cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipseg.rendering import polygons
from lipseg.rendering.coverage import scanline_coverage
from lipseg.rendering.curves import smooth
from lipseg.rendering.masks import label_map, region
from lipseg.rendering.matte import matte


def mouth(x=70.3, y=50.7, width=50.0, height=25.0, opening=8.0, roll=0.0):
    """Two ellipses; ``width``, ``height`` and ``opening`` are half axes."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return np.concatenate([ring * [width, height], ring * [0.6 * width, opening]]) @ turn.T + [x, y]


def area(contour):
    return polygons.area(smooth(contour))


mouths = st.builds(
    mouth,
    x=st.floats(-30, 150),
    y=st.floats(-30, 110),
    width=st.floats(2, 60),
    height=st.floats(1, 40),
    opening=st.floats(0, 30),
    roll=st.floats(-3.2, 3.2),
)


@pytest.mark.parametrize("roll", [0.0, 0.4, 1.57])
def test_the_area_is_that_inside_the_curves(roll):
    points = mouth(roll=roll)
    for name, contour in (("mouth", points[:28]), ("inner", points[28:])):
        assert matte(points, 120, 150, name).sum() == pytest.approx(area(contour), rel=5e-4)


def test_a_rectangle_is_covered_exactly():
    corners = np.array([[1.25, 0.5], [4.0, 0.5], [4.0, 2.5], [1.25, 2.5]])
    covered = scanline_coverage(corners, (0, 0), 4, 6, 8).mean(1)
    # Pixel 1 spans 0.5..1.5 and is covered from 1.25 on; pixel 4 spans 3.5..4.5 and is covered up to 4.
    across = np.array([0, 0.25, 1, 1, 0.5, 0])
    np.testing.assert_allclose(covered, np.outer([0, 1, 1, 0], across), atol=1e-6)


def test_inside_is_what_an_odd_number_of_edges_encloses():
    bow = np.array([[0.0, 0.0], [8.0, 8.0], [8.0, 0.0], [0.0, 8.0]])  # two triangles that meet in the middle
    assert scanline_coverage(bow, (0, 0), 9, 9, 16).mean(1).sum() == pytest.approx(32, rel=0.01)


def test_a_part_of_the_picture_is_the_picture_cut():
    polygon = smooth(mouth()[:28])
    whole = scanline_coverage(polygon, (0, 0), 90, 140, 4)
    np.testing.assert_allclose(scanline_coverage(polygon, (40, 33), 20, 50, 4), whole[33:53, :, 40:90], atol=1e-6)


def test_where_it_is_more_than_half_the_label_map_agrees():
    points = mouth(roll=0.2)
    for name in ("mouth", "inner", "lips"):
        hard = region(label_map(points, 110, 150), name)
        soft = matte(points, 110, 150, name)
        # They differ by the polygon's chords under the curve, on pixels of the outline only.
        assert np.count_nonzero((soft > 0.5) != hard) < 0.02 * np.count_nonzero(hard)
        assert not np.any(hard & (soft < 0.05))


def test_a_closed_mouth_has_no_sliver():
    points = mouth(opening=0.0)
    assert matte(points, 110, 150, "inner").max() == 0
    np.testing.assert_array_equal(matte(points, 110, 150), matte(points, 110, 150, "mouth"))


def test_all_points_in_one_place_cover_nothing():
    assert matte(np.full((56, 2), 20.25), 40, 40).max() == 0


@pytest.mark.parametrize("far", [(-1e6, 0), (1e7, 1e7), (0, -500), (400, 20)])
def test_far_outside_there_is_nothing(far):
    assert matte(mouth() + far, 60, 80).max() == 0


def test_a_large_mouth_keeps_its_area_in_bounded_memory():
    points = mouth(1500, 900, 1400, 800, 300)
    assert matte(points, 1800, 3000, "mouth").sum() == pytest.approx(area(points[:28]), rel=1e-4)


def test_an_opening_beyond_the_outer_contour_is_cut_off():
    points = mouth(opening=60.0)
    inner = matte(points, 120, 150, "inner")
    assert np.all(inner <= matte(points, 120, 150, "mouth") + 1e-6)


@pytest.mark.parametrize("name", ["upper", "", "teeth"])
def test_other_regions_are_refused(name):
    with pytest.raises(ValueError, match="unknown region"):
        matte(mouth(), 10, 10, name)


def test_other_landmarks_are_refused():
    with pytest.raises(ValueError, match="landmarks"):
        matte(np.zeros((55, 2)), 10, 10)
    with pytest.raises(ValueError, match="finite"):
        matte(np.full((56, 2), np.nan), 10, 10)


@settings(max_examples=40, deadline=None)
@given(mouths)
def test_lips_and_opening_make_up_the_mouth(points):
    lips, inner, whole = (matte(points, 80, 120, name) for name in ("lips", "inner", "mouth"))
    for covered in (lips, inner, whole):
        assert covered.dtype == np.float32
        assert covered.min() >= 0
        assert covered.max() <= 1
    np.testing.assert_allclose(lips + inner, whole, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(mouths, st.integers(0, 40), st.integers(0, 30))
def test_moving_points_and_picture_together_changes_nothing(points, right, down):
    here = matte(points, 80, 120)
    there = matte(points + np.array([right, down]), 80 + down, 120 + right)
    np.testing.assert_allclose(there[down:, right:], here, atol=1e-4)
