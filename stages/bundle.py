"""Puts the model folder together: the calibrated networks, and the full card."""

import json
import shutil

import stages
from lipseg.data.crop_set import load_crops
from lipseg.evaluation.card import model_card
from lipseg.files import whole_folder
from lipseg.inference.card import CARD, CASCADE, LOCATOR, check_networks, read_card
from lipseg.params import load_params


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        statistics="the statistics file",
        base="weights of the base network",
        mixture="weights of the mixture",
        heads="weights of the heads",
        locator="weights of the locator",
        model="the calibrated model folder",
        metrics="JSON file of the headline figures",
        results="folder of the full results",
        finding="JSON file of the locator's figures",
        conventions="JSON file of the conventions",
        calibration="JSON file of the calibration's figures",
        out="the model folder",
    )
    names = ("statistics", "base", "mixture", "heads", "locator")
    parts = {name: getattr(at, name) for name in names}
    more = {"finding": at.finding, "score": at.calibration}
    model = read_card(at.model)
    check_networks(at.model, model)
    card = model_card(load_params(), load_crops(at.crops), model, at.metrics, at.results, parts, at.conventions, more)
    with whole_folder(at.out) as folder:
        for name in (CASCADE, LOCATOR):
            shutil.copyfile(at.model / name, folder / name)
        (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    stages.run(main)
