"""The wide crops as the later stages read them: memory-mapped pictures and what is known of their faces."""

from dataclasses import dataclass
from functools import cached_property
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
        scale: (N,) float64, pixels of the image over pixels of the one that was annotated.
        mask: (N,) int64, of a face that is labelled by masks its row in ``masks``, else -1.
        masks: (M, size, size, 3) uint8, memory-mapped: how much of each of a crop's pixels is upper lip, lower lip
            and inner mouth; 255 is all of it.
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
    scale: NDArray[np.float64]
    mask: NDArray[np.int64]
    masks: NDArray[np.uint8]
    skipped: dict[str, int]
    sha256: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def boxes_px(self) -> Array:
        """(N, 4) bounding boxes of the landmarks, image pixels."""
        return bounding_box(self.points_px)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources, in the order in which they were read."""
        return tuple(dict.fromkeys(name.split("/")[0] for name in self.names.tolist()))

    @cached_property
    def source(self) -> NDArray[np.intp]:
        """(N,) which of the sources each face is from."""
        return np.array([self.sources.index(name.split("/")[0]) for name in self.names.tolist()], np.intp)

    def indices(self, *splits: str) -> NDArray[np.intp]:
        """Returns the positions of the faces of the given splits, in order."""
        return np.flatnonzero(np.isin(self.split, splits))

    def to_image(self, i: int) -> Affine:
        """Returns the map from crop ``i``'s pixels to its image's."""
        return Affine(self.crop_to_image[i])


_ARRAYS = ("names", "split", "state", "points_px", "crop_to_image", "inter_ocular_px", "scale", "mask")


def load_crops(folder: Path) -> CropSet:
    """Returns the crops that ``make_crops`` wrote.

    Raises:
        DataError: if a file is missing or does not fit the others.
    """
    images = _mapped(folder / "images.npy")
    faces: dict[str, Any] = read_arrays(folder / "faces.npz", _ARRAYS, "crop")
    summary = read_json(folder / "summary.json")
    if not isinstance(summary, dict) or not {"skipped", "sha256"} <= summary.keys():
        raise DataError(f"{folder / 'summary.json'}: not a summary of crops; run the crop stage again")
    if {len(images), *(len(array) for array in faces.values())} != {len(images)}:
        raise DataError(f"{folder}: images.npy and faces.npz hold different numbers of faces; run the crop stage again")
    rows = int(faces["mask"].max(initial=-1)) + 1
    # There is no file where no face has masks: nothing cannot be mapped.
    masks = _mapped(folder / "masks.npy") if rows else np.empty((0, *images.shape[1:]), np.uint8)
    if masks.shape != (rows, *images.shape[1:]):
        raise DataError(f"{folder}: masks.npy does not fit faces.npz; run the crop stage again")
    return CropSet(images=images, masks=masks, skipped=summary["skipped"], sha256=summary["sha256"], **faces)


def _mapped(path: Path) -> NDArray[np.uint8]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a file of crops ({error}); run the crop stage again") from error
