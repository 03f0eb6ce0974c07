"""Fits what each source's annotators draw elsewhere than the reference's, to the cascade's answers."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.tables import write_json
from lipseg.evaluation.conventions import conventions_sheet, measured
from lipseg.images import write_image
from lipseg.model.assembly import assemble
from lipseg.params import load_params
from lipseg.training.conventions import answers_of_all, as_json, fit_all


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        statistics="the statistics file",
        base="weights of the base network",
        mixture="weights of the mixture",
        heads="weights of the heads",
        out="JSON file of the conventions",
        sheet="picture of faces with contours before and after",
    )
    params, crops = load_params(), load_crops(at.crops)
    answers = answers_of_all(crops, assemble(at.statistics, at.base, at.mixture, at.heads))
    found = fit_all(answers)
    rows = measured(answers, params.seed) if found else []
    write_json(at.out, as_json(crops.sources[0], found, rows))
    write_image(at.sheet, conventions_sheet(crops, answers, found))


if __name__ == "__main__":
    stages.run(main)
