"""The trained parts on disk, and the model folder that inference loads: ``model.safetensors`` and ``card.json``."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from lipseg import scheme
from lipseg.data.statistics import Normaliser, load_normaliser
from lipseg.errors import ModelError
from lipseg.files import whole_folder
from lipseg.inference.card import CARD, FORMAT, WEIGHTS, read_card, sha256_of
from lipseg.inference.confidence import EVIDENCE, Confidence
from lipseg.model.cascade import Cascade
from lipseg.model.locator import Locator, locator_from
from lipseg.model.nets import Hourglass
from lipseg.model.parts import (
    build_from,
    fields_from,
    heads_from,
    load_base,
    mixture_from,
    part_of,
    prefixed,
)
from lipseg.model.weights import Arrays, load_arrays, module_arrays, restore, save_arrays


def assemble(
    statistics: Path,
    base: Path,
    mixture: Path,
    heads: Path,
    locator: Path | None = None,
    confidence: Path | None = None,
) -> Cascade:
    """Returns the cascade, with its control head, from the files of the pipeline's stages.

    Without ``locator`` or ``confidence`` it has none.

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
        locator=None if locator is None else load_locator(locator),
        confidence=None if confidence is None else load_confidence(confidence),
    )


def save_locator(path: Path, locator: Locator) -> None:
    """Writes a locator with what is needed to build it again."""
    save_arrays(path, locator.arrays(), locator.facts())


def load_locator(path: Path) -> Locator:
    """Returns the locator that ``save_locator`` wrote; raises ``ModelError`` naming what does not fit."""
    return locator_from(*load_arrays(path), path)


def save_confidence(path: Path, confidence: Confidence) -> None:
    """Writes a calibration."""
    save_arrays(path, confidence.arrays())


def load_confidence(path: Path) -> Confidence:
    """Returns the calibration that ``save_confidence`` wrote; raises ``ModelError`` naming what does not fit."""
    return _confidence_from(load_arrays(path)[0], path)


def _confidence_from(arrays: Arrays, origin: Path) -> Confidence:
    found = fields_from("", arrays, Confidence, origin)
    n = len(EVIDENCE)
    shapes = {"centre": n, "scale": n, "weights": n + 1, "joint": 3, "min_score": 1, "min_presence": 1}
    for name, length in shapes.items():
        if found[name].shape != (length,):
            raise ModelError(f"{origin}: the array '{name}' has the shape {found[name].shape}, not ({length},)")
    return Confidence(**found)


def save_cascade(folder: Path, cascade: Cascade, card: dict[str, Any]) -> None:
    """Writes a model folder, whole or not at all.

    Args:
        folder: replaced where it exists.
        cascade: the model; its control head is left out, its locator and confidence are written where it has them.
        card: must hold ``net``, the fields of that section, and ``view``, those of ``geometry.View``. The weights' size
            and SHA-256 are added to it.
    """
    arrays = {
        **prefixed("base", module_arrays(cascade.net)),
        **prefixed("heads", cascade.heads),
        **prefixed("mixture", cascade.mixture.arrays()),
        "normaliser.mean": cascade.normaliser.mean,
        "normaliser.deviation": cascade.normaliser.deviation,
    }
    facts: dict[str, Any] = {}
    if cascade.locator is not None:
        arrays |= prefixed("locator", cascade.locator.arrays())
        facts["locator"] = cascade.locator.facts()
    if cascade.confidence is not None:
        arrays |= prefixed("confidence", cascade.confidence.arrays())
    with whole_folder(folder) as partial:
        weights = partial / WEIGHTS
        save_arrays(weights, arrays)
        written = {"file": WEIGHTS, "bytes": weights.stat().st_size, "sha256": sha256_of(weights)}
        text = json.dumps({"format": FORMAT, **card, **facts, "weights": written}, indent=1)
        (partial / CARD).write_text(text + "\n", encoding="utf-8")


def load_cascade(folder: Path) -> Cascade:
    """Returns the model of a folder that ``save_cascade`` wrote.

    Raises:
        ModelError: naming the file, and the array or key in it, that is missing or does not fit.
    """
    card = read_card(folder)
    path = folder / WEIGHTS
    arrays, _ = load_arrays(path)
    net, view = build_from(card, folder / CARD)
    base = part_of("base", arrays)
    if card["format"] < 3 and isinstance(net, Hourglass):
        base.setdefault("mirror_offset", np.zeros(2 * scheme.N_POINTS, np.float32))  # only training needs it
    restore(net, base, path)
    normaliser = Normaliser(**fields_from("normaliser", arrays, Normaliser, path))
    mixture = mixture_from(part_of("mixture", arrays), path)
    seen, sure = part_of("locator", arrays), part_of("confidence", arrays)
    return Cascade(
        net,
        heads_from("heads", arrays, net, path),
        mixture,
        normaliser,
        view,
        card,
        locator=locator_from(seen, card.get("locator", {}), path) if seen else None,
        confidence=_confidence_from(sure, path) if sure else None,
    )
