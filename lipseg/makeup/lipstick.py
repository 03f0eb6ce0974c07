"""Lipstick: the colour of the lips changed, their shading and texture kept."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.errors import DataError
from lipseg.makeup import oklab
from lipseg.rendering.coverage import scanline_coverage
from lipseg.rendering.curves import smooth

Colour = tuple[int, int, int]
Floats = NDArray[np.floating[Any]]
Grey = Floats  # (h, w), float32 where speed matters

# Lengths in shares of the mouth's width.
_FEATHER = 0.013  # deviation of the blur that softens the edge
_BAND = (0.02, 0.055)  # how far from the inner contour teeth are looked for: surely, and no longer
_TEXTURE = 0.04  # what is finer than this is the lips' texture, what is coarser their shading
_RIM = 0.025  # deviation of the blur whose value tells how far in a pixel lies
_RIM_AVERAGE = 0.05
_GUARD_BLUR = 0.006
# What the blurred coverage must be for no paint and for all of it: a straight edge has 0.5, so that the paint ends half
# a deviation outside the contour and is full one and a half inside.
_EDGE = (0.32, 0.92)
# The same for the opening; at its edge the paint has ended.
_OPENING_EDGE = (0.12, 0.5)
# Openings at least this high against the mouth's width are open; below the first they are a seam that is painted over.
_OPEN = (0.012, 0.035)
# Deviation in pixels of the widest blur that is taken at the picture's own size.
_WIDEST = 10.0
# How much brighter than the lips beside it the rim may be.
_RIM_EXCESS = 1.05
# Scan lines a pixel row of the coverage; the feather hides more.
_LINES = 4
# A lipstick does not take the lips all the way to its own lightness: how bright the picture's light is, nobody knows,
# and lips brighter than their light glow.
_DARKEN, _LIGHTEN = 0.75, 0.4
# Weight of the frame before in the lips' tone: half of a change is seen after three frames.
_MEMORY = 0.8
# Lips with less chroma for their lightness than this are grey: their colour tells nothing from anything else.
_GREY = 0.04


@dataclass(frozen=True, slots=True)
class Finish:
    """How a lipstick treats the light.

    Attributes:
        texture: exponent of the texture's contrast.
        highlights: how much of the highlights that are there is kept.
        shine: strength of the highlights that are added, 0..1.
    """

    texture: float
    highlights: float
    shine: float


FINISHES = {
    "matte": Finish(texture=0.85, highlights=0.3, shine=0.0),
    "satin": Finish(texture=1.0, highlights=0.85, shine=0.0),
    "gloss": Finish(texture=1.15, highlights=1.1, shine=0.55),
}


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


class HasLandmarks(Protocol):
    """Anything with lip landmarks, such as ``segmenter.Lips``."""

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(56, 2) in pixels of the picture."""
        ...


def parse_colour(text: str) -> Colour:
    """Returns the colour that ``#rgb``, ``#rrggbb`` or a CSS name or function stands for, as (R, G, B) bytes.

    Raises:
        DataError: if it stands for none.
    """
    from PIL import ImageColor

    try:
        red, green, blue, *_ = ImageColor.getrgb(text.strip())
    except ValueError:
        raise DataError(f"{text!r} is no colour; write #rrggbb, #rgb or a CSS name such as crimson") from None
    return red, green, blue


def parse_finish(text: str) -> Finish:
    """Returns the finish of a name.

    Raises:
        DataError: if there is none.
    """
    finish = FINISHES.get(text.strip().lower())
    if finish is None:
        raise DataError(f"{text!r} is no finish; choose {', '.join(FINISHES)}")
    return finish


def paint_lips(
    image: NDArray[np.uint8],
    lips: HasLandmarks,
    colour: Colour,
    opacity: float = 0.6,
    finish: Finish = FINISHES["satin"],
    tone: LipTone | None = None,
) -> NDArray[np.uint8]:
    """Returns a copy of a picture with lipstick on one pair of lips.

    In Oklab, each pixel of the lips moves towards the lipstick's colour times the pixel's lightness over the lips':
    dimmer light multiplies all of L, a and b alike, so the ratio carries shading and texture over. What is brighter
    than the diffuse lips is a reflection of the light and not of the paint; it is laid over the paint as white. Teeth,
    the mouth's dark and hair that landmarks a little off have taken for lips are spared by their colour.

    Args:
        image: (height, width, 3) RGB uint8; it is not changed.
        lips: the lips' landmarks in pixels of the picture.
        colour: the lipstick's (R, G, B), bytes.
        opacity: 0 changes nothing, 1 covers the lips' own colour.
        finish: matte, satin or gloss, see ``FINISHES``.
        tone: the bare lips' colour where it is known better than from this picture, as in a video; None measures it.

    Returns:
        (height, width, 3) RGB uint8, equal to ``image`` outside the lips' softened matte.

    Raises:
        ValueError: if the opacity is not in 0..1 or the landmarks are not finite.
    """
    painted = image.copy()
    paint_over(painted, lips, colour, opacity, finish, tone)
    return painted


def paint_over(
    image: NDArray[np.uint8],
    lips: HasLandmarks,
    colour: Colour,
    opacity: float,
    finish: Finish,
    tone: LipTone | None = None,
    previous: LipTone | None = None,
    memory: float = 0.0,
) -> LipTone | None:
    """Paints the lips in the picture itself; see ``paint_lips``.

    Args:
        image: changed in place.
        lips: as of ``paint_lips``.
        colour: as of ``paint_lips``.
        opacity: as of ``paint_lips``.
        finish: as of ``paint_lips``.
        tone: as of ``paint_lips``.
        previous: the tone that the frame before was painted with.
        memory: the weight, 0..1, of ``previous`` in this frame's tone.

    Returns:
        The bare lips' tone, or None where the lips are not in the picture or too small to have one.
    """
    if not 0.0 <= opacity <= 1.0:
        raise ValueError(f"the opacity must be between 0 and 1, not {opacity}")
    region = _Region.of(lips.landmarks, *image.shape[:2])
    if region is None:
        return None
    part = image[region.rows, region.columns]
    lab = oklab.from_rgb8(part)
    if tone is None:
        tone = _measure(lab, region.alpha)
        if previous is not None:
            tone = tone.towards(previous, memory)
    weight = region.alpha * (1 - _guard(lab, tone, region)) * np.float32(opacity)
    lab += weight[..., None] * (_painted(lab, tone, region, colour, finish) - lab)
    np.copyto(part, oklab.to_rgb8(lab), where=(weight > 0)[..., None])
    return tone


class Painter:
    """Puts the same lipstick on every frame of a video.

    It remembers each person's bare lips, so that the paint does not flicker.

    Attributes:
        colour: the lipstick's (R, G, B), bytes.
        opacity: 0..1.
        finish: matte, satin or gloss.
    """

    def __init__(self, colour: Colour, opacity: float = 0.6, finish: Finish = FINISHES["satin"]) -> None:
        self.colour, self.opacity, self.finish = colour, opacity, finish
        self._tones: dict[object, LipTone] = {}

    def __call__(self, frame: NDArray[np.uint8], faces: Sequence[Any]) -> NDArray[np.uint8]:
        """Returns a copy of the next frame with the lips of all its faces painted.

        Args:
            frame: (height, width, 3) RGB uint8.
            faces: things with ``landmarks``, or with ``lips`` that have them; one with an ``id`` is the same person
                as in the frame before. Without, the place in the sequence counts.
        """
        painted = frame.copy()
        tones: dict[object, LipTone] = {}
        for place, face in enumerate(faces):
            key = getattr(face, "id", place)
            lips = getattr(face, "lips", face)
            before = self._tones.get(key)
            tone = paint_over(painted, lips, self.colour, self.opacity, self.finish, previous=before, memory=_MEMORY)
            if tone is not None:
                tones[key] = tone
        # Who is not in this frame is forgotten: hours of video meet many people.
        self._tones = tones
        return painted


def painter(colour: str, opacity: float = 0.6, finish: str = "satin") -> Painter:
    """Returns a painter for a video's frames by the names of a colour and a finish.

    Raises:
        DataError: if the colour or the finish is unknown.
    """
    return Painter(parse_colour(colour), opacity, parse_finish(finish))


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
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
    def of(cls, landmarks: NDArray[np.floating[Any]], height: int, width: int) -> "_Region | None":
        """Returns the part of a picture of this size under the lips, or None where they lie outside."""
        if landmarks.shape != (scheme.N_POINTS, 2) or not np.isfinite(landmarks).all():
            raise ValueError(f"expected {scheme.N_POINTS} finite landmarks, got an array of shape {landmarks.shape}")
        points = landmarks.astype(np.float64)
        outer = smooth(points[scheme.OUTER])
        across = float(np.ptp(outer, axis=0).max())
        # The blur's share below the threshold of ``_EDGE`` ends well within a deviation.
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
        # A border would blur the coverage at the picture's edge as if the lips ended there: they go on.
        alpha = _ramp(_blur(mouth, _FEATHER * across), *_EDGE) * (
            1 - _ramp(_blur(opening, _FEATHER * across), *_OPENING_EDGE)
        )
        alpha *= 1 - opening * _step(_opening_height(points) / across, *_OPEN)
        line = np.full((rows, columns), 255, np.uint8)
        cv2.polylines(line, [np.round((inner - low) * 16).astype(np.int32)], True, (0,), 1, cv2.LINE_8, 4)
        distance = cv2.distanceTransform(line, cv2.DIST_L2, 3) / across
        return cls(
            slice(corner[1], corner[1] + rows),
            slice(corner[0], corner[0] + columns),
            points - low,
            across,
            alpha.astype(np.float32),
            1 - _ramp(distance.astype(np.float32), *_BAND),
        )


def _opening_height(points: NDArray[np.float64]) -> float:
    """Returns how high the opening between the lips is, in pixels: its area over two thirds of its width."""
    x, y = points[scheme.INNER].T
    area = abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2
    return 1.5 * area / max(float(np.hypot(np.ptp(x), np.ptp(y))), 1e-6)


def _measure(lab: Floats, alpha: Grey) -> LipTone:
    """Returns the tone of the lips by medians over the well covered pixels."""
    chosen = alpha > min(0.9, 0.8 * float(alpha.max()))
    lightness, highlight = np.percentile(lab[..., 0][chosen], (50, 85)) if chosen.any() else (0.5, 0.5)
    a, b = np.median(lab[chosen][:, 1:], axis=0) if chosen.any() else (0.0, 0.0)
    return LipTone(max(float(lightness), 0.05), max(float(highlight), 0.05), float(a), float(b))


def _guard(lab: Floats, tone: LipTone, region: _Region) -> Grey:
    """Returns how surely a pixel, 0..1, is no lip: (h, w).

    Judged by lightness against the lips' and by saturation (chroma over lightness, which shading leaves alone) along
    the lips' hue. Teeth are bright and pale, and looked for near the inner contour only: on the lips themselves that
    is a highlight. The mouth's cavity and hair are dark and pale.
    """
    lightness = np.maximum(lab[..., 0], 1e-3)
    ratio = lightness / np.float32(tone.lightness)
    chroma = float(np.hypot(tone.a, tone.b))
    saturation = chroma / tone.lightness
    coloured = float(_step(saturation, _GREY, 2 * _GREY))
    along = (lab[..., 1] * tone.a + lab[..., 2] * tone.b) / (max(chroma, 1e-3) * lightness) / max(saturation, 1e-3)
    pale = 1 - _ramp(along, 0.5, 0.85)
    teeth = pale * _ramp(ratio, 1.05, 1.2) * coloured + _ramp(ratio, 1.3, 1.6) * (1 - coloured)
    cavity = _ramp(-ratio, -0.6, -0.35)
    hair = (1 - _ramp(along, 0.35, 0.7)) * _ramp(-ratio, -0.8, -0.55) * coloured
    return _blur(np.maximum(np.maximum(teeth, cavity) * region.band, hair), _GUARD_BLUR * region.width)


def _painted(lab: Floats, tone: LipTone, region: _Region, colour: Colour, finish: Finish) -> Floats:
    """Returns the lips as they look under paint that covers fully: (h, w, 3) Oklab."""
    paint = oklab.from_rgb8(np.array(colour, np.uint8))
    step = float(paint[0]) - tone.lightness
    target = tone.lightness + step * (_DARKEN if step < 0 else _LIGHTEN)
    # The light that the target stands for dims the paint's colour with its lightness.
    chroma = paint[1:] * min(1.0, target / max(float(paint[0]), 0.05))

    lightness = lab[..., 0]
    diffuse = np.minimum(lightness, np.float32(tone.highlight))
    ratio = np.maximum(diffuse, 1e-3) / np.float32(tone.lightness)
    rim, limit = _rim(ratio, region)
    ratio = np.maximum(ratio - rim * np.maximum(ratio - limit, 0), np.float32(1e-3))
    # Paint lighter than the lips must not blow up the noise of a dark picture.
    texture = finish.texture * min(1.0, tone.lightness / target)
    if texture != 1.0:
        ratio = ratio * (ratio / _blur(ratio, _TEXTURE * region.width)) ** np.float32(texture - 1)
    painted = np.empty_like(lab)
    painted[..., 0] = target * ratio
    painted[..., 1:] = chroma * ratio[..., None]

    reflected = (1 - rim) * (lightness - diffuse) * np.float32(finish.highlights / max(1 - tone.highlight, 0.1))
    if finish.shine:
        reflected = reflected + _shine(ratio, region) * np.float32(finish.shine)
    white = np.array([1.0, 0.0, 0.0], np.float32)
    return painted + np.clip(reflected, 0.0, 0.95)[..., None] * (white - painted)


def _rim(ratio: Grey, region: _Region) -> tuple[Grey, Grey]:
    """Returns how much a pixel belongs to the lips' rim, 0..1, and how light it may be there: two (h, w).

    The rim shows skin or teeth too, where the contour is a little off, and paint as bright as they are would draw a
    bright line around the lips: it may be little brighter than the lips beside it are on average.
    """
    depth = _blur(region.alpha, _RIM * region.width)
    weight = (region.alpha * depth) ** 4
    share = _blur(weight, _RIM_AVERAGE * region.width)
    average = np.where(
        share > 1e-4, _blur(ratio * weight, _RIM_AVERAGE * region.width) / np.maximum(share, 1e-4), ratio
    )
    return 1 - _ramp(depth, 0.75, 0.97), average * np.float32(_RIM_EXCESS)


def _shine(ratio: Grey, region: _Region) -> Grey:
    """Returns the highlights of wet lips, 0..1: (h, w).

    A streak along the ridge of each lip, broken up by the texture, and only where the light falls.
    """
    canvas = np.zeros(ratio.shape, np.float32)
    outer, inner = region.points[scheme.OUTER], region.points[scheme.INNER]
    halves = (
        # From the inner contour out, which share of the lip the ridge lies at; from and to along the lip; strength.
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
        strength *= _step(thickness / region.width, 0.02, 0.12)
        light = strength * np.clip(np.minimum(along - start, stop - along) / 0.15, 0, 1)
        streak = np.zeros_like(canvas)
        vertices = np.round(np.clip(ridge, -1e6, 1e6) * 16).astype(np.int32)
        broad = max(1, round(0.12 * thickness))
        for index in np.flatnonzero(light):
            cv2.line(
                streak, vertices[index], vertices[min(index + 1, 40)], (float(light[index]),), broad, cv2.LINE_8, 4
            )
        canvas = np.maximum(canvas, _blur(streak, max(0.12 * thickness, 0.9)))
    texture = ratio / _blur(ratio, _TEXTURE * region.width)
    return canvas * np.clip(1 + 6 * (texture - 1), 0.3, 2.0) * _ramp(ratio, 0.75, 1.05)


def _blur(grey: Grey, deviation: float) -> Grey:
    """Returns the picture blurred by a Gaussian; the edge's pixels go on beyond it."""
    if deviation < 0.2:
        return grey
    if deviation > _WIDEST:
        # As smooth at a fraction of the work: a large mouth's blur is taken from its smaller picture.
        rows, columns = grey.shape
        by = deviation / (_WIDEST / 2)
        small = (max(1, round(columns / by)), max(1, round(rows / by)))
        shrunk = _blur(cv2.resize(grey, small, interpolation=cv2.INTER_AREA), _WIDEST / 2)  # type: ignore[arg-type]
        return cv2.resize(shrunk, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    size = 2 * int(np.ceil(3 * deviation)) + 1
    return cv2.GaussianBlur(grey, (size, size), deviation, borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _ramp(value: Grey, low: float, high: float) -> Grey:
    """Returns the smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _step(value: float, low: float, high: float) -> float:
    return float(_ramp(np.float32(value), low, high))  # type: ignore[arg-type]
