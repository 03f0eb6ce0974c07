"""Trains the base network."""

from argparse import Namespace

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.statistics import load_normaliser
from lipseg.data.tables import read_arrays, write_rows
from lipseg.model.parts import save_base, save_offsets
from lipseg.params import as_dict, load_params
from lipseg.training import devices
from lipseg.training.checkpoint import Checkpoint, fingerprint
from lipseg.training.distillation import taught_by
from lipseg.training.fit import fit_base
from stages.code import code_of


def main() -> None:
    train(
        stages.paths(
            __doc__,
            crops="folder of the crops",
            statistics="the statistics file",
            teach="npz file of the teachers' landmarks",
            out="weights",
            offsets="offsets of the sources",
            history="CSV file",
        )
    )


@devices.together()
def train(at: Namespace) -> None:
    params, crops, normaliser = load_params(), load_crops(at.crops), load_normaliser(at.statistics)
    (taught,) = read_arrays(at.teach, ("points_px",), "teach").values()
    sections = [as_dict(s) for s in (params.view, params.augment, params.net, params.train_base)]
    checkpoint = Checkpoint(
        "train_base",
        fingerprint(
            code_of("train_base"), params.seed, *sections, crops.sha256, taught, normaliser.mean, normaliser.deviation
        ),
    )
    fitted = fit_base(
        taught_by(crops, taught, params.teach.share),
        normaliser,
        net_params=params.net,
        view=params.view.geometry(),
        augment=params.augment,
        train=params.train_base,
        seed=params.seed,
        checkpoint=checkpoint,
    )
    if not devices.leads():
        return
    write_rows(at.history, fitted.history)
    save_offsets(at.offsets, fitted.offsets)
    save_base(at.out, fitted.net, params.net, params.view)
    checkpoint.clear()


if __name__ == "__main__":
    stages.run(main)
