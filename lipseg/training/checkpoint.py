"""Checkpoints of interrupted work, kept beside the pipeline's outputs (DVC deletes those before a stage runs).

A checkpoint's name is a digest of everything that it was made from: data, parameters, code. So it is never resumed for
others. When the work is done it is removed.

Of several processes at one piece of work the first reads and writes its checkpoint; the others are told what is in it.
"""

import hashlib
import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lipseg.errors import ModelError
from lipseg.model.weights import Arrays, load_arrays, save_arrays
from lipseg.training import devices

DEFAULT_ROOT = Path(".checkpoints")


def fingerprint(*parts: Any) -> str:
    """Returns a digest of arrays and JSON-able values, and of JAX's and Optax's versions.

    One of the values should be the code that does the work, see ``stages.code.code_of``.
    """
    digest = hashlib.sha256(f"{version('jax')} {version('optax')}".encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(repr((part.shape, part.dtype.str)).encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:20]


class Checkpoint:
    """The checkpoint of one piece of work.

    Args:
        kind: what the work is, for instance "train_base".
        key: from ``fingerprint``.
        root: the folder of all checkpoints.
    """

    def __init__(self, kind: str, key: str, root: Path = DEFAULT_ROOT) -> None:
        self.folder = root / kind
        self.path = self.folder / f"{key}.safetensors"

    def load(self) -> tuple[Arrays, dict[str, Any]] | None:
        """Returns arrays and description of the latest save, or None where there is none to go on from.

        Raises:
            LipsegError: if there are several processes and not all are at the same work.
        """
        devices.agree(self.path.stem)
        saved = _read(self.path) if devices.leads() else None
        content = devices.from_first(self.path.read_bytes() if saved else b"")
        if devices.leads() or not content:
            return saved
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / self.path.name
            copy.write_bytes(content)
            return _read(copy)

    def save(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        """Replaces the checkpoint, whole or not at all."""
        if devices.leads():
            save_arrays(self.path, arrays, meta)

    def clear(self) -> None:
        """Removes this checkpoint and older ones of the same kind."""
        if devices.leads():
            shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path) -> tuple[Arrays, dict[str, Any]] | None:
    if not path.exists():
        return None
    try:
        return load_arrays(path)
    except ModelError:  # written by a machine that died mid-way: start afresh
        return None


def pack(tree: Any) -> Arrays:
    """Returns the leaves of any tree of arrays under numbered names, for ``Checkpoint.save``."""
    return {f"{i:05d}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}


def unpack(arrays: Arrays, like: Any) -> Any:
    """Returns what ``pack`` was given.

    Args:
        arrays: the numbered leaves; others may be among them.
        like: a tree of the same structure.
    """
    leaves, structure = jax.tree.flatten(like)
    return jax.tree.unflatten(structure, [jnp.asarray(arrays[f"{i:05d}"]) for i in range(len(leaves))])
