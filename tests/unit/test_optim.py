"""The optimisers: their schedules, the clipping of the gradient and what is decayed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lipseg.params import TrainBase
from lipseg.training.optim import base_optimiser, head_optimiser

TRAIN = TrainBase(
    epochs=1,
    repeats=1,
    source_weights=(),
    patience=0,
    batch_size=1,
    optimiser="adamw",
    kernel_rate=2e-2,
    learning_rate=1e-2,
    schedule="constant",
    weight_decay=0.0,
    average=0.0,
    loss="l2",
    tangential=1.0,
    mask_weight=0.0,
    map_weight=0.0,
    validate_on="exact",
)


def changed(**values):
    return TrainBase(**{**{name: getattr(TRAIN, name) for name in TRAIN.__dataclass_fields__}, **values})


def sizes(optimiser, steps):
    """How far a weight moves in each step under a constant gradient: the learning rate, for Adam."""
    weights = {"kernel": jnp.ones((2, 2))}
    state, found = optimiser.init(weights), []

    @jax.jit
    def step(state):
        return optimiser.update({"kernel": jnp.full((2, 2), 0.1)}, state, weights)

    for _ in range(steps):
        updates, state = step(state)
        found.append(-float(updates["kernel"][0, 0]))
    return np.array(found)


def one_step(optimiser, gradient, weights):
    """The first updates and the state after them; compiled whole, as in training."""
    return jax.jit(lambda: optimiser.update(gradient, optimiser.init(weights), weights))()


def test_a_constant_schedule_keeps_its_rate():
    np.testing.assert_allclose(sizes(base_optimiser(TRAIN, 20), 20), 1e-2, rtol=1e-3)


def test_a_cosine_schedule_rises_to_the_rate_and_falls_to_zero():
    found = sizes(base_optimiser(changed(schedule="cosine"), 100), 101)
    assert found.max() == pytest.approx(1e-2, rel=1e-3)
    assert found.argmax() == 5  # a twentieth of the steps
    assert (np.diff(found[:6]) > 0).all()
    assert (np.diff(found[5:]) < 0).all()
    assert found[52] == pytest.approx(5e-3, rel=0.02)
    assert abs(found[-1]) < 1e-6


@pytest.mark.parametrize("steps", [1, 2])
def test_a_cosine_schedule_of_very_few_steps_is_finite(steps):
    assert np.isfinite(sizes(base_optimiser(changed(schedule="cosine"), steps), steps + 1)).all()


def test_kernels_alone_are_decayed():
    optimiser = base_optimiser(changed(weight_decay=0.5), 10)
    weights = {"kernel": np.full((2, 3), 2.0, np.float32), "bias": np.full(3, 2.0, np.float32)}
    updates, _ = one_step(optimiser, jax.tree.map(np.zeros_like, weights), weights)
    np.testing.assert_allclose(updates["kernel"], -1e-2 * 0.5 * 2.0, rtol=1e-5)
    np.testing.assert_array_equal(updates["bias"], 0)


def test_large_gradients_are_clipped_as_a_whole():
    optimiser = base_optimiser(TRAIN, 10)
    weights = {"a": jnp.zeros(3), "b": jnp.zeros(1)}
    gradient = {"a": jnp.array([300.0, 0.0, 0.0]), "b": jnp.array([400.0])}
    _, state = one_step(optimiser, gradient, weights)
    mean = optax.tree_utils.tree_get(state, "mu")
    np.testing.assert_allclose([mean["a"][0], mean["b"][0]], [0.1 * 3, 0.1 * 4], rtol=1e-5)  # norm 5, b1 0.9


def test_muon_makes_a_kernels_step_orthogonal_whatever_its_gradient():
    optimiser = base_optimiser(changed(optimiser="muon", kernel_rate=0.1, learning_rate=1e-3), 10)
    rng = np.random.default_rng(0)
    weights = {"kernel": jnp.zeros((3, 3, 4, 8)), "bias": jnp.zeros(8)}
    gradient = {"kernel": jnp.asarray(rng.normal(size=(3, 3, 4, 8)), jnp.float32), "bias": jnp.full(8, 1e-3)}
    updates, _ = one_step(optimiser, gradient, weights)
    singular = np.linalg.svd(np.asarray(updates["kernel"]).reshape(36, 8), compute_uv=False)
    # Newton and Schulz leave the singular values within about 0.3 of 1.
    assert (np.abs(singular / 0.1 - 1) < 0.35).all()
    # Adam with Nesterov's momentum: a little more than the rate in the first step.
    assert ((updates["bias"] < -0.9e-3) & (updates["bias"] > -2.1e-3)).all()


def test_heads_learn_by_adam():
    np.testing.assert_allclose(sizes(head_optimiser(3e-3), 5), 3e-3, rtol=1e-3)
