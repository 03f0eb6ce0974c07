"""Trains the teachers, and has them annotate the training faces."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.tables import write_arrays, write_rows
from lipseg.params import Teach, as_dict, load_params
from lipseg.training.checkpoint import Checkpoint, fingerprint
from lipseg.training.distillation import teach
from stages.code import code_of

_COLUMNS = ("teacher", "epoch", "loss", "landmark", "mask", "map", "train_nme", "validation_nme", "validation_error")


def main() -> None:
    at = stages.paths(__doc__, crops="folder of the crops", out="npz file of the landmarks", history="CSV file")
    params, crops = load_params(), load_crops(at.crops)
    # The share of the answers is the base network's affair, and is read there.
    wanted = Teach(params.teach.teachers, params.teach.epochs, params.teach.width, params.teach.size_px, share=0.0)
    sections = (wanted, params.view, params.augment, params.net, params.statistics, params.train_base)
    key = fingerprint(code_of("teach"), params.seed, *map(as_dict, sections), crops.sha256)
    saved = [Checkpoint(f"teach_{k}", key) for k in range(wanted.teachers)]
    taught = teach(
        crops,
        wanted,
        view=params.view,
        augment=params.augment,
        statistics=params.statistics,
        net=params.net,
        train=params.train_base,
        seed=params.seed,
        checkpoints=saved.__getitem__,
    )
    write_rows(at.history, taught.history or [dict.fromkeys(_COLUMNS, "")])
    write_arrays(at.out, points_px=taught.points_px)
    for checkpoint in saved:
        checkpoint.clear()


if __name__ == "__main__":
    stages.run(main)
