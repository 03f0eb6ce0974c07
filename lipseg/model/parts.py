"""The trained parts that the pipeline's stages hand on: base network, mixture, heads."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from lipseg import scheme
from lipseg.errors import ModelError, ParamsError
from lipseg.geometry import View
from lipseg.model.heads import shapes
from lipseg.model.mixture import SCORE_POINTS, Mixture
from lipseg.model.nets import BaseNet, empty_net
from lipseg.model.offsets import SourceOffsets, Tree
from lipseg.model.weights import Arrays, load_arrays, module_arrays, restore, save_arrays
from lipseg.params import Net, ViewParams, as_dict, parse_section


def save_base(path: Path, net: BaseNet, net_params: Net, view: ViewParams) -> None:
    """Writes a base network with what is needed to build it again."""
    save_arrays(path, module_arrays(net), {"net": as_dict(net_params), "view": asdict(view.geometry())})


def save_offsets(path: Path, offsets: Tree) -> None:
    """Writes the offsets of the sources, see ``offsets.SourceOffsets``."""
    arrays = {f"{i}.{part}": array for i, tree in enumerate(offsets.values()) for part, array in tree.items()}
    save_arrays(path, arrays, {"sources": list(offsets)})


def load_offsets(path: Path) -> Tree:
    """Returns what ``save_offsets`` wrote.

    Raises:
        ModelError: naming the file and the array that is missing or does not fit.
    """
    arrays, meta = load_arrays(path)
    sizes = {part: array.shape for tree in SourceOffsets(("", "")).start().values() for part, array in tree.items()}
    # Only the reference, wherever it stands here, has nothing but the offset of its mirrored pictures.
    offsets: Tree = {source: part_of(str(i), arrays) for i, source in enumerate(meta.get("sources", ()))}
    if sorted(map(len, offsets.values())) != [1, *[len(sizes)] * (len(offsets) - 1)]:
        raise ModelError(f"{path}: arrays are missing or too many; run `train_base` again")
    for source, tree in offsets.items():
        for part, array in tree.items():
            if array.shape != sizes.get(part):
                raise ModelError(f"{path}: the array '{part}' of {source} has another shape; run `train_base` again")
    return offsets


def load_base(path: Path) -> tuple[BaseNet, View]:
    """Returns the network that ``save_base`` wrote and the geometry of its views.

    Raises:
        ModelError: naming the file and the array that does not fit.
    """
    arrays, meta = load_arrays(path)
    net, view = build_from(meta, path)
    restore(net, arrays, path)
    return net, view


def save_mixture(path: Path, mixture: Mixture, facts: dict[str, Any]) -> None:
    """Writes a mixture and JSON-able facts about it."""
    save_arrays(path, mixture.arrays(), facts)


def load_mixture(path: Path) -> Mixture:
    """Returns the mixture that ``save_mixture`` wrote; raises ``ModelError`` as ``load_base`` does."""
    return mixture_from(load_arrays(path)[0], path)


def save_heads(path: Path, heads: Arrays, control: Arrays, projection: Arrays, facts: dict[str, Any]) -> None:
    """Writes the K stacked heads, the control head, the projection that they share, and JSON-able facts about them."""
    parts = {"heads": heads, "control": control, "projection": projection}
    arrays = [prefixed(prefix, part) for prefix, part in parts.items()]
    save_arrays(path, {name: array for part in arrays for name, array in part.items()}, facts)


def build_from(meta: dict[str, Any], origin: Path) -> tuple[BaseNet, View]:
    try:
        return empty_net(parse_section(Net, meta["net"], "net")), View(**meta["view"])
    except (KeyError, TypeError, ParamsError) as error:
        raise ModelError(f"{origin}: wrong description of the network ({error}); write the file again") from error


def mixture_from(arrays: Arrays, origin: Path) -> Mixture:
    found = fields_from("", arrays, Mixture, origin)
    (k, d), f = (*found["means"].shape, 0)[:2], len(found["centre"])
    shapes = {"centre": (f,), "basis": (f, d), "log_weights": (k,), "means": (k, d), "precisions": (k, d, d)}
    for name, shape in {**shapes, "likelihoods": (SCORE_POINTS,)}.items():
        if found[name].shape != shape:
            raise ModelError(f"{origin}: the array '{name}' has the shape {found[name].shape}, not {shape}")
    return Mixture(**found)


def fields_from(prefix: str, arrays: Arrays, kind: type[Any], origin: Path) -> Arrays:
    part = part_of(prefix, arrays) if prefix else arrays
    for field in fields(kind):
        if field.name not in part:
            raise ModelError(f"{origin}: the array '{field.name}' is missing; write the file again")
        if part[field.name].dtype != np.float32:
            raise ModelError(f"{origin}: the array '{field.name}' is {part[field.name].dtype}, not float32")
    return {field.name: part[field.name] for field in fields(kind)}


def projection_from(arrays: Arrays, net: BaseNet, origin: Path) -> Arrays:
    """Returns the projection of the sampled channels, checked against the network's."""
    found = _present("projection", ("centre", "basis"), arrays, origin)
    kept = found["basis"].shape[-1]
    _check("projection", found, {"centre": (net.channels,), "basis": (net.channels, kept)}, origin)
    return found


def heads_from(prefix: str, arrays: Arrays, net: BaseNet, origin: Path, stacked: bool = True) -> Arrays:
    """Returns the arrays of K stacked heads, or of one, checked against the network's features and the projection."""
    count = net.features + scheme.N_POINTS * projection_from(arrays, net, origin)["basis"].shape[-1]
    found = _present(prefix, tuple(shapes(0, 0)), arrays, origin)
    bias = found["fc5.bias"]
    want = shapes(count, bias.shape[-1] if bias.ndim else 0)
    _check(prefix, found, {name: (len(bias),) * stacked + shape for name, shape in want.items()}, origin)
    return found


def _present(prefix: str, names: tuple[str, ...], arrays: Arrays, origin: Path) -> Arrays:
    part = part_of(prefix, arrays)
    for name in names:
        if name not in part:
            raise ModelError(f"{origin}: the array '{prefix}.{name}' is missing; write the file again")
    return {name: part[name] for name in names}


def _check(prefix: str, found: Arrays, want: dict[str, tuple[int, ...]], origin: Path) -> None:
    for name, shape in want.items():
        got = found[name]
        if got.shape != shape or got.dtype != np.float32:
            raise ModelError(
                f"{origin}: the array '{prefix}.{name}' is {got.dtype}{list(got.shape)}, not float32{list(shape)} as "
                "the network has it; run `finetune` again"
            )


def prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def part_of(prefix: str, arrays: Arrays) -> Arrays:
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}.")}
