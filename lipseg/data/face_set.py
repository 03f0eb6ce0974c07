"""The faces as a detector sees them: a patch of the photo around each face box, and patches without a mouth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.data.tables import read_arrays, write_arrays
from lipseg.geometry import Array

_ARRAYS = ("patches", "to_image", "face_boxes", "face", "background", "found")


@dataclass(frozen=True, slots=True)
class FaceSet:
    """N patches of photos, P pixels a side.

    Attributes:
        patches: (N, P, P, 3) uint8 RGB, upright as the photo is, ``REACH`` times as wide as the face box.
        to_image: (N, 2, 3) float64 affine matrices from patch pixels to image pixels.
        face_boxes: (N, 3) float64 centre x, y and side of the square face box, image pixels; of a background patch
            a square of a face's size.
        face: (N,) position in the ``CropSet`` of the face, or of the face whose photo the background is of.
        background: (N,) bool, whether the patch shows a part of the photo without a mouth.
        found: (N,) bool, whether the box is the detector's own (else simulated from the landmarks).
    """

    patches: NDArray[np.uint8]
    to_image: Array
    face_boxes: Array
    face: NDArray[np.int64]
    background: NDArray[np.bool_]
    found: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.patches)


def save_faces(path: Path, faces: FaceSet) -> None:
    """Writes the set as one npz file."""
    write_arrays(path, **{name: getattr(faces, name) for name in _ARRAYS})


def load_faces(path: Path) -> FaceSet:
    """Returns what ``save_faces`` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    return FaceSet(**read_arrays(path, _ARRAYS, "detect"))  # type: ignore[arg-type]
