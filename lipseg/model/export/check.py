"""Whether exported graphs give the outputs that the networks give in JAX, and what they cost. Needs ONNX Runtime.

Letters in shapes: N views, P landmarks, E kinds of evidence.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from lipseg.errors import ModelError
from lipseg.model.cascade import Cascade
from lipseg.model.confidence import Confidence
from lipseg.model.export.evidence import sampled_places
from lipseg.model.export.graphs import INPUT
from lipseg.model.export.score import numbers_of
from lipseg.model.locator import LocatorNet, look_of
from lipseg.model.nets import Hourglass

Arrays = dict[str, NDArray[Any]]
Views = NDArray[np.uint8]

_ONE_BY_ONE = 8  # views that are also shown one at a time
_TIMED = 30  # runs


class Limit(NamedTuple):
    """The largest difference that passes; ``factor`` brings the outputs' differences to ``unit``."""

    largest: float
    unit: str = ""
    factor: float = 1.0


def _points(size: int) -> Limit:
    return Limit(0.01, " px", size)


# JAX itself is off by up to 2e-4 in the evidence, the logarithms of the maps' deviations: float32.
_LIMITS = {"component": Limit(0), "responsibilities": Limit(5e-4), "score": Limit(5e-4), "evidence": Limit(5e-3)}


def check_cascade(model: onnx.ModelProto, cascade: Cascade, views: Views) -> dict[str, Any]:
    """Returns what ``graphs.cascade_graph`` costs, and how far it is from the cascade.

    Not compared are outputs that the last bit decides: all but the responsibilities of a view whose likeliest
    components are as good as equal; score and evidence where a place that is looked at lies on the edge of two cells.
    The score is compared with that of JAX's evidence by the graph's own numbers.

    Args:
        model: the graph.
        cascade: what it was made of.
        views: (N, S, S, 3) uint8.

    Returns:
        JSON-able: ``bytes``, ``nodes``, ``opset``, ``views``, ``load_ms``, ``cpu_ms_a_view`` by batch (one thread),
        ``largest`` differences by output (points in pixels of the view), ``undecided`` views.

    Raises:
        ModelError: naming the output that differs, the view and by how much.
    """
    outputs = cascade.outputs(views)
    want = {
        "points_unit": outputs.cascade,
        "component": outputs.responsibilities.argmax(1),
        "responsibilities": outputs.responsibilities,
        "score": _score(outputs.evidence, numbers_of(model)),
        "evidence": outputs.evidence,
    }
    # Beside the likeliest component a nought, lest it be the only one.
    best = np.sort(np.pad(outputs.responsibilities, ((0, 0), (1, 0))), axis=1)
    tied = best[:, -1] - best[:, -2] < 2 * _LIMITS["responsibilities"].largest
    side = cascade.view.size // 2 if isinstance(cascade.net, Hourglass) else 0

    def undecided(got: Arrays) -> Arrays:
        edge = tied | _on_edge(outputs.cascade[: len(got["component"])], got["points_unit"], side, tied)
        return {"points_unit": tied, "component": tied, "score": edge, "evidence": edge}

    return _check(model, views, want, {"points_unit": _points(cascade.view.size), **_LIMITS}, undecided)


def check_systems(model: onnx.ModelProto, cascade: Cascade, views: Views) -> dict[str, Any]:
    """Returns, of ``graphs.systems_graph``, what ``check_cascade`` does of its own graph; raises likewise."""
    outputs = cascade.outputs(views)
    want = {"base": outputs.base, "control": outputs.control}
    return _check(model, views, want, dict.fromkeys(want, _points(cascade.view.size)))


def check_locator(model: onnx.ModelProto, net: LocatorNet, views: Views) -> dict[str, Any]:
    """Returns, of ``graphs.locator_graph``, what ``check_cascade`` does of its own graph; raises likewise."""
    points, presence = look_of(net)(views)
    want = {"points_unit": points, "presence": presence}
    return _check(model, views, want, {"points_unit": _points(views.shape[1]), "presence": Limit(1e-3)})


def _check(
    model: onnx.ModelProto,
    views: Views,
    want: Arrays,
    limits: Mapping[str, Limit],
    undecided: Callable[[Arrays], Arrays] = lambda got: {},
) -> dict[str, Any]:
    data = model.SerializeToString()
    start = time.process_time()
    session = _session(data)
    load_ms = 1e3 * (time.process_time() - start)
    name = model.graph.name
    if (found := [output.name for output in session.get_outputs()]) != list(want):
        raise ModelError(f"{name}.onnx: the outputs are {found}, not {list(want)}; export it again")
    largest = dict.fromkeys(want, 0.0)
    left_out = 0
    for shown, how in (([views], f"a batch of {len(views)}"), (list(views[:_ONE_BY_ONE, None]), "batches of 1")):
        parts = [session.run(None, {INPUT: batch}) for batch in shown]
        got: Arrays = {key: np.concatenate(column) for key, column in zip(want, zip(*parts, strict=True), strict=True)}
        skip = undecided(got)
        left_out = max([left_out, *(int(mask.sum()) for mask in skip.values())])
        for output, limit in limits.items():
            what = f"{name}.onnx, '{output}'"
            difference = limit.factor * _difference(what, got[output], want[output][: len(got[output])])
            if output in skip:
                difference[skip[output][: len(difference)]] = 0
            worst = int(difference.argmax())
            largest[output] = max(largest[output], float(difference[worst]))
            if difference[worst] > limit.largest:
                raise ModelError(
                    f"{what}: view {worst} in {how} differs from JAX by {difference[worst]:.3g}{limit.unit}, more than "
                    f"{limit.largest:g}; lipseg/model/export/ must follow the networks"
                )
    return {
        "bytes": len(data),
        "nodes": len(model.graph.node),
        "opset": model.opset_import[0].version,
        "views": len(views),
        "undecided": left_out,
        "load_ms": round(load_ms, 1),
        "cpu_ms_a_view": {str(batch): round(_cpu_ms(session, views, batch), 3) for batch in (1, 8)},
        "largest": largest,
    }


def _difference(what: str, got: NDArray[Any], want: NDArray[Any]) -> NDArray[np.float64]:
    """Returns (N,) the largest difference in each view; infinite where one side is not finite and the other is."""
    if got.shape != want.shape or got.dtype != want.dtype:
        shapes = f"{got.dtype}{list(got.shape)}, in JAX {want.dtype}{list(want.shape)}"
        raise ModelError(f"{what}: the outputs are {shapes}; export the model again")
    a, b = (array.reshape(len(array), -1).astype(np.float64) for array in (got, want))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0, np.nan_to_num(np.abs(a - b), nan=np.inf, posinf=np.inf)).max(1)


def _score(evidence: NDArray[np.float32], numbers: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Returns (N,) scores of (N, E) evidence by the numbers of a graph."""
    return Confidence(**numbers).score(evidence).astype(np.float32)


def _on_edge(want: NDArray[Any], got: NDArray[Any], side: int, none: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns (N,) whether a place that the evidence looks at may fall into one cell in JAX and another in the graph.

    Args:
        want: (n, P, 2) landmarks in JAX, of the first n of N views.
        got: likewise of the graph.
        side: of the maps; 0 where there are none.
        none: (N,) anything.
    """
    edge = np.zeros_like(none)
    places, others = (side * (sampled_places() @ points.astype(np.float64)) for points in (want, got))
    near = np.abs(places - np.round(places)) <= np.abs(places - others) + 1e-4
    edge[: len(want)] = near.any((1, 2)) & (side > 0)
    return edge


def _session(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _cpu_ms(session: onnxruntime.InferenceSession, views: Views, batch: int) -> float:
    """Returns the median CPU time a view."""
    shown = {INPUT: views[np.arange(batch) % len(views)]}
    spent = []
    for _ in range(_TIMED):
        start = time.process_time()
        session.run(None, shown)
        spent.append(1e3 * (time.process_time() - start) / batch)
    return float(np.median(spent))
