"""How often each source's faces are shown."""

from dataclasses import replace

import numpy as np
import pytest

from lipseg.training.shares import faces_shown


@pytest.fixture
def two(crops):
    """The drawn faces as if every third were of another source."""
    names = [f"{'other' if i % 3 == 1 else 'one'}/{i}" for i in range(len(crops))]
    return replace(crops, names=np.array(names))


@pytest.mark.parametrize("weights", [(), (1.0, 1.0)])
def test_without_weights_every_face_is_shown_alike(two, weights):
    np.testing.assert_array_equal(faces_shown(two, 2, weights, 0, 3), np.repeat(two.indices("train"), 2))


def test_weights_multiply_a_source_s_views_and_epochs_take_turns(two):
    epochs = [faces_shown(two, 1, (0.5, 3.0), 0, epoch) for epoch in range(8)]
    assert len({len(shown) for shown in epochs}) == 1
    for k, weight in enumerate((0.5, 3.0)):
        own = [i for i in two.indices("train") if two.source[i] == k]
        times = np.bincount(np.concatenate(epochs), minlength=len(two))[own]
        assert times.sum() == 8 * round(weight * len(own))
        assert np.ptp(times) <= 1  # no face is left behind
    np.testing.assert_array_equal(epochs[5], faces_shown(two, 1, (0.5, 3.0), 0, 5))
    assert set(np.concatenate(epochs)) == set(two.indices("train"))
