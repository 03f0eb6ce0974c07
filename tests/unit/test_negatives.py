"""The pictures without a face."""

import numpy as np
import pytest

from lipseg.data.negatives import KINDS, draw_negative


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_picture_and_the_same_for_a_seed(kind):
    first, again, other = (draw_negative(np.random.default_rng(seed), 40, 60, kind) for seed in (1, 1, 2))
    assert first.shape == (40, 60, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_kind_is_drawn_where_none_is_named():
    with pytest.raises(ValueError, match="unknown kind 'face'"):
        draw_negative(np.random.default_rng(0), 9, 9, "face")
    assert draw_negative(np.random.default_rng(0), 9, 9).shape == (9, 9, 3)
