"""Cached features at the input of FC5: what the mixture and the heads learn from."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.data.tables import read_arrays, write_arrays


@dataclass(frozen=True)
class FeatureSet:
    """Features of N views.

    Attributes:
        features: (N, F) float32.
        sampled: (N, 56, C) float16, see ``lipseg.model.nets.Encoded``; half the digits are enough and half the file.
        frame: (N, 4) float32, see ``lipseg.model.nets.Encoded``.
        points_unit: (N, 56, 2) float32 true landmarks, unit coordinates of the view.
        iod_unit: (N,) float32 inter-ocular distance in unit coordinates.
        face: (N,) position of the face in the crops.
        split: (N,) str, see ``lipseg.data.crops.SPLITS``.
        boxes: (N,) str, "exact" or "jittered" (augmented views of training faces are jittered ones).
    """

    features: NDArray[np.float32]
    sampled: NDArray[np.float16]
    frame: NDArray[np.float32]
    points_unit: NDArray[np.float32]
    iod_unit: NDArray[np.float32]
    face: NDArray[np.intp]
    split: NDArray[np.str_]
    boxes: NDArray[np.str_]

    def select(self, *, split: str, boxes: str | None = None) -> "FeatureSet":
        """Returns the views of one split, of one kind of boxes or of both."""
        rows = (self.split == split) & ((self.boxes == boxes) if boxes else True)
        return FeatureSet(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.features)


def save_features(path: Path, found: FeatureSet) -> None:
    """Writes an npz file."""
    write_arrays(path, **{field.name: getattr(found, field.name) for field in fields(found)})


def load_features(path: Path) -> FeatureSet:
    """Returns what ``save_features`` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    return FeatureSet(**read_arrays(path, [field.name for field in fields(FeatureSet)], "extract"))
