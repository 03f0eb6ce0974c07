"""Face detectors: their interface, and how one is chosen by its name."""

from collections.abc import Callable, Iterator
from typing import Protocol

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.inference.resampling import Pixels


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
        ModelError: if the file of YuNet cannot be used.
        MissingLibraryError: without dlib, for "dlib".
    """
    # Imported here: each needs a library of its own.
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
