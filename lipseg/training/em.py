"""Expectation maximisation: a mixture for every K and covariance type, and the choice among them."""

import warnings
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from lipseg.errors import DataError
from lipseg.model.mixture import SCORE_POINTS, Mixture
from lipseg.params import Cluster
from lipseg.progress import progress


@dataclass(frozen=True)
class Selection:
    """The chosen mixture and how it was chosen.

    Attributes:
        mixture: the chosen one.
        rows: one a candidate: components, covariance, bic, aic, icl, validation (log-likelihood a held-out face),
            smallest (faces in its smallest component), converged, chosen. Lower is better for bic, aic and icl,
            higher for validation.
        dropped: tiny components removed from the chosen mixture.
        explained: share of the features' variance that the principal components keep.
    """

    mixture: Mixture
    rows: list[dict[str, object]]
    dropped: int
    explained: float


@dataclass(frozen=True, slots=True)
class _Whitening:
    centre: NDArray[np.float64]
    basis: NDArray[np.float64]
    explained: float

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return (features - self.centre) @ self.basis


def fit_mixture(train: NDArray[np.float32], held_out: NDArray[np.float32], params: Cluster, seed: int) -> Selection:
    """Returns the mixture chosen by ``params.criterion`` among all numbers of components and covariance types.

    Args:
        train: (N, F) features of the training faces, one row a face.
        held_out: (M, F) features of the validation faces.
        params: the section ``cluster``.
        seed: of EM's starting points.

    Raises:
        DataError: if there are too few faces for the asked number of components, or all have the same features.
    """
    if len(train) < max(2 * params.max_components, 3):
        raise DataError(
            f"cluster.max_components: {params.max_components} components need at least "
            f"{max(2 * params.max_components, 3)} training faces, there are {len(train)}"
        )
    whiten = _whitening(train, params.pca)
    z, z_out = whiten(train), whiten(held_out)
    candidates = list(product(range(params.min_components, params.max_components + 1), params.covariances))
    rows: list[dict[str, object]] = []
    fitted: list[GaussianMixture] = []
    for components, covariance in progress(candidates, total=len(candidates), desc="mixtures", unit="fits"):
        model, converged = _em(z, components, covariance, params, seed)
        fitted.append(model)
        responsibilities = model.predict_proba(z)
        # ICL = BIC plus twice the entropy of the assignment (Biernacki, Celeux, Govaert, PAMI 2000).
        entropy = -(responsibilities * np.log(np.maximum(responsibilities, 1e-300))).sum()
        rows.append(
            {
                "components": components,
                "covariance": covariance,
                "bic": float(model.bic(z)),
                "aic": float(model.aic(z)),
                "icl": float(model.bic(z) + 2 * entropy),
                "validation": float(model.score(z_out)),
                "smallest": int(np.bincount(responsibilities.argmax(1), minlength=components).min()),
                "converged": converged,
            }
        )
    scores = np.array([row[params.criterion] for row in rows], float)
    chosen = int(np.argmax(scores) if params.criterion == "validation" else np.argmin(scores))
    for i, row in enumerate(rows):
        row["chosen"] = i == chosen
    mixture, dropped = _as_arrays(fitted[chosen], whiten, z, z_out, params.min_share)
    return Selection(mixture, rows, dropped, whiten.explained)


def _whitening(features: NDArray[np.float32], dimensions: int) -> _Whitening:
    centre = features.mean(0, dtype=np.float64)
    _, values, axes = np.linalg.svd(features - centre, full_matrices=False)
    if not values[0] > 0:
        raise DataError("all training faces have the same features; train the base again, with another learning rate")
    # Constant features and more dimensions than faces would divide by zero.
    keep = min(dimensions, int((values > 1e-6 * values[0]).sum()), len(features) - 1)
    scale = np.sqrt(len(features) - 1) / values[:keep]
    return _Whitening(centre, axes[:keep].T * scale, float((values[:keep] ** 2).sum() / (values**2).sum()))


def _em(
    z: NDArray[np.float64], components: int, covariance: str, params: Cluster, seed: int
) -> tuple[GaussianMixture, bool]:
    model = GaussianMixture(
        components,
        covariance_type=covariance,
        n_init=params.restarts,
        reg_covar=params.regularisation,
        max_iter=300,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # recorded in the table instead
        try:
            model.fit(z)
        except ValueError as error:  # a covariance that collapsed on too few faces
            raise DataError(
                f"cluster.regularisation: {components} {covariance} components cannot be fitted with "
                f"{params.regularisation:g}; raise it, or lower cluster.max_components ({error})"
            ) from error
    return model, bool(model.converged_)


def _as_arrays(
    model: GaussianMixture, whiten: _Whitening, z: NDArray[np.float64], z_out: NDArray[np.float64], min_share: float
) -> tuple[Mixture, int]:
    means, precision, mixing = (
        np.asarray(array) for array in (model.means_, model.precisions_cholesky_, model.weights_)
    )
    k, d = means.shape
    factors = {
        "full": lambda: precision,
        "tied": lambda: np.broadcast_to(precision, (k, d, d)),
        "diag": lambda: np.stack([np.diag(row) for row in precision]),
        "spherical": lambda: precision[:, None, None] * np.eye(d),
    }[model.covariance_type]()
    share = np.bincount(model.predict(z), minlength=k) / len(z)
    keep = share >= min_share
    if not keep.any():
        keep = share == share.max()
    # The most frequent states first: component numbers then mean something across runs.
    order = [i for i in np.argsort(-share, kind="stable") if keep[i]]
    weights = mixing[order] / mixing[order].sum()

    def mixture(likelihoods: NDArray[np.float64]) -> Mixture:
        arrays = (whiten.centre, whiten.basis, np.log(weights), means[order], factors[order], likelihoods)
        return Mixture(*(np.ascontiguousarray(array, dtype=np.float32) for array in arrays))

    blank = mixture(np.linspace(0, 1, SCORE_POINTS))
    whitened = replace(blank, centre=np.zeros(d, np.float32), basis=np.eye(d, dtype=np.float32))
    likelihood = np.logaddexp.reduce(whitened.log_joint(z_out.astype(np.float32)), axis=1)
    return mixture(np.percentile(likelihood, np.linspace(0, 100, SCORE_POINTS))), int(k - len(order))
