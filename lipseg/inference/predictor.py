"""The interface between the tool and a model: a batch of views in, landmarks out; and the model of a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.errors import ModelError
from lipseg.inference.card import CARD, CASCADE, LOCATOR, read_card, read_network
from lipseg.inference.locator import Locator, MouthLocator, open_locator
from lipseg.inference.runtime import Runtime
from lipseg.inference.session import Network, open_network


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's outputs for a batch of N views.

    Attributes:
        points_unit: (N, 56, 2) float32 landmarks, unit coordinates of the view.
        component: (N,) int64, the mixture component whose head was used.
        responsibilities: (N, K) float32, the mixture's posterior over its components; rows sum to 1.
        score: (N,) float32 in 0..1: of a calibrated model the probability that the contours are right, see
            ``Thresholds.calibrated``; of another how typical the features are of the training mouths.
    """

    points_unit: NDArray[np.float32]
    component: NDArray[np.int64]
    responsibilities: NDArray[np.float32]
    score: NDArray[np.float32]


class Predictor(Protocol):
    """A model ready to run; the one of a model folder is ``OnnxPredictor``."""

    @property
    def runtime(self) -> Runtime:
        """The constants of the model."""
        ...

    @property
    def locator(self) -> MouthLocator | None:
        """Finds mouth boxes in face boxes; None assumes the mouth where average faces have it."""
        ...

    def __call__(self, views: NDArray[np.uint8], /) -> Prediction:
        """Returns the prediction for (N, size, size, 3) uint8 RGB views, N >= 1."""
        ...


@dataclass(frozen=True, slots=True)
class OnnxPredictor:
    """The model of a folder. Implements ``Predictor``.

    Attributes:
        runtime: the constants of the model.
        locator: goes from face boxes to mouth boxes, or None.
        card: the model card.
        network: views to points, component, responsibilities and score.
    """

    runtime: Runtime
    locator: Locator | None
    card: dict[str, Any]
    network: Network

    def __call__(self, views: NDArray[np.uint8]) -> Prediction:
        """Returns the prediction for (N, size, size, 3) uint8 RGB views, N >= 1.

        Raises:
            ValueError: if the views have another shape or type.
            ModelError: if an output is not finite.
        """
        size = self.runtime.view.size
        if views.ndim != 4 or views.shape[1:] != (size, size, 3) or views.dtype != np.uint8 or len(views) == 0:
            raise ValueError(f"views must be (N, {size}, {size}, 3) uint8 with N >= 1, not {views.shape} {views.dtype}")
        found = self.network(views)
        # On some view, weights that were tampered with may give what they do not give on a black one.
        if not all(np.isfinite(array).all() for array in found):
            raise ModelError("the model gives numbers that are not finite for this picture; get its folder again")
        return Prediction(*found)


OUTPUTS = ("points_unit", "component", "responsibilities", "score")


def load_predictor(folder: Path, threads: int = 1) -> OnnxPredictor:
    """Returns the model of a folder.

    Args:
        folder: with the card and the networks.
        threads: of ONNX Runtime.

    Raises:
        ModelError: naming the file that is missing, damaged or does not fit.
    """
    card = read_card(folder)
    runtime = Runtime.from_card(card, folder / CARD)
    path = folder / CASCADE

    def check(found: list[NDArray[Any]]) -> None:
        shapes = [array.shape for array in found]
        if shapes != [(1, scheme.N_POINTS, 2), (1,), (1, runtime.components), (1,)]:
            raise ModelError(f"{path}: gives arrays of other shapes than {CARD} says ({shapes}); get the folder again")
        if not all(np.isfinite(array).all() for array in found):
            raise ModelError(f"{path}: gives numbers that are not finite; get the folder again")

    network = open_network(read_network(folder, CASCADE, card), OUTPUTS, runtime.view.size, path, threads, check)
    locator = None
    if runtime.locator is not None:
        content = read_network(folder, LOCATOR, card)
        locator = open_locator(content, runtime.locator, folder / LOCATOR, threads)
    return OnnxPredictor(runtime, locator, card, network)
