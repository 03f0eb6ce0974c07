"""What must hold of frames whatever the box."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lipseg import scheme
from lipseg.boxes import Box
from lipseg.geometry import Affine, View, from_unit, to_unit, view_to_image

coordinates = st.floats(-5e3, 5e3, allow_nan=False)
points = arrays(np.float64, (20, 2), elements=coordinates)
rolls = st.floats(-np.pi, np.pi)
views = st.builds(
    View, size=st.integers(8, 256), shape=st.sampled_from(["square", "stretch"]), margin=st.floats(0.1, 4)
)
boxes = st.tuples(coordinates, coordinates, st.floats(2, 2e3), st.floats(2, 2e3)).map(
    lambda box: np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
)


@settings(max_examples=80, deadline=None)
@given(views, boxes, rolls, st.booleans(), points)
def test_there_and_back_is_within_a_thousandth_of_a_pixel(view, box, roll, mirrored, image_points):
    to_image = view.to_image(box, roll, mirrored)
    assert np.abs(to_image(to_image.inverse()(image_points)) - image_points).max() < 1e-3


@settings(max_examples=80, deadline=None)
@given(views, boxes, rolls, st.booleans())
def test_the_middle_of_the_view_is_the_middle_of_the_box(view, box, roll, mirrored):
    middle = np.full(2, (view.size - 1) / 2)
    np.testing.assert_allclose(view.to_image(box, roll, mirrored)(middle), (box[:2] + box[2:]) / 2, atol=1e-6)


@settings(max_examples=80, deadline=None)
@given(views, boxes, rolls)
def test_the_view_of_a_box_is_that_of_its_corners_and_roll(view, box, roll):
    of_box = view.of(Box.from_corners(*box.tolist(), roll=roll))
    np.testing.assert_allclose(of_box.matrix, view.to_image(box, roll).matrix, rtol=1e-6, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(views, boxes)
def test_a_view_with_room_shows_the_whole_box(view, box):
    if view.shape == "square" and view.margin < 1:
        return
    corners = to_unit(view.to_image(box).inverse()(box.reshape(2, 2)), view.size)
    assert corners.min() > -1e-6
    assert corners.max() < 1 + 1e-6


@settings(max_examples=50, deadline=None)
@given(views, boxes, rolls)
def test_mirrored_views_show_mirrored_landmarks(view, box, roll):
    image_points = np.random.default_rng(0).uniform(box[:2], box[2:], (56, 2))
    plain = view.to_image(box, roll).inverse()(image_points)
    mirrored = view.to_image(box, roll, mirrored=True).inverse()(image_points)
    np.testing.assert_allclose(mirrored[scheme.MIRROR], scheme.mirror(plain, view.size), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(points, st.integers(1, 1024))
def test_unit_coordinates_there_and_back(crop_points, size):
    np.testing.assert_allclose(from_unit(to_unit(crop_points, size), size), crop_points, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(boxes, boxes, rolls, points)
def test_after_is_one_map_after_the_other(first_box, second_box, roll, some_points):
    first = view_to_image(first_box[:2], first_box[2:] - first_box[:2], 32, roll)
    second = view_to_image(second_box[:2], second_box[2:] - second_box[:2], 64, -roll)
    expected = second(first(some_points))
    np.testing.assert_allclose(second.after(first)(some_points), expected, rtol=1e-9, atol=1e-4)
    assert np.isclose(second.after(first).scale, second.scale * first.scale)
    assert isinstance(second.after(first), Affine)
