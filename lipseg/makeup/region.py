"""The part of a picture that holds the lips, and how much of each of its pixels is lip."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.makeup.grey import Grey, blur, ramp, step
from lipseg.rendering.coverage import scanline_coverage
from lipseg.rendering.curves import smooth

# Lengths in shares of the mouth's width.
_FEATHER = 0.013  # deviation of the blur that softens the edge
_BAND = (0.02, 0.055)  # how far from the inner contour teeth are looked for: surely, and no longer
# Blurred coverage with no paint yet, and with all of it. On a straight contour it is 0.5: the paint ends half a
# deviation outside of it and is full one and a half inside.
_EDGE = (0.32, 0.92)
# The same for the opening; at its edge the paint has ended.
_OPENING_EDGE = (0.12, 0.5)
# Height of the opening over the mouth's width: up to the first the mouth is closed and its seam is painted over, from
# the second on the opening is left bare.
_OPEN = (0.012, 0.035)
# Deviation of the blur that parts the lips' texture, which is finer, from their shading.
_TEXTURE = 0.04
# Vertices farther away are drawn as if they lay here: OpenCV counts sixteenths of a pixel in 32 bits.
_FAR_PX = 1e6
# Scan lines a pixel row of the coverage; the feather hides more.
_LINES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The part of the picture that holds the lips.

    Attributes:
        rows: of the picture.
        columns: of the picture.
        points: (56, 2) float64 landmarks in the part's pixels.
        width: the mouth's width in pixels.
        alpha: (h, w) 0..1 softened share of the lips.
        band: (h, w) 1 near the inner contour, 0 far from it.
    """

    rows: slice
    columns: slice
    points: NDArray[np.float64]
    width: float
    alpha: Grey
    band: Grey

    @classmethod
    def of(cls, landmarks: NDArray[np.floating[Any]], height: int, width: int) -> "Region | None":
        """Returns the part of a picture of this size under the lips, or None where they lie outside."""
        if landmarks.shape != (scheme.N_POINTS, 2) or not np.isfinite(landmarks).all():
            raise ValueError(f"expected {scheme.N_POINTS} finite landmarks, got an array of shape {landmarks.shape}")
        points = landmarks.astype(np.float64)
        outer = smooth(points[scheme.OUTER])
        across = float(np.ptp(outer, axis=0).max())
        # Beyond one deviation outside the contour the blurred coverage is below ``_EDGE``: no paint.
        low = np.floor(outer.min(0) - _FEATHER * across).astype(np.int64)
        high = np.ceil(outer.max(0) + _FEATHER * across).astype(np.int64) + 1
        limit = np.array([width, height])
        low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
        columns, rows = (int(n) for n in high - low)
        if min(columns, rows) <= 0 or across < 1:
            return None
        corner = (int(low[0]), int(low[1]))
        inner = smooth(points[scheme.INNER])
        mouth = scanline_coverage(outer, corner, rows, columns, _LINES)
        opening = np.minimum(scanline_coverage(inner, corner, rows, columns, _LINES), mouth).mean(1)
        mouth = mouth.mean(1)
        # ``blur`` repeats the border's pixels, so that lips which the picture's edge cuts do not fade out there.
        alpha = ramp(blur(mouth, _FEATHER * across), *_EDGE) * (
            1 - ramp(blur(opening, _FEATHER * across), *_OPENING_EDGE)
        )
        alpha *= 1 - opening * step(_opening_height(points) / across, *_OPEN)
        line = np.full((rows, columns), 255, np.uint8)
        vertices = np.round(np.clip(inner - low, -_FAR_PX, _FAR_PX) * 16).astype(np.int32)
        cv2.polylines(line, [vertices], True, (0,), 1, cv2.LINE_8, 4)
        # Where the part holds nothing of the inner contour, OpenCV says the largest float32.
        distance = np.minimum(cv2.distanceTransform(line, cv2.DIST_L2, 3), across) / across
        return cls(
            rows=slice(corner[1], corner[1] + rows),
            columns=slice(corner[0], corner[0] + columns),
            points=points - low,
            width=across,
            alpha=alpha.astype(np.float32),
            band=1 - ramp(distance.astype(np.float32), *_BAND),
        )

    def texture(self, grey: Grey) -> Grey:
        """Returns the texture of an (h, w) picture of the part: its values over those of their surroundings."""
        return grey / blur(grey, _TEXTURE * self.width)


def _opening_height(points: NDArray[np.float64]) -> float:
    """Returns how high the opening between the lips is, in pixels: its area over two thirds of its width."""
    x, y = points[scheme.INNER].T
    area = abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2
    return 1.5 * area / max(float(np.hypot(np.ptp(x), np.ptp(y))), 1e-6)
