"""The filter that steadies landmarks: what it must keep, what it must quieten, and how late it may be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipseg.tracking.one_euro import OneEuroFilter, OneEuroParams, smoothing

RATE = 30.0


def run(points, times, size=100.0, params=None):
    euro = OneEuroFilter(params)
    return np.array([euro(p, t, size) for p, t in zip(points, times, strict=True)])


def still(n=300, noise=0.4, seed=0):
    return 200 + np.random.default_rng(seed).normal(0, noise, (n, 56, 2)), np.arange(n) / RATE


def test_the_weight_is_the_papers():
    # tau = 1 / (2 pi f), alpha = 1 / (1 + tau / Te)
    assert smoothing(1.0, 1 / 30) == pytest.approx(1 / (1 + (1 / (2 * np.pi)) * 30))


def test_a_still_mouth_is_quieter():
    points, times = still()
    assert run(points, times)[60:].std(0).mean() < 0.55 * points[60:].std(0).mean()


@pytest.mark.parametrize("widths_a_second", [0.1, 0.3, 1.0, 4.0])
def test_a_moving_mouth_is_at_most_two_frames_late(widths_a_second):
    times = np.arange(90) / RATE
    path = np.zeros((90, 56, 2))
    path[..., 0] = 100 * widths_a_second * times[:, None]
    behind_px = path[-1, 0, 0] - run(path, times)[-1, 0, 0]
    assert 0 <= behind_px / (100 * widths_a_second / RATE) < 2


def test_a_mouth_that_opens_is_at_most_two_frames_late():
    times = np.arange(60) / RATE
    path = np.zeros((60, 56, 2))
    path[:, :, 1] = np.clip((times - 1) / 0.2, 0, 1)[:, None] * 20  # lips part by a fifth of the width in 0.2 s
    halfway = 1.1
    out = run(path, times)[:, 0, 1]
    late = np.interp(10, out, times) - halfway
    assert 0 <= late * RATE < 2


@given(scale=st.floats(0.1, 10), angle=st.floats(-3, 3), shift=st.floats(-1e3, 1e3))
def test_zoom_turn_and_shift_commute_with_it(scale, angle, shift):
    rng = np.random.default_rng(1)
    points = np.cumsum(rng.normal(0, 2, (12, 5, 2)), 0)
    times = np.cumsum(rng.uniform(0.01, 0.1, 12))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = run(points @ turn.T + shift, times, 100 * scale)
    np.testing.assert_allclose(moved, run(points, times) @ turn.T + shift, atol=1e-6 * max(1, abs(shift)))


def test_the_times_count_and_not_the_number_of_frames():
    # With every other frame missing, a step has been followed about as far after the same time.
    def reached(times):
        path = np.where(times[:, None, None] > 0.5, 1.0, 0.0) * np.ones((1, 3, 2))
        return run(path, times, params=OneEuroParams(min_cutoff=1.0, beta=0.0))[-1, 0, 0]

    assert reached(np.arange(0, 1, 1 / 60)) == pytest.approx(reached(np.arange(0, 1, 1 / 30)), abs=0.05)


def test_the_first_points_and_points_at_the_same_time():
    euro = OneEuroFilter()
    first = np.ones((56, 2), np.float32)
    np.testing.assert_array_equal(euro(first, 3.0, 50), first)
    np.testing.assert_array_equal(euro(first + 9, 3.0, 50), first)
    euro.reset()
    np.testing.assert_array_equal(euro(first + 9, 0.0, 50), first + 9)


def test_parameters_that_make_no_sense():
    with pytest.raises(ValueError, match="positive"):
        OneEuroParams(min_cutoff=0)
