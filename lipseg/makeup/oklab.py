"""Oklab, a colour space in which equal steps look equal.

Ottosson, "A perceptual color space for image processing", 2020: https://bottosson.github.io/posts/oklab/

Its axes are L (lightness, 0..1), a (green to red) and b (blue to yellow). They are linear in the cube roots of the
eye's responses to light: dimming the light by a factor k multiplies L, a and b alike by the cube root of k. That is
why shading can be carried over from one surface to another by a ratio of L.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Linear sRGB to the responses of the eye's cones, and their cube roots to L, a, b (the matrices of the post of 2020 in
# their revision of 2021-01-25).
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_CONES_BACK = np.linalg.inv(_CONES.astype(np.float64)).astype(np.float32)
_LAB_BACK = np.linalg.inv(_LAB.astype(np.float64)).astype(np.float32)


def _decoding_table() -> NDArray[np.float32]:
    """Returns (256,) the linear light, 0..1, of each sRGB byte (IEC 61966-2-1)."""
    code = np.arange(256) / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _decoding_table()


def from_linear(rgb: Floats) -> Floats:
    """Returns linear sRGB (..., 3), 0..1 within the gamut, as Oklab (..., 3) float32."""
    return np.cbrt(rgb.astype(np.float32) @ _CONES.T) @ _LAB.T


def to_linear(lab: Floats) -> Floats:
    """Returns Oklab (..., 3) as linear sRGB (..., 3) float32; what lies outside 0..1 is outside the gamut."""
    roots = lab.astype(np.float32) @ _LAB_BACK.T
    return (roots * roots * roots) @ _CONES_BACK.T


def from_rgb8(rgb: NDArray[np.uint8]) -> Floats:
    """Returns sRGB bytes (..., 3) as Oklab (..., 3) float32."""
    return from_linear(_LINEAR[rgb])


def to_rgb8(lab: Floats) -> NDArray[np.uint8]:
    """Returns Oklab (..., 3) as sRGB bytes (..., 3), clipped to the gamut; undoes ``from_rgb8``."""
    linear = np.clip(to_linear(lab), 0.0, 1.0)
    code = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, np.float32(1 / 2.4)) - 0.055)
    return np.round(255 * code).astype(np.uint8)
