"""Mean and standard deviation of the training views: the normalisation of everything that a network sees."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.tables import read_arrays, write_arrays


@dataclass(frozen=True, slots=True)
class Normaliser:
    """``(view - mean) / deviation``.

    Attributes:
        mean: (size, size, 3) or (3,) float32, in grey levels 0..255.
        deviation: of the same shape, at least 1 grey level.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def __call__(self, views: Any) -> Any:
        """Returns (N, size, size, 3) views normalised, float32; of NumPy or, inside a compiled function, of JAX."""
        return (views.astype(np.float32) - self.mean) / self.deviation


def fit_normaliser(views: NDArray[np.uint8], per: str) -> tuple[Normaliser, Normaliser]:
    """Returns the normaliser of (N, size, size, 3) views, and the pixelwise one to look at.

    Args:
        views: the training views alone.
        per: "pixel" for a mean image and a deviation image, "channel" for three numbers each.
    """
    total = np.zeros(views.shape[1:])
    squares = np.zeros(views.shape[1:])
    for view in views:  # one at a time: no float copy of the whole set
        x = view.astype(np.float64)
        total += x
        squares += x**2

    def normaliser(axes: tuple[int, ...]) -> Normaliser:
        mean = (total / len(views)).mean(axes)
        deviation = np.sqrt(np.maximum((squares / len(views)).mean(axes) - mean**2, 0))
        return Normaliser(mean.astype(np.float32), np.maximum(deviation, 1.0).astype(np.float32))

    pixel = normaliser(())
    return (pixel if per == "pixel" else normaliser((0, 1))), pixel


def save_normaliser(path: Path, normaliser: Normaliser) -> None:
    """Writes an npz file with ``mean`` and ``deviation``."""
    write_arrays(path, mean=normaliser.mean, deviation=normaliser.deviation)


def load_normaliser(path: Path) -> Normaliser:
    """Returns what ``save_normaliser`` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    return Normaliser(**read_arrays(path, ("mean", "deviation"), "statistics"))
