"""The trained networks as ONNX graphs, written node by node.

Three graphs; all take ``views``, (N, S, S, 3) uint8 RGB, and hold everything from the normalisation on. Any ONNX
Runtime since 1.12 runs them, onnxruntime-web included. Written by hand because at batch 1 they take two thirds of the
time of what jax2onnx and onnxslim make of the same networks (most of whose nodes are about the shape of a batch of
unknown size), load in half of it, are made in .05 s instead of 8 s, and need no package but onnx.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.statistics import Normaliser
from lipseg.inference.locator import POINTS
from lipseg.model.cascade import Cascade
from lipseg.model.confidence import EVIDENCE
from lipseg.model.export.evidence import gather_evidence, score
from lipseg.model.export.frame import assign, head_landmarks
from lipseg.model.export.graph import Graph
from lipseg.model.export.nets import encode, locate
from lipseg.model.export.score import uncalibrated
from lipseg.model.locator import LocatorNet
from lipseg.model.nets import BaseNet
from lipseg.model.weights import module_arrays

INPUT = "views"


def cascade_graph(cascade: Cascade) -> onnx.ModelProto:
    """Returns the graph of a cascade.

    Outputs, float32 where nothing is said: ``points_unit`` (N, 56, 2), unit coordinates of the view, of the picked
    head; ``component`` (N,) int64; ``responsibilities`` (N, K); ``score`` (N,) in 0..1; ``evidence`` (N, E).

    The score's numbers are constants that ``score.with_score`` replaces. They are the cascade's own where it is
    calibrated, and ``score.uncalibrated`` otherwise.
    """
    g, size, sure = Graph("cascade"), cascade.view.size, cascade.confidence
    encoded = encode(g, cascade.net, cascade.normaliser, g.input(INPUT, np.uint8, size, size, 3), size)
    responsibilities, deviance = assign(g, cascade.mixture, encoded.features)
    component = g("ArgMax", responsibilities, axis=1, keepdims=0)
    residual = cascade.net.head.residual
    points = head_landmarks(g, encoded.features, encoded.frame, cascade.heads, residual, component)
    # A stretched view is filled by the mouth whatever its size.
    margin = cascade.view.margin if cascade.view.shape == "square" else 1.0
    evidence = gather_evidence(g, encoded.maps, points, deviance, margin)
    numbers = uncalibrated(len(EVIDENCE)) if sure is None else sure.arrays()
    probability = score(g, evidence, numbers)
    g.output("points_unit", points, np.float32, scheme.N_POINTS, 2)
    g.output("component", component, np.int64)
    g.output("responsibilities", responsibilities, np.float32, cascade.mixture.components)
    g.output("score", probability, np.float32)
    g.output("evidence", evidence, np.float32, len(EVIDENCE))
    return g.proto()


def systems_graph(cascade: Cascade) -> onnx.ModelProto:
    """Returns the graph of what a cascade is compared with: ``base`` and ``control``, (N, 56, 2) float32 landmarks.

    In unit coordinates of the view. Without a control head both are the base's.
    """
    g, size = Graph("systems"), cascade.view.size
    encoded = encode(g, cascade.net, cascade.normaliser, g.input(INPUT, np.uint8, size, size, 3), size)
    base = module_arrays(cascade.net.head)
    for name, head in (("base", base), ("control", cascade.control or base)):
        found = head_landmarks(g, encoded.features, encoded.frame, _alone(head), cascade.net.head.residual)
        g.output(name, found, np.float32, scheme.N_POINTS, 2)
    return g.proto()


def base_graph(net: BaseNet, normaliser: Normaliser, size: int) -> onnx.ModelProto:
    """Returns the graph of a base network alone: ``points_unit`` (N, 56, 2) float32, unit coordinates of the view.

    Args:
        net: the network.
        normaliser: of its views.
        size: pixels a side of them.
    """
    g = Graph("base")
    encoded = encode(g, net, normaliser, g.input(INPUT, np.uint8, size, size, 3), size)
    head = _alone(module_arrays(net.head))
    found = head_landmarks(g, encoded.features, encoded.frame, head, net.head.residual)
    g.output("points_unit", found, np.float32, scheme.N_POINTS, 2)
    return g.proto()


def locator_graph(net: LocatorNet, size: int) -> onnx.ModelProto:
    """Returns the graph of one look of a locator.

    Outputs, float32: ``points_unit`` (N, 4, 2), unit coordinates of the view; ``presence`` (N,), a logit.

    Args:
        net: the network.
        size: pixels a side of its views.
    """
    g = Graph("locator")
    points, presence = locate(g, net, g.input(INPUT, np.uint8, size, size, 3), size)
    g.output("points_unit", points, np.float32, POINTS, 2)
    g.output("presence", presence, np.float32)
    return g.proto()


def _alone(head: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Returns one head's arrays as stacked ones."""
    return {name: array[None] for name, array in head.items()}
