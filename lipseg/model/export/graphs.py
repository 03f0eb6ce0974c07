"""The trained networks as ONNX graphs, written node by node.

Three graphs; all take ``views``, (N, S, S, 3) uint8 RGB, and hold everything from the normalisation on. Any ONNX
Runtime since 1.12 runs them, onnxruntime-web included. Written by hand because at batch 1 they take two thirds of the
time of what jax2onnx and onnxslim make of the same networks (most of whose nodes are about the shape of a batch of
unknown size), load in half of it, are made in .05 s instead of 8 s, and need no package but onnx.
"""

import numpy as np
import onnx

from lipseg import scheme
from lipseg.data.statistics import Normaliser
from lipseg.inference.locator import POINTS
from lipseg.model.cascade import Cascade
from lipseg.model.confidence import EVIDENCE
from lipseg.model.export.evidence import gather_evidence, score
from lipseg.model.export.frame import assign, base_answer, placed, readings, with_own_units
from lipseg.model.export.graph import Graph
from lipseg.model.export.nets import encode, locate
from lipseg.model.export.score import uncalibrated
from lipseg.model.heads import nothing
from lipseg.model.locator import LocatorNet
from lipseg.model.nets import BaseNet

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
    seen = readings(g, encoded.features, encoded.sampled, cascade.projection)
    relative = base_answer(g, encoded.features, cascade.net.head)
    points = placed(g, with_own_units(g, relative, seen, cascade.heads, component), encoded.frame)
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
    seen = readings(g, encoded.features, encoded.sampled, cascade.projection)
    relative = base_answer(g, encoded.features, cascade.net.head)
    control = cascade.control or nothing(*cascade.heads["fc5.kernel"].shape[1:])
    alone = {name: array[None] for name, array in control.items()}
    g.output("base", placed(g, relative, encoded.frame), np.float32, scheme.N_POINTS, 2)
    found = placed(g, with_own_units(g, relative, seen, alone), encoded.frame)
    g.output("control", found, np.float32, scheme.N_POINTS, 2)
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
    found = placed(g, base_answer(g, encoded.features, net.head), encoded.frame)
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
