"""Finishes of a lipstick: matte, satin, gloss."""

from dataclasses import dataclass

from lipseg.errors import DataError


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


def parse_finish(text: str) -> Finish:
    """Returns the finish of a name.

    Raises:
        DataError: if there is none.
    """
    finish = FINISHES.get(text.strip().lower())
    if finish is None:
        raise DataError(f"{text!r} is no finish; choose {', '.join(FINISHES)}")
    return finish
