"""Arrays on disk: safetensors with every name, shape and type checked on loading. No pickle anywhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lipseg.errors import ModelError
from lipseg.files import whole_file

Arrays = dict[str, NDArray[Any]]


def save_arrays(path: Path, arrays: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
    """Writes named arrays and a JSON-able description as one safetensors file, whole or not at all.

    All of ``meta`` goes into one string: with several keys the file would differ from save to save (safetensors
    issue 584).
    """
    from safetensors.numpy import save

    plain = {key: np.asarray(value, order="C") for key, value in sorted(arrays.items())}
    # By way of bytes: `save_file` makes files that only their owner can read.
    content = save(plain, metadata=None if meta is None else {"json": json.dumps(meta)})
    with whole_file(path) as partial:
        partial.write_bytes(content)


def load_arrays(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Returns the arrays of a safetensors file and its description ({} where there is none).

    Raises:
        ModelError: if the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
            meta = json.loads((file.metadata() or {}).get("json", "{}"))
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; run `dvc repro`, or name another model folder") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error}); write it again") from error
    return arrays, meta


def module_arrays(module: nnx.Module) -> Arrays:
    """Returns parameters and batch statistics of a module as flat, dotted names to arrays."""
    return state_arrays(nnx.state(module, (nnx.Param, nnx.BatchStat)))


def state_arrays(state: Any) -> Arrays:
    """Returns an ``nnx.State`` as flat, dotted names to numpy arrays."""
    return {".".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(state)}


def restore(module: nnx.Module, arrays: Mapping[str, NDArray[Any]], origin: Path) -> None:
    """Puts arrays into a module of the same structure.

    Args:
        module: changed in place, or left alone where the arrays do not fit. Its weights may be abstract.
        arrays: flat, dotted names to arrays, as ``module_arrays`` gives them.
        origin: the file they come from, for messages.

    Raises:
        ModelError: naming the array that is missing, unexpected or of another shape or type.
    """
    state = nnx.state(module, (nnx.Param, nnx.BatchStat))
    flat = {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(state)}
    for name in sorted(flat.keys() ^ arrays.keys()):
        what = "is missing" if name in flat else "is not expected"
        raise ModelError(f"{origin}: the array '{name}' {what}; the file was written for another network")
    for name, leaf in flat.items():
        got, want = arrays[name], leaf.get_value()
        if got.shape != want.shape or got.dtype != want.dtype:
            raise ModelError(
                f"{origin}: the array '{name}' is {got.dtype}{list(got.shape)}, "
                f"the network needs {want.dtype}{list(want.shape)}"
            )
    for name, leaf in flat.items():
        leaf.set_value(jnp.asarray(arrays[name]))
    nnx.update(module, state)
