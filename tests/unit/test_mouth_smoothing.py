"""Smoothing over time: no lag, parabolas kept, noise lessened, any times, few samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipseg.mouth_clips.params import ClipParams
from lipseg.mouth_clips.path import MouthPath
from lipseg.mouth_clips.smoothing import smooth_over_time
from lipseg.scheme import OUTER_CORNERS

_ANGLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_RING = np.stack([-np.cos(_ANGLE), -0.5 * np.sin(_ANGLE)], 1)
MOUTH = np.concatenate([_RING, 0.5 * _RING])  # two wide, about (0, 0)
TILT = np.arctan2(*(MOUTH[OUTER_CORNERS[1]] - MOUTH[OUTER_CORNERS[0]])[::-1])  # of the line between its corners


def times_of(gaps):
    return np.cumsum(gaps)


@given(
    st.lists(st.floats(0.01, 0.2), min_size=3, max_size=60).map(times_of),
    st.tuples(*[st.floats(-50, 50)] * 3),
    st.floats(0.03, 1.0),
)
def test_a_parabola_stays_as_it_is_at_any_times(times, coefficients, deviation):
    a, b, c = coefficients
    values = (a + b * times + c * times**2)[:, None]
    off = np.abs(smooth_over_time(times, values, deviation) - values).max()
    assert off <= 1e-3 * (1 + np.ptp(values))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_samples_stay_as_they_are(n):
    values = np.arange(2.0 * n).reshape(n, 2) ** 2
    np.testing.assert_allclose(smooth_over_time(np.arange(n) / 25, values, 0.06), values, atol=1e-2)


def test_noise_is_lessened_and_nothing_lags():
    times = np.arange(2500) / 25
    wave = np.sin(2 * np.pi * times / 2)
    noise = np.random.default_rng(0).normal(0, 0.05, len(times))
    smoothed = smooth_over_time(times, (wave + noise)[:, None], 0.08)[:, 0]
    assert (smoothed - wave)[5:-5].std() < 0.7 * noise.std()
    late = [np.square(smoothed[10:-10] - np.sin(np.pi * (times - delay))[10:-10]).sum() for delay in (-0.02, 0, 0.02)]
    assert np.argmin(late) == 1


def test_forwards_and_backwards_are_the_same():
    rng = np.random.default_rng(1)
    times, values = np.cumsum(rng.uniform(0.02, 0.08, 300)), rng.normal(size=(300, 2))
    back = smooth_over_time(-times[::-1], values[::-1], 0.1)[::-1]
    np.testing.assert_allclose(smooth_over_time(times, values, 0.1), back, atol=1e-9)


def points(x, y, width, roll):
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return np.array([x, y]) + width / 2 * MOUTH @ turn.T


@pytest.mark.parametrize("align", ["similarity", "none"])
def test_the_mouth_comes_upright_centred_and_as_wide_as_asked(align):
    times = np.arange(50) / 25
    seen = np.stack([points(100 + 20 * t, 80, 60, 0.3) for t in times])
    path = MouthPath(times, seen, ClipParams(width=100, height=50, align=align, mouth_width=42.0))
    to_picture = path.to_picture(times[20])
    clip = to_picture.inverse()(seen[20])
    np.testing.assert_allclose(clip.mean(0), [49.5, 24.5], atol=1e-3)
    left, right = clip[list(OUTER_CORNERS)]
    assert np.hypot(*(right - left)) == pytest.approx(42.0, rel=1e-3)
    tilt = np.arctan2(*(right - left)[::-1]) - (0.0 if align == "similarity" else 0.3)
    assert tilt == pytest.approx(0.0 if align == "similarity" else TILT, abs=1e-3)


def test_lips_that_purse_keep_their_width_in_the_clip_and_a_head_that_comes_nearer_does_not():
    times = np.arange(200) / 25
    speech = 60 * (1 + 0.15 * np.sin(2 * np.pi * 4 * times))
    nearer = 60 * (1 + 0.3 * np.sin(2 * np.pi * times / 10))
    widths = {}
    for name, sizes in (("speech", speech), ("nearer", nearer)):
        seen = np.stack([points(100, 80, size, 0.0) for size in sizes])
        path = MouthPath(times, seen, ClipParams())
        widths[name] = np.array(
            [np.ptp(path.to_picture(t).inverse()(p)[:, 0]) for t, p in zip(times, seen, strict=True)]
        )
    middle = slice(40, -40)
    assert np.ptp(widths["speech"][middle]) > 0.25 * widths["speech"].mean()
    assert np.ptp(widths["nearer"][middle]) < 0.02 * widths["nearer"].mean()


def test_a_short_gap_is_bridged_and_a_long_one_is_not():
    times = np.concatenate([np.arange(10), np.arange(15, 25), np.arange(60, 70)]) / 25
    seen = np.stack([points(100 + 50 * t, 80, 60, 0.0) for t in times])
    path = MouthPath(times, seen, ClipParams())
    between = path.to_picture(12 / 25)
    assert between(np.array([47.5, 47.5])) == pytest.approx([100 + 50 * 12 / 25, 80], abs=0.1)
    assert path.to_picture(40 / 25) is None
    assert path.to_picture(-1.0) is None
    assert path.to_picture(9.0) is None
    assert path.to_picture(times[-1]) is not None
