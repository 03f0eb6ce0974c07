"""The offsets of several sources: whose they are, what they do to landmarks, and that they come back from disk."""

import jax
import numpy as np
import pytest

from lipseg.errors import ModelError
from lipseg.model.offsets import SourceOffsets, without_offset
from lipseg.model.parts import load_offsets, save_offsets
from lipseg.model.weights import load_arrays, save_arrays


def filled(sources):
    """Offsets as a training leaves them: JAX sorts the sources by name."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: rng.normal(size=a.shape).astype(np.float32), SourceOffsets(sources).start())


@pytest.mark.parametrize("sources", [("one",), ("celebamask", "helen"), ("masks", "helen", "ibug")])
def test_they_come_back_whatever_the_order_of_their_names(tmp_path, sources):
    offsets = filled(sources)
    save_offsets(tmp_path / "offsets", offsets)
    found = load_offsets(tmp_path / "offsets")
    assert set(found) == set(sources)
    assert set(found[sources[0]]) == {"mirrored"}
    jax.tree.map(np.testing.assert_array_equal, found, offsets)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda arrays: arrays.pop("0.mirrored"), "missing or too many"),
        (lambda arrays: arrays.update({"1.pixels": np.zeros(3, np.float32)}), "'pixels' of helen has another shape"),
        (lambda arrays: arrays.update({"1.other": arrays.pop("1.plain")}), "'other' of helen has another shape"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, spoil, said):
    save_offsets(tmp_path / "offsets", filled(("celebamask", "helen")))
    arrays, meta = load_arrays(tmp_path / "offsets")
    spoil(arrays)
    save_arrays(tmp_path / "offsets", arrays, meta)
    with pytest.raises(ModelError, match=said):
        load_offsets(tmp_path / "offsets")


def test_the_reference_is_where_its_annotators_put_it_and_the_others_are_moved_there():
    sources, points = SourceOffsets(("masks", "helen")), np.full((3, 56, 2), 0.5, np.float32)
    tree = sources.start()
    tree["helen"] |= {"plain": np.full(112, 0.1, np.float32), "pixels": np.float32([0.5, 1.0])}
    # An upright frame of radius .2, and mouths of 15 pixels: a unit of pixels is 30 of them.
    frame = np.tile(np.float32([0.4, 0.4, 0.2, 0.0]), (3, 1))
    too_much = sources.of(tree, np.array([0, 1, 1]), np.array([False, False, True]), np.full(3, 15.0, np.float32))
    found = np.asarray(without_offset(points, too_much, frame))
    np.testing.assert_allclose(found[0], points[0])
    np.testing.assert_allclose(found[1], points[1] - 0.2 * np.float32([0.1 + 1.0, 0.1 + 2.0]), atol=1e-6)
    # Mirrored, what lies right lies left; the plain offset is not that of mirrored pictures.
    np.testing.assert_allclose(found[2], points[2] - 0.2 * np.float32([-1.0, 2.0]), atol=1e-6)
