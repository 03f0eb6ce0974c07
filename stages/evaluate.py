"""Evaluates base, cascade and control on the test faces, on jittered and on true boxes."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.tables import write_json
from lipseg.evaluation import runs
from lipseg.model.bundle import assemble
from lipseg.params import load_params


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        statistics="the statistics file",
        base="weights of the base network",
        mixture="weights of the mixture",
        heads="weights of the heads",
        out="folder of the full results",
        metrics="JSON file of the headline figures",
    )
    params, crops = load_params(), load_crops(at.crops)
    cascade = assemble(at.statistics, at.base, at.mixture, at.heads)
    found = runs.run_test(crops, cascade, params.evaluate, params.seed)
    full = runs.summary(found, params.evaluate, params.seed)
    at.out.mkdir(parents=True, exist_ok=True)
    runs.write_per_face(at.out / "per_face.csv", crops, found)
    runs.write_ced(at.out / "ced.csv", found)
    runs.save_runs(at.out / "predictions.npz", found)
    write_json(at.out / "summary.json", full)
    write_json(at.metrics, {**runs.headline(full), "mixture": runs.mixture_facts(crops, found, cascade)})


if __name__ == "__main__":
    stages.run(main)
