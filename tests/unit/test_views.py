"""What the model is shown of a picture, now and at another look, without the picture."""

import cv2
import numpy as np
import pytest

from lipseg.boxes import Box
from lipseg.geometry import View, warp
from lipseg.inference.mouths import Candidate
from lipseg.inference.views import cut_views

PICTURE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8), (0, 0), 4.0)
PICTURE = cv2.normalize(PICTURE, None, 0, 255, cv2.NORM_MINMAX)
VIEW = View(24, "square", 1.6)
MOUTHS = [Candidate(Box(120, 90, 40, 20, 0.3)), Candidate(Box(5, 190, 30, 12))]


def test_a_view_for_every_mouth():
    cut = cut_views(PICTURE, MOUTHS, VIEW)
    assert cut.pixels.shape == (2, 24, 24, 3)
    assert cut.picture_size == (200, 300)
    for mouth, to_image, pixels in zip(MOUTHS, cut.to_image, cut.pixels, strict=True):
        np.testing.assert_array_equal(to_image.matrix, VIEW.of(mouth.box).matrix)
        np.testing.assert_array_equal(pixels, warp(PICTURE, to_image, 24))
    assert (cut.found, cut.reason, list(cut.around)) == (False, "", [])


def test_no_mouths_have_no_views():
    cut = cut_views(PICTURE, [], VIEW, found=True, reason="no face found", again=True)
    assert cut.pixels.shape == (0, 24, 24, 3)
    assert (cut.to_image, list(cut.around), cut.reason) == ([], [], "no face found")


@pytest.mark.parametrize("moved", [(0, 0), (6, -4), (-10, 8)])
def test_another_look_shows_what_the_picture_would(moved):
    cut = cut_views(PICTURE, MOUTHS, VIEW, found=True, again=True)
    box = MOUTHS[0].box.moved(*moved)
    again = cut.again(0, box, VIEW)
    to_image, pixels = again.to_image, again.pixels
    np.testing.assert_array_equal(to_image.matrix, VIEW.of(box).matrix)
    off = np.abs(pixels.astype(float) - warp(PICTURE, to_image, 24)).mean()
    assert off < 3


def test_the_picture_is_not_kept():
    cut = cut_views(PICTURE, MOUTHS, VIEW, found=True, again=True)
    for kept in (cut.pixels, *(part.pixels for part in cut.around)):
        assert not np.shares_memory(kept, PICTURE)


def test_a_stretched_view_has_no_other_look():
    assert list(cut_views(PICTURE, MOUTHS, View(24, "stretch", 6.0), again=True).around) == []
