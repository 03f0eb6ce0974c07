"""Lipstick: the colour of the lips changed, their shading and texture kept."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError
from lipseg.images import Picture, as_rgb
from lipseg.makeup import oklab
from lipseg.makeup.finish import FINISHES, Finish, parse_finish
from lipseg.makeup.region import Region
from lipseg.makeup.shading import Colour, under_paint
from lipseg.makeup.teeth import not_lips
from lipseg.makeup.tone import LipTone, measure_tone

# Weight of the frame before in the lips' tone: half of a change is followed after three frames (0.8 ** 3 = 0.51).
_MEMORY = 0.8


class HasLandmarks(Protocol):
    """Anything with lip landmarks, such as ``lipseg.Lips``."""

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


def paint_lips(
    image: Picture,
    lips: HasLandmarks | Iterable[HasLandmarks],
    colour: Colour | str,
    opacity: float = 0.6,
    finish: Finish | str = FINISHES["satin"],
    tone: LipTone | None = None,
) -> NDArray[np.uint8]:
    """Returns a copy of a picture with lipstick on one pair of lips, or on several.

    In Oklab, each pixel of the lips moves towards the lipstick's colour times the pixel's lightness over the lips':
    dimmer light multiplies all of L, a and b alike, so the ratio carries shading and texture over. What is brighter
    than the diffuse lips is a reflection of the light and not of the paint; it is laid over the paint as white. Teeth,
    the dark inside of the mouth, and hair may lie within landmarks that are a little off; their colour tells them from
    lips, and they are not painted.

    Args:
        image: as ``lipseg.LipSegmenter`` takes it, such as (height, width, 3) RGB uint8; it is not changed.
        lips: the lips' landmarks in pixels of the upright picture, or what the segmenter found in it.
        colour: the lipstick's (R, G, B), bytes, or what ``parse_colour`` reads, such as "crimson".
        opacity: 0 changes nothing, 1 covers the lips' own colour.
        finish: matte, satin or gloss, see ``FINISHES``, or its name.
        tone: the bare lips' colour where it is known better than from this picture, as in a video; None measures it.

    Returns:
        (height, width, 3) RGB uint8, equal to ``image`` outside the lips' softened matte.

    Raises:
        DataError: if the picture cannot be read, or the colour or the finish is none.
        ValueError: if the opacity is not in 0..1 or the landmarks are not finite.
    """
    rgb = parse_colour(colour) if isinstance(colour, str) else colour
    if len(rgb) != 3 or not all(isinstance(part, (int, np.integer)) and 0 <= part <= 255 for part in rgb):
        raise DataError(f"{colour} is no colour; give (R, G, B), whole numbers from 0 to 255, or a name")
    kind = parse_finish(finish) if isinstance(finish, str) else finish
    painted = np.array(as_rgb(image))
    for one in lips if isinstance(lips, Iterable) else [lips]:
        paint_over(painted, one, rgb, opacity, kind, tone)
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
    region = Region.of(lips.landmarks, *image.shape[:2])
    if region is None:
        return None
    part = image[region.rows, region.columns]
    lab = oklab.from_rgb8(part)
    if tone is None:
        tone = measure_tone(lab, region.alpha)
        if previous is not None:
            tone = tone.towards(previous, memory)
    weight = region.alpha * (1 - not_lips(lab, tone, region)) * np.float32(opacity)
    lab += weight[..., None] * (under_paint(lab, tone, region, colour, finish) - lab)
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
