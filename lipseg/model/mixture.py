"""The Gaussian mixture at inference: plain arrays, no scikit-learn. The same code runs on NumPy and inside JAX."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Points of the empirical distribution of held-out log-likelihoods that the score is read from.
SCORE_POINTS = 101


@dataclass(frozen=True, slots=True)
class Mixture:
    """K Gaussians over d whitened principal components of F features.

    Attributes:
        centre: (F,) float32, subtracted from the features.
        basis: (F, d) float32, projects and whitens.
        log_weights: (K,) float32, natural logarithms of the components' weights.
        means: (K, d) float32.
        precisions: (K, d, d) float32 upper triangular Cholesky factors P of the precisions: the squared Mahalanobis
            distance of z is |(z - mean) P|^2.
        likelihoods: (101,) float32, percentiles of the log-likelihood of held-out training faces.
    """

    centre: NDArray[np.float32]
    basis: NDArray[np.float32]
    log_weights: NDArray[np.float32]
    means: NDArray[np.float32]
    precisions: NDArray[np.float32]
    likelihoods: NDArray[np.float32]

    @property
    def components(self) -> int:
        """K."""
        return len(self.means)

    def log_joint(self, features: Any, xp: Any = np) -> Any:
        """Returns (N, K) log p(features, component) of (N, F) features in the whitened space.

        Bishop, Pattern Recognition and Machine Learning, 2006, equation 9.7 with 2.43.

        Args:
            features: array of the library ``xp``.
            xp: numpy or jax.numpy.
        """
        z = (features - self.centre) @ self.basis
        # One component at a time is not worth it: K and d are small.
        white = xp.einsum("nkd,kde->nke", z[:, None] - self.means[None], self.precisions)
        volume = xp.log(xp.diagonal(self.precisions, axis1=1, axis2=2)).sum(1)
        constant = 0.5 * self.means.shape[1] * np.log(2 * np.pi)
        return self.log_weights + volume - constant - 0.5 * (white**2).sum(-1)

    def assign(self, features: Any, xp: Any = np) -> tuple[Any, Any]:
        """Returns responsibilities (N, K), whose rows sum to 1, and scores (N,) in 0..1.

        The score is the share of held-out training faces with a lower likelihood.
        """
        joint = self.log_joint(features, xp)
        likelihood = _log_sum(joint, xp)
        score = xp.interp(likelihood, xp.asarray(self.likelihoods), xp.linspace(0.0, 1.0, SCORE_POINTS))
        return xp.exp(joint - likelihood[:, None]), score

    def deviance(self, features: Any, xp: Any = np) -> Any:
        """Returns (N,) how much less likely features are than those of a median held-out face.

        In units of the middle half of the held-out faces' log-likelihoods, below 0 for likelier ones.
        """
        held_out = xp.asarray(self.likelihoods)
        quarter = SCORE_POINTS // 4
        spread = held_out[3 * quarter] - held_out[quarter] + 1e-6
        return (held_out[2 * quarter] - _log_sum(self.log_joint(features, xp), xp)) / spread

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Returns the attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _log_sum(joint: Any, xp: Any) -> Any:
    """Returns (N,) log sum exp of (N, K)."""
    peak = joint.max(1, keepdims=True)
    return (peak + xp.log(xp.exp(joint - peak).sum(1, keepdims=True)))[:, 0]
