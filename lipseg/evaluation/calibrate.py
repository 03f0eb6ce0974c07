"""A model folder gets a calibrated score: fitted through the exported files and the tool's own code.

Twice: once on single views, and, with these scores in the model, on the predictions that a user gets, of which each is
the best scored of up to three views.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from lipseg.data.crop_set import CropSet
from lipseg.data.face_set import FaceSet
from lipseg.evaluation.calibration import fit_confidence, fit_thresholds, rescaled, rescaled_doubt, rescaled_scores
from lipseg.evaluation.trials import Trials, run_trials
from lipseg.files import whole_folder
from lipseg.inference.card import CARD, CASCADE, LOCATOR, described, read_card
from lipseg.inference.predictor import load_predictor
from lipseg.inference.runtime import Runtime, Thresholds
from lipseg.inference.session import load_network
from lipseg.model.confidence import Confidence
from lipseg.model.export.score import numbers_of, with_score


class Model:
    """A model folder, and the evidence that its cascade gives.

    Args:
        folder: of the model.
    """

    def __init__(self, folder: Path) -> None:
        self.predictor = load_predictor(folder)
        self._evidence = load_network(folder / CASCADE, ("evidence",), self.predictor.runtime.view.size)

    def trials(
        self, crops: CropSet, faces: FaceSet, photos: dict[int, Path], split: str, rounds: int, seed: int
    ) -> Trials:
        """Returns the trials on the faces of a split; see ``run_trials``."""
        evidence = self._evidence
        return run_trials(self.predictor, lambda views: evidence(views)[0], crops, faces, photos, split, rounds, seed)


def calibrate(
    exported: Path, out: Path, bound: float, trials: Callable[[Model], Trials]
) -> tuple[Confidence, Thresholds]:
    """Writes the calibrated model folder, whole or not at all; returns what its score is made of.

    Args:
        exported: the model folder without a calibration.
        out: the model folder with one.
        bound: a contour is right if its mean distance from the true one, as a share of the inter-ocular distance, is
            below this.
        trials: a model on the validation faces.
    """
    single = fit_confidence(trials(Model(exported)), bound)
    # Every mouth that may be one is let through, so that the thresholds are seen from both sides.
    open_rules = Thresholds(calibrated=True)
    with whole_folder(out) as folder:
        _write(exported, folder, single, open_rules)
        found = trials(Model(folder))
        final = rescaled(single, found, bound)
        rules = fit_thresholds(found, rescaled_scores(final, found.score), bound)
        rules = dataclasses.replace(rules, doubt=rescaled_doubt(final, open_rules))
        _write(exported, folder, final, rules)
    return final, rules


def refit_thresholds(
    folder: Path, out: Path, bound: float, trials: Callable[[Model], Trials]
) -> tuple[Confidence, Thresholds]:
    """Writes a calibrated model folder with thresholds fitted anew, whole or not at all; the networks stay.

    Returns:
        what its score is made of.

    Args:
        folder: the calibrated model folder.
        out: the folder with the new thresholds.
        bound: see ``calibrate``.
        trials: likewise.
    """
    card = read_card(folder)
    confidence = Confidence(**numbers_of(onnx.load(folder / CASCADE)))
    doubt = Runtime.from_card(card, folder / CARD).thresholds.doubt
    with whole_folder(out) as written:
        _write(folder, written, confidence, Thresholds(calibrated=True, doubt=doubt))
        found = trials(Model(written))
        rules = dataclasses.replace(fit_thresholds(found, found.score, bound), doubt=doubt)
        _write(folder, written, confidence, rules)
    return confidence, rules


def _write(exported: Path, folder: Path, confidence: Confidence, rules: Thresholds) -> None:
    """Fills a folder with a model of this score and these thresholds, over what is there."""
    card: dict[str, Any] = read_card(exported)
    runtime = Runtime.from_card(card, exported / CARD)
    scored = with_score((exported / CASCADE).read_bytes(), **confidence.arrays())
    (folder / CASCADE).write_bytes(scored.SerializeToString())
    if (exported / LOCATOR).is_file():
        shutil.copyfile(exported / LOCATOR, folder / LOCATOR)
    card |= {"runtime": dataclasses.replace(runtime, thresholds=rules).as_json(), "files": described(folder)}
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
