"""The colour of bare lips, which paint is measured against."""

from dataclasses import astuple, dataclass

import numpy as np

from lipseg.makeup.grey import Floats, Grey


@dataclass(frozen=True, slots=True)
class LipTone:
    """The colour of bare lips, in Oklab: what paint is measured against.

    Attributes:
        lightness: the median L.
        highlight: the L from which on it shines (the 85th percentile).
        a: the median a.
        b: the median b.
    """

    lightness: float
    highlight: float
    a: float
    b: float

    def towards(self, other: "LipTone", share: float) -> "LipTone":
        """Returns the tone a share of the way, 0..1, to another."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return LipTone(*(mine + share * (its - mine) for mine, its in pairs))


def measure_tone(lab: Floats, alpha: Grey) -> LipTone:
    """Returns the tone of the lips by medians over the well covered pixels.

    Args:
        lab: (h, w, 3) Oklab.
        alpha: (h, w) share of the lips, 0..1.
    """
    chosen = alpha > min(0.9, 0.8 * float(alpha.max()))
    lightness, highlight = np.percentile(lab[..., 0][chosen], (50, 85)) if chosen.any() else (0.5, 0.5)
    a, b = np.median(lab[chosen][:, 1:], axis=0) if chosen.any() else (0.0, 0.0)
    return LipTone(max(float(lightness), 0.05), max(float(highlight), 0.05), float(a), float(b))
