"""Trains the locator, which goes from a face box to the mouth."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.face_set import load_faces
from lipseg.data.tables import write_json, write_rows
from lipseg.model.locator import save_locator
from lipseg.params import load_params
from lipseg.training.locator import fit_locator


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        faces="npz file of the faces",
        out="weights of the locator",
        history="CSV file of its training",
        metrics="JSON file of its figures",
    )
    params = load_params()
    fitted = fit_locator(load_faces(at.faces), load_crops(at.crops), params.locate, params.seed)
    write_rows(at.history, fitted.history)
    save_locator(at.out, fitted.net, fitted.constants)
    write_json(at.metrics, fitted.figures)


if __name__ == "__main__":
    stages.run(main)
