"""Rebuilds the model that comes with the package and puts it there.

``make release-model HELEN=/path/to/helen CELEBAMASK=/path/to/celebamask``: runs the pipeline with presets/shipped.yaml
in build/release, checks the model and replaces lipseg/shipped by it. Nothing else of the checkout changes.
"""

import argparse
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import stages
from lipseg.data.crop_set import SPLITS, CropSet, load_crops
from lipseg.data.tables import write_rows
from lipseg.errors import LipsegError, ModelError, ParamsError
from lipseg.evaluation.card import names_sha256
from lipseg.inference.card import CARD, CASCADE, LOCATOR, read_card
from lipseg.inference.predictor import load_predictor
from stages import rebuild

LOCK, FACES = "dvc.lock", "faces.csv"
# The name in the lock of the run that fitted the thresholds anew, where there was one.
RECALIBRATE = "recalibrate"
LARGEST_BYTES = 8_000_000
# Sections that a card must have, none of them empty.
COMPLETE = (
    *("name", "description", "intended_use", "out_of_scope", "weaknesses", "annotators", "licence", "data"),
    *("figures", "intervals", "params", "artifacts_sha256", "libraries", "machine", "files", "runtime"),
)


@dataclass(frozen=True)
class Limits:
    """The least and the largest figures of the cascade on jittered boxes with which a model is shipped.

    Attributes:
        least: over the test faces of all sources.
        largest: likewise.
        of_sources: the least over each source's, of those sources that the model has.
    """

    least: Mapping[str, float]
    largest: Mapping[str, float]
    of_sources: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


# What the best of MediaPipe, dlib and a second human annotator reach on Helen's test faces, and MediaPipe on
# CelebAMask-HQ's (docs/results.md). Where Helen's annotators place mouths is no merit: there the aligned answers count.
LIMITS = Limits(
    {"mouth_f1": 0.911, "lips_f1": 0.825, "inner_f1": 0.597},
    {"contour": 0.0164},
    {"helen": {"lips_f1_aligned": 0.825}, "celebamask": {"lips_f1": 0.858, "lips_f1_aligned": 0.858}},
)


def problems(folder: Path, limits: Limits = LIMITS) -> list[str]:
    """Returns what speaks against shipping a model folder, a line each; none where it may be shipped.

    Args:
        folder: with the model.
        limits: of the figures.
    """
    try:
        card = read_card(folder)
        load_predictor(folder)
    except ModelError as error:
        return [str(error)]
    found = [f"{CARD}: the section '{key}' is missing or empty" for key in COMPLETE if not card.get(key)]
    size = sum(file.get("bytes", 0) for file in card.get("files", {}).values())
    if size > LARGEST_BYTES:
        found.append(f"{CASCADE} and {LOCATOR}: {size} bytes, more than {LARGEST_BYTES}")
    figures = card.get("figures", {})
    over_all = figures.get("jittered", {}).get("cascade", {})
    for name in {**limits.least, **limits.largest}:
        value, low, high = over_all.get(name), limits.least.get(name, -math.inf), limits.largest.get(name, math.inf)
        if value is None or not low <= value <= high:
            found.append(f"{name} on jittered boxes is {value}, not within {low:g} and {high:g}")
    for source, part in figures.get("sources", {}).items():
        for name, low in limits.of_sources.get(source, {}).items():
            value = part["cascade"].get(name)
            if value is None or value < low:
                found.append(f"{name} on jittered boxes of {source} is {value}, less than {low:g}")
    return found


def write_faces(path: Path, crops: CropSet) -> None:
    """Writes the names of the faces and their splits: what the card's ``names_sha256`` are taken over."""
    rows = [
        {"name": str(name), "split": split} for split in SPLITS for name in sorted(crops.names[crops.split == split])
    ]
    write_rows(path, rows)


def promote(model: Path, lock: Mapping[str, Any], crops: CropSet, out: Path) -> None:
    """Puts a model folder, with the lock of its run and the names of its faces, into the place of ``out``.

    The new folder is made whole beside the old one; then the two change places.

    Args:
        model: the folder with the card and the weights.
        lock: of ``rebuild.lock_of``.
        crops: that the model was trained and tested on.
        out: the folder in the package.
    """
    partial, old = (out.with_name(f".{out.name}.partial{end}") for end in ("", ".old"))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in (CARD, CASCADE, LOCATOR):
        shutil.copyfile(model / name, partial / name)
    rebuild.write_lock(partial / LOCK, lock)
    write_faces(partial / FACES, crops)
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    try:
        os.replace(partial, out)
    except OSError:
        if old.exists():
            os.replace(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def release(
    sources: Mapping[str, Path],
    files: Mapping[str, Path],
    preset: Path,
    work: Path,
    out: Path,
    limits: Limits = LIMITS,
) -> dict[str, Any]:
    """Rebuilds, checks and promotes the model; returns its card.

    Args:
        sources: folders of the faces; see ``rebuild.prepare``.
        files: what these folders lack; likewise.
        preset: file of the parameters.
        work: folder that the pipeline runs in.
        out: the model's folder in the package.
        limits: of the figures.

    Raises:
        LipsegError: if the faces are not those that the preset wants, the pipeline fails or the model may not be
            shipped; then ``out`` is as it was.
    """
    try:
        params = yaml.safe_load(preset.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ParamsError(f"{preset}: cannot be read ({' '.join(str(error).split())})") from error
    rebuild.prepare(work, params, sources, files)
    rebuild.mend(work)
    rebuild.run(work)
    model, crops = work / "models" / "lipseg", load_crops(work / "data" / "crops")
    found = problems(model, limits)
    card = read_card(model)
    if card["data"]["names_sha256"] != {split: names_sha256(crops, split) for split in SPLITS}:
        found.append(f"{CARD}: names other faces than the crops hold")
    text = (model / CARD).read_text(encoding="utf-8")
    if any(str(place.resolve()) in text for place in (work, *sources.values(), *files.values())):
        found.append(f"{CARD}: holds a path of this machine")
    if found:
        raise LipsegError(f"{model}: not shipped. " + "; ".join(found))
    promote(model, rebuild.lock_of(work), crops, out)
    return card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rebuild.add_arguments(parser)
    parser.add_argument("--preset", type=Path, default=Path("presets/shipped.yaml"), help="the parameters")
    parser.add_argument("--work", type=Path, default=Path("build/release"), help="folder that the pipeline runs in")
    parser.add_argument("--out", type=Path, default=Path("lipseg/shipped"), help="the model's folder in the package")
    at = parser.parse_args()
    card = release(at.source, at.file, at.preset, at.work, at.out)
    for name, file in card["files"].items():
        print(f"{at.out / name}: {file['bytes']} bytes, SHA-256 {file['sha256']}")
    print("now commit it, and with it what `python -m tools.docs` makes of docs/model-card.md")


if __name__ == "__main__":
    stages.run(main)
