"""The small interface between inference and a model: a batch of views in, landmarks out."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lipseg.geometry import View


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a batch of N views.

    Attributes:
        points_unit: (N, 56, 2) float32 landmarks, unit coordinates of the view.
        component: (N,) int64, the mixture component whose head was used.
        responsibilities: (N, K) float32, the mixture's posterior over its components; rows sum to 1.
        score: (N,) float32 in 0..1. Of a calibrated model the probability that the contours are right (see
            ``lipseg.inference.confidence``); of an older one how typical the features are of the training mouths (the
            share of held-out training faces whose likelihood under the mixture is lower).
    """

    points_unit: NDArray[np.float32]
    component: NDArray[np.int64]
    responsibilities: NDArray[np.float32]
    score: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LocatorView:
    """What the locator looks at.

    Attributes:
        size: pixels a side.
        margin: side over the face box's side.
    """

    size: int
    margin: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """The mouths of N faces.

    Attributes:
        mouths: (N, 5) float64 centre x, y, width, height and roll in radians, image pixels.
        presence: (N,) float32 logit of the probability that a mouth can be seen there.
    """

    mouths: NDArray[np.float64]
    presence: NDArray[np.float32]


class MouthLocator(Protocol):
    """Finds the mouths of faces; the JAX one is ``lipseg.model.locator.Locator``."""

    def __call__(self, image: NDArray[np.uint8], faces: NDArray[np.float64], /) -> Sighting:
        """Returns the mouths of face boxes in a picture.

        Args:
            image: (height, width, 3) uint8 RGB.
            faces: (N, 4) centre x, y, side and roll in radians of the square face boxes, N >= 1, image pixels.
        """
        ...


class Predictor(Protocol):
    """A model ready to run; the JAX one is ``lipseg.model.cascade.Cascade``.

    It may also have the attributes ``locator`` (a ``MouthLocator``), ``confidence`` (a ``Confidence``) and ``bias``
    ((2,) of ``annotation_bias``), all None or missing in a model that was trained without.
    """

    view: View
    card: dict[str, Any]

    def __call__(self, views: NDArray[np.uint8]) -> Prediction:
        """Returns the prediction for (N, size, size, 3) uint8 RGB views, N >= 1."""
        ...
