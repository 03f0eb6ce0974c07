"""The score: the probability of a right contour, by logistic regression on evidence. Arrays of NumPy or JAX.

Letters in shapes: N views, E kinds of evidence.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What ``lipseg.model.evidence`` gathers, in order.
EVIDENCE = ("deviance", "spread", "worst_spread", "change", "lips", "skin", "offset", "size")
# Evidence is clipped at this many standard deviations: the regression had no data beyond.
FARTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Confidence:
    """A logistic regression on the evidence of a view, and a second one on its logit.

    The first is fitted on single views. A doubtful mouth gets up to three views and the prediction with the highest
    score is kept, so the scores of kept predictions would be too high: the second regression, of one slope and one
    bias, is fitted on those (Platt, "Probabilistic outputs for support vector machines", 1999).

    Attributes:
        centre: (E,) float32 subtracted from the evidence.
        scale: (E,) float32 the rest is divided by.
        weights: (E + 1,) float32, the bias last.
        joint: (2,) float32 slope and bias of the second regression.
    """

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    joint: NDArray[np.float32]

    def logit(self, evidence: Any, xp: Any = np) -> Any:
        """Returns (N,) logits of (N, E) evidence, an array of the library ``xp``."""
        z = xp.clip((evidence - self.centre) / self.scale, -FARTHEST, FARTHEST)
        return self.joint[0] * (z @ self.weights[:-1] + self.weights[-1]) + self.joint[1]

    def score(self, evidence: Any, xp: Any = np) -> Any:
        """Returns (N,) the probability that the contours are right."""
        return 1 / (1 + xp.exp(-self.logit(evidence, xp)))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Returns the attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
