"""Trains the locator, which goes from a face box to the mouth."""

from argparse import Namespace
from dataclasses import fields

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.face_set import load_faces
from lipseg.data.tables import write_json, write_rows
from lipseg.model.locator import save_locator
from lipseg.params import as_dict, load_params
from lipseg.training import devices
from lipseg.training.checkpoint import Checkpoint, fingerprint
from lipseg.training.locator import fit_locator
from stages.code import code_of


def main() -> None:
    train(
        stages.paths(
            __doc__,
            crops="folder of the crops",
            faces="npz file of the faces",
            out="weights of the locator",
            history="CSV file of its training",
            metrics="JSON file of its figures",
        )
    )


@devices.together()
def train(at: Namespace) -> None:
    params, faces, crops = load_params(), load_faces(at.faces), load_crops(at.crops)
    arrays = (getattr(faces, field.name) for field in fields(faces))
    checkpoint = Checkpoint(
        "locate", fingerprint(code_of("locate"), params.seed, as_dict(params.locate), crops.sha256, *arrays)
    )
    fitted = fit_locator(faces, crops, params.locate, params.seed, checkpoint=checkpoint)
    if not devices.leads():
        return
    write_rows(at.history, fitted.history)
    save_locator(at.out, fitted.net, fitted.constants)
    write_json(at.metrics, fitted.figures)
    checkpoint.clear()


if __name__ == "__main__":
    stages.run(main)
