"""How sure the model is: evidence calibrated to the probability of a right contour. Plain arrays, NumPy or JAX.

Letters in shapes: N views, E kinds of evidence.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What ``lipseg.model.evidence`` gathers, in order.
EVIDENCE = ("deviance", "spread", "worst_spread", "change", "lips", "skin", "offset", "size")
# No single piece of evidence counts beyond this many standard deviations: far out the fit knows nothing.
_FARTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Confidence:
    """A logistic regression on the evidence, and one that joins it with the locator's word.

    Attributes:
        centre: (E,) float32 subtracted from the evidence.
        scale: (E,) float32 the rest is divided by.
        weights: (E + 1,) float32, the bias last.
        joint: (3,) float32 weights of the evidence's logit and of the presence logit, and a bias.
        min_score: (1,) float32, faces below are dropped where nobody says otherwise.
        min_presence: (1,) float32, likewise of the presence logit.
    """

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    joint: NDArray[np.float32]
    min_score: NDArray[np.float32]
    min_presence: NDArray[np.float32]

    def logit(self, evidence: Any, xp: Any = np) -> Any:
        """Returns (N,) logits of (N, E) evidence, an array of the library ``xp``."""
        z = xp.clip((evidence - self.centre) / self.scale, -_FARTHEST, _FARTHEST)
        return z @ self.weights[:-1] + self.weights[-1]

    def score(self, evidence: Any, xp: Any = np) -> Any:
        """Returns (N,) the probability that the contours are right, by the evidence alone."""
        return 1 / (1 + xp.exp(-self.logit(evidence, xp)))

    def join(self, score: float, presence: float) -> float:
        """Returns the probability that the contours are right, by the evidence's score and a presence logit."""
        clipped = min(max(float(score), 1e-6), 1 - 1e-6)
        logit = self.joint[0] * np.log(clipped / (1 - clipped)) + self.joint[1] * presence + self.joint[2]
        return float(1 / (1 + np.exp(-logit)))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Returns the attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
