"""Where the faces are: dlib's frontal face detector, OpenCV's YuNet, or any callable of the same kind."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError, ModelError

Pixels = NDArray[np.uint8]

# dlib's sliding window is 80 pixels; a face smaller than this in the shrunk picture is noise more often than not.
_LONG_SIDE = 640
_SMALLEST_PX = 12.0
# Angles, in degrees, of the copies that are searched when the upright picture shows no face: rolled heads first.
_TURNS = (30.0, -30.0, 90.0, -90.0, 180.0, 60.0, -60.0)
# Two boxes that share more than this of the smaller one are of one face.
_SAME_FACE = 0.5


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face in pixels of the picture, pixel centres at integers.

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


class DlibDetector:
    """dlib's HOG detector (Dalal and Triggs 2005; King, "Max-margin object detection", 2015): upright, frontal faces.

    The weights are compiled into the wheel. A picture is searched at a long side of 640 pixels at most. Only where
    that finds nothing are the slower attempts made: once more enlarged twofold, which finds smaller faces, and on
    turned copies, which finds heads that lie or stand on end.

    Args:
        long_side: pixels, at most, of the searched picture.
        threshold: dlib's detection threshold; lower finds more faces and more that are none.
    """

    def __init__(self, long_side: int = _LONG_SIDE, threshold: float = 0.0) -> None:
        try:
            import dlib
        except ImportError as error:
            raise ModelError(f"--detector dlib: dlib cannot be loaded ({error}); pip install dlib-bin") from error
        self._detector: Any = dlib.get_frontal_face_detector()  # type: ignore[attr-defined]
        self._long_side, self._threshold = long_side, threshold

    def __call__(self, image: Pixels) -> list[FaceBox]:
        """Returns the faces of the first attempt that finds any."""
        return next((faces for faces in self.attempts(image) if faces), [])

    def attempts(self, image: Pixels) -> Iterator[list[FaceBox]]:
        """Yields the faces that each attempt finds, the cheapest attempt first; runs only as far as it is asked."""
        small, scale = shrunk(image, self._long_side)
        yield self._search(small, 0, 0.0, scale)
        if max(small.shape[:2]) <= 2 * self._long_side:
            yield self._search(small, 1, 0.0, scale)
        for degrees in _TURNS:
            yield self._search(small, 0, math.radians(degrees), scale)

    def _search(self, small: Pixels, enlarged: int, roll: float, scale: float) -> list[FaceBox]:
        """Returns the faces of a shrunk picture turned upright by ``roll``, in pixels of the picture itself."""
        turned, back = _turned(small, roll)
        rectangles, scores, _ = self._detector.run(turned, enlarged, self._threshold)
        source = "dlib" + ("+enlarged" if enlarged else "") + (f"+turned {math.degrees(roll):.0f}" if roll else "")
        faces = []
        for box, score in zip(rectangles, scores, strict=True):
            # dlib's rectangles hold whole pixels, both edges included.
            side = (box.width() + box.height()) / 2
            centre = back[:, :2] @ [(box.left() + box.right()) / 2, (box.top() + box.bottom()) / 2] + back[:, 2]
            # Half pixels: a pixel's centre in the shrunk picture is the centre of a block of the picture's.
            centre = (centre + 0.5) * scale - 0.5
            half = side * scale / 2
            low, high = (centre - half).tolist(), (centre + half).tolist()
            if side >= _SMALLEST_PX:
                faces.append(FaceBox(*low, *high, roll=roll, score=float(score), source=source))
        return distinct(faces)


class YuNetDetector:
    """YuNet (Wu, Peng, Yu, "YuNet: a tiny millisecond-level face detector", 2023) by OpenCV, from a model file.

    The file is ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo. The roll comes from the eyes.

    Args:
        model_file: the ONNX file.
        long_side: pixels, at most, of the searched picture.
        threshold: least score of a face, 0 to 1.

    Raises:
        ModelError: if the file is missing or no YuNet model.
    """

    def __init__(self, model_file: Path | str, long_side: int = _LONG_SIDE, threshold: float = 0.7) -> None:
        path = Path(model_file)
        if not path.is_file():
            raise ModelError(f"{path}: no such file; --detector yunet:FILE.onnx needs OpenCV's YuNet model")
        try:
            self._detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), threshold)
            self._detector.detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{path}: not a YuNet face detector that OpenCV can load ({reason})") from error
        self._long_side = long_side

    def __call__(self, image: Pixels) -> list[FaceBox]:
        """Returns the faces, surest first."""
        small, scale = shrunk(image, self._long_side)
        height, width = small.shape[:2]
        self._detector.setInputSize((width, height))
        found = self._detector.detect(np.ascontiguousarray(small[..., ::-1]))[1]
        faces = []
        for row in np.asarray([] if found is None else found, float).reshape(-1, 15):
            eyes = row[6:8] - row[4:6]
            roll = math.atan2(eyes[1], eyes[0])
            # YuNet's box runs from forehead to chin; dlib's, which the locator is taught on, is a square about the
            # features. Both have nearly the same centre along the face.
            centre, half = row[:2] + row[2:4] / 2, math.sqrt(max(row[2] * row[3], 1.0)) / 2
            low, high = (((centre + sign * half) + 0.5) * scale - 0.5 for sign in (-1, 1))
            faces.append(FaceBox(*low.tolist(), *high.tolist(), roll=roll, score=float(row[14]), source="yunet"))
        return distinct(faces)


def make_detector(name: str) -> FaceDetector | None:
    """Returns the detector that a user names: "dlib", "yunet:FILE.onnx" or "none".

    Raises:
        DataError: for another name.
        ModelError: if it cannot be loaded.
    """
    kind, _, rest = name.partition(":")
    if name == "none":
        return None
    if name == "dlib":
        return DlibDetector()
    if kind == "yunet" and rest:
        return YuNetDetector(rest)
    raise DataError(f"unknown face detector {name!r}; there are dlib, none and yunet:FILE.onnx")


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
    height, width = image.shape[:2]
    scale = max(height, width) / long_side
    if scale <= 1:
        return np.ascontiguousarray(image), 1.0
    size = max(1, round(width / scale)), max(1, round(height / scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale  # type: ignore[return-value]


def _turned(image: Pixels, roll: float) -> tuple[Pixels, NDArray[np.float64]]:
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
