"""Time against accuracy: base networks of several sizes, trained alike, on the validation faces.

    dvc repro teach statistics          # in a project folder with the parameters to look at
    python -m benchmarks.frontier --views 48 64 80 --widths 12 16 32 --epochs 40

trains one network for every size of view and width, with the answers of the teachers (data/teach, where there are
teachers) and without, judges each on jittered boxes, and times it through ONNX Runtime on one thread. Every network is
kept in --out: the command can be stopped and started again. Prints a Markdown table and writes frontier.csv and
frontier.svg there. The test faces are not looked at.
"""

import argparse
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.stopwatch import Stopwatch
from lipseg.data.augment import views_on_boxes
from lipseg.data.crop_set import CropSet, load_crops
from lipseg.data.statistics import Normaliser, fit_normaliser
from lipseg.data.tables import read_arrays, read_columns, write_rows
from lipseg.errors import LipsegError
from lipseg.evaluation import metrics
from lipseg.evaluation.figures import frontier
from lipseg.geometry import Affine, View, from_unit
from lipseg.inference.session import Network, open_network
from lipseg.model.export.graphs import base_graph
from lipseg.model.nets import BaseNet
from lipseg.model.parts import load_base, save_base
from lipseg.params import Params, load_params
from lipseg.training.checkpoint import Checkpoint
from lipseg.training.distillation import taught_by
from lipseg.training.fit import fit_base

_RUNS = 400  # of a network, for the median of its time
_CHUNK = 64


def trained(crops: CropSet, params: Params, folder: Path) -> tuple[BaseNet, Normaliser]:
    """Returns a network and the normalisation of its views, trained unless the folder holds it already."""
    view = params.view.geometry()
    seen = views_on_boxes(crops, crops.indices("train"), None, view).images
    normaliser, _ = fit_normaliser(seen, params.statistics.per)
    weights = folder / "base.safetensors"
    if not weights.exists():
        fitted = fit_base(
            crops,
            normaliser,
            net_params=params.net,
            view=view,
            augment=params.augment,
            train=params.train_base,
            seed=params.seed,
            checkpoint=Checkpoint(folder.name, "frontier", folder),
            name=folder.name,
        )
        save_base(weights, fitted.net, params.net, params.view)
    return load_base(weights)[0], normaliser


def judged(network: Network, crops: CropSet, view: View, seed: int) -> dict[str, float]:
    """Returns lips and inner mouth F1 of every source's validation faces, on jittered boxes.

    The reference's as annotated; of the other sources, whose annotators place mouths elsewhere, aligned.
    """
    figures: dict[str, float] = {}
    for k, source in enumerate(crops.sources):
        faces = np.flatnonzero((crops.split == "validation") & (crops.source == k))
        truth = crops.points_px[faces]
        boxes = metrics.jittered_boxes(truth, [str(name) for name in crops.names[faces]], seed)
        views = views_on_boxes(crops, faces, boxes, view)
        unit = np.concatenate([network(views.images[i : i + _CHUNK])[0] for i in range(0, len(views), _CHUNK)])
        points = from_unit(unit.astype(np.float64), view.size)
        found = np.stack([Affine(m)(p) for m, p in zip(views.to_image, points, strict=True)])
        table = metrics.per_face(truth, found, crops.inter_ocular_px[faces])
        if k > 0:
            table = metrics.per_face(truth, metrics.aligned(found, table), crops.inter_ocular_px[faces])
        for region in ("lips", "inner"):
            figures[f"{source}_{region}"] = float(np.nanmean(table[f"{region}_f1"]))
    return figures


def run(at: argparse.Namespace) -> None:
    """Trains, judges, times and prints.

    Raises:
        LipsegError: if the parameters, the crops or the teachers' answers cannot be read.
    """
    params, crops = load_params(), load_crops(at.crops)
    ways = {"annotations": crops}
    if params.teach.teachers:
        (answers,) = read_arrays(at.teach, ("points_px",), "teach").values()
        ways["teachers"] = taught_by(crops, answers, params.teach.share)
    rows: list[dict[str, Any]] = []
    networks: list[tuple[Network, int]] = []
    for way, (size, width) in product(ways, product(at.views, at.widths)):
        changed = replace(
            params,
            view=replace(params.view, size_px=size),
            net=replace(params.net, width=width),
            train_base=replace(params.train_base, epochs=at.epochs),
        )
        net, normaliser = trained(ways[way], changed, at.out / f"{size}_{width}_{way}_{at.epochs}")
        graph = base_graph(net, normaliser, size).SerializeToString()
        network = open_network(graph, ("points_unit",), size, at.out)
        networks.append((network, size))
        row = {"view_px": size, "width": width, "learns_from": way, "ms": 0.0}
        rows.append(row | judged(network, crops, changed.view.geometry(), params.seed))
    # In turns: a machine that slows down for a while slows all of them down.
    watch, rng = Stopwatch(), np.random.default_rng(0)
    for _, (k, (network, size)) in product(range(_RUNS), enumerate(networks)):
        view = rng.integers(0, 256, (1, size, size, 3), np.uint8)
        watch(str(k), lambda network=network, view=view: network(view))
    for k, row in enumerate(rows):
        row["ms"] = watch.median(str(k))
    write_rows(at.out / "frontier.csv", rows)
    lips = [name for name in rows[0] if name.endswith("_lips")]
    columns = read_columns(at.out / "frontier.csv")
    (at.out / "frontier.svg").write_bytes(frontier(columns, lips))
    names = list(rows[0])
    print(f"| {' | '.join(name.replace('_', ' ') for name in names)} |\n|{' --- |' * len(names)}")
    for row in rows:
        cells = [f"{x:.{2 if name == 'ms' else 4}f}" if isinstance(x, float) else str(x) for name, x in row.items()]
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, nargs="+", default=[48, 64, 80], metavar="PX", help="pixels a side")
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32], help="channels at the highest resolution")
    parser.add_argument("--epochs", type=int, default=40, help="of every training")
    parser.add_argument("--crops", type=Path, default=Path("data/crops"), help="folder of the crops")
    parser.add_argument("--teach", type=Path, default=Path("data/teach/landmarks.npz"), help="the teachers' answers")
    parser.add_argument("--out", type=Path, default=Path("build/frontier"), help="folder of the networks and figures")
    at = parser.parse_args()
    try:
        at.out.mkdir(parents=True, exist_ok=True)
        run(at)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
