"""A model whose answer is known for every box: what the commands are tested with."""

import numpy as np

from lipseg.geometry import View
from lipseg.inference.conventions import Convention
from lipseg.inference.predictor import Prediction
from lipseg.inference.runtime import Runtime

_ANGLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_RING = np.stack([-np.cos(_ANGLE), -0.5 * np.sin(_ANGLE)], 1)


def two_ellipses(inner: float) -> np.ndarray:
    """Returns (56, 2) unit coordinates: two ellipses about the view's middle, the outer one 0.6 wide."""
    return 0.5 + np.concatenate([0.3 * _RING, inner * _RING])


UNIT = two_ellipses(0.2)

# The conventions of a model with one beside the reference's, which lies this many pixels away.
ELSEWHERE = {"elsewhere": Convention((0.0,) * 112, (7.0, -3.0))}


class Ellipses:
    """A model that sees the same mouth in every view; keeps how many views it was shown at each call."""

    runtime = Runtime(View(24, "square", 1.5), 3)
    locator = None
    card: dict = {}  # noqa: RUF012
    unit = UNIT

    def __init__(self):
        self.batches: list[int] = []

    def __call__(self, views):
        n = len(views)
        self.batches.append(n)
        return Prediction(
            np.repeat(self.unit[None], n, 0).astype(np.float32),
            np.full(n, 2, np.int64),
            np.full((n, 3), 1 / 3, np.float32),
            np.full(n, 0.625, np.float32),
        )
