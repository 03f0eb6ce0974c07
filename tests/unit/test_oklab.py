"""Oklab against its author's values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipseg.makeup import oklab

# Linear sRGB to CIE XYZ of D65 (IEC 61966-2-1).
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


# The table of Ottosson's post: XYZ and what Oklab must be, to three decimals.
@pytest.mark.parametrize(
    ("xyz", "lab"),
    [
        ((0.950, 1.000, 1.089), (1.000, 0.000, 0.000)),
        ((1.000, 0.000, 0.000), (0.450, 1.236, -0.019)),
        ((0.000, 1.000, 0.000), (0.922, -0.671, 0.263)),
        ((0.000, 0.000, 1.000), (0.153, -1.415, -0.449)),
    ],
)
def test_published_values(xyz, lab):
    np.testing.assert_allclose(oklab.from_linear(np.linalg.solve(XYZ, xyz)), lab, atol=2e-3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # Oklab of the sRGB primaries as CSS Color 4 has them.
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 255, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_primaries(rgb, lab):
    np.testing.assert_allclose(oklab.from_rgb8(np.array(rgb, np.uint8)), lab, atol=2e-4)


def test_bytes_come_back_exactly():
    rgb = np.random.default_rng(0).integers(0, 256, (40000, 3)).astype(np.uint8)
    np.testing.assert_array_equal(oklab.to_rgb8(oklab.from_rgb8(rgb)), rgb)
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    np.testing.assert_array_equal(oklab.to_rgb8(oklab.from_rgb8(grey)), grey)
    np.testing.assert_allclose(oklab.from_rgb8(grey)[:, 1:], 0, atol=1e-3)


@given(st.tuples(*[st.floats(0.01, 1)] * 3), st.floats(0.05, 1))
def test_dimmer_light_scales_all_three_alike(rgb, light):
    full, dim = oklab.from_linear(np.array(rgb)), oklab.from_linear(light * np.array(rgb))
    np.testing.assert_allclose(dim, full * light ** (1 / 3), atol=2e-5)


@given(st.tuples(st.floats(0, 1), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)))
def test_linear_light_comes_back(lab):
    light = oklab.to_linear(np.array(lab))
    again = oklab.from_linear(light)
    # float32 holds sums of the channels to 1e-7 of the brightest one, the rounding of four products more.
    np.testing.assert_allclose(oklab.to_linear(again), light, atol=1e-5 * max(float(np.abs(light).max()), 1e-3))
    # The cube root is infinitely steep at 0: where a cone sees next to nothing, a rounding of 1e-8 becomes 2e-3.
    np.testing.assert_allclose(again, lab, atol=1e-2)
