"""Calibrates the score of the exported model on validation faces, and reports on test faces what it is worth."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.face_set import load_faces
from lipseg.data.tables import write_json, write_rows
from lipseg.evaluation import calibration
from lipseg.evaluation.calibrate import Model, calibrate
from lipseg.files import whole_folder
from lipseg.params import load_params
from lipseg.training.faces import photos


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        faces="npz file of the faces",
        model="the exported model folder",
        out="the model folder with a calibrated score",
        results="folder of the curves",
        metrics="JSON file of the figures",
    )
    params, crops, faces = load_params(), load_crops(at.crops), load_faces(at.faces)
    files = dict(photos(crops, params.data))
    settings = params.calibrate

    def trials(model: Model, split: str) -> calibration.Trials:
        rounds, seed = (settings.repeats, params.seed) if split == "validation" else (1, params.seed + 1)
        return model.trials(crops, faces, files, split, rounds, seed)

    calibrated = calibrate(at.model, at.out, settings.bound, lambda model: trials(model, "validation"))
    test = trials(Model(at.out), "test")
    with whole_folder(at.results) as folder:
        write_rows(folder / "risk_coverage.csv", calibration.curve_rows(test))
        write_rows(folder / "reliability.csv", calibration.reliability_rows(test, settings.bound))
    write_json(at.metrics, calibration.calibration_figures(*calibrated, test, settings.bound))


if __name__ == "__main__":
    stages.run(main)
