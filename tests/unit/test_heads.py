"""Fine-tuning of the heads: what wins, what is kept, and what K = 1 comes to."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from lipseg.data.feature_set import FeatureSet
from lipseg.model.mixture import SCORE_POINTS, Mixture
from lipseg.model.nets import place
from lipseg.model.weights import module_arrays
from lipseg.params import Finetune
from lipseg.training.heads import finetune_heads

PARAMS = Finetune(epochs=6, patience=6, batch_size=16, learning_rate=3e-3, pull=0.0, assignment="hard")
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
    """30 training faces with two views each and 12 for validation; the base is wrong by +-2 % with the component."""
    rng = np.random.default_rng(0)
    face = np.repeat(np.arange(42), 2)
    side = np.where(face % 2 == 0, -3, 3)
    features = rng.normal(size=(84, 208)).astype(np.float32)
    features[:, SIDE] = side
    frame = np.tile(np.float32([0.5, 0.5, 0.3, 0.0]), (84, 1))
    points = np.asarray(place(jnp.asarray(frame), base.head(jnp.asarray(features))))
    return FeatureSet(
        features=features,
        frame=frame,
        points_unit=points + (0.02 * np.sign(side)[:, None, None]).astype(np.float32),
        iod_unit=np.ones(84, np.float32),
        face=face,
        split=np.where(face < 30, "train", "validation"),
        boxes=np.tile(["exact", "jittered"], 42),
    )


@pytest.fixture(scope="module")
def tuned(base, faces):
    return finetune_heads(base.head, faces, TWO, PARAMS, "l2", 0)


def same(a, b):
    return all((a[name] == b[name]).all() for name in a)


def test_heads_learn_their_component_and_the_control_cannot_learn_both(tuned):
    assert [fit.won for fit in tuned.components] == [True, True]
    for fit in tuned.components:
        assert fit.base_error == pytest.approx(0.02 * np.sqrt(2), rel=1e-3)
        assert fit.tuned_error < 0.7 * fit.base_error
        assert fit.tuned_error == pytest.approx(min(row["validation_error"] for row in fit.history), rel=1e-6)
        assert fit.history[0]["validation_error"] == fit.base_error
        assert (fit.faces, fit.validation_faces) == (15, 6)
    assert (tuned.control.faces, tuned.control.validation_faces) == (30, 12)
    assert not same(tuned.components[0].arrays, tuned.components[1].arrays)


def test_heads_are_stacked_and_told_of(tuned, base):
    stacked = tuned.stacked()
    for name, array in module_arrays(base.head).items():
        assert stacked[name].shape == (2, *array.shape)
        np.testing.assert_array_equal(stacked[name][1], tuned.components[1].arrays[name])
    summary = tuned.summary()
    assert [head["won"] for head in summary["components"]] == [True, True]
    assert summary["control"]["faces"] == 30
    curves = tuned.curves()
    assert {row["head"] for row in curves} == {"0", "1", "control"}
    assert [row["epoch"] for row in curves if row["head"] == "0"] == list(range(7))


def test_one_component_with_the_control_s_shuffling_is_the_control(base, faces, monkeypatch):
    real = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda key: real(key[:2] if isinstance(key, tuple) else key))
    heads = finetune_heads(base.head, faces, mixture_of(0.0), PARAMS, "l2", 0)
    assert same(heads.components[0].arrays, heads.control.arrays)
    assert heads.components[0].history == heads.control.history


def test_a_head_that_cannot_win_is_the_base_s_to_the_bit(base, faces):
    right = replace(
        faces, points_unit=np.asarray(place(jnp.asarray(faces.frame), base.head(jnp.asarray(faces.features))))
    )
    wrong = np.where((faces.split == "train")[:, None, None], faces.points_unit, right.points_unit)
    heads = finetune_heads(base.head, replace(faces, points_unit=wrong), TWO, replace(PARAMS, patience=2), "l2", 0)
    for fit in (*heads.components, heads.control):
        assert not fit.won
        assert same(fit.arrays, module_arrays(base.head))
        assert fit.tuned_error == fit.base_error
        assert len(fit.history) == 1 + 2  # given up after the patience


def test_a_strong_pull_holds_heads_at_the_base(base, faces, tuned):
    held = finetune_heads(base.head, faces, TWO, replace(PARAMS, pull=1e5), "l2", 0)

    def away(fit):
        return sum(((fit.arrays[name] - array) ** 2).sum() for name, array in module_arrays(base.head).items())

    assert away(tuned.components[0]) > 0
    assert away(held.components[0]) < 0.2 * away(tuned.components[0])


def test_a_component_without_faces_keeps_the_base_s_head(base, faces):
    heads = finetune_heads(base.head, faces, mixture_of(-3, 3, 500), replace(PARAMS, epochs=1), "l2", 0)
    empty = heads.components[2]
    assert not empty.won
    assert same(empty.arrays, module_arrays(base.head))
    assert (empty.faces, empty.validation_faces, empty.history) == (0, 0, [])
    assert heads.summary()["components"][2]["base_error"] is None


def test_soft_heads_learn_from_everyone_by_responsibility(base, faces, tuned, monkeypatch):
    soft = replace(PARAMS, assignment="soft")
    clear = finetune_heads(base.head, faces, TWO, soft, "l2", 0)
    for name, array in clear.components[0].arrays.items():  # responsibilities of 0 and 1: as hard as hard
        np.testing.assert_allclose(array, tuned.components[0].arrays[name], atol=1e-5)
    # Responsibilities of a half for everyone: each head takes the control's way, if it is shuffled like it.
    real = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda key: real(key[:2] if isinstance(key, tuple) else key))
    even = finetune_heads(base.head, faces, mixture_of(-1e-4, 1e-4), soft, "l2", 0)
    way = [row["train_error"] for row in even.control.history]
    for fit in even.components:
        assert fit.validation_faces == 6
        assert [row["train_error"] for row in fit.history] == pytest.approx(way[: len(fit.history)], rel=0.01)
