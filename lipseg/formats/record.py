"""What is known of one picture when it is done, and of each face in it, as it stands in JSON."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipseg.inference.lips import Lips

# More decimals than these would be noise.
_PIXEL_DECIMALS = 2
_RATIO_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """What is known of one picture when it is done.

    Attributes:
        path: the picture.
        picture_size: (height, width) in pixels, upright; (0, 0) if ``error`` is set.
        lips: the faces found; empty if ``error`` is set.
        error: why there is no result, or "".
        reason: why no face was found though there was no error, or "".
        content: the picture file's bytes where it came from standard input, and ``path`` is "-".
    """

    path: Path
    picture_size: tuple[int, int] = (0, 0)
    lips: "list[Lips]" = field(default_factory=list)
    error: str = ""
    reason: str = ""
    content: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the picture's object of the JSON Lines; coordinates in pixels of the upright picture."""
        row: dict[str, Any] = {"image": str(self.path)}
        if self.error:
            return row | {"faces": [], "error": self.error}
        height, width = self.picture_size
        row |= {"width": width, "height": height, "faces": [face_record(lips) for lips in self.lips]}
        return row | {"reason": self.reason} if self.reason else row

    def as_json_line(self) -> str:
        """Returns the object as one line of text without its end."""
        return json.dumps(self.as_json(), allow_nan=False)


def face_record(lips: "Lips") -> dict[str, Any]:
    """Returns what is known of one face as JSON holds it, for photos and for the frames of videos alike.

    Coordinates and lengths are in pixels, areas in square pixels; ``roll`` is in degrees and there only where the box
    is turned; ``score`` is null where it is no number.
    """
    roll = round(math.degrees(lips.box.roll), _PIXEL_DECIMALS)
    return {
        "box": rounded(lips.box.corners),
        **({"roll": roll} if roll else {}),
        "score": finite_score(lips),
        "component": lips.component,
        "opening": round(lips.opening, _RATIO_DECIMALS),
        "opening_px": round(lips.opening_px, _PIXEL_DECIMALS),
        "width": round(lips.width, _PIXEL_DECIMALS),
        "areas": {name: round(area, _PIXEL_DECIMALS) for name, area in lips.areas.items()},
        "outer": [rounded(point) for point in lips.outer.tolist()],
        "inner": [rounded(point) for point in lips.inner.tolist()],
    }


def rounded(values: Iterable[float]) -> list[float]:
    """Returns coordinates in pixels with as many decimals as are worth writing."""
    return [round(float(value), _PIXEL_DECIMALS) for value in values]


def finite_score(lips: "Lips") -> float | None:
    """Returns the score with as many decimals as are worth writing, None where it is no number."""
    return round(lips.score, _RATIO_DECIMALS) if math.isfinite(lips.score) else None
