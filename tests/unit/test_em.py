"""EM: known clusters are found, every criterion picks its best candidate, and odd features are handled."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from lipseg.errors import DataError
from lipseg.params import Cluster
from lipseg.training.em import fit_mixture

CRITERIA = ("bic", "aic", "icl", "validation")

PARAMS = Cluster(
    min_components=1,
    max_components=4,
    covariances=("full", "diag"),
    pca=3,
    restarts=2,
    criterion="bic",
    min_share=0.0,
    regularisation=1e-3,
)


def clusters(sizes, seed=0, spread=8.0):
    """Features (N, 10) in clusters of the given sizes along three directions, and the clusters' numbers."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(99).normal(size=(10, 10)))[0]
    known = np.repeat(np.arange(len(sizes)), sizes)
    centres = spread * np.eye(10)[: len(sizes)]
    return ((centres[known] + rng.normal(size=(len(known), 10)) * ([1.0] * 3 + [0.05] * 7)) @ axes).astype(
        np.float32
    ), known


@pytest.fixture(scope="module")
def three():
    return *clusters([60, 40, 20]), clusters([18, 12, 6], seed=1)[0]


@pytest.fixture(scope="module")
def found(three):
    return fit_mixture(three[0], three[2], PARAMS, 0)


def test_known_clusters_are_found(three, found):
    x, known, _ = three
    assert found.mixture.components == 3
    assert adjusted_rand_score(known, found.mixture.assign(x)[0].argmax(1)) > 0.97
    assert found.dropped == 0
    assert found.explained > 0.95
    np.testing.assert_allclose(np.exp(found.mixture.log_weights), [0.5, 1 / 3, 1 / 6], atol=0.02)  # largest first
    assert all(array.dtype == np.float32 for array in found.mixture.arrays().values())


def test_every_candidate_has_its_row(found):
    assert [(row["components"], row["covariance"]) for row in found.rows] == [
        (k, kind) for k in (1, 2, 3, 4) for kind in ("full", "diag")
    ]
    assert sum(row["chosen"] for row in found.rows) == 1
    for row in found.rows:
        assert all(np.isfinite(row[name]) for name in CRITERIA)
        assert row["icl"] >= row["bic"] - 1e-6  # the entropy is not negative
        assert row["smallest"] <= 120 // row["components"]
    assert found.rows[0]["smallest"] == 120


@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_criterion_picks_its_best_row(three, found, criterion):
    chosen = fit_mixture(three[0], three[2], replace(PARAMS, criterion=criterion), 0)
    values = np.array([row[criterion] for row in found.rows])
    best = values.argmax() if criterion == "validation" else values.argmin()
    assert [row["chosen"] for row in chosen.rows].index(True) == best
    assert chosen.mixture.components == chosen.rows[best]["components"]


def test_the_features_are_whitened(three, found):
    z = (three[0] - found.mixture.centre) @ found.mixture.basis
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=1e-3)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-4)


def test_the_score_points_are_percentiles_of_the_held_out_faces(three, found):
    likelihood = np.logaddexp.reduce(found.mixture.log_joint(three[2]), axis=1)
    assert found.mixture.likelihoods[0] == pytest.approx(likelihood.min(), abs=1e-2)
    assert found.mixture.likelihoods[50] == pytest.approx(np.median(likelihood), abs=1e-2)
    assert found.mixture.likelihoods[100] == pytest.approx(likelihood.max(), abs=1e-2)


def test_the_seed_decides(three):
    one, two = (fit_mixture(three[0], three[2], PARAMS, 5) for _ in range(2))
    np.testing.assert_array_equal(one.mixture.means, two.mixture.means)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_one_component_holds_everything(three, covariance):
    one = fit_mixture(three[0], three[2], replace(PARAMS, max_components=1, covariances=(covariance,)), 0)
    assert one.mixture.components == 1
    np.testing.assert_allclose(one.mixture.log_weights, 0, atol=1e-6)
    np.testing.assert_allclose(one.mixture.assign(three[0])[0], 1)


def test_tiny_components_are_dropped_and_their_faces_go_elsewhere():
    x, _ = clusters([60, 57, 3])
    params = replace(PARAMS, min_components=3, max_components=3, covariances=("diag",), restarts=5)
    whole = fit_mixture(x, x, params, 0)
    assert (whole.mixture.components, whole.dropped) == (3, 0)
    pruned = fit_mixture(x, x, replace(params, min_share=0.05), 0)
    assert (pruned.mixture.components, pruned.dropped) == (2, 1)
    assert np.exp(pruned.mixture.log_weights).sum() == pytest.approx(1, abs=1e-5)
    none = fit_mixture(x, x, replace(params, min_share=0.9), 0)
    assert none.mixture.components == 1  # the largest stays


def test_too_many_components_for_the_faces_are_refused(three):
    with pytest.raises(DataError, match=r"cluster\.max_components: 40 components need at least 80 training faces.* 50"):
        fit_mixture(three[0][:50], three[2], replace(PARAMS, max_components=40), 0)


def test_more_dimensions_than_there_are_are_not_used(three):
    x = three[0][:, :2]
    found = fit_mixture(x, x, replace(PARAMS, pca=50), 0)
    assert found.mixture.means.shape[1] == 2
    assert found.explained == pytest.approx(1)
    few = clusters([6, 4])[0]
    assert fit_mixture(few, few, replace(PARAMS, pca=50, max_components=2), 0).mixture.means.shape[1] <= 9


def test_constant_features_do_no_harm(three):
    x, known, _ = three
    x = np.concatenate([x, np.full((len(x), 3), 7, np.float32)], axis=1)
    mixture = fit_mixture(x, x, PARAMS, 0).mixture
    assert all(np.isfinite(array).all() for array in mixture.arrays().values())
    assert adjusted_rand_score(known, mixture.assign(x)[0].argmax(1)) > 0.97


def test_features_that_never_change_are_refused():
    x = np.ones((40, 5), np.float32)
    with pytest.raises(DataError, match="all training faces have the same features"):
        fit_mixture(x, x, PARAMS, 0)
