"""The highlights of wet lips, which gloss adds."""

import cv2
import numpy as np

from lipseg import scheme
from lipseg.makeup.grey import Grey, blur, ramp, step
from lipseg.makeup.region import Region

# OpenCV draws no broader line.
_BROADEST_PX = 32767


def wet_highlights(ratio: Grey, region: Region) -> Grey:
    """Returns the highlights of wet lips, 0..1: (h, w).

    A streak along the ridge of each lip, broken up by the texture, and only where the lips are lit.

    Args:
        ratio: (h, w) lightness over the lips' own.
        region: of the lips.
    """
    canvas = np.zeros(ratio.shape, np.float32)
    outer, inner = region.points[scheme.OUTER], region.points[scheme.INNER]
    halves = (
        # The lip's outer and inner chain of points; where the ridge lies between the inner (0) and the outer one (1);
        # where it begins and ends along the lip, 0..1; strength.
        (outer[:14], inner[:15], 0.62, 0.3, 0.7, 0.55),
        (np.vstack([outer[13:], outer[:1]])[::-1], np.vstack([inner[14:], inner[:1]])[::-1], 0.42, 0.25, 0.75, 1.0),
    )
    for outline, edge, height, start, stop, strength in halves:
        ridge = (1 - height) * scheme.resample_chain(edge, 41) + height * scheme.resample_chain(outline, 41)
        thickness = float(
            np.median(np.linalg.norm(scheme.resample_chain(outline, 9) - scheme.resample_chain(edge, 9), axis=1))
        )
        along = np.linspace(0, 1, 41)
        # A thin lip has no room for a streak: it would look like a wire.
        strength *= step(thickness / region.width, 0.02, 0.12)
        light = strength * np.clip(np.minimum(along - start, stop - along) / 0.15, 0, 1)
        streak = np.zeros_like(canvas)
        vertices = np.round(np.clip(ridge, -1e6, 1e6) * 16).astype(np.int32)
        broad = min(max(1, round(0.12 * thickness)), _BROADEST_PX)
        for index in np.flatnonzero(light):
            cv2.line(
                streak, vertices[index], vertices[min(index + 1, 40)], (float(light[index]),), broad, cv2.LINE_8, 4
            )
        canvas = np.maximum(canvas, blur(streak, max(0.12 * thickness, 0.9)))
    return canvas * np.clip(1 + 6 * (region.texture(ratio) - 1), 0.3, 2.0) * ramp(ratio, 0.75, 1.05)
