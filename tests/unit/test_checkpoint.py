"""Checkpoints: keyed by everything that they were made from, and never resumed from a damaged file."""

import errno
import os
from pathlib import Path

import jax
import numpy as np
import pytest

from lipseg.errors import OutputError
from lipseg.training.checkpoint import Checkpoint, fingerprint, pack, unpack


def test_the_key_changes_with_every_part():
    x = np.arange(6, dtype=np.float32)
    parts = [
        (0, {"a": 1}, x),
        (1, {"a": 1}, x),
        (0, {"a": 2}, x),
        (0, {"b": 1}, x),
        (0, {"a": 1}, x + 1),
        (0, {"a": 1}, x.reshape(2, 3)),
        (0, {"a": 1}, x.view(np.int32)),
        (0, {"a": 1}),
        (x, {"a": 1}, 0),
        (0, {"a": 1, "list": ["full"]}, x),
    ]
    keys = [fingerprint(*part) for part in parts]
    assert len(set(keys)) == len(keys)
    assert keys == [fingerprint(*part) for part in parts]
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint(np.asfortranarray(x.reshape(2, 3))) == fingerprint(x.reshape(2, 3))


def test_a_tree_of_arrays_there_and_back():
    tree = {"a": np.arange(3), "b": (np.ones((2, 2), np.float32), [np.zeros((), np.int32)])}
    again = unpack({**pack(tree), "more": np.zeros(1)}, tree)
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    for one, two in zip(jax.tree.leaves(again), jax.tree.leaves(tree), strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype or two.dtype == np.int64  # JAX has 32 bits


@pytest.fixture
def kept(tmp_path):
    return Checkpoint("work", "key", tmp_path / "root")


def test_saved_loaded_replaced_and_cleared(kept, tmp_path):
    assert kept.load() is None
    kept.save({"a": np.arange(3)}, {"epoch": 1})
    kept.save({"a": np.arange(4)}, {"epoch": 2, "history": [0.1, 1 / 3]})
    arrays, meta = kept.load()
    np.testing.assert_array_equal(arrays["a"], np.arange(4))
    assert meta == {"epoch": 2, "history": [0.1, 1 / 3]}
    other = Checkpoint("work", "other", tmp_path / "root")
    assert other.load() is None
    Checkpoint("else", "key", tmp_path / "root").save({"a": np.zeros(1)}, {})
    other.clear()
    assert kept.load() is None
    assert Checkpoint("else", "key", tmp_path / "root").load() is not None
    kept.clear()  # a second time, with nothing there


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_checkpoint_is_no_checkpoint(kept, share):
    kept.save({"a": np.arange(300)}, {"epoch": 1})
    whole = kept.path.read_bytes()
    kept.path.write_bytes(whole[: int(share * len(whole))])
    assert kept.load() is None


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(kept, monkeypatch):
    kept.save({"a": np.arange(3)}, {"epoch": 1})

    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match=r"work/key\.safetensors: cannot be written \(No space left on device\)"):
            kept.save({"a": np.arange(4)}, {"epoch": 2})
    assert kept.load()[1] == {"epoch": 1}
    assert list(kept.folder.iterdir()) == [kept.path]
