"""Polygons for annotation tools, for any shape in any place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipseg import scheme
from lipseg.rendering.polygons import area, clipped, from_corner, regions_in_picture


@st.composite
def stars(draw) -> np.ndarray:
    """A polygon that does not cross itself and need not be convex, about anywhere."""
    n = draw(st.integers(3, 12))
    radius = np.array(draw(st.lists(st.floats(0.5, 30), min_size=n, max_size=n)))
    angle = 2 * np.pi * np.arange(n) / n
    centre = np.array([draw(st.floats(-20, 60)), draw(st.floats(-20, 50))])
    return centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


@settings(max_examples=50)
@given(stars(), st.integers(1, 40), st.integers(1, 40))
def test_the_clipped_part_lies_in_the_picture(polygon, height, width):
    part = clipped(polygon, height, width)
    assert (part >= 0).all()
    assert (part <= (width, height)).all()
    assert area(part) <= min(area(polygon), height * width) + 1e-6


@settings(max_examples=20)
@given(stars(), st.integers(20, 50), st.integers(20, 50))
def test_parts_of_tiles_make_up_the_whole(polygon, height, width):
    tiles = [(x, y) for x in range(-60, 100, width) for y in range(-60, 90, height)]
    total = sum(area(clipped(polygon - tile, height, width)) for tile in tiles)
    assert total == pytest.approx(area(polygon), abs=1e-6)


@settings(max_examples=20)
@given(stars())
def test_a_polygon_inside_stays_as_it_is(polygon):
    inside = polygon - polygon.min(0)
    high = np.ceil(inside.max(0)).astype(int)
    np.testing.assert_array_equal(clipped(inside, int(high[1]), int(high[0])), inside)


def test_areas_known_by_hand():
    square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    assert area(square) == area(square[::-1] + 1e6) == 16
    assert area(clipped(square - 1, 2, 10)) == 3 * 2
    assert area(clipped(square + 20, 10, 10)) == 0
    assert area(np.zeros((0, 2))) == 0


def test_regions_that_lie_outside_are_left_out():
    t = 2 * np.pi * np.arange(28) / 28
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    # Image rows 0 to 19; the centre of the mouth 25 above the picture: only the lower lip reaches into it.
    landmarks = np.concatenate([30 * ring, 10 * ring]) + np.array([50, -25])
    assert list(regions_in_picture(landmarks, 20, 100)) == ["lower_lip"]
    np.testing.assert_array_equal(from_corner(landmarks), landmarks + 0.5)
    found = regions_in_picture(landmarks + np.array([0, 60]), 100, 100)
    assert list(found) == list(scheme.REGION_NAMES.values())
    whole = area(landmarks[:28])
    assert sum(map(area, found.values())) == pytest.approx(whole, rel=1e-6)
