"""Fits Gaussian mixtures to the features by EM, chooses one, and draws its components."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.feature_set import load_features
from lipseg.data.tables import write_rows
from lipseg.evaluation.galleries import write_galleries
from lipseg.model.parts import save_mixture
from lipseg.params import load_params
from lipseg.training.em import fit_mixture


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops, for the pictures",
        features="npz file of the features",
        out="weights of the mixture",
        selection="CSV file of every candidate",
        galleries="folder of the components' pictures",
    )
    params, features = load_params(), load_features(at.features)
    train = features.select(split="train", boxes="exact")
    held_out = features.select(split="validation", boxes="exact")
    selection = fit_mixture(train.features, held_out.features, params.cluster, params.seed)
    write_rows(at.selection, selection.rows)
    write_galleries(at.galleries, load_crops(at.crops), features, selection.mixture)
    save_mixture(at.out, selection.mixture, {"dropped": selection.dropped, "explained": selection.explained})


if __name__ == "__main__":
    stages.run(main)
