"""Computes the features at the input of FC5 for every split and for augmented views of the training faces."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.feature_set import save_features
from lipseg.data.statistics import load_normaliser
from lipseg.model.parts import load_base, load_offsets
from lipseg.params import load_params
from lipseg.training.features import extract_features


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        statistics="the statistics file",
        base="weights of the base network",
        offsets="offsets of the sources",
        out="npz file of the features",
    )
    params = load_params()
    net, view = load_base(at.base)
    found = extract_features(
        load_crops(at.crops),
        load_normaliser(at.statistics),
        net,
        load_offsets(at.offsets),
        view=view,
        augment=params.augment,
        views=params.extract.views,
        seed=params.seed,
    )
    save_features(at.out, found)


if __name__ == "__main__":
    stages.run(main)
