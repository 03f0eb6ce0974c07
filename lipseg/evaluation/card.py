"""The model card: where a model comes from, what it is good for, how well it does and how to check all that.

A card is the same to the byte whenever the same pipeline has run with the same software: it holds no date, no path of
the machine and nothing drawn anew.
"""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lipseg.data.crop_set import SPLITS, CropSet
from lipseg.data.tables import read_columns, read_json
from lipseg.evaluation import card_text
from lipseg.evaluation.runs import ALIGNED, BOXES, OWN
from lipseg.inference.card import sha256_of
from lipseg.model.weights import load_arrays
from lipseg.params import Params, as_dict

_LIBRARIES = (
    "lipseg",
    "jax",
    "flax",
    "optax",
    "scikit-learn",
    "numpy",
    "opencv-python-headless",
    "onnx",
    "onnxruntime",
)
# Of the differences between systems, those that the card keeps.
_COMPARED = (("nme", "mean"), ("contour", "mean"), ("mouth", "f1_mean"), ("lips", "f1_mean"), ("inner", "f1_mean"))
# Below this share of the mouth every known system's inner mouth is mostly wrong.
_NEARLY_CLOSED = 0.08


def model_card(
    params: Params,
    crops: CropSet,
    model: Mapping[str, Any],
    metrics: Path,
    results: Path,
    artifacts: Mapping[str, Path],
    conventions: Path,
    more: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Returns the card of a bundled cascade, JSON-able.

    Args:
        params: of the run.
        crops: the data that it was trained and evaluated on.
        model: the card of the calibrated model folder: its format, constants and files.
        metrics: the file of headline figures.
        results: the folder of the full results.
        artifacts: the files that the model is built from, by the names of their stages' options.
        conventions: the file of the sources' conventions.
        more: further files of figures by the name that they get on the card.

    Raises:
        DataError: if the figures cannot be read.
    """
    full = read_json(results / "summary.json")
    source = params.data.source
    return {
        "format": model["format"],
        "name": params.bundle.name,
        "description": params.bundle.description,
        "scheme": "56 lip landmarks: 28 outer, 28 inner (Helen points 58-113)",
        "intended_use": list(card_text.INTENDED_USE),
        "out_of_scope": list(card_text.OUT_OF_SCOPE),
        "weaknesses": [
            *measured_weaknesses(full, read_columns(results / "per_face.csv")),
            *places(full["sources"]),
            *card_text.gaps(source),
        ],
        "annotators": card_text.annotators(read_json(conventions)),
        "licence": card_text.terms(source),
        "net": as_dict(params.net),
        "components": model["runtime"]["components"],
        "mixture": load_arrays(artifacts["mixture"])[1],
        "data": {
            "source": source,
            "what": card_text.what(source),
            **{split: len(crops.indices(split)) for split in SPLITS},
            "by_source": {
                source: {split: int((crops.source[crops.indices(split)] == k).sum()) for split in SPLITS}
                for k, source in enumerate(crops.sources)
            },
            "skipped": crops.skipped,
            "sha256": crops.sha256,
            "names_sha256": {split: names_sha256(crops, split) for split in SPLITS},
        },
        "figures": read_json(metrics),
        "intervals": {
            **{boxes: _compared(full[boxes]) for boxes in BOXES},
            "sources": {source: _compared(part["jittered"]) for source, part in full["sources"].items()},
        },
        **{name: read_json(path) for name, path in (more or {}).items()},
        "heads": load_arrays(artifacts["heads"])[1],
        "params": located_nowhere(params),
        "artifacts_sha256": {
            **{name: sha256_of(path) for name, path in artifacts.items()},
            "metrics": sha256_of(metrics),
            "params": hashlib.sha256(json.dumps(located_nowhere(params), sort_keys=True).encode()).hexdigest(),
        },
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "machine": _machine(),
        "files": model["files"],
        "runtime": model["runtime"],
    }


def _compared(part: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those intervals of a part of ``runs.summary`` that the card keeps."""
    return {
        against: {region: difference[region][figure] for region, figure in _COMPARED}
        for against, difference in part["intervals"].items()
    }


def measured_weaknesses(full: Mapping[str, Any], faces: Mapping[str, list[Any]]) -> list[str]:
    """Returns what the figures on jittered boxes say against the cascade, a sentence each.

    Args:
        full: of ``runs.summary``.
        faces: columns of the per-face table.
    """
    jittered = full["jittered"]
    over_all = jittered["systems"]["cascade"]
    said = []
    mine = (np.array(faces["boxes"]) == "jittered") & (np.array(faces["system"]) == "cascade")
    opening, inner = (np.array(faces[name], float)[mine] for name in ("opening", "inner_f1"))
    judged = np.isfinite(inner)
    shut, open_ = judged & (opening < _NEARLY_CLOSED), judged & (opening >= _NEARLY_CLOSED)
    if shut.any() and open_.any():
        said.append(
            f"The inner mouth of a nearly closed mouth is unreliable: F1 {inner[shut].mean():.2f} over the "
            f"{shut.sum()} test faces whose opening is below {_NEARLY_CLOSED:.0%} of the mouth, "
            f"{inner[open_].mean():.2f} over the {open_.sum()} that are open wider."
        )
    components = {k: part["cascade"] for k, part in jittered["components"].items()}
    if len(components) > 1:
        worst = min(components, key=lambda k: components[k]["lips"]["f1_mean"])
        part = components[worst]
        said.append(
            f"Mouths of component {worst} do worst: lips F1 {part['lips']['f1_mean']:.2f} over {part['faces']} test "
            f"faces, {over_all['lips']['f1_mean']:.2f} over all."
        )
    weaker, stronger = sorted(("upper", "lower"), key=lambda lip: over_all[lip]["f1_mean"])
    said.append(
        f"The {weaker} lip (F1 {over_all[weaker]['f1_mean']:.2f}) is found less well than the {stronger} one "
        f"({over_all[stronger]['f1_mean']:.2f})."
    )
    said.append(
        f"One test face in twenty has contours that are more than {over_all['contour']['p95']:.1%} of the inter-ocular "
        f"distance off, against {over_all['contour']['mean']:.1%} on average."
    )
    return said


def places(sources: Mapping[str, Any]) -> list[str]:
    """Returns how well the cascade does on each of several sources, and how far off its annotators' mouths lie.

    Args:
        sources: of ``runs.summary``.
    """
    if len(sources) < 2:
        return []
    said = []
    for source, part in sources.items():
        figures = part["jittered"]["systems"]["cascade"]
        if figures["right"] is None:
            continue
        lips = f"lips F1 {figures['lips']['f1_mean']:.2f} as annotated"
        lips += f", {figures[ALIGNED]['lips']['f1_mean']:.2f} with all answers moved by one constant"
        if OWN in figures:
            lips += f", {figures[OWN]['lips']['f1_mean']:.2f} in the convention of these annotators"
        right, down = figures["right"], figures["down"]
        said.append(
            f"On the {part['faces']} test faces of {source}: {lips}; its mouths lie {abs(right):.1%} of their width "
            f"{'right' if right > 0 else 'left'} of and {abs(down):.1%} {'below' if down > 0 else 'above'} "
            "the annotated."
        )
    return said


def names_sha256(crops: CropSet, split: str) -> str:
    """Returns the SHA-256 of a split's names: "source/name", sorted, one a line, each ended by a line feed."""
    names = sorted(str(name) for name in crops.names[crops.indices(split)])
    return hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def located_nowhere(params: Params) -> dict[str, Any]:
    """Returns the parameters without ``data.root``: where the faces lie changes no model."""
    plain = as_dict(params)
    return {**plain, "data": {key: value for key, value in plain["data"].items() if key != "root"}}


def _machine() -> dict[str, Any]:
    """Returns what of the machine decides whether a rerun comes to the same bytes: XLA splits sums by cores."""
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"backend": jax.default_backend(), "cpu_cores": cores, "python": platform.python_version()}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # stages also run from a checkout that is not installed
        return None
