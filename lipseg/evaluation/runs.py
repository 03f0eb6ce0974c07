"""Base, cascade and two yardsticks on the test faces: landmarks, tables of figures and their summary.

The yardsticks are the control (one head fine-tuned on every face with the cascade's budget) and the mean shape (the
mean training landmarks laid into every view, no network at all: what the boxes alone give away).

Every source's annotators place mouths a little elsewhere. So the faces of each source are judged apart and all
together, in up to three ways: as annotated; aligned (``metrics.aligned``, each source by itself); and in the source's
own convention, which the model answers in when it is asked to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.augment import views_on_boxes
from lipseg.data.crop_set import CropSet
from lipseg.data.tables import read_arrays, write_arrays, write_rows
from lipseg.errors import DataError
from lipseg.evaluation import metrics
from lipseg.geometry import Affine, Array, from_unit
from lipseg.inference.predictor import OnnxPredictor
from lipseg.inference.session import Network
from lipseg.params import Evaluate
from lipseg.progress import progress

BOXES = ("jittered", "exact")
SYSTEMS = ("base", "cascade", "control", "mean_shape")
# The ways of judging beside "as annotated", as the summary names them.
ALIGNED, OWN = "aligned", "own"
_CHUNK = 64
_JUDGED = ("mouth", "lips", "inner")  # regions whose F1 is also told aligned and in the own convention

# From landmarks (56, 2) as the model's reference has them to those of another source, both in image pixels.
Convention = Callable[[Array], Array]
Tables = dict[str, metrics.Table]


@dataclass(frozen=True)
class Run:
    """Every system on the same N faces and boxes.

    Attributes:
        points_px: system -> (N, 56, 2) landmarks in image pixels.
        component: (N,) the mixture's choice.
        score: (N,) see ``lipseg.inference.predictor.Prediction``.
        boxes_px: (N, 4) the mouth boxes that were given.
        tables: system -> ``metrics.per_face``, as annotated.
    """

    points_px: dict[str, Array]
    component: NDArray[np.int64]
    score: NDArray[np.float32]
    boxes_px: Array
    tables: Tables


def run_test(crops: CropSet, predictor: OnnxPredictor, systems: Network, params: Evaluate, seed: int) -> dict[str, Run]:
    """Returns the runs on the test split, one for jittered and one for true boxes.

    Args:
        crops: the wide crops.
        predictor: the exported cascade.
        systems: views to what base and control say, (N, 56, 2) each.
        params: the section ``evaluate``.
        seed: of the jitter.
    """
    faces = crops.indices("test")
    mean_shape = views_on_boxes(crops, crops.indices("train"), None, predictor.runtime.view).points_unit.mean(0)
    jittered = np.empty((len(faces), 4))
    # A face's box depends on the faces beside it: those of its own source, whatever else the model was trained on.
    for mine in _by_source(crops, faces).values():
        names = [str(name) for name in crops.names[faces[mine]]]
        jittered[mine] = metrics.jittered_boxes(crops.points_px[faces[mine]], names, seed, params.shift, params.scale)
    return {
        boxes: _run(crops, predictor, systems, mean_shape, faces, given)
        for boxes, given in zip(BOXES, (jittered, crops.boxes_px[faces]), strict=True)
    }


def _run(
    crops: CropSet,
    predictor: OnnxPredictor,
    systems: Network,
    mean_shape: NDArray[np.float32],
    faces: NDArray[np.intp],
    boxes_px: Array,
) -> Run:
    points: dict[str, list[Array]] = {system: [] for system in SYSTEMS}
    components, scores = [], []
    starts = range(0, len(faces), _CHUNK)
    for start in progress(starts, total=len(starts), desc="evaluate", unit="batches"):
        part = slice(start, start + _CHUNK)
        views = views_on_boxes(crops, faces[part], boxes_px[part], predictor.runtime.view)
        cascade, (base, control) = predictor(views.images), systems(views.images)
        components.append(cascade.component)
        scores.append(cascade.score)
        mean = np.repeat(mean_shape[None], len(views), axis=0)
        landmarks = dict(zip(SYSTEMS, (base, cascade.points_unit, control, mean), strict=True))
        for system, answer in landmarks.items():
            for matrix, found in zip(views.to_image, answer, strict=True):
                points[system].append(Affine(matrix)(from_unit(found.astype(np.float64), predictor.runtime.view.size)))
    stacked = {system: np.stack(found) for system, found in points.items()}
    return Run(stacked, np.concatenate(components), np.concatenate(scores), boxes_px, _tables(crops, faces, stacked))


def _by_source(crops: CropSet, faces: NDArray[np.intp]) -> dict[str, NDArray[np.bool_]]:
    """Returns which of the faces are of each source, of those sources that have any, the reference first."""
    each = {source: crops.source[faces] == i for i, source in enumerate(crops.sources)}
    return {source: mine for source, mine in each.items() if mine.any()}


def _tables(crops: CropSet, faces: NDArray[np.intp], points_px: Mapping[str, Array]) -> Tables:
    truth, iod = crops.points_px[faces], crops.inter_ocular_px[faces]
    bar = progress(points_px.items(), total=len(points_px), desc="judge", unit="systems")
    return {system: metrics.per_face(truth, found, iod) for system, found in bar}


def summary(
    runs: Mapping[str, Run], crops: CropSet, conventions: Mapping[str, Convention], params: Evaluate, seed: int
) -> dict[str, Any]:
    """Returns everything that is reported, JSON-able.

    Returns:
        for each kind of boxes: ``systems`` (``metrics.summarise`` as annotated, and under ``aligned`` and ``own`` the
        mean F1 of three regions; ``own`` where the model has conventions), ``intervals`` (cascade minus base and
        cascade minus control, under the same names) and ``components`` (each component's faces under base and cascade,
        with the interval of its NME); and under ``sources`` for each source ``faces`` and, for each kind of boxes,
        ``systems`` and ``intervals`` of its faces.

    Args:
        runs: of ``run_test``.
        crops: that they are of.
        conventions: of the sources other than the reference, by name.
        params: the section ``evaluate``.
        seed: of the resamples.
    """
    faces = crops.indices("test")
    sources = _by_source(crops, faces)
    found: dict[str, Any] = {}
    of_sources: dict[str, Any] = {source: {"faces": int(mine.sum())} for source, mine in sources.items()}
    for boxes, run in runs.items():
        ways = {ALIGNED: _aligned(crops, faces, run)}
        if conventions:
            ways[OWN] = _in_own_convention(crops, faces, run, conventions)
        found[boxes] = _judged(run.tables, ways, np.ones(len(faces), np.bool_), params.resamples, seed)
        for source, mine in sources.items():
            of_sources[source][boxes] = _judged(run.tables, ways, mine, params.resamples, seed)
        base, cascade = run.tables["base"], run.tables["cascade"]
        found[boxes]["components"] = {}
        for k in np.unique(run.component):
            mine = run.component == k
            found[boxes]["components"][str(k)] = {
                "base": metrics.summarise(base, mine),
                "cascade": metrics.summarise(cascade, mine),
                "nme_difference": metrics.paired_bootstrap(
                    base["nme"][mine], cascade["nme"][mine], resamples=params.resamples, seed=seed
                ),
            }
    return found | {"sources": of_sources}


def _aligned(crops: CropSet, faces: NDArray[np.intp], run: Run) -> Tables:
    moved = {
        system: metrics.aligned(points, run.tables[system], crops.source[faces])
        for system, points in run.points_px.items()
    }
    return _tables(crops, faces, moved)


def _in_own_convention(
    crops: CropSet, faces: NDArray[np.intp], run: Run, conventions: Mapping[str, Convention]
) -> Tables:
    given = {system: np.array(points) for system, points in run.points_px.items()}
    for source, mine in _by_source(crops, faces).items():
        if source in conventions:
            for points in given.values():
                points[mine] = np.stack([conventions[source](face) for face in points[mine]])
    return _tables(crops, faces, given)


def _judged(
    tables: Tables, ways: Mapping[str, Tables], mine: NDArray[np.bool_], resamples: int, seed: int
) -> dict[str, Any]:
    """Returns systems and intervals, as ``summary`` has them, of the faces that ``mine`` (N,) picks."""
    systems: dict[str, Any] = {}
    for system in SYSTEMS:
        systems[system] = metrics.summarise(tables[system], mine)
        for way, judged in ways.items():
            found = metrics.summarise(judged[system], mine)
            systems[system][way] = {region: {"f1_mean": found[region]["f1_mean"]} for region in _JUDGED}
    intervals: dict[str, Any] = {}
    for against in ("base", "control"):
        pair = [{name: column[mine] for name, column in tables[s].items()} for s in (against, "cascade")]
        difference: dict[str, Any] = metrics.compare(*pair, resamples=resamples, seed=seed)
        for way, judged in ways.items():
            difference[way] = {}
            for region in _JUDGED:
                a, b = (judged[s][f"{region}_f1"][mine] for s in (against, "cascade"))
                difference[way][region] = {"f1_mean": metrics.paired_bootstrap(a, b, resamples=resamples, seed=seed)}
        intervals[f"cascade_minus_{against}"] = difference
    return {"systems": systems, "intervals": intervals}


def headline(found: dict[str, Any]) -> dict[str, Any]:
    """Returns the few figures of ``summary`` that ``dvc metrics`` shows: boxes -> system -> figure.

    Under ``sources`` it has the fewer figures of every source on jittered boxes.
    """
    short: dict[str, Any] = {}
    for boxes in BOXES:
        short[boxes] = {}
        for system in SYSTEMS:
            figures = found[boxes]["systems"][system]
            short[boxes][system] = {
                "nme_width": figures["nme_width"]["mean"],
                "failure_rate": figures["failure_rate"],
                **_place_and_overlap(figures),
                **{f"{region}_f1": figures[region]["f1_mean"] for region in ("upper", "lower")},
                **{f"{region}_f1_pooled": figures[region]["f1_pooled"] for region in _JUDGED},
                **{f"{region}_iou": figures[region]["iou_mean"] for region in _JUDGED},
            }
        for against, intervals in found[boxes]["intervals"].items():
            short[boxes][against] = {
                "nme": intervals["nme"]["mean"],
                **{f"{region}_f1": intervals[region]["f1_mean"] for region in ("lips", "inner")},
            }
    short["sources"] = {
        source: {
            "faces": part["faces"],
            **{system: _place_and_overlap(part["jittered"]["systems"][system]) for system in SYSTEMS},
            **{
                against: {f"{region}_f1": intervals[region]["f1_mean"] for region in ("lips", "inner")}
                for against, intervals in part["jittered"]["intervals"].items()
            },
        }
        for source, part in found["sources"].items()
    }
    return short


def _place_and_overlap(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns NME, contour, right, down, and the mean F1 of three regions in every way of judging."""
    found = {
        "nme": figures["nme"]["mean"],
        "contour": figures["contour"]["mean"],
        "right": figures["right"],
        "down": figures["down"],
    }
    found |= {f"{region}_f1": figures[region]["f1_mean"] for region in _JUDGED}
    for way in (ALIGNED, OWN):
        if way in figures:
            found |= {f"{region}_f1_{way}": figures[way][region]["f1_mean"] for region in _JUDGED}
    return found


def mixture_facts(
    crops: CropSet, runs: dict[str, Run], components: int, heads: dict[str, Any], mixture: dict[str, Any]
) -> dict[str, Any]:
    """Returns the mixture's size, how many heads won on validation, and its agreement with known mouth states.

    The agreement is the adjusted Rand index on the test faces (Hubert and Arabie, 1985);
    it is left out where no state is known.

    Args:
        crops: with the known states.
        runs: on its test faces.
        components: K.
        heads: facts that ``finetune`` wrote with the heads.
        mixture: facts that ``cluster`` wrote with the mixture.
    """
    from sklearn.metrics import adjusted_rand_score

    state = crops.state[crops.indices("test")]
    known = state != ""
    agreement = {
        f"adjusted_rand_{boxes}": float(adjusted_rand_score(state[known], run.component[known]))
        for boxes, run in runs.items()
        if known.any()
    }
    won = sum(head["won"] for head in heads["components"])
    return {"components": components, "tiny_dropped": mixture["dropped"], "heads_that_won": won, **agreement}


def write_per_face(path: Path, crops: CropSet, runs: dict[str, Run]) -> None:
    """Writes one row a test face, boxes and system, whole or not at all: the figures, the component, the score."""
    rows = []
    for boxes, run in runs.items():
        for system in SYSTEMS:
            columns = {
                name: column
                for name, column in run.tables[system].items()
                if not name.endswith(("_truth", "_predicted"))
            }
            for i, face in enumerate(crops.indices("test")):
                known = {"name": crops.names[face], "state": crops.state[face], "boxes": boxes, "system": system}
                chosen = {"component": int(run.component[i]), "score": float(run.score[i])}
                rows.append({**known, **chosen, **{name: float(column[i]) for name, column in columns.items()}})
    write_rows(path, rows)


def write_ced(path: Path, runs: dict[str, Run]) -> None:
    """Writes the cumulative error distributions as CSV for ``dvc plots``: threshold, boxes and system, share."""
    rows = []
    for boxes, run in runs.items():
        for system in ("base", "cascade"):
            for threshold, share in zip(*metrics.ced(run.tables[system]["nme"]), strict=True):
                rows.append({"nme": f"{threshold:.3f}", "system": f"{system}, {boxes} boxes", "share": float(share)})
    write_rows(path, rows)


def save_runs(path: Path, runs: dict[str, Run]) -> None:
    """Writes landmarks, components, scores and boxes of every run as one npz file."""
    arrays: dict[str, Any] = {}
    for boxes, run in runs.items():
        for system, points in run.points_px.items():
            arrays[f"{boxes}.points_px.{system}"] = points
        arrays[f"{boxes}.component"], arrays[f"{boxes}.score"] = run.component, run.score
        arrays[f"{boxes}.boxes_px"] = run.boxes_px
    write_arrays(path, **arrays)


def load_runs(path: Path, crops: CropSet) -> dict[str, Run]:
    """Returns what ``save_runs`` wrote, the tables computed anew.

    Raises:
        DataError: if the file is missing or damaged.
    """
    faces = crops.indices("test")
    parts = [f"points_px.{system}" for system in SYSTEMS] + ["component", "score", "boxes_px"]
    arrays = read_arrays(path, [f"{boxes}.{part}" for boxes in BOXES for part in parts], "evaluate")
    if any(len(array) != len(faces) for array in arrays.values()):
        raise DataError(f"{path}: made for another number of test faces; run the evaluate stage again")
    runs = {}
    for boxes in BOXES:
        points = {system: arrays[f"{boxes}.points_px.{system}"] for system in SYSTEMS}
        tables = _tables(crops, faces, points)
        component, score = arrays[f"{boxes}.component"], arrays[f"{boxes}.score"]
        runs[boxes] = Run(points, component, score, arrays[f"{boxes}.boxes_px"], tables)
    return runs
