"""The evidence and the score as ONNX nodes: the sums of ``evidence`` and ``confidence``.

Letters in shapes: N views, E kinds of evidence, M side of the maps, P landmarks.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from lipseg import scheme
from lipseg.model.confidence import FARTHEST
from lipseg.model.evidence import OUTSIDE
from lipseg.model.export.graph import Graph, Tensor
from lipseg.model.export.nets import Maps
from lipseg.model.export.score import NUMBERS, named

_P, _HALF = scheme.N_POINTS, scheme.N_POINTS // 2


def gather_evidence(g: Graph, maps: Maps | None, points: Tensor, deviance: Tensor, margin: float) -> Tensor:
    """Returns (N, E), see ``evidence.gather_evidence``.

    Args:
        g: the graph.
        maps: what the decoder said, if there is one.
        points: (N, P, 2) the cascade's landmarks, unit coordinates.
        deviance: (N, 1).
        margin: the view's side over the mouth's width, on average.
    """
    found = g("MatMul", np.vstack([_centre_and_width(), sampled_places()]), points)
    centre, across = g.columns(found, 0, 1), g.columns(found, 1, 2)
    width = g("Add", g("ReduceL2", across, axes=[2], keepdims=0), 1e-3)
    if maps is None:
        read = [g("Mul", width, np.zeros(5))]
    else:
        spread = g("MatMul", g.falling(maps.deviation, _P), _mean_and_worst())
        moved = g("ReduceL2", g("Sub", maps.guess, points), axes=[2], keepdims=0)
        sizes = g("Concat", spread, g("ReduceMean", moved, axes=[1], keepdims=1), axis=1)
        logs = g("Log", g("Add", g("Div", sizes, width), np.array([0.0, 0.0, 1e-3])))
        read = [logs, _lips_and_skin(g, maps, g.columns(found, 2, 2 + _P))]
    offset = g("Div", g("ReduceL2", g("Sub", centre, 0.5), axes=[2], keepdims=0), width)
    size = g("Abs", g("Log", g("Mul", width, margin)))
    return g("Concat", g("Asinh", deviance), *read, offset, size, axis=1)


def score(g: Graph, evidence: Tensor, numbers: Mapping[str, Any]) -> Tensor:
    """Returns (N,) scores of (N, E) evidence; the numbers become constants, see ``export.score``."""
    centre, scale, weights, joint = (g.constant(np.asarray(numbers[n], np.float32), named(n)) for n in NUMBERS)
    e = len(numbers["centre"])
    z = g("Clip", g("Div", g("Sub", evidence, centre), scale), -FARTHEST, FARTHEST)
    logit = g("Add", g("MatMul", z, g.columns(weights, 0, e, axis=0)), g.columns(weights, e, e + 1, axis=0))
    logit = g("Add", g("Mul", logit, g.columns(joint, 0, 1, axis=0)), g.columns(joint, 1, 2, axis=0))
    return g("Sigmoid", logit)


def sampled_places() -> NDArray[Any]:
    """Returns (P, P): from landmarks to the places at which the regions are looked at, half on the lips, half around.

    Float64.
    """
    one = np.eye(_P)
    centre, outer = np.full(_P, 1 / _P), one[scheme.OUTER]
    return np.vstack([(outer + one[scheme.INNER]) / 2, centre + OUTSIDE * (outer - centre)])


def _centre_and_width() -> NDArray[Any]:
    """Returns (2, P): from landmarks to their centre, and to the way from corner to corner."""
    left, right = scheme.OUTER_CORNERS
    sums = np.full((2, _P), 1 / _P)
    sums[1] = np.eye(_P)[right] - np.eye(_P)[left]
    return sums


def _mean_and_worst() -> NDArray[Any]:
    """Returns (P, 2): of P falling values their mean and their 90th percentile, linear between neighbours."""
    weights = np.full((_P, 2), 1 / _P)
    weights[:, 1] = np.maximum(1 - np.abs(np.arange(_P)[::-1] - 0.9 * (_P - 1)), 0)
    return weights


def _lips_and_skin(g: Graph, maps: Maps, places: Tensor) -> Tensor:
    """Returns (N, 2) the regions' word on the lips and around them, read at (N, P, 2) places."""
    m = maps.side
    cells = g("Clip", g("Floor", g("Mul", places, float(m))), 0.0, m - 1.0)
    cells = g("Cast", g("MatMul", cells, np.array([[1.0], [m]])), to=TensorProto.INT64)
    regions = g("Transpose", g.reshape(maps.regions, 0, 3, m * m), perm=(0, 2, 1))
    seen = g("Sigmoid", g("GatherND", regions, cells, batch_dims=1))  # (N, P, 3)
    weights = np.zeros((_P, 3, 2))
    weights[:_HALF, :2, 0], weights[_HALF:, :, 1] = 1 / _HALF, -1 / _HALF
    return g("Gemm", g.reshape(seen, 0, 3 * _P), weights.reshape(3 * _P, 2), np.array([0.0, 1.0]))
