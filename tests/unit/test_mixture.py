"""The mixture at inference against scikit-learn and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from lipseg.model.mixture import SCORE_POINTS, Mixture
from lipseg.training.em import _as_arrays, _Whitening

pytestmark = pytest.mark.usefixtures("strict_types")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0], [4, 0, 1], [0, 5, -2]])
    stretch = np.array([[1.0, 0.5, 0.0], [0.0, 0.7, 0.2], [0.0, 0.0, 1.2]])
    return np.concatenate([centre + rng.normal(size=(80, 3)) @ stretch for centre in centres]).astype(np.float32)


def plain(model, z):
    """The arrays of a fitted scikit-learn mixture, nothing whitened, nothing dropped."""
    return _as_arrays(model, _Whitening(np.zeros(3), np.eye(3), 1.0), z, z, 0.0)[0]


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_log_joint_is_scikit_learn_s(data, covariance):
    model = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(data)
    mixture = plain(model, data)
    joint = mixture.log_joint(data)
    assert joint.shape == (240, 3)
    np.testing.assert_allclose(np.logaddexp.reduce(joint, axis=1), model.score_samples(data), rtol=1e-4)
    # Components are sorted by their share: match them by their means.
    order = [int(np.argmin(((model.means_ - mean) ** 2).sum(1))) for mean in mixture.means]
    np.testing.assert_allclose(mixture.assign(data)[0], model.predict_proba(data)[:, order], atol=1e-4)


def test_log_joint_is_that_of_scipy():
    rng = np.random.default_rng(1)
    covariances = [a @ a.T + np.eye(4) for a in rng.normal(size=(2, 4, 4))]
    weights, means = np.array([0.3, 0.7]), rng.normal(size=(2, 4))
    centre, basis = rng.normal(size=6), rng.normal(size=(6, 4))
    mixture = Mixture(
        centre.astype(np.float32),
        basis.astype(np.float32),
        np.log(weights).astype(np.float32),
        means.astype(np.float32),
        np.stack([np.linalg.inv(np.linalg.cholesky(c)).T for c in covariances]).astype(np.float32),
        np.linspace(-20, 0, SCORE_POINTS, dtype=np.float32),
    )
    x = rng.normal(size=(10, 6)).astype(np.float32)
    z = (x - centre) @ basis
    expected = [
        np.log(w) + multivariate_normal(m, c).logpdf(z) for w, m, c in zip(weights, means, covariances, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_joint(x), np.stack(expected, 1), rtol=1e-4, atol=1e-4)


def test_numpy_and_jax_agree(mixture, features):
    x = features.features
    responsibilities, score = mixture.assign(x)
    arrays = Mixture(**{name: jnp.asarray(array) for name, array in mixture.arrays().items()})
    found = jax.jit(lambda x: arrays.assign(x, jnp))(x)
    np.testing.assert_allclose(found[0], responsibilities, atol=2e-4)
    np.testing.assert_allclose(found[1], score, atol=2e-4)
    assert found[0].dtype == found[1].dtype == jnp.float32


def test_the_score_is_the_share_of_held_out_faces_with_a_lower_likelihood(mixture, features):
    held_out = features.select(split="validation", boxes="exact").features
    likelihood = np.logaddexp.reduce(mixture.log_joint(held_out), axis=1)
    score = mixture.assign(held_out)[1]
    order = np.argsort(likelihood)
    assert (np.diff(score[order]) >= 0).all()
    assert score[order[0]] == pytest.approx(0, abs=0.02)
    assert score[order[-1]] == pytest.approx(1, abs=0.02)
    assert mixture.assign(held_out + 1e4)[1].max() == 0


def test_far_from_everything_the_responsibilities_still_sum_to_1(mixture, features):
    far = features.features[:3] * 1e4
    responsibilities, score = mixture.assign(far)
    np.testing.assert_allclose(responsibilities.sum(1), 1, rtol=1e-6)
    assert np.isfinite(score).all()
