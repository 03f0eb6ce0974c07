"""Frames: the transform between image and view, and resampling, against values by hand."""

import cv2
import numpy as np
import pytest

from lipseg import scheme
from lipseg.boxes import Box
from lipseg.geometry import Affine, View, bounding_box, from_unit, to_unit, view_to_image, warp


def gradient(height: int, width: int, scale: float = 1.0) -> np.ndarray:
    """Returns a picture whose red is ``scale`` x, green ``scale`` y, and blue constant."""
    y, x = np.mgrid[:height, :width]
    return np.round(np.stack([x * scale, y * scale, np.full_like(x, 90.0, float)], -1)).astype(np.uint8)


def pixels(size: int) -> np.ndarray:
    """Returns the (size, size, 2) coordinates x, y of a view's pixels."""
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).astype(float)


def test_affine_by_hand():
    affine = Affine(np.array([[0.0, -2.0, 5.0], [2.0, 0.0, 7.0]]))
    np.testing.assert_allclose(affine(np.array([[1.0, 2.0], [0, 0]])), [[1, 9], [5, 7]])
    np.testing.assert_allclose(affine.inverse()(np.array([1.0, 9.0])), [1, 2])
    assert affine.scale == pytest.approx(2)


def test_after_applies_the_first_map_first():
    shift = Affine(np.array([[1.0, 0, 10], [0, 1, 0]]))
    double = Affine(np.array([[2.0, 0, 0], [0, 2, 0]]))
    np.testing.assert_allclose(double.after(shift)(np.array([1.0, 1])), [22, 2])
    np.testing.assert_allclose(shift.after(double)(np.array([1.0, 1])), [12, 2])


def test_a_view_s_centre_and_corners_by_hand():
    to_image = view_to_image(np.array([50.0, 40]), np.array([20.0, 10]), 5)
    # The middle pixel of five is the centre; a pixel is 4 x 2 image pixels.
    np.testing.assert_allclose(to_image(np.array([2.0, 2])), [50, 40])
    np.testing.assert_allclose(to_image(np.array([0.0, 0])), [42, 36])
    # Its outer edges, half a pixel out, are the sides that were asked for.
    np.testing.assert_allclose(to_image(np.array([[-0.5, -0.5], [4.5, 4.5]])), [[40, 35], [60, 45]])


def test_roll_turns_the_view_s_x_axis_towards_plus_y():
    to_image = view_to_image(np.zeros(2), np.full(2, 11.0), 11, roll=np.pi / 2)
    np.testing.assert_allclose(to_image(np.array([[5.0, 5], [6, 5], [5, 6]])), [[0, 0], [0, 1], [-1, 0]], atol=1e-12)


def test_a_mirrored_view_swaps_left_and_right():
    plain = view_to_image(np.array([30.0, 20]), np.full(2, 16.0), 8, roll=0.3)
    mirrored = view_to_image(np.array([30.0, 20]), np.full(2, 16.0), 8, roll=0.3, mirrored=True)
    grid = pixels(8)
    np.testing.assert_allclose(mirrored(grid), plain(grid)[:, ::-1], atol=1e-12)


@pytest.mark.parametrize("roll", [0.0, -0.4])
def test_mirrored_landmarks_agree_with_the_scheme(roll):
    points = np.random.default_rng(0).uniform(10, 50, (56, 2))
    box = bounding_box(points)
    view = View(size=32, shape="square", margin=1.5)
    plain = view.to_image(box, roll).inverse()(points)
    mirrored = view.to_image(box, roll, mirrored=True).inverse()(points)
    np.testing.assert_allclose(mirrored[scheme.MIRROR], scheme.mirror(plain, 32), atol=1e-9)


def test_mirrored_pixels_agree_with_mirrored_landmarks():
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    view = View(size=24, shape="square", margin=1.0)
    box = np.array([15.0, 20, 39, 40])
    plain, mirrored = (warp(image, view.to_image(box, mirrored=m), 24) for m in (False, True))
    assert np.abs(plain[:, ::-1].astype(int) - mirrored).max() <= 2


def test_a_square_view_s_side_is_a_multiple_of_the_longer_side():
    to_image = View(size=10, shape="square", margin=1.5).to_image(np.array([10.0, 20, 50, 30]))
    np.testing.assert_allclose(to_image(np.array([[-0.5, -0.5], [9.5, 9.5]])), [[0, -5], [60, 55]])


def test_a_stretched_view_widens_every_side_by_its_margin_in_pixels():
    to_image = View(size=10, shape="stretch", margin=4.0).to_image(np.array([10.0, 20, 50, 30]))
    np.testing.assert_allclose(to_image(np.array([[-0.5, -0.5], [9.5, 9.5]])), [[6, 16], [54, 34]])


def test_the_view_of_a_box_turns_about_the_box_s_own_centre():
    box = Box.from_corners(10.0, 20.0, 50.0, 30.0, roll=np.pi / 2)
    square = View(size=10, shape="square", margin=1.5).of(box)
    np.testing.assert_allclose(
        square(np.array([[-0.5, -0.5], [9.5, -0.5], [4.5, 4.5]])), [[60, -5], [60, 55], [30, 25]]
    )
    # The box's width, turned, runs down the picture.
    stretched = View(size=10, shape="stretch", margin=4.0).of(box)
    np.testing.assert_allclose(stretched(np.array([[-0.5, -0.5], [9.5, -0.5]])), [[39, 1], [39, 49]])


def test_unit_coordinates_run_between_the_outer_edges():
    np.testing.assert_allclose(to_unit(np.array([[-0.5, 39.5], [19.5, 0]]), 40), [[0, 1], [0.5, 0.0125]])
    np.testing.assert_allclose(from_unit(np.array([[0, 1], [0.5, 0.0125]]), 40), [[-0.5, 39.5], [19.5, 0]])


def test_bounding_boxes_of_a_batch():
    points = np.array([[[1.0, 5], [3, 2]], [[0, 0], [-1, 4]]])
    np.testing.assert_array_equal(bounding_box(points), [[1, 2, 3, 5], [-1, 0, 0, 4]])


@pytest.mark.parametrize(
    ("side", "roll", "size"),
    [
        (40, 0.0, 40),  # one to one
        (24, 0.0, 48),  # enlarged
        (46, 0.3, 40),  # shrunk a little: sampled directly
        (120, 0.0, 40),  # shrunk by 3: averaged first
        (100, 0.5, 24),  # shrunk by 4.2 and turned
        (130, -0.4, 64),  # by 2.03: the ratio is not whole
    ],
)
def test_a_gradient_s_pixels_say_where_they_come_from(side, roll, size):
    image = gradient(220, 240)
    to_image = view_to_image(np.array([121.3, 108.6]), np.full(2, float(side)), size, roll)
    view = warp(image, to_image, size)
    assert view.shape == (size, size, 3)
    assert view.dtype == np.uint8
    off = view[..., :2].astype(float) - to_image(pixels(size))
    # The picture holds whole numbers; half of one is rounding.
    assert np.abs(off).max() < 1.05
    assert np.abs(off.mean((0, 1))).max() < 0.2
    assert (view[..., 2] == 90).all()


def test_a_stretched_view_s_gradient():
    image = gradient(200, 240)
    to_image = view_to_image(np.array([120.0, 100]), np.array([150.0, 60]), 40)
    off = warp(image, to_image, 40)[..., :2] - to_image(pixels(40))
    assert np.abs(off).max() < 1.6
    assert np.abs(off.mean((0, 1))).max() < 0.2


def test_a_view_partly_outside_repeats_the_edge():
    image = gradient(60, 80)
    for side, size in ((40, 40), (160, 40)):
        to_image = view_to_image(np.array([0.0, 0.0]), np.full(2, float(side)), size)
        view = warp(image, to_image, size)
        where = to_image(pixels(size))
        expected = np.clip(where, 0, [79, 59])
        near = np.abs(view[..., :2] - expected).max(-1)
        assert near.max() <= 1.0 if side == size else near.max() <= 2.5
        assert (view[where[..., 0] < -4, 0] <= 2).all()


@pytest.mark.parametrize("centre", [(-500.0, 30.0), (40.0, 900.0), (-500.0, -500.0)])
@pytest.mark.parametrize("side", [20, 200])
def test_a_view_wholly_outside_shows_the_nearest_edge(centre, side):
    image = gradient(60, 80)
    view = warp(image, view_to_image(np.array(centre), np.full(2, float(side)), 20), 20)
    assert view.shape == (20, 20, 3)
    if centre[0] < -200:
        assert view[..., 0].max() <= 4
    if centre[1] > 500:
        assert view[..., 1].min() >= 55


def test_shrinking_does_not_alias():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    view = warp(stripes, view_to_image(np.full(2, 63.5), np.full(2, 100.0), 20), 20)
    assert np.abs(view.astype(int) - 127).max() < 40


def test_a_picture_of_one_pixel_can_be_looked_at():
    image = np.full((1, 1, 3), 77, np.uint8)
    for side in (1.0, 200.0):
        assert (warp(image, view_to_image(np.zeros(2), np.full(2, side), 8), 8) == 77).all()


@pytest.mark.parametrize("across", [False, True])
def test_a_picture_longer_than_opencv_warps_is_cut_first(across):
    # A strip of 40000 pixels whose red tells the place within 200 pixels; warpAffine takes 32766 at most.
    place = np.zeros((60, 40000, 3), np.uint8)
    place[..., 0] = np.arange(40000) % 200
    at = np.array([39100.0, 30.0])
    if across:
        place, at = place.transpose(1, 0, 2).copy(), at[::-1]
    view = warp(place, view_to_image(at, np.full(2, 40.0), 40), 40)
    wanted = (39100 + np.arange(40) - 19.5) % 200
    found = view[:, 20, 0] if across else view[20, :, 0]
    np.testing.assert_allclose(found, wanted, atol=1)


@pytest.mark.parametrize(
    ("side", "size"),
    [
        (120, 40),  # by 3: not halved, so the same
        (240, 40),  # by 6: halved once
        (400, 30),  # by 13.3: twice
        (900, 30),  # by more than the picture holds
    ],
)
@pytest.mark.parametrize("at", [(201.3, 148.6), (3.0, 290.0)])
def test_a_fast_view_shows_what_the_exact_one_does(side, size, at):
    noise = np.random.default_rng(0).integers(0, 255, (301, 403, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), side / size)
    picture = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    to_image = view_to_image(np.array(at), np.full(2, float(side)), size, 0.2)
    exact, fast = (warp(picture, to_image, size, fast=fast).astype(int) for fast in (False, True))
    if side / size < 6:
        np.testing.assert_array_equal(fast, exact)
    assert np.abs(fast - exact).mean() < 3
    assert abs((fast - exact).mean()) < 0.6


def test_a_fast_view_of_a_picture_that_is_too_flat_to_be_halved():
    for shape in ((1, 1, 3), (1, 300, 3), (3, 300, 3)):
        image = np.full(shape, 77, np.uint8)
        to_image = view_to_image(np.array([shape[1] / 2, 0.0]), np.full(2, 200.0), 8)
        assert (warp(image, to_image, 8, fast=True) == 77).all()
