"""What must hold of every mixture and all features."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lipseg.model.mixture import SCORE_POINTS, Mixture


@st.composite
def mixtures(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k, d, f = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 9))
    spread = draw(st.floats(0.1, 10))
    weights = rng.dirichlet(np.ones(k)) + 1e-6
    factors = np.triu(rng.normal(size=(k, d, d)), 1) + np.eye(d) * rng.uniform(0.1, 5, (k, 1, d))
    arrays = (
        rng.normal(size=f),
        rng.normal(size=(f, d)),
        np.log(weights / weights.sum()),
        spread * rng.normal(size=(k, d)),
        factors,
        np.sort(rng.normal(-20, 10, SCORE_POINTS)),
    )
    return Mixture(*(array.astype(np.float32) for array in arrays)), rng.normal(size=(7, f)).astype(np.float32) * spread


@settings(max_examples=60, deadline=None)
@given(mixtures())
def test_responsibilities_are_a_distribution(case):
    mixture, x = case
    responsibilities, score = mixture.assign(x)
    assert responsibilities.shape == (7, mixture.components)
    assert (responsibilities >= 0).all()
    np.testing.assert_allclose(responsibilities.sum(1), 1, rtol=1e-5)
    assert ((score >= 0) & (score <= 1)).all()
    assert (responsibilities.argmax(1) == mixture.log_joint(x).argmax(1)).all()


@settings(max_examples=60, deadline=None)
@given(mixtures())
def test_a_face_s_figures_do_not_depend_on_the_others(case):
    mixture, x = case
    np.testing.assert_allclose(mixture.log_joint(x)[3:4], mixture.log_joint(x[3:4]), rtol=1e-4, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(mixtures())
def test_the_likelier_face_has_no_lower_score(case):
    mixture, x = case
    likelihood = np.logaddexp.reduce(mixture.log_joint(x), axis=1)
    score = mixture.assign(x)[1]
    assert (np.diff(score[np.argsort(likelihood)]) >= -1e-6).all()


@settings(max_examples=40, deadline=None)
@given(mixtures())
def test_components_in_another_order_are_the_same_mixture(case):
    mixture, x = case
    turned = {name: array[::-1] for name, array in mixture.arrays().items() if name in ("log_weights", "means")}
    arrays = {**mixture.arrays(), **turned, "precisions": mixture.precisions[::-1]}
    np.testing.assert_allclose(Mixture(**arrays).log_joint(x)[:, ::-1], mixture.log_joint(x), rtol=1e-5)
