"""The annotators' bias to one side: found in what mirrored faces have too much, and taken out of landmarks."""

import numpy as np
import pytest

from lipseg.inference.annotation_bias import sideways_bias, without_bias


def ellipses():
    """Two contours about the origin, upright, of unit RMS radius: (56, 2)."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    points = np.concatenate([ring * [2, 1], ring * [1.5, 0.4]])
    return points / np.sqrt((points**2).sum(1).mean())


def test_the_shift_is_found_whatever_the_points_do_along_the_contours():
    shape, shift = ellipses(), np.array([0.05, -0.02])
    along = np.concatenate([np.roll(part, -1, 0) - np.roll(part, 1, 0) for part in (shape[:28], shape[28:])])
    slid = np.random.default_rng(0).normal(size=(56, 1)) * along
    np.testing.assert_allclose(sideways_bias((-2 * shift + slid).ravel(), shape), shift, atol=1e-6)


@pytest.mark.parametrize("roll", [0.0, 0.7, np.pi / 2])
def test_the_shift_is_taken_out_in_the_mouth_s_own_frame(roll):
    turn = 30 * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    bias = np.array([0.05, -0.02], np.float32)
    shown = (ellipses() + bias) @ turn.T + [200, 90]
    found = without_bias(shown, bias)
    assert found.dtype == np.float32
    # Corners 13 and 42 of the scheme are not opposite to 0 and 28 on these ellipses, which turns the frame a little.
    np.testing.assert_allclose(found, ellipses() @ turn.T + [200, 90], atol=0.15)
