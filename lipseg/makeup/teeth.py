"""What is no lip although it lies within the lips' landmarks: teeth, the dark mouth cavity, hair; told by colour."""

import numpy as np

from lipseg.makeup.grey import Floats, Grey, blur, ramp, step
from lipseg.makeup.region import Region
from lipseg.makeup.tone import LipTone

_BLUR = 0.006  # deviation, in shares of the mouth's width
# Lips with less chroma over lightness than this are grey (a black-and-white photo): colour cannot tell teeth from lips.
_GREY = 0.04


def not_lips(lab: Floats, tone: LipTone, region: Region) -> Grey:
    """Returns how surely a pixel, 0..1, is no lip: (h, w).

    Judged by lightness against the lips' and by saturation (chroma over lightness, which shading leaves alone) along
    the lips' hue. Teeth are bright and pale, and looked for near the inner contour only: on the lips themselves that
    is a highlight. The mouth's cavity and hair are dark and pale.
    """
    lightness = np.maximum(lab[..., 0], 1e-3)
    ratio = lightness / np.float32(tone.lightness)
    chroma = float(np.hypot(tone.a, tone.b))
    saturation = chroma / tone.lightness
    coloured = float(step(saturation, _GREY, 2 * _GREY))
    along = (lab[..., 1] * tone.a + lab[..., 2] * tone.b) / (max(chroma, 1e-3) * lightness) / max(saturation, 1e-3)
    pale = 1 - ramp(along, 0.5, 0.85)
    teeth = pale * ramp(ratio, 1.05, 1.2) * coloured + ramp(ratio, 1.3, 1.6) * (1 - coloured)
    cavity = ramp(-ratio, -0.6, -0.35)
    hair = (1 - ramp(along, 0.35, 0.7)) * ramp(-ratio, -0.8, -0.55) * coloured
    return blur(np.maximum(np.maximum(teeth, cavity) * region.band, hair), _BLUR * region.width)
