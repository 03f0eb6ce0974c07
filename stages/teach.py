"""Trains the teachers, and has them annotate the training faces."""

from argparse import Namespace

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.tables import write_arrays, write_rows
from lipseg.params import Net, TrainBase, ViewParams, as_dict, load_params
from lipseg.training import devices
from lipseg.training.checkpoint import Checkpoint, fingerprint
from lipseg.training.distillation import teach
from stages.code import code_of

_COLUMNS = ("teacher", "epoch", "loss", "landmark", "mask", "map", "train_nme", "validation_nme", "validation_error")


def main() -> None:
    train(stages.paths(__doc__, crops="folder of the crops", out="npz file of the landmarks", history="CSV file"))


@devices.together()
def train(at: Namespace) -> None:
    params, crops = load_params(), load_crops(at.crops)
    count = params.teach.teachers
    # Key by key: what the base network's size and epochs are is nothing to the teachers, which are not trained again.
    view = ViewParams(size_px=params.teach.size_px, shape=params.view.shape, margin=params.view.margin)
    net = Net(kind=params.net.kind, width=params.teach.width, fc5=params.net.fc5)
    train = TrainBase(
        epochs=params.teach.epochs,
        repeats=params.train_base.repeats,
        source_weights=params.train_base.source_weights,
        patience=params.train_base.patience,
        batch_size=params.train_base.batch_size,
        optimiser=params.train_base.optimiser,
        kernel_rate=params.train_base.kernel_rate,
        learning_rate=params.train_base.learning_rate,
        schedule=params.train_base.schedule,
        weight_decay=params.train_base.weight_decay,
        average=params.train_base.average,
        loss=params.train_base.loss,
        tangential=params.train_base.tangential,
        mask_weight=params.train_base.mask_weight,
        map_weight=params.train_base.map_weight,
        validate_on=params.train_base.validate_on,
    )
    sections = (view, params.augment, params.statistics, net, train)
    key = fingerprint(code_of("teach"), params.seed, count, *map(as_dict, sections), crops.sha256)
    saved = [Checkpoint(f"teach_{k}", key) for k in range(count)]
    taught = teach(
        crops,
        count,
        view=view,
        augment=params.augment,
        statistics=params.statistics,
        net=net,
        train=train,
        seed=params.seed,
        checkpoints=saved.__getitem__,
    )
    if not devices.leads():
        return
    write_rows(at.history, taught.history or [dict.fromkeys(_COLUMNS, "")])
    write_arrays(at.out, points_px=taught.points_px)
    for checkpoint in saved:
        checkpoint.clear()


if __name__ == "__main__":
    stages.run(main)
