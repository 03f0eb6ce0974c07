"""Checks that the model in the package is what its card and its lock say; with --source, that a rerun gives it again.

Without --source, in seconds: size and SHA-256 of the networks, the card's completeness and figures, the names of the
faces, and that card and networks are the files that the recorded run wrote.

With the folder of every source, as long as the training takes: runs the pipeline with the card's parameters in
build/verify and compares stage by stage. On the card's number of cores and with its software the networks come out
equal to the byte. On others they do not: XLA splits its sums by cores, rounding differs, and training carries that on.
Then the figures must agree.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

import stages
from lipseg.data.crop_set import CropSet, load_crops
from lipseg.errors import DataError, LipsegError
from lipseg.inference.card import CARD, CASCADE, LOCATOR, read_card
from stages import rebuild
from stages.release import FACES, LIMITS, LOCK, RECALIBRATE, Limits, problems

# How far two trainings that differ in rounding alone may lie apart, on jittered boxes.
TOLERANCE = {"mouth_f1": 0.01, "lips_f1": 0.015, "inner_f1": 0.03, "contour": 0.001, "nme": 0.002}
NETWORKS = (CASCADE, LOCATOR)
MODEL = "models/lipseg"


def check_shipped(folder: Path, limits: Limits = LIMITS) -> list[str]:
    """Returns what is wrong with a shipped folder, a line each.

    Args:
        folder: with the model, its lock and the names of its faces.
        limits: of the figures.

    Raises:
        LipsegError: if a file is missing or cannot be read.
    """
    found = problems(folder, limits)
    card, lock = read_card(folder), rebuild.read_lock(folder / LOCK)
    if card.get("data", {}).get("names_sha256") != _names_sha256(folder / FACES):
        found.append(f"{FACES}: not the faces that {CARD} was written for")
    if rebuild.md5_of(lock.get(RECALIBRATE) or lock.get("bundle", {}), "outs").get(MODEL) != dvc_md5(
        folder, (*NETWORKS, CARD)
    ):
        found.append(f"{LOCK}: its run wrote another {CARD}, {CASCADE} or {LOCATOR}")
    return found


def dvc_md5(folder: Path, names: tuple[str, ...]) -> str:
    """Returns the MD5 by which DVC knows a folder of these files: that of the list of their own."""
    listed = [{"md5": md5((folder / name).read_bytes()), "relpath": name} for name in sorted(names)]
    return md5(json.dumps(listed, sort_keys=True).encode()) + ".dir"


def md5(content: bytes) -> str:
    """Returns the MD5 by which DVC knows a file of this content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def differences(recorded: dict[str, Any], rerun: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yields (stage, "deps" or "outs", path) wherever two locks' MD5s differ or one has no such path."""
    for stage in [*recorded, *(name for name in rerun if name not in recorded)]:
        if stage == RECALIBRATE:  # a run of its own, which the pipeline's calibration makes needless
            continue
        for part in ("deps", "outs"):
            first, second = (rebuild.md5_of(lock.get(stage, {}), part) for lock in (recorded, rerun))
            for path in [*first, *(path for path in second if path not in first)]:
                if first.get(path) != second.get(path):
                    yield stage, part, path


def disagreements(card: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Returns the figures of two cards that lie further apart than rounding explains, a line each."""
    return [
        f"{name} on jittered boxes: {first} shipped, {second} rerun, more than {tolerance} apart"
        for name, first, second, tolerance in _figures(card, other)
        if abs(first - second) > tolerance
    ]


def _figures(card: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[str, float, float, float]]:
    """Yields of each figure that has to agree its name, what two cards say, and how far these may lie apart."""
    for name, tolerance in TOLERANCE.items():
        first, second = (some["figures"]["jittered"]["cascade"][name] for some in (card, other))
        yield name, first, second, tolerance


def compare_rerun(
    folder: Path, work: Path, sources: Mapping[str, Path], files: Mapping[str, Path] | None = None
) -> list[str]:
    """Reruns the pipeline, prints how it compares and returns what is wrong, a line each.

    Args:
        folder: with the model, its lock and the names of its faces.
        work: folder that the pipeline runs in.
        sources: folders of the faces; see ``rebuild.prepare``.
        files: what these folders lack; likewise.

    Raises:
        LipsegError: if the faces are not those of the card's sources, or the pipeline fails.
    """
    card, recorded = read_card(folder), rebuild.read_lock(folder / LOCK)
    rebuild.prepare(work, card["params"], sources, files)
    rebuild.mend(work)
    # Other faces are told apart before anything is trained on them.
    rebuild.run(work, "crop")
    crops = load_crops(work / "data" / "crops")
    if crops.sha256 != card["data"]["sha256"]:
        apart = other_names(folder / FACES, crops)
        if apart:
            return [f"{', '.join(map(str, sources.values()))}: other faces than the card's: " + "; ".join(apart)]
        return [
            "other crops than the card's, of the same names: another version of the data, of a file put beside them "
            "(--file), or of the decoder of pictures"
        ]
    rebuild.run(work)
    rerun = rebuild.lock_of(work)["stages"]
    apart = list(differences(recorded, rerun))
    for stage in rerun:
        paths = [path for name, _, path in apart if name == stage]
        print(f"{stage}: " + ("equal" if not paths else "differs in " + ", ".join(paths)))
    again = work / MODEL
    other = read_card(again)
    if all((again / name).read_bytes() == (folder / name).read_bytes() for name in NETWORKS):
        print("networks: equal to the byte")
        return []
    for name in NETWORKS:
        print(f"{name}: {_apart(folder / name, again / name)}")
    for key in ("components", "machine", "libraries"):
        if card[key] != other[key]:
            print(f"{key}: {card[key]} shipped, {other[key]} here")
    for name, first, second, tolerance in _figures(card, other):
        print(f"{name} on jittered boxes: {first} shipped, {second} here, may differ by {tolerance}")
    return disagreements(card, other)


def _apart(first: Path, second: Path) -> str:
    """Returns how far two files' arrays lie apart."""
    a, b = _arrays(first), _arrays(second)
    if {name: array.shape for name, array in a.items()} != {name: array.shape for name, array in b.items()}:
        return "has other arrays, as where the mixture has other components or other heads won"
    furthest = max(float(np.abs(a[name].astype(float) - b[name]).max(initial=0)) for name in a)
    return f"its weights differ by at most {furthest:.3g}"


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Returns the constants of an ONNX file by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def other_names(path: Path, crops: CropSet) -> list[str]:
    """Returns for each source how the faces of a run differ from those listed, where they do."""
    listed = set(_faces(path))
    found = set(zip(crops.split.tolist(), crops.names.tolist(), strict=True))
    said = []
    for source in sorted({name.split("/")[0] for _, name in listed | found}):
        missing, new = (
            sum(name.startswith(f"{source}/") for _, name in some) for some in (listed - found, found - listed)
        )
        if missing or new:
            said.append(f"{missing} of {source} are missing or in another split, {new} are not in {path.name}")
    return said


def _names_sha256(path: Path) -> dict[str, str]:
    rows = sorted(_faces(path))
    names = {split: "".join(f"{name}\n" for one, name in rows if one == split) for split, _ in rows}
    return {split: hashlib.sha256(text.encode()).hexdigest() for split, text in names.items()}


def _faces(path: Path) -> list[tuple[str, str]]:
    """Returns (split, name) of every face that ``release.write_faces`` listed."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [(row["split"], row["name"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("lipseg/shipped"), help="the shipped folder")
    rebuild.add_arguments(parser)
    parser.add_argument("--work", type=Path, default=Path("build/verify"), help="folder that the pipeline runs in")
    at = parser.parse_args()
    found = check_shipped(at.model)
    if not found and (at.source or at.file):
        found = compare_rerun(at.model, at.work, at.source, at.file)
    if found:
        raise LipsegError(f"{at.model}: " + "; ".join(found))
    print(f"{at.model}: verified")


if __name__ == "__main__":
    stages.run(main)
