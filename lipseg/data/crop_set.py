"""The wide crops as the later stages read them: memory-mapped pictures and what is known of their faces."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.tables import read_arrays, read_json
from lipseg.errors import DataError
from lipseg.geometry import Affine, Array, bounding_box

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class CropSet:
    """N wide crops and what is known of their faces.

    Attributes:
        images: (N, size, size, 3) uint8 RGB, memory-mapped.
        names: (N,) str, "source/name".
        split: (N,) str, one of ``SPLITS``.
        state: (N,) str, the known mouth state or "".
        points_px: (N, 56, 2) float64 landmarks in image pixels.
        crop_to_image: (N, 2, 3) float64 affine matrices.
        inter_ocular_px: (N,) float64.
        skipped: for each reason, how many faces were left out.
        sha256: digest of all crops and of all that is known of their faces: what the data were.
    """

    images: NDArray[np.uint8]
    names: NDArray[np.str_]
    split: NDArray[np.str_]
    state: NDArray[np.str_]
    points_px: NDArray[np.float64]
    crop_to_image: NDArray[np.float64]
    inter_ocular_px: NDArray[np.float64]
    skipped: dict[str, int]
    sha256: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def boxes_px(self) -> Array:
        """(N, 4) bounding boxes of the landmarks, image pixels."""
        return bounding_box(self.points_px)

    def indices(self, *splits: str) -> NDArray[np.intp]:
        """Returns the positions of the faces of the given splits, in order."""
        return np.flatnonzero(np.isin(self.split, splits))

    def to_image(self, i: int) -> Affine:
        """Returns the map from crop ``i``'s pixels to its image's."""
        return Affine(self.crop_to_image[i])


_ARRAYS = ("names", "split", "state", "points_px", "crop_to_image", "inter_ocular_px")


def load_crops(folder: Path) -> CropSet:
    """Returns the crops that ``make_crops`` wrote.

    Raises:
        DataError: if a file is missing or does not fit the others.
    """
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder}: not a folder of crops ({error}); run the crop stage again") from error
    faces: dict[str, Any] = read_arrays(folder / "faces.npz", _ARRAYS, "crop")
    summary = read_json(folder / "summary.json")
    if not isinstance(summary, dict) or not {"skipped", "sha256"} <= summary.keys():
        raise DataError(f"{folder / 'summary.json'}: not a summary of crops; run the crop stage again")
    if {len(images), *(len(array) for array in faces.values())} != {len(images)}:
        raise DataError(f"{folder}: images.npy and faces.npz hold different numbers of faces; run the crop stage again")
    return CropSet(images=images, skipped=summary["skipped"], sha256=summary["sha256"], **faces)
