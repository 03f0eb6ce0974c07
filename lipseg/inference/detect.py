"""Where the faces are: what a face detector answers, and which there are."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError

Pixels = NDArray[np.uint8]

# Two boxes that share more than this of the smaller one are of one face.
_SAME_FACE = 0.5


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face in pixels of the picture, pixel centres at integers.

    The box is the square that ``lipseg.model.relation.FACE_RELATION`` is of: on average a third as wide as the box,
    the mouth lies .24 sides below its centre. The locator is taught on such squares.

    Attributes:
        x0: left.
        y0: top.
        x1: right, greater than ``x0``.
        y1: bottom, greater than ``y0``.
        roll: angle in radians by which the face is turned against the picture (positive: its image-right side
            lower). The box is meant in the frame turned by it about the box's own centre.
        score: how sure the detector is, on its own scale; larger is surer.
        source: what found it.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    roll: float = 0.0
    score: float = 1.0
    source: str = "detector"

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.x0, self.y0, self.x1, self.y1, self.roll, self.score))):
            raise DataError(f"face box of {self.source}: {self} is not finite")
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise DataError(f"face box of {self.source}: x0 < x1 and y0 < y1 must hold, not {self}")

    @property
    def centre(self) -> NDArray[np.float64]:
        """(2,) x, y."""
        return np.array([(self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2])

    @property
    def side(self) -> float:
        """Geometric mean of width and height."""
        return math.sqrt((self.x1 - self.x0) * (self.y1 - self.y0))


class FaceDetector(Protocol):
    """Anything that finds faces: any callable will do."""

    def __call__(self, image: Pixels, /) -> list[FaceBox]:
        """Returns the faces in an (height, width, 3) uint8 RGB picture; surest first."""
        ...


def make_detector(name: str) -> FaceDetector | None:
    """Returns the detector that a user names: "yunet", "yunet:FILE.onnx", "dlib" or "none".

    Raises:
        DataError: for another name.
        ModelError: if it cannot be loaded.
    """
    # Imported here: each needs a library of its own, and both need this file.
    kind, colon, rest = name.partition(":")
    if name == "none":
        return None
    if name == "dlib":
        from lipseg.inference.dlib_faces import DlibDetector

        return DlibDetector()
    if kind == "yunet" and bool(colon) == bool(rest):
        from lipseg.inference.yunet import YuNetDetector

        return YuNetDetector(rest or None)
    raise DataError(f"unknown face detector {name!r}; there are yunet, yunet:FILE.onnx, dlib and none")


def attempts_of(detector: Callable[[Pixels], list[FaceBox]], image: Pixels) -> Iterator[list[FaceBox]]:
    """Yields what a detector finds, attempt by attempt where it makes several."""
    several = getattr(detector, "attempts", None)
    if several is not None:
        yield from several(image)
    else:
        yield detector(image)


def distinct(faces: list[FaceBox]) -> list[FaceBox]:
    """Returns the faces, surest first, without those that mostly overlap a surer one."""
    kept: list[FaceBox] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(overlap(face, other) <= _SAME_FACE for other in kept):
            kept.append(face)
    return kept


def overlap(a: FaceBox, b: FaceBox) -> float:
    """Returns the share of the smaller box that two boxes have in common, each taken as its upright square.

    Exact up to the difference of their rolls, which squares about a centre hardly feel.
    """
    reach = (a.side + b.side) / 2 - np.abs(a.centre - b.centre)
    common = np.prod(np.clip(reach, 0.0, min(a.side, b.side)))
    return float(common / min(a.side, b.side) ** 2)


def shrunk(image: Pixels, long_side: int) -> tuple[Pixels, float]:
    """Returns a picture with a long side of at most ``long_side`` pixels, and how many of its pixels one stands for."""
    # Averaging over areas that are no whole number of pixels takes as long as the search itself, and below a factor of
    # two there is little to average: detectors find the same faces.
    height, width = image.shape[:2]
    scale = max(height, width) / long_side
    if scale <= 1:
        return np.ascontiguousarray(image), 1.0
    size = max(1, round(width / scale)), max(1, round(height / scale))
    how = cv2.INTER_AREA if scale >= 2 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how), scale  # type: ignore[return-value]


def turned(image: Pixels, roll: float) -> tuple[Pixels, NDArray[np.float64]]:
    """Returns a picture in which what is turned by ``roll`` is upright, and the (2, 3) map back into ``image``."""
    if roll == 0:
        return image, np.eye(2, 3)
    height, width = image.shape[:2]
    cos, sin = math.cos(roll), math.sin(roll)
    new = math.ceil(abs(cos) * width + abs(sin) * height), math.ceil(abs(sin) * width + abs(cos) * height)
    turn = np.array([[cos, -sin], [sin, cos]])
    offset = np.array([(width - 1) / 2, (height - 1) / 2]) - turn @ [(new[0] - 1) / 2, (new[1] - 1) / 2]
    back = np.column_stack([turn, offset])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # Grey, not repeated edges: streaks look like features.
    turned = cv2.warpAffine(image, back, new, flags=flags, borderValue=(128, 128, 128))
    return turned, back  # type: ignore[return-value]
