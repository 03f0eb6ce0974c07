"""Face detectors: their interface, how one is chosen by its name, and the resampling that they share."""

import math
from collections.abc import Callable, Iterator
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import DataError

Pixels = NDArray[np.uint8]


class FaceDetector(Protocol):
    """Anything that finds faces: any callable will do."""

    def __call__(self, image: Pixels, /) -> list[Box]:
        """Returns the faces in an (height, width, 3) uint8 RGB picture, surest first.

        The boxes must be framed as those that ``relation.AVERAGE_FACE`` describes and the locator was trained on: on
        average the mouth is a third as wide as the box and its centre lies .24 sides below the box's.
        """
        ...


def make_detector(name: str, long_side: int = 640, threshold: float | None = None) -> FaceDetector | None:
    """Returns the detector that a user names: "yunet", "yunet:FILE.onnx", "dlib" or "none".

    Args:
        name: see above.
        long_side: pixels, at most, of the picture in the first search.
        threshold: least score of a face on the detector's own scale; None for its usual one.

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

        return DlibDetector(long_side, 0.0 if threshold is None else threshold)
    if kind == "yunet" and bool(colon) == bool(rest):
        from lipseg.inference.yunet import YuNetDetector

        return YuNetDetector(rest or None, long_side, 0.7 if threshold is None else threshold)
    raise DataError(f"unknown face detector {name!r}; there are yunet, yunet:FILE.onnx, dlib and none")


def attempts_of(detector: Callable[[Pixels], list[Box]], image: Pixels) -> Iterator[list[Box]]:
    """Yields what a detector finds, attempt by attempt where it makes several."""
    several = getattr(detector, "attempts", None)
    if several is not None:
        yield from several(image)
    else:
        yield detector(image)


def shrunk(image: Pixels, long_side: int) -> tuple[Pixels, float]:
    """Returns a picture with a long side of at most ``long_side`` pixels, and the factor that it was shrunk by."""
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
