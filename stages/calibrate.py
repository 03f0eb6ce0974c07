"""Calibrates the score on the validation faces, and reports on the test faces what it is worth."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.face_set import load_faces
from lipseg.data.tables import write_json, write_rows
from lipseg.evaluation import calibration
from lipseg.evaluation.trials import run_trials
from lipseg.model.bundle import assemble, save_confidence
from lipseg.params import load_params
from lipseg.training.faces import photos


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        faces="npz file of the faces",
        statistics="the statistics file",
        base="weights of the base network",
        mixture="weights of the mixture",
        heads="weights of the heads",
        locator="weights of the locator",
        out="the calibration",
        results="folder of the curves",
        metrics="JSON file of the figures",
    )
    params, crops, faces = load_params(), load_crops(at.crops), load_faces(at.faces)
    cascade = assemble(at.statistics, at.base, at.mixture, at.heads, at.locator)
    files, bound = dict(photos(crops, params.data)), params.calibrate.bound
    trials = run_trials(cascade, crops, faces, files, "validation", params.calibrate.repeats, params.seed)
    fitted = calibration.fit_confidence(trials, bound)
    save_confidence(at.out, fitted)
    test = run_trials(cascade, crops, faces, files, "test", 1, params.seed + 1)
    write_rows(at.results / "risk_coverage.csv", calibration.curve_rows(fitted, test))
    write_rows(at.results / "reliability.csv", calibration.reliability_rows(fitted, test, bound))
    write_json(at.metrics, calibration.confidence_figures(fitted, test, bound))


if __name__ == "__main__":
    stages.run(main)
