"""The landmark scheme against values by hand."""

import numpy as np
import pytest

from lipseg import scheme


def area(polygon: np.ndarray) -> float:
    """Shoelace formula, without sign."""
    x, y = polygon.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def mouth(width: float = 26.0, height: float = 6.0) -> np.ndarray:
    """A rectangular mouth: outer corners at the middle of the sides, inner contour a flat hexagon within.

    The outer contour goes through 14 points on the upper edge and 14 on the lower one; corners 0 and 13 lie on y = 0.
    """
    upper = np.stack([np.linspace(0, width, 14), np.r_[0, np.full(12, -height), 0]], 1)
    lower = np.stack([np.linspace(width, 0, 16), np.r_[0, np.full(14, height), 0]], 1)[1:-1]
    inner_upper = np.stack([np.linspace(2, width - 2, 15), np.r_[0, np.full(13, -1.0), 0]], 1)
    inner_lower = np.stack([np.linspace(width - 2, 2, 15), np.r_[0, np.full(13, 2.0), 0]], 1)[1:-1]
    return np.concatenate([upper, lower, inner_upper, inner_lower])


def ibug_face() -> np.ndarray:
    """68 points of which the lips form rectangles that are easy to walk along."""
    points = np.zeros((68, 2))
    points[48:55] = np.stack([np.linspace(0, 26, 7), np.zeros(7)], 1)  # outer upper: a straight line of 26
    points[55:60] = np.stack([np.linspace(26, 0, 7)[1:-1], np.full(5, 9.0)], 1)
    points[60:65] = np.stack([np.linspace(2, 16, 5), np.full(5, 1.0)], 1)  # inner upper: a straight line of 14
    points[65:68] = np.stack([np.linspace(16, 2, 5)[1:-1], np.full(3, 5.0)], 1)
    points[36:42], points[42:48] = (10, 20), (40, 60)
    return points


def test_mirror_twice_is_the_identity():
    points = np.random.default_rng(0).normal(size=(3, 56, 2))
    np.testing.assert_allclose(scheme.mirror(scheme.mirror(points, 40), 40), points, atol=1e-12)


def test_mirror_flips_x_about_the_middle_and_swaps_the_corners():
    points = mouth()
    flipped = scheme.mirror(points, 101)
    np.testing.assert_allclose(flipped[0], (100 - points[13, 0], points[13, 1]))
    np.testing.assert_allclose(flipped[28], (100 - points[42, 0], points[42, 1]))
    # A mouth that is symmetric about the picture's middle goes over into itself, point by point.
    np.testing.assert_allclose(scheme.mirror(points, 27), points, atol=1e-12)


def test_mirror_does_not_change_its_argument():
    points = mouth()
    before = points.copy()
    scheme.mirror(points, 50)
    np.testing.assert_array_equal(points, before)


def test_mirror_is_a_permutation_within_the_contours():
    assert sorted(scheme.MIRROR[:28]) == list(range(28))
    assert sorted(scheme.MIRROR[28:]) == list(range(28, 56))


def test_retracing_where_the_corners_are_fixed_points_is_the_mirror_permutation():
    points = mouth()
    np.testing.assert_allclose(scheme.retrace(points), points[scheme.MIRROR], atol=1e-9)
    points = scheme.from_68(ibug_face())
    np.testing.assert_allclose(scheme.retrace(points), points[scheme.MIRROR], atol=1e-9)


def test_retracing_begins_at_the_other_corner_wherever_that_is():
    """A diamond drawn as Helen draws it: from the left corner at equal steps, the upper way the shorter one."""
    corners = np.array([[0.0, 0.0], [5.0, -2.0], [10.0, 0.0], [5.0, 4.0]])
    ring = scheme.resample_chain(np.concatenate([corners, corners[:1]]), 29)[:-1]
    traced = scheme.retrace(np.concatenate([ring, ring]))
    far = scheme.far_corner(ring, 13)
    assert far == 13  # the corner lies at 12.8 steps
    for part in (scheme.OUTER, scheme.INNER):
        np.testing.assert_allclose(traced[part][0], ring[far])
        # Still the same contour, run through the other way over the upper side.
        assert area(traced[part]) == pytest.approx(area(ring), rel=0.02)
        assert traced[part][5, 1] < 0 < traced[part][20, 1]
        steps = np.hypot(*np.diff(traced[part], axis=0).T)
        assert (steps > 0.9 * steps.max()).sum() >= 23  # of 27: a step over a corner is cut short


@pytest.mark.parametrize("at", [11, 13, 15])
def test_the_lips_meet_in_the_corner_wherever_it_is(at):
    """An ellipse whose rightmost point is the 11th, 13th or 15th."""
    upper = np.pi * np.arange(at) / at
    turn = np.concatenate([upper, np.pi + np.pi * np.arange(28 - at) / (28 - at)])
    points = mouth()
    points[scheme.OUTER] = np.stack([13 - 13 * np.cos(turn), -8 * np.sin(turn)], 1)
    regions = scheme.region_polygons(points)
    for side, lip in ((-1, regions["upper"]), (1, regions["lower"])):
        assert (side * lip[:, 1] >= -1e-9).all()
        assert lip[:, 0].max() == pytest.approx(26)


def test_landmarks_that_are_not_finite_have_regions_all_the_same():
    regions = scheme.region_polygons(np.full((56, 2), np.nan))
    assert len(regions["upper"]) == 14 + 15


def test_areas_of_the_regions_by_hand():
    regions = scheme.region_polygons(mouth(26, 6))
    # Upper half of the mouth: height 6 over 26, less two end triangles of 2 x 6 / 2 (26 / 13 = 2 between points).
    upper_half = 26 * 6 - 2 * (2 * 6 / 2)
    step = 26 / 15
    lower_half = 26 * 6 - 2 * (step * 6 / 2)
    inner_step = 22 / 14
    inner_up = 22 * 1 - 2 * (inner_step * 1 / 2)
    inner_down = 22 * 2 - 2 * (inner_step * 2 / 2)
    assert area(regions["mouth"]) == pytest.approx(upper_half + lower_half)
    assert area(regions["inner"]) == pytest.approx(inner_up + inner_down)
    assert area(regions["upper"]) == pytest.approx(upper_half - inner_up)
    assert area(regions["lower"]) == pytest.approx(lower_half - inner_down)


def test_resampling_walks_along_the_corner():
    chain = np.array([[0, 0], [3, 0], [3, 3.0]])
    np.testing.assert_allclose(scheme.resample_chain(chain, 5), [[0, 0], [1.5, 0], [3, 0], [3, 1.5], [3, 3]])


def test_resampling_a_single_point_repeats_it():
    np.testing.assert_allclose(scheme.resample_chain(np.array([[2.0, 3], [2, 3]]), 3), np.tile([2.0, 3], (3, 1)))


def test_from_68_keeps_the_corners_and_spaces_the_points_evenly():
    points = scheme.from_68(ibug_face())
    assert points.shape == (56, 2)
    np.testing.assert_allclose(points[:14], np.stack([np.linspace(0, 26, 14), np.zeros(14)], 1), atol=1e-12)
    np.testing.assert_allclose(points[28:43], np.stack([np.linspace(2, 16, 15), np.ones(15)], 1), atol=1e-12)
    np.testing.assert_allclose(points[[0, 13, 28, 42]], [[0, 0], [26, 0], [2, 1], [16, 1]], atol=1e-12)
    # The lower outer half runs from right to left through (21.67, 9) ... (4.33, 9).
    assert (np.diff(points[14:28, 0]) < 0).all()
    assert points[14:28, 1].max() == pytest.approx(9)
    steps = np.hypot(*np.diff(points[13:28], axis=0).T)
    assert steps.max() / steps.min() < 1.35  # equal along the line, somewhat shorter across its two bends
    assert (points[43:56, 1] > 1).all()


@pytest.mark.parametrize("shape", [(67, 2), (68, 3), (56, 2), (2, 68, 2)])
def test_from_68_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="68 points"):
        scheme.from_68(np.zeros(shape))


def test_inter_ocular_distance_of_both_schemes():
    helen = np.zeros((194, 2))
    helen[114:134], helen[134:154] = (30, 40), (0, 0)
    assert scheme.inter_ocular(helen) == pytest.approx(50)
    assert scheme.inter_ocular(ibug_face()) == pytest.approx(50)


@pytest.mark.parametrize("n", [0, 56, 193])
def test_inter_ocular_distance_needs_eyes(n):
    with pytest.raises(ValueError, match=f"not for {n}"):
        scheme.inter_ocular(np.zeros((n, 2)))


def test_names_and_edges_fit_the_contours():
    assert len(scheme.POINT_NAMES) == len(set(scheme.POINT_NAMES)) == scheme.N_POINTS
    corners = [scheme.POINT_NAMES[i] for i in (*scheme.OUTER_CORNERS, *scheme.INNER_CORNERS)]
    assert corners == ["outer_left", "outer_right", "inner_left", "inner_right"]
    for number, name in enumerate(scheme.POINT_NAMES):
        assert name.startswith("outer" if number < 28 else "inner")
        # Mirroring exchanges left and right and keeps the lip.
        other = scheme.POINT_NAMES[scheme.MIRROR[number]]
        assert name.split("_")[1] == {"left": "right", "right": "left"}.get(other.split("_")[1], other.split("_")[1])
    edges = np.array(scheme.EDGES)
    assert (np.bincount(edges.ravel()) == 2).all()
    assert ((edges < 28).all(1) | (edges >= 28).all(1)).all()
    assert set(scheme.REGION_NAMES) == set(scheme.region_polygons(np.zeros((56, 2)))) - {"mouth"}
