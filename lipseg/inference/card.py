"""The folder that holds a trained model: where it is looked for, and its card. Light: imports nothing heavy."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from lipseg.errors import ModelError

# The model that comes with the package, put there by `make release-model`; loaded where nobody names another.
DEFAULT_MODEL = Path(str(files("lipseg") / "shipped"))
CARD = "card.json"
WEIGHTS = "model.safetensors"
# What is written; 1 had neither locator nor confidence, 1 and 2 no mirror offset.
FORMAT = 3
READABLE = (1, 2, 3)


def check_model_folder(folder: Path) -> None:
    """Refuses a folder that is no model, before anything heavy is imported.

    Raises:
        ModelError: naming the folder or the missing file, and how to get a model.
    """
    if folder == DEFAULT_MODEL and not (folder / CARD).is_file():
        raise ModelError(
            f"this lipseg came without a model ({folder} holds none); train one with `make repro` and name its folder, "
            "models/lipseg: --model DIR for predict, the argument for info and LipSegmenter"
        )
    if not folder.is_dir():
        raise ModelError(
            f"{folder}: no model folder there; train one with `make repro`, or leave --model out for lipseg's own"
        )
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder / name}: missing, so {folder} is no lipseg model (it holds {CARD} and {WEIGHTS})"
            )


def read_card(folder: Path) -> dict[str, Any]:
    """Returns the card of a model: how it was trained and on what, how it looks at mouths, how well it does.

    Raises:
        ModelError: if the folder is no model or the card cannot be read.
    """
    check_model_folder(folder)
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not a readable model card ({error})") from error
    if not isinstance(card, dict):
        raise ModelError(f"{path}: a model card is a JSON object, not a {type(card).__name__}")
    if card.get("format") not in READABLE:
        known = ", ".join(map(str, READABLE))
        raise ModelError(f"{path}: a model of format {card.get('format')!r}; this lipseg reads formats {known}")
    return card


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_weights(folder: Path, card: dict[str, Any]) -> None:
    """Refuses weights that are not those that the card was written for.

    Args:
        folder: of the model.
        card: its card. Cards of before version 0.2 hold no hash and pass.

    Raises:
        ModelError: naming the file.
    """
    expected = card.get("weights", {}).get("sha256")
    path = folder / WEIGHTS
    if expected is not None and sha256_of(path) != expected:
        raise ModelError(f"{path}: not the weights that {CARD} describes (another SHA-256); get the folder again")
