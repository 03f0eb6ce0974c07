"""What is kept of a picture for another look shows the same as the picture itself."""

import cv2
import numpy as np
import pytest

from lipseg.geometry import view_to_image, warp
from lipseg.inference.part import part_shown

SIZE = 40
# Smooth, so that a sample's exact place shows and its interpolation does not.
PICTURE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (301, 400, 3), np.uint8), (0, 0), 6.0)
PICTURE = cv2.normalize(PICTURE, None, 0, 255, cv2.NORM_MINMAX)


@pytest.mark.parametrize("roll", [0.0, 0.6])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.9, 2.2, 4.7])
def test_a_view_of_the_part_is_one_of_the_picture(scale, roll):
    centre, side = np.array([190.3, 151.8]), scale * SIZE
    part = part_shown(PICTURE, view_to_image(centre, np.full(2, side), SIZE, roll), SIZE)
    # Another look at less, a little aside.
    within = view_to_image(centre + 0.04 * side, np.full(2, 0.6 * side), SIZE, roll + 0.1)
    shown, expected = part.view(within, SIZE).astype(float), warp(PICTURE, within, SIZE).astype(float)
    assert np.abs(shown - expected).mean() < 1.5
    assert np.abs(shown.mean((0, 1)) - expected.mean((0, 1))).max() < 0.5
    assert max(part.pixels.shape) <= 2.9 * SIZE


@pytest.mark.parametrize("scale", [1.0, 3.4])
def test_it_keeps_nothing_of_the_picture(scale):
    part = part_shown(PICTURE, view_to_image(np.array([200.0, 150]), np.full(2, scale * SIZE), SIZE), SIZE)
    assert not np.shares_memory(part.pixels, PICTURE)
    assert part.pixels.base is None


@pytest.mark.parametrize("centre", [(0.0, 0.0), (399.0, 300.0), (-90.0, 150.0), (200.0, 900.0)])
def test_at_the_edge_the_last_pixels_repeat(centre):
    to_image = view_to_image(np.array(centre), np.full(2, 3.0 * SIZE), SIZE)
    shown = part_shown(PICTURE, to_image, SIZE).view(to_image, SIZE).astype(float)
    # Less than a block may be missing at the right and lower edge.
    assert np.abs(shown - warp(PICTURE, to_image, SIZE)).mean() < 6


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 90, 3), (90, 2, 3)])
def test_a_picture_thinner_than_a_block(shape):
    to_image = view_to_image(np.array([0.0, 0.0]), np.full(2, 8.0 * SIZE), SIZE)
    part = part_shown(np.full(shape, 7, np.uint8), to_image, SIZE)
    assert (part.view(to_image, SIZE) == 7).all()
