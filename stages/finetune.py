"""Fine-tunes a head for every component of the mixture, and one on everything as the control."""

import stages
from lipseg.data.feature_set import load_features
from lipseg.data.tables import write_rows
from lipseg.model.parts import load_base, load_mixture, save_heads
from lipseg.params import load_params
from lipseg.training.heads import finetune_heads


def main() -> None:
    at = stages.paths(
        __doc__,
        features="npz file of the features",
        base="weights of the base network",
        mixture="weights of the mixture",
        out="weights of the heads",
        curves="CSV file of every head's errors over its epochs",
    )
    params = load_params()
    net, _ = load_base(at.base)
    heads = finetune_heads(
        net.head,
        load_features(at.features),
        load_mixture(at.mixture),
        params.finetune,
        params.train_base.loss,
        params.seed,
        tangential=params.train_base.tangential,
    )
    write_rows(at.curves, heads.curves())
    save_heads(at.out, heads.stacked(), heads.control.arrays, heads.summary())


if __name__ == "__main__":
    stages.run(main)
