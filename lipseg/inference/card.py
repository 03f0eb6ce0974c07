"""The folder that holds a model: its files and its card. Light: imports nothing heavy.

A runtime in another language needs no more than this folder: ``cascade.onnx`` and ``locator.onnx`` hold the networks
from the normalisation of the pixels to the score, ``card.json`` under "runtime" the geometry of the views, the
thresholds and the order of the landmarks (``lipseg.inference.runtime``).
"""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from lipseg.errors import ModelError, shown

# The model that comes with the package, put there by `make release-model`; loaded where nobody names another.
DEFAULT_MODEL = Path(str(files("lipseg") / "shipped"))
CARD = "card.json"
CASCADE = "cascade.onnx"
LOCATOR = "locator.onnx"
# What finds the faces where nobody names another detector.
DEFAULT_DETECTOR = "yunet"
# What is written and read. Formats 1 to 3 held weights for JAX; format 4 a bias to one side in place of conventions.
FORMAT = 5
# No network and no card of lipseg's is as large.
MOST_BYTES = 256 << 20
_MOST_CARD_BYTES = 32 << 20


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
    for name in (CARD, CASCADE):
        if not (folder / name).is_file():
            raise ModelError(f"{folder / name}: missing, so {folder} is no lipseg model (that is {CARD} and {CASCADE})")


def read_card(folder: Path) -> dict[str, Any]:
    """Returns the card of a model: how it was trained and on what, the geometry of its views, its figures.

    Raises:
        ModelError: if the folder is no model or the card cannot be read.
    """
    check_model_folder(folder)
    path = folder / CARD
    try:
        if path.stat().st_size > _MOST_CARD_BYTES:
            raise ModelError(f"{path}: larger than {_MOST_CARD_BYTES >> 20} MB, and so no model card")
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a readable model card ({error})") from error
    if not isinstance(card, dict):
        raise ModelError(f"{path}: a model card is a JSON object, not a {type(card).__name__}")
    if card.get("format") != FORMAT:
        raise ModelError(
            f"{path}: a model of format {shown(card.get('format'))}; this lipseg reads format {FORMAT}: train it again "
            "with `make repro`"
        )
    return card


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        ModelError: if the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); get it again") from error


def described(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the section "files" of a folder's card: bytes and SHA-256 of each network file that is there."""
    there = [folder / name for name in (CASCADE, LOCATOR) if (folder / name).is_file()]
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in there}


def check_networks(folder: Path, card: dict[str, Any]) -> None:
    """Refuses networks that are not those that the card was written for; raises as ``read_network`` does."""
    runtime = card.get("runtime")
    located = isinstance(runtime, dict) and runtime.get("locator")
    for name in (CASCADE, LOCATOR) if located else (CASCADE,):
        read_network(folder, name, card)


def check_network_size(path: Path, size: int) -> None:
    """Refuses a file of so many bytes that it is no network of lipseg's, before it is read."""
    if size > MOST_BYTES:
        raise ModelError(f"{path}: larger than {MOST_BYTES >> 20} MB, and so no network of lipseg")


def read_network(folder: Path, name: str, card: dict[str, Any]) -> bytes:
    """Returns the content of a network file, which must be the one that the card was written for.

    Raises:
        ModelError: naming the file that is missing or another.
    """
    path = folder / name
    known = card.get("files")
    entry = known.get(name) if isinstance(known, dict) else None
    try:
        size = path.stat().st_size
        if not isinstance(entry, dict) or size != entry.get("bytes"):
            raise ModelError(f"{path}: not the file that {CARD} describes (another size); get the folder again")
        check_network_size(path, size)
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); get the folder again") from error
    if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
        raise ModelError(f"{path}: not the file that {CARD} describes (another SHA-256); get the folder again")
    return content
