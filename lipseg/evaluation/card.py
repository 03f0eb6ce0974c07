"""The model card: where a model comes from, what it is good for and how well it does."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lipseg.data.crop_set import SPLITS, CropSet
from lipseg.data.tables import read_json
from lipseg.model.cascade import Cascade
from lipseg.params import Params, as_dict

_LIBRARIES = ("lipseg", "jax", "flax", "optax", "scikit-learn", "numpy", "opencv-python-headless", "safetensors")


def model_card(
    params: Params, crops: CropSet, cascade: Cascade, metrics: Path, more: Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """Returns the card of a bundled cascade, JSON-able.

    Args:
        params: of the run.
        crops: the data that it was trained and evaluated on.
        cascade: the model.
        metrics: the file of headline figures.
        more: further files of figures by the name that they get on the card.

    Raises:
        DataError: if the figures cannot be read.
    """
    return {
        "name": params.bundle.name,
        "description": params.bundle.description,
        "scheme": "56 lip landmarks: 28 outer, 28 inner (Helen points 58-113)",
        "net": as_dict(params.net),
        "view": as_dict(params.view),
        "components": cascade.mixture.components,
        "mixture": cascade.card["mixture"],
        "data": {
            "source": params.data.source,
            **{split: len(crops.indices(split)) for split in SPLITS},
            "skipped": crops.skipped,
            "sha256": crops.sha256,
        },
        "figures": read_json(metrics),
        **{name: read_json(path) for name, path in (more or {}).items()},
        "heads": cascade.card["heads"],
        "params": as_dict(params),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # stages also run from a checkout that is not installed
        return None
