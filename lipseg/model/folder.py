"""The folder that holds a trained model: where it is looked for, and its card. Light: imports nothing heavy."""

import json
from pathlib import Path
from typing import Any

from lipseg.errors import ModelError

# Where the pipeline's last stage puts its model, seen from the project's folder.
DEFAULT_MODEL = Path("models/lipseg")
CARD = "card.json"
WEIGHTS = "model.safetensors"
# What is written; 1 had neither locator nor confidence.
FORMAT = 2
READABLE = (1, 2)


def check_model_folder(folder: Path) -> None:
    """Refuses a folder that is no model, before anything heavy is imported.

    Raises:
        ModelError: naming the folder or the missing file, and how to get a model.
    """
    if not folder.is_dir():
        remedy = "train one with `make repro`, or name its folder with --model DIR"
        raise ModelError(f"{folder}: no model folder there; {remedy}")
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
        known = " and ".join(map(str, READABLE))
        raise ModelError(f"{path}: a model of format {card.get('format')!r}; this lipseg reads formats {known}")
    return card
