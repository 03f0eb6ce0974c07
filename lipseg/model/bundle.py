"""The trained parts on disk, and the model folder that inference loads: ``model.safetensors`` and ``card.json``."""

import json
from pathlib import Path
from typing import Any

from lipseg.atomic import whole_folder
from lipseg.data.statistics import Normaliser, load_normaliser
from lipseg.model.cascade import Cascade
from lipseg.model.folder import CARD, FORMAT, WEIGHTS, read_card, sha256_of
from lipseg.model.parts import (
    build_from,
    fields_from,
    heads_from,
    load_base,
    mixture_from,
    part_of,
    prefixed,
)
from lipseg.model.weights import load_arrays, module_arrays, restore, save_arrays


def assemble(statistics: Path, base: Path, mixture: Path, heads: Path) -> Cascade:
    """Returns the cascade, with its control head, from the files of the pipeline's stages.

    Raises:
        LipsegError: naming the file that is missing or does not fit.
    """
    net, view = load_base(base)
    arrays, facts = load_arrays(heads)
    mixture_arrays, mixture_facts = load_arrays(mixture)
    return Cascade(
        net,
        heads_from("heads", arrays, net, heads),
        mixture_from(mixture_arrays, mixture),
        load_normaliser(statistics),
        view,
        {"heads": facts, "mixture": mixture_facts},
        control=heads_from("control", arrays, net, heads, stacked=False),
    )


def save_cascade(folder: Path, cascade: Cascade, card: dict[str, Any]) -> None:
    """Writes a model folder, whole or not at all.

    Args:
        folder: replaced where it exists.
        cascade: the model; its control head is left out.
        card: must hold ``net`` and ``view``, as ``lipseg.params.as_dict`` gives them. The weights' size and SHA-256
            are added to it.
    """
    arrays = {
        **prefixed("base", module_arrays(cascade.net)),
        **prefixed("heads", cascade.heads),
        **prefixed("mixture", cascade.mixture.arrays()),
        "normaliser.mean": cascade.normaliser.mean,
        "normaliser.deviation": cascade.normaliser.deviation,
    }
    with whole_folder(folder) as partial:
        weights = partial / WEIGHTS
        save_arrays(weights, arrays)
        written = {"file": WEIGHTS, "bytes": weights.stat().st_size, "sha256": sha256_of(weights)}
        text = json.dumps({"format": FORMAT, **card, "weights": written}, indent=1)
        (partial / CARD).write_text(text + "
", encoding="utf-8")


def load_cascade(folder: Path) -> Cascade:
    """Returns the model of a folder that ``save_cascade`` wrote.

    Raises:
        ModelError: naming the file, and the array or key in it, that is missing or does not fit.
    """
    card = read_card(folder)
    path = folder / WEIGHTS
    arrays, _ = load_arrays(path)
    net, view = build_from(card, folder / CARD)
    restore(net, part_of("base", arrays), path)
    normaliser = Normaliser(**fields_from("normaliser", arrays, Normaliser, path))
    mixture = mixture_from(part_of("mixture", arrays), path)
    return Cascade(net, heads_from("heads", arrays, net, path), mixture, normaliser, view, card)
