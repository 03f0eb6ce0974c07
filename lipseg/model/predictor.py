"""The small interface between inference and a model: a batch of views in, landmarks out."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lipseg.data.frames import View


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a batch of N views.

    Attributes:
        points_unit: (N, 56, 2) float32 landmarks, unit coordinates of the view.
        component: (N,) int64, the mixture component whose head was used.
        responsibilities: (N, K) float32, the mixture's posterior over its components; rows sum to 1.
        score: (N,) float32 in 0..1: how typical the features are of the training mouths (the share of held-out
            training faces whose likelihood under the mixture is lower).
    """

    points_unit: NDArray[np.float32]
    component: NDArray[np.int64]
    responsibilities: NDArray[np.float32]
    score: NDArray[np.float32]


class Predictor(Protocol):
    """A model ready to run; the JAX one is ``lipseg.model.cascade.Cascade``."""

    view: View
    card: dict[str, Any]

    def __call__(self, views: NDArray[np.uint8]) -> Prediction:
        """Returns the prediction for (N, size, size, 3) uint8 RGB views, N >= 1."""
        ...
