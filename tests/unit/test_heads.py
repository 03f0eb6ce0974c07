"""Heads in closed form: partial pooling, the strengths of the pulls, and units that say what a regression says."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipseg.data.feature_set import FeatureSet
from lipseg.model.heads import change, nothing, readings
from lipseg.model.mixture import SCORE_POINTS, Mixture
from lipseg.model.nets import place
from lipseg.params import Finetune
from lipseg.training.heads import Regression, fit_heads, fit_projection, head_points, validation_of

PARAMS = Finetune(sampled=2, units=8, control_pull=(0.3,), pull=(0.3,), assignment="hard", resamples=200)
SIDE = 150  # the feature that says which component a face belongs to


def mixture_of(*centres):
    """A mixture over one feature."""
    k = len(centres)
    return Mixture(
        centre=np.zeros(208, np.float32),
        basis=np.eye(208, dtype=np.float32)[:, SIDE : SIDE + 1],
        log_weights=np.log(np.full(k, 1 / k, np.float32)),
        means=np.array(centres, np.float32)[:, None],
        precisions=np.full((k, 1, 1), 2, np.float32),
        likelihoods=np.linspace(-10, 0, SCORE_POINTS, dtype=np.float32),
    )


TWO = mixture_of(-3, 3)


@pytest.fixture(scope="module")
def faces(base):
    """200 training faces with two views each and 40 for validation; a sampled channel says how wrong the base is.

    In one component it is wrong by the channel, in the other by as much the other way.
    """
    rng = np.random.default_rng(0)
    face = np.repeat(np.arange(240), 2)
    side = np.where(face % 2 == 0, -3, 3)
    features = rng.normal(size=(480, 208)).astype(np.float32)
    features[:, SIDE] = side
    sampled = np.zeros((480, 56, base.channels), np.float16)
    sampled[..., 0] = rng.normal(size=(480, 1))
    frame = np.tile(np.float32([0.5, 0.5, 0.3, 0.0]), (480, 1))
    points = np.asarray(place(jnp.asarray(frame), base.head(jnp.asarray(features))))
    off = 0.02 * np.sign(side) * sampled[:, 0, 0].astype(np.float32)
    return FeatureSet(
        features=features,
        sampled=sampled,
        frame=frame,
        points_unit=(points + off[:, None, None]).astype(np.float32),
        iod_unit=np.ones(480, np.float32),
        face=face,
        split=np.where(face < 200, "train", "validation"),
        boxes=np.tile(["exact", "jittered"], 240),
    )


def error(base, faces, heads, fits, pick):
    found = head_points(base.head, faces, heads, fits.projection, pick)
    return float(np.abs(found - faces.points_unit).mean())


def test_heads_learn_their_component_and_the_control_cannot_learn_both(base, faces):
    fits = fit_heads(base.head, faces, TWO, PARAMS)
    held_out = validation_of(faces)
    assert set(held_out.boxes) == {"jittered"}
    assert set(held_out.split) == {"validation"}
    pick = TWO.assign(held_out.features)[0].argmax(1)
    none = error(base, held_out, fits.components, fits, pick - 9)
    control = error(base, held_out, [fits.control], fits, 0 * pick)
    own = error(base, held_out, fits.components, fits, pick)
    assert own < 0.5 * none
    assert own < 0.5 * control
    assert fits.faces.tolist() == [100, 100]
    assert {trial.head for trial in fits.trials} == {"control", "components"}


def test_a_strong_pull_leaves_the_control_at_the_base_and_heads_at_the_control(base, faces):
    held = fit_heads(base.head, faces, TWO, replace(PARAMS, control_pull=(1e9,), pull=(1e9,)))
    held_out = validation_of(faces)
    pick = TWO.assign(held_out.features)[0].argmax(1)
    points = [
        head_points(base.head, held_out, heads, held.projection, row)
        for heads, row in (([held.control], pick - 9), ([held.control], 0 * pick), (held.components, pick))
    ]
    # Constants are not held: how wrong the base is on average.
    np.testing.assert_allclose(np.ptp(points[1] - points[0], axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.ptp((points[2] - points[1])[pick == 0], axis=0), 0, atol=1e-4)


def test_the_strength_with_the_least_validation_error_is_taken(base, faces):
    fits = fit_heads(base.head, faces, TWO, replace(PARAMS, control_pull=(1e9,), pull=(1e9, 0.3, 1.0)))
    errors = {trial.pull: trial.validation_error for trial in fits.trials if trial.head == "components"}
    assert len(errors) == 3
    assert fits.pulls == (1e9, min(errors, key=lambda pull: errors[pull]))
    assert fits.pulls[1] < 1e9


def test_one_component_s_head_is_the_control(base, faces):
    fits = fit_heads(base.head, faces, mixture_of(0.0), PARAMS)
    (head,) = fits.components
    for name, array in fits.control.items():
        np.testing.assert_array_equal(head[name], array)


def test_a_component_without_faces_has_the_control(base, faces):
    fits = fit_heads(base.head, faces, mixture_of(-3, 3, 500), PARAMS)
    assert fits.faces.tolist() == [100, 100, 0]
    np.testing.assert_array_equal(fits.components[2]["fc6.kernel"], fits.control["fc6.kernel"])


def test_soft_heads_of_clear_responsibilities_are_the_hard_ones(base, faces):
    hard, soft = (fit_heads(base.head, faces, TWO, replace(PARAMS, units=112, assignment=a)) for a in ("hard", "soft"))
    held_out = validation_of(faces)
    pick = TWO.assign(held_out.features)[0].argmax(1)
    points = [head_points(base.head, held_out, fits.components, fits.projection, pick) for fits in (hard, soft)]
    np.testing.assert_allclose(points[0], points[1], atol=1e-4)


@given(seed=st.integers(0, 99), strength=st.floats(0.1, 10))
@settings(max_examples=10, deadline=None)
def test_a_regression_is_that_of_the_normal_equations(seed, strength):
    rng = np.random.default_rng(seed)
    seen, wanted, weights = rng.normal(2, 3, (40, 5)), rng.normal(size=(40, 112)), rng.uniform(0.5, 2, 40)
    found = Regression(seen.astype(np.float32), wanted, weights)
    mean = weights @ seen / weights.sum()
    z = (seen - mean) / np.sqrt(weights @ (seen - mean) ** 2 / weights.sum())
    y = wanted - weights @ wanted / weights.sum()
    want = z @ np.linalg.solve(z.T * weights @ z + strength * np.eye(5), z.T * weights @ y) + (wanted - y)
    line = found.slopes(strength)
    np.testing.assert_allclose(found.answers(line), want, atol=1e-3)
    # Five readings: five units say all of it, but for the bend of their tanh where the answer is large.
    units = {name: array[None] for name, array in found.units((0.1 * line[0], line[1]), 5).items()}
    flat = seen @ (0.1 * line[0]) + line[1]
    assert np.abs(change(seen, units)[:, 0] - flat).mean() < 0.1 * np.abs(flat - flat.mean(0)).mean()


def test_a_projection_whitens_and_readings_go_channel_by_channel():
    rng = np.random.default_rng(0)
    sampled = rng.normal(size=(50, 56, 4)) @ rng.normal(size=(4, 4)) + 3
    projection = fit_projection(sampled, 2)
    seen = readings(np.zeros((50, 7)), sampled, projection)
    assert seen.shape == (50, 7 + 2 * 56)
    kept = seen[:, 7:].reshape(50, 2, 56)
    np.testing.assert_allclose(kept.mean((0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(kept.transpose(1, 0, 2).reshape(2, -1), bias=True), np.eye(2), atol=1e-4)
    assert fit_projection(np.zeros((3, 56, 0)), 8)["basis"].shape == (0, 0)


def test_nothing_adds_nothing():
    units = {name: array[None] for name, array in nothing(9, 4).items()}
    np.testing.assert_array_equal(change(np.ones((3, 9)), units), np.zeros((3, 1, 112)))
