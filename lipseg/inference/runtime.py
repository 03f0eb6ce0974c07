"""The constants on a model's card that inference needs beside the networks, in any language: the section "runtime"."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lipseg import scheme
from lipseg.errors import ConventionError, ModelError, shown
from lipseg.geometry import View
from lipseg.inference.conventions import Convention
from lipseg.inference.relation import AVERAGE_FACE, Relation

# Pixels a side, components, passes: more is a damaged card.
_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class LocatorView:
    """The geometry of the locator's views.

    Attributes:
        size: pixels a side.
        margin: side over the face box's side.
    """

    size: int
    margin: float


@dataclass(frozen=True, slots=True)
class LocatorConstants:
    """What the locator's file does not hold.

    Attributes:
        view: the geometry of its views.
        relation: where mouths lie in the face boxes that it was trained on.
        passes: how often it is run; each further pass takes the face box that an average face with the mouth found last
            would have.
    """

    view: LocatorView
    relation: Relation = AVERAGE_FACE
    passes: int = 1


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Which mouths are kept where faces are detected; mouths whose box is given are always kept.

    Attributes:
        calibrated: whether the score is a probability, by which false detections can be rejected.
        min_score: lips that score less are dropped.
        min_presence: logit of the locator below which a face's mouth is taken to be hidden and dropped.
        clear_presence: logit from which a detected face shows its mouth so clearly that its lips are kept whatever
            their score.
        sure_presence: logit from which no further attempt of the detector is made. A face upside down that was detected
            as upright seldom reaches it, while nine in ten of upright faces do.
        doubt: lips with a lower score get two more views, in the box of their own landmarks and in the one that an
            average face has; the prediction with the highest score is kept.
        face_guess: least score where the whole picture is taken for a face because none was detected.
        mouth_guess: least score where it is taken for a mouth.
        smallest_mouth_px: narrower mouths, in pixels of the picture, are dropped.
        same_mouth: of mouths nearer to each other than this share of the wider one's width one is kept.
    """

    calibrated: bool = False
    min_score: float = 0.0
    min_presence: float = -20.0
    clear_presence: float = 0.0
    sure_presence: float = 2.0
    doubt: float = 0.6
    face_guess: float = 0.35
    mouth_guess: float = 0.8
    smallest_mouth_px: float = 6.0
    same_mouth: float = 0.5


@dataclass(frozen=True, slots=True)
class Runtime:
    """The constants that inference needs beside the ONNX files.

    Attributes:
        view: how a mouth box becomes the cascade's input.
        components: K of the mixture.
        locator: of the model's locator; None for a model without one.
        thresholds: which mouths are kept.
        reference: the source whose annotators the model answers as; "" where that is not known.
        conventions: how those of the other sources that it has learnt from differ, by their names.
    """

    view: View
    components: int
    locator: LocatorConstants | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    reference: str = ""
    conventions: Mapping[str, Convention] = field(default_factory=dict)

    def convention(self, name: str | None) -> Convention | None:
        """Returns the convention of that name; None for the reference's, or without a name.

        Raises:
            ConventionError: if the model knows no source of that name; lists those that it knows.
        """
        if name is None or name == self.reference:
            return None
        if name not in self.conventions:
            known = [*filter(None, [self.reference]), *sorted(self.conventions)]
            there_are = f"it knows {', '.join(known)}" if known else "it knows none"
            raise ConventionError(f"this model has no convention {shown(name)}; {there_are}")
        return self.conventions[name]

    def as_json(self) -> dict[str, Any]:
        """Returns the section "runtime" of a card, with the order of the landmarks for runtimes without ``scheme``."""
        return {
            **dataclasses.asdict(self),
            "scheme": {
                "points": scheme.N_POINTS,
                "outer": [scheme.OUTER.start, scheme.OUTER.stop],
                "inner": [scheme.INNER.start, scheme.INNER.stop],
                "outer_corners": list(scheme.OUTER_CORNERS),
                "inner_corners": list(scheme.INNER_CORNERS),
            },
        }

    @classmethod
    def from_card(cls, card: dict[str, Any], origin: Path) -> "Runtime":
        """Returns the constants of a card.

        Raises:
            ModelError: naming the file, and the key that is missing or cannot be used.
        """
        try:
            raw = card["runtime"]
            locator = raw["locator"]
            found = cls(
                View(_count(raw["view"]["size"]), str(raw["view"]["shape"]), _number(raw["view"]["margin"])),
                _count(raw["components"]),
                None if locator is None else _locator_constants(locator),
                Thresholds(**_numbers(Thresholds, raw["thresholds"])),
                _name(raw["reference"]),
                {_name(name): Convention.from_json(found) for name, found in raw["conventions"].items()},
            )
            if found.reference in found.conventions:
                raise ValueError(f"the reference {shown(found.reference)} cannot have a convention of its own")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            what = f"{shown(error.args[0])} is missing" if isinstance(error, KeyError) else str(error)
            raise ModelError(f"{origin}: runtime: {what}; get the folder again") from error
        # A stretched view may end at the box.
        usable = {"square": found.view.margin > 0, "stretch": found.view.margin >= 0}
        if not usable.get(found.view.shape, False):
            raise ModelError(f"{origin}: runtime: no such view as {found.view}; get the folder again")
        return found


def _locator_constants(raw: dict[str, Any]) -> LocatorConstants:
    view = LocatorView(_count(raw["view"]["size"]), _positive(raw["view"]["margin"]))
    relation = Relation(**_numbers(Relation, raw["relation"]))
    for extent in (relation.width, relation.height):
        _positive(extent)
    return LocatorConstants(view, relation, _count(raw["passes"]))


def _numbers(of: type[Relation] | type[Thresholds], raw: dict[str, Any]) -> dict[str, Any]:
    """Returns the numbers that a class is made of; refuses a key that it lacks as well as one that is missing."""
    names = [field.name for field in dataclasses.fields(of)]
    if more := sorted(set(raw) - set(names)):
        raise ValueError(f"there is no {shown(more[0])}")
    return {name: _number(raw[name]) for name in names}


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is no name")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST:
        raise ValueError(f"{shown(value)} is no whole number from 1 to {_LARGEST}")
    return value


def _positive(value: Any) -> float:
    if not _number(value) > 0:
        raise ValueError(f"{shown(value)} is not greater than 0")
    return float(value)


def _number(value: Any) -> Any:
    if not isinstance(value, (bool, int, float)) or not math.isfinite(value):
        raise ValueError(f"{shown(value)} is no finite number")
    return value
