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
FARTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Confidence:
    """A logistic regression on the evidence of a look, and a second one on its logit.

    The first is fitted on single looks. Of several looks at one mouth the surest answer counts, so the scores of what
    a user sees would be too high: the second, of one slope and one bias, is fitted on those (Platt, "Probabilistic
    outputs for support vector machines", 1999).

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
