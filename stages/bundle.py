"""Writes the model folder that inference loads."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.evaluation.card import model_card
from lipseg.model.bundle import assemble, save_cascade
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
        confidence="the calibration",
        metrics="JSON file of the headline figures",
        results="folder of the full results",
        finding="JSON file of the locator's figures",
        calibration="JSON file of the calibration's figures",
        out="the model folder",
    )
    cascade = assemble(at.statistics, at.base, at.mixture, at.heads, at.locator, at.confidence)
    names = ("statistics", "base", "mixture", "heads", "locator", "confidence")
    parts = {name: getattr(at, name) for name in names}
    more = {"finding": at.finding, "score": at.calibration}
    card = model_card(load_params(), load_crops(at.crops), cascade, at.metrics, at.results, parts, more)
    save_cascade(at.out, cascade, card)


if __name__ == "__main__":
    stages.run(main)
