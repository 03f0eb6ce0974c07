"""How lips look under paint: the paint's colour with the lips' shading, texture and highlights."""

import numpy as np

from lipseg.makeup import oklab
from lipseg.makeup.finish import Finish
from lipseg.makeup.grey import Floats, Grey, blur, ramp
from lipseg.makeup.highlights import wet_highlights
from lipseg.makeup.region import Region
from lipseg.makeup.tone import LipTone

Colour = tuple[int, int, int]

# Lengths in shares of the mouth's width.
_RIM = 0.025  # deviation of the blur of the lips' share whose value tells how deep inside the lips a pixel lies
_RIM_AVERAGE = 0.05  # deviation of the average over the lips beside the rim
# How much brighter than the lips beside it the rim may be.
_RIM_EXCESS = 1.05
# Share of the way from the bare lips' lightness to the lipstick's own that full paint goes. Not all of it, because the
# picture's exposure is unknown: lips that are brighter than the light of the picture allows seem to glow.
_DARKEN, _LIGHTEN = 0.75, 0.4


def under_paint(lab: Floats, tone: LipTone, region: Region, colour: Colour, finish: Finish) -> Floats:
    """Returns the lips as they look under paint that covers fully: (h, w, 3) Oklab.

    Args:
        lab: (h, w, 3) Oklab, the bare lips.
        tone: of the bare lips.
        region: of the lips.
        colour: the lipstick's (R, G, B), bytes.
        finish: how it treats the light.
    """
    paint = oklab.from_rgb8(np.array(colour, np.uint8))
    step = float(paint[0]) - tone.lightness
    target = tone.lightness + step * (_DARKEN if step < 0 else _LIGHTEN)
    # A target darker than the paint means dimmer light, which scales L, a and b alike.
    chroma = paint[1:] * min(1.0, target / max(float(paint[0]), 0.05))

    lightness = lab[..., 0]
    diffuse = np.minimum(lightness, np.float32(tone.highlight))
    ratio = np.maximum(diffuse, 1e-3) / np.float32(tone.lightness)
    rim, limit = _rim(ratio, region)
    ratio = np.maximum(ratio - rim * np.maximum(ratio - limit, 0), np.float32(1e-3))
    # Paint lighter than the lips raises their lightness and with it the noise of a dark picture: less texture then.
    texture = finish.texture * min(1.0, tone.lightness / target)
    if texture != 1.0:
        ratio = ratio * region.texture(ratio) ** np.float32(texture - 1)
    painted = np.empty_like(lab)
    painted[..., 0] = target * ratio
    painted[..., 1:] = chroma * ratio[..., None]

    reflected = (1 - rim) * (lightness - diffuse) * np.float32(finish.highlights / max(1 - tone.highlight, 0.1))
    if finish.shine:
        reflected = reflected + wet_highlights(ratio, region) * np.float32(finish.shine)
    white = np.array([1.0, 0.0, 0.0], np.float32)
    return painted + np.clip(reflected, 0.0, 0.95)[..., None] * (white - painted)


def _rim(ratio: Grey, region: Region) -> tuple[Grey, Grey]:
    """Returns how much a pixel belongs to the lips' rim, 0..1, and how light it may be there: two (h, w).

    Where the contour is a little off, the rim shows skin or teeth, and paint that took over their lightness would be a
    bright line around the lips. So the rim may be only a little brighter than the lips beside it are on average.

    Args:
        ratio: (h, w) lightness over the lips' own.
        region: of the lips.
    """
    depth = blur(region.alpha, _RIM * region.width)
    weight = (region.alpha * depth) ** 4
    share = blur(weight, _RIM_AVERAGE * region.width)
    average = np.where(share > 1e-4, blur(ratio * weight, _RIM_AVERAGE * region.width) / np.maximum(share, 1e-4), ratio)
    return 1 - ramp(depth, 0.75, 0.97), average * np.float32(_RIM_EXCESS)
