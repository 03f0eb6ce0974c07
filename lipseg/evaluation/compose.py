"""Gathers what the stages left on disk into the report."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.crop_set import SPLITS, CropSet, load_crops
from lipseg.data.tables import read_columns, read_json
from lipseg.evaluation import draw, figures
from lipseg.evaluation.galleries import prediction
from lipseg.evaluation.report import Chart, Component, Picture, Report
from lipseg.evaluation.runs import Run, load_runs
from lipseg.images import read_image
from lipseg.model.weights import load_arrays
from lipseg.params import Params, as_dict

_EXTREMES = 12  # best and worst faces shown


def compose_report(params: Params, at: Namespace) -> Report:
    """Returns the report of a finished run.

    Args:
        params: of the run.
        at: paths, named as the options of the stage ``report``.

    Raises:
        LipsegError: naming the file that is missing or damaged.
    """
    crops = load_crops(at.crops)
    runs = load_runs(at.results / "predictions.npz", crops)
    full = read_json(at.results / "summary.json")
    facts, heads = read_json(at.galleries / "components.json"), load_arrays(at.heads)[1]
    history, selection, curves = (read_columns(path) for path in (at.history, at.selection, at.curves))
    jittered = runs["jittered"]
    # Ranks and pictures follow what a user gets: the cascade on jittered boxes.
    nme = jittered.tables["cascade"]["nme"]
    best, _ = draw.best_and_worst(nme, min(_EXTREMES, len(nme)))
    return Report(
        title=f"{params.bundle.name}: {params.data.source}",
        subtitle=params.bundle.description,
        dataset={
            "source": params.data.source,
            "mouth width, median": f"{np.median(np.ptp(crops.points_px[:, scheme.OUTER, 0], axis=1)):.0f} px",
            "fingerprint": crops.sha256[:16],
        },
        splits={split: len(crops.indices(split)) for split in SPLITS},
        skipped=crops.skipped,
        params=as_dict(params),
        metrics={boxes: full[boxes]["systems"] for boxes in runs},
        intervals={boxes: _against(full[boxes]) for boxes in runs},
        sources=_sources(full) if len(full["sources"]) > 1 else {},
        training=[
            Chart(
                "Training of the base network",
                "The loss on augmented training views, and the error on training and validation faces; the epoch "
                "with the lowest validation error is kept.",
                figures.loss_curves({name: history[name] for name in ("epoch", "loss", "train_nme", "validation_nme")}),
            )
        ],
        selection=[_selection_chart(selection, params)],
        components=_components(facts, heads, full["jittered"]["components"], at.galleries),
        heads=[_head_chart(curves, heads)],
        conventions=_conventions(read_json(at.conventions)["measured"]),
        conventions_sheet=read_image(at.sheet),
        errors=_error_charts(crops, runs),
        calibration=_calibration_charts(at.calibration, params),
        networks={name: _network_facts(found) for name, found in read_json(at.export).items()},
        examples=_pictures(crops, jittered, draw.spread(nme, params.evaluate.examples)),
        best=_pictures(crops, jittered, best),
        worst=_worst(crops, jittered),
        notes=_notes(crops, heads, params),
    )


def _conventions(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    def span(values: list[float]) -> str:
        value, low, high = (f"{number:+.2f}" for number in values)
        return f"{value} [{low}, {high}]"

    return [
        {
            "source": row["source"],
            "faces": str(row["faces"]),
            "mouths": f"{row['mouths']}, {row['width_px']:.0f} px",
            "right, %": span(row["right"]),
            "down, %": span(row["down"]),
        }
        for row in rows
    ]


def _network_facts(found: dict[str, Any]) -> dict[str, str]:
    one, eight = (found["cpu_ms_a_view"][batch] for batch in ("1", "8"))
    return {
        "size": f"{found['bytes'] / 1e6:.2f} MB, {found['nodes']} nodes, opset {found['opset']}",
        "loading": f"{found['load_ms']} ms",
        "CPU time a view": f"{one:.2f} ms one by one, {eight:.2f} ms in batches of 8, one thread",
        "views compared": f"{found['views']}, of them left to rounding: {found['undecided']}",
        "largest differences": ", ".join(f"{name} {value:.2g}" for name, value in found["largest"].items()),
    }


def _selection_chart(table: dict[str, list[Any]], params: Params) -> Chart:
    chosen = table["chosen"].index("True")
    shown = {name: table[name] for name in ("components", "covariance")}
    shown |= {name: [float(x) for x in table[name]] for name in ("bic", "aic", "icl", "validation")}
    return Chart(
        "Choice of the number of components",
        f"Every criterion over the number of components, for each covariance type; {params.cluster.criterion} decides.",
        figures.criterion_curves(
            shown,
            chosen=int(table["components"][chosen]),
            criterion=params.cluster.criterion,
            covariance=table["covariance"][chosen],
        ),
    )


def _head_chart(curves: dict[str, list[Any]], heads: dict[str, Any]) -> Chart:
    rows = []
    for name in ("control", "components"):
        mine = [i for i, head in enumerate(curves.get("head", [])) if head == name]
        rows.append(
            {
                "head": name,
                "pull": [float(curves["pull"][i]) for i in mine],
                "validation_error": [float(curves["validation_error"][i]) for i in mine],
            }
        )
    return Chart(
        "Strength of the pulls",
        "The change of the validation error against the base's head: of the control (one head fitted to every face), "
        "by how strongly it is held towards the base, and of the components' heads, by how strongly they are held "
        "towards the control. The error is the distance between the outlines, or the NME where train_base.tangential "
        "is 1. A head is used only where it then beats base and control on its own validation faces beyond chance.",
        figures.pull_curves(rows, heads["base_error"]),
    )


def _components(
    facts: list[dict[str, Any]], heads: dict[str, Any], results: dict[str, Any], galleries: Path
) -> list[Component]:
    found = []
    for k, fact in enumerate(facts):
        mean, gallery = galleries / f"mean_{k}.png", galleries / f"gallery_{k}.jpg"
        states = ", ".join(f"{state} {count}" for state, count in fact["states"].items())
        found.append(
            Component(
                number=k,
                counts=fact["faces"],
                mean_face=iio.imread(mean) if mean.exists() else None,
                gallery=[iio.imread(gallery)] if gallery.exists() else [],
                metrics={name: part for name, part in results.get(str(k), {}).items() if name in ("base", "cascade")},
                kept=heads["components"][k]["kept"],
                note=f"known states: {states}" if states else "",
            )
        )
    return found


def _error_charts(crops: CropSet, runs: dict[str, Run]) -> list[Chart]:
    errors = {boxes: {name: run.tables[name]["nme"] for name in ("base", "cascade")} for boxes, run in runs.items()}
    faces = crops.indices("test")
    truth, source = crops.points_px[faces], crops.source[faces]
    corners = truth[:, scheme.OUTER_CORNERS[1]] - truth[:, scheme.OUTER_CORNERS[0]]
    table = runs["jittered"].tables["cascade"]
    attributes = {
        "opening (inner / mouth area)": table["opening"],
        "mouth width [px]": table["mouth_width"],
        "roll [degrees]": np.degrees(np.arctan2(corners[:, 1], corners[:, 0])),
    }
    places = {
        name: np.stack([table[way][source == i] for way in ("right", "down")], axis=1)
        for i, name in enumerate(crops.sources)
        if (source == i).any()
    }
    return [
        *(
            [
                Chart(
                    "Where the mouths lie",
                    "How far the cascade's mouths lie off the annotated ones on jittered boxes, a dot a face, and the "
                    "mean of every source: what lies off the middle together is that source's convention.",
                    figures.places(places),
                )
            ]
            if len(places) > 1
            else []
        ),
        Chart(
            "Cumulative error distribution",
            "The share of test faces whose error is below a threshold; further up and left is better.",
            figures.ced_plot(errors),
        ),
        Chart(
            "Error by opening, size and roll",
            "The cascade's error on jittered boxes over properties of the faces.",
            figures.error_by(attributes, errors["jittered"]),
        ),
    ]


def _calibration_charts(folder: Path, params: Params) -> list[Chart]:
    curves, bins = (read_columns(folder / f"{name}.csv") for name in ("risk_coverage", "reliability"))
    bound = f"{100 * params.calibrate.bound:g} %"
    return [
        Chart(
            "What the score is worth",
            "Test faces, clean and spoilt on purpose, from the detector's box to the contours. Left: the mean contour "
            "error of the faces that are kept when those of the lowest scores are dropped; lower is better. Right: of "
            f"the trials in each tenth of the score, the share whose contour error is below {bound} of the "
            "inter-ocular distance; a score that is a probability lies on the diagonal.",
            figures.calibration_plot(curves, bins),
        )
    ]


def _against(part: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("cascade_minus_"): found for name, found in part["intervals"].items()}


def _sources(full: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures of all sources together and of each, jittered boxes."""
    faces = sum(part["faces"] for part in full["sources"].values())
    parts = {"all together": (faces, full["jittered"])}
    parts |= {source: (part["faces"], part["jittered"]) for source, part in full["sources"].items()}
    return {
        source: {"faces": count, "systems": part["systems"], "intervals": _against(part)}
        for source, (count, part) in parts.items()
    }


def _worst(crops: CropSet, run: Run) -> dict[str, list[Picture]]:
    """Returns the worst faces of every source, worst first."""
    nme, source = run.tables["cascade"]["nme"], crops.source[crops.indices("test")]
    found = {}
    for i in np.unique(source):
        mine = np.flatnonzero(source == i)
        _, worst = draw.best_and_worst(nme[mine], min(_EXTREMES, len(mine)))
        found[crops.sources[i]] = _pictures(crops, run, mine[worst])
    return found


def _pictures(crops: CropSet, run: Run, chosen: NDArray[np.intp]) -> list[Picture]:
    faces, nme = crops.indices("test"), run.tables["cascade"]["nme"]
    return [
        Picture(
            prediction(crops, int(faces[i]), run.points_px["cascade"][i]),
            f"{str(crops.names[faces[i]]).split('/', 1)[1]}: {100 * nme[i]:.2f} %",
        )
        for i in chosen
    ]


def _notes(crops: CropSet, heads: dict[str, Any], params: Params) -> list[str]:
    notes = []
    if params.data.source == "synthetic":
        notes.append("The faces are drawn by formula: the figures say that the pipeline works, not how good it is.")
    won = sum(head["won"] for head in heads["components"])
    if won < len(heads["components"]):
        total = len(heads["components"])
        notes.append(
            f"{total - won} of {total} heads did not win on validation: the control or the base answers there."
        )
    if sum(crops.skipped.values()):
        notes.append(f"{sum(crops.skipped.values())} faces could not be used; skipped.csv beside the crops says why.")
    return notes
