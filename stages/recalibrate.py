"""Fits the thresholds of the model in the package anew, by which mouths are kept or dropped; its networks stay.

``make recalibrate-model HELEN=/path/to/helen CELEBAMASK=/path/to/celebamask``: what ``calibrate`` does at the end of a
training, on the validation faces that the model's card names. The lock beside the model gets the run's record.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.face_set import load_faces
from lipseg.data.tables import read_json, write_json
from lipseg.errors import LipsegError
from lipseg.evaluation.calibrate import Model, refit_thresholds
from lipseg.evaluation.calibration import Trials, calibration_figures
from lipseg.inference.card import CARD, read_card
from lipseg.params import load_params
from lipseg.training.faces import photos
from stages import rebuild
from stages.release import FACES, LOCK, RECALIBRATE, promote
from stages.verify import MODEL, NETWORKS, dvc_md5, md5, other_names


def recalibrate(folder: Path, work: Path, sources: Mapping[str, Path], files: Mapping[str, Path]) -> dict[str, Any]:
    """Replaces the model folder by one with new thresholds and their figures; returns its card.

    Args:
        folder: with the model, its lock and the names of its faces.
        work: folder that the faces are cut out in.
        sources: folders of the faces; see ``rebuild.prepare``.
        files: what these folders lack; likewise.

    Raises:
        LipsegError: if the faces are not those of the card; then the folder is as it was.
    """
    card = read_card(folder)
    rebuild.prepare(work, card["params"], sources, files)
    rebuild.run(work, "detect")
    crops, faces = load_crops(work / "data" / "crops"), load_faces(work / "data" / "faces.npz")
    if apart := other_names(folder / FACES, crops):
        raise LipsegError(f"{', '.join(map(str, sources.values()))}: other faces than the card's: " + "; ".join(apart))
    params = load_params(work / "params.yaml")
    settings = params.calibrate
    pictures = dict(photos(crops, replace(params.data, root=str(work / params.data.root))))

    def trials(model: Model, split: str, rounds: int, seed: int) -> Trials:
        return model.trials(crops, faces, pictures, split, rounds, seed)

    fitted = work / MODEL
    confidence, rules = refit_thresholds(
        folder, fitted, settings.bound, lambda model: trials(model, "validation", settings.repeats, params.seed)
    )
    test = trials(Model(fitted), "test", 1, params.seed + 1)
    card = read_card(fitted)
    figures = work / "reports" / "calibration.json"
    write_json(figures, calibration_figures(confidence, rules, test, settings.bound))
    card["score"] = read_json(figures)
    card["data"]["sha256"] = crops.sha256
    (fitted / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    promote(fitted, _lock(folder, work), crops, folder)
    return card


def _lock(folder: Path, work: Path) -> dict[str, Any]:
    """Returns the lock of the folder with the record of this run."""
    ran = rebuild.lock_of(work)["stages"]
    code = (work / "data" / "code" / "calibrate.txt").read_bytes()
    record = {
        "cmd": "make recalibrate-model",
        "deps": [
            {"path": MODEL, "hash": "md5", "md5": dvc_md5(folder, (*NETWORKS, CARD))},
            {"path": "data/code/calibrate.txt", "hash": "md5", "md5": md5(code)},
            *(ran["crop"]["outs"][:1] + ran["detect"]["outs"]),
        ],
        "outs": [{"path": MODEL, "hash": "md5", "md5": dvc_md5(work / MODEL, (*NETWORKS, CARD))}],
    }
    return {"schema": "2.0", "stages": {**rebuild.read_lock(folder / LOCK), RECALIBRATE: record}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("lipseg/shipped"), help="the shipped folder")
    rebuild.add_arguments(parser)
    parser.add_argument("--work", type=Path, default=Path("build/recalibrate"), help="folder for what is made")
    at = parser.parse_args()
    rules = recalibrate(at.model, at.work, at.source, at.file)["runtime"]["thresholds"]
    print(f"{at.model}: " + ", ".join(f"{name} {rules[name]:g}" for name in ("min_score", "clear_presence")))
    print("now commit it")


if __name__ == "__main__":
    stages.run(main)
