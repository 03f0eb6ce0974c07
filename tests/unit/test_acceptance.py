"""Which heads are accepted: those that are better beyond chance, and no others."""

import jax.numpy as jnp
import numpy as np
import pytest

from lipseg.data.feature_set import FeatureSet
from lipseg.evaluation.acceptance import accept_heads
from lipseg.model.heads import nothing
from lipseg.model.nets import place
from lipseg.training.heads import HeadFits

FACES, READINGS = 24, 208
SHAPE = np.stack([np.cos(np.arange(28) * 2 * np.pi / 28), -np.sin(np.arange(28) * 2 * np.pi / 28)], 1)
MOUTH = np.concatenate([SHAPE, 0.5 * SHAPE]).astype(np.float32)


class Still:
    """A base's head that always says the same mouth."""


def adding(shift):
    """A head that moves every mouth by ``shift`` to the right."""
    units = nothing(READINGS, 1)
    return {**units, "fc6.bias": np.tile(np.float32([shift, 0]), 56)}


@pytest.fixture(autouse=True)
def still(monkeypatch):
    from lipseg.training import heads

    monkeypatch.setattr(heads, "base_answers", lambda base, part: np.tile(MOUTH.ravel(), (len(part), 1)))


def faces(right):
    """Two views of each face, whose true mouth lies ``right`` (FACES,) of what the base says."""
    n = 2 * FACES
    frame = np.tile(np.float32([0.5, 0.5, 0.1, 0.0]), (n, 1))
    points = np.asarray(place(jnp.asarray(frame), jnp.tile(MOUTH.ravel(), (n, 1))))
    return FeatureSet(
        features=np.zeros((n, READINGS), np.float32),
        sampled=np.zeros((n, 56, 0), np.float16),
        frame=frame,
        points_unit=points + 0.1 * np.repeat(right, 2)[:, None, None].astype(np.float32) * np.float32([1, 0]),
        iod_unit=np.ones(n, np.float32),
        face=np.repeat(np.arange(FACES), 2),
        split=np.full(n, "validation"),
        boxes=np.full(n, "jittered"),
    )


def accepted(right, components, control):
    projection = {"centre": np.zeros(0, np.float32), "basis": np.zeros((0, 0), np.float32)}
    counts = np.full(len(components), 9)
    fits = HeadFits([adding(c) for c in components], adding(control), projection, [], (1.0, 1.0), 0.1, counts)
    chosen = np.repeat(np.arange(FACES) % len(components), 2)
    return accept_heads(Still(), faces(right), chosen, fits, 500, 0)


def test_a_head_that_beats_base_and_control_is_accepted():
    rng = np.random.default_rng(0)
    right = np.where(np.arange(FACES) % 2 == 0, 0.3, 0.1) + 0.01 * rng.normal(size=FACES)
    found = accepted(right, (0.3, 0.1), 0.2)
    assert [verdict.kept for verdict in found.components] == ["own", "own"]
    assert found.heads["fc6.bias"][:, 0] == pytest.approx([0.3, 0.1])
    assert found.components[0].minus_control["high"] < 0
    assert found.components[0].validation_faces == FACES / 2
    assert [part["won"] for part in found.summary()["components"]] == [True, True]


def test_a_head_that_is_better_by_chance_alone_gives_way_to_the_control():
    rng = np.random.default_rng(0)
    right = 0.2 + 0.05 * rng.normal(size=FACES)
    found = accepted(right, (right[::2].mean(), 0.2), 0.2)
    assert [verdict.kept for verdict in found.components] == ["control", "control"]
    np.testing.assert_allclose(found.heads["fc6.bias"][:, 0], 0.2)
    assert found.control.kept == "control"


def test_without_a_win_the_base_stays_to_the_bit():
    rng = np.random.default_rng(0)
    found = accepted(0.05 * rng.normal(size=FACES), (0.01, -0.01), 0.002)
    assert [verdict.kept for verdict in found.components] == ["base", "base"]
    assert all((array == 0).all() for array in found.heads.values())
    assert found.control.kept == "base"


def test_a_control_that_is_worse_on_a_component_is_not_used_there():
    right = np.where(np.arange(FACES) % 3 == 0, 0.1, 0.4)
    found = accepted(right, (0.25, 0.3, 0.3), 0.3)
    assert [verdict.kept for verdict in found.components] == ["base", "control", "control"]


def test_one_component_is_the_control_or_the_base():
    assert [v.kept for v in accepted(np.full(FACES, 0.2), (0.2,), 0.2).components] == ["control"]
    assert [v.kept for v in accepted(np.zeros(FACES), (0.2,), 0.2).components] == ["base"]
