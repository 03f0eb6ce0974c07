"""Judges the exported cascade, and beside it base, control and mean shape, on every source's test faces."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.tables import write_json
from lipseg.evaluation import runs
from lipseg.files import whole_folder
from lipseg.inference.predictor import load_predictor
from lipseg.inference.session import load_network
from lipseg.model.weights import load_arrays
from lipseg.params import load_params


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        model="the model folder",
        systems="ONNX file of base and control",
        mixture="weights of the mixture",
        heads="weights of the heads",
        out="folder of the full results",
        metrics="JSON file of the headline figures",
    )
    params, crops = load_params(), load_crops(at.crops)
    predictor = load_predictor(at.model)
    systems = load_network(at.systems, ("base", "control"), predictor.runtime.view.size)
    heads, mixture = load_arrays(at.heads)[1], load_arrays(at.mixture)[1]
    found = runs.run_test(crops, predictor, systems, params.evaluate, params.seed)
    full = runs.summary(found, crops, predictor.runtime.conventions, params.evaluate, params.seed)
    with whole_folder(at.out) as folder:
        runs.write_per_face(folder / "per_face.csv", crops, found)
        runs.write_ced(folder / "ced.csv", found)
        runs.save_runs(folder / "predictions.npz", found)
        write_json(folder / "summary.json", full)
    facts = runs.mixture_facts(crops, found, predictor.runtime.components, heads, mixture)
    write_json(at.metrics, {**runs.headline(full), "mixture": facts})


if __name__ == "__main__":
    stages.run(main)
