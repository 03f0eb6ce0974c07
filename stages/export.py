"""Exports the networks to ONNX, checked against JAX on validation faces."""

import json
from dataclasses import replace

import numpy as np

import stages
from lipseg.data.augment import VALIDATION_JITTER, sample_views
from lipseg.data.crop_set import load_crops
from lipseg.data.face_set import load_faces
from lipseg.data.tables import write_json
from lipseg.files import whole_file, whole_folder
from lipseg.inference.card import CARD, CASCADE, FORMAT, LOCATOR, described
from lipseg.model.assembly import assemble
from lipseg.model.export.check import check_cascade, check_locator, check_systems
from lipseg.model.export.graphs import cascade_graph, locator_graph, systems_graph
from lipseg.model.locator import load_locator
from lipseg.params import load_params
from lipseg.training.conventions import load_conventions
from lipseg.training.locator_batches import Sampler

# Views that are compared; of validation faces, as the figures on the test faces come later.
_VIEWS = 128


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        faces="npz file of the faces",
        statistics="the statistics file",
        base="weights of the base network",
        mixture="weights of the mixture",
        heads="weights of the heads",
        locator="weights of the locator",
        conventions="JSON file of the conventions",
        out="the model folder, not yet calibrated",
        systems="ONNX file of base and control",
        metrics="JSON file of sizes, times and differences",
    )
    params, crops = load_params(), load_crops(at.crops)
    cascade = assemble(at.statistics, at.base, at.mixture, at.heads)
    net, constants = load_locator(at.locator)
    rng = np.random.default_rng((params.seed, 30))
    faces = np.resize(crops.indices("validation"), _VIEWS)
    views = sample_views(crops, faces, cascade.view, VALIDATION_JITTER, rng).images
    sampler = Sampler(load_faces(at.faces), crops, "validation", params.locate, params.seed)
    half = _VIEWS // 2
    located = sampler.batch(np.resize(sampler.rows, half), half, rng).images

    reference, conventions = load_conventions(at.conventions)
    runtime = replace(cascade.runtime(constants), reference=reference, conventions=conventions)

    graphs = cascade_graph(cascade), locator_graph(net, constants.view.size), systems_graph(cascade)
    checked = {
        CASCADE: check_cascade(graphs[0], cascade, views),
        LOCATOR: check_locator(graphs[1], net, located),
        "systems.onnx": check_systems(graphs[2], cascade, views),
    }
    with whole_folder(at.out) as folder:
        (folder / CASCADE).write_bytes(graphs[0].SerializeToString())
        (folder / LOCATOR).write_bytes(graphs[1].SerializeToString())
        card = {"format": FORMAT, "runtime": runtime.as_json(), "files": described(folder)}
        (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    with whole_file(at.systems) as partial:
        partial.write_bytes(graphs[2].SerializeToString())
    write_json(at.metrics, checked)


if __name__ == "__main__":
    stages.run(main)
