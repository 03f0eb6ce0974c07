"""Small ONNX networks whose answers are known, and model folders of them: as the export writes them, but for size."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from lipseg.geometry import View
from lipseg.inference.card import CARD, CASCADE, FORMAT, LOCATOR, described
from lipseg.inference.conventions import Convention
from lipseg.inference.runtime import LocatorConstants, LocatorView, Runtime

SIZE, COMPONENTS = 8, 3
CASCADE_POINTS = np.random.default_rng(1).uniform(0.2, 0.8, (56, 2)).astype(np.float32)
LOCATOR_POINTS = np.array([[0.3, 0.7], [0.7, 0.7], [0.5, 0.6], [0.5, 0.8]], np.float32)
CONVENTIONS = {"elsewhere": Convention((0.1, -0.2) * 56, (3.0, 1.0))}
RUNTIME = Runtime(
    View(SIZE, "square", 1.6),
    COMPONENTS,
    LocatorConstants(LocatorView(16, 1.25)),
    reference="known",
    conventions=CONVENTIONS,
)


def network(nodes, outputs, constants, *, size=SIZE, batch="N", kind=TensorProto.UINT8, channels=3) -> bytes:
    """Returns an ONNX file: its input ``views``, and nodes that may use ``grey``, the views' mean grey level (N,).

    Args:
        nodes: of the graph.
        outputs: name to type.
        constants: name to array.
        size: pixels a side of the views.
        batch: how many views it takes, a name for any number.
        kind: type of the views.
        channels: of the views.
    """
    first = [
        helper.make_node("Cast", ["views"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels"], ["grey"], axes=[1, 2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        first + nodes,
        "known",
        [helper.make_tensor_value_info("views", kind, [batch, size, size, channels])],
        [helper.make_tensor_value_info(name, of, None) for name, of in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def cascade_network(points=CASCADE_POINTS, components=COMPONENTS, without=(), **of_input) -> bytes:
    """Returns a cascade whose points move by a hundredth of a view for each 2.55 grey levels, all its answers likewise.

    The component is 0 for red views, 1 for green and 2 for blue ones; the score is the mean grey level over 255.
    """
    nodes = [
        helper.make_node("Div", ["grey", "white"], ["score"]),
        helper.make_node("Reshape", ["score", "column"], ["moved"]),
        helper.make_node("Add", ["points", "moved"], ["points_unit"]),
        helper.make_node("ReduceMean", ["levels"], ["colour"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["colour", "mixing"], ["mixed"]),
        helper.make_node("Softmax", ["mixed"], ["responsibilities"], axis=1),
        helper.make_node("ArgMax", ["responsibilities"], ["component"], axis=1, keepdims=0),
    ]
    outputs = dict.fromkeys(("points_unit", "responsibilities", "score"), TensorProto.FLOAT)
    outputs["component"] = TensorProto.INT64
    constants = {
        "points": np.asarray(points, np.float32),
        "white": np.float32(255),
        "column": np.array([-1, 1, 1], np.int64),
        "mixing": np.eye(3, components, dtype=np.float32) / 25,
    }
    return network(nodes, {k: v for k, v in outputs.items() if k not in without}, constants, **of_input)


def locator_network(points=LOCATOR_POINTS, **of_input) -> bytes:
    """Returns a locator that sees the mouth at the same place of every view, the surer the brighter the view is."""
    nodes = [
        helper.make_node("Sub", ["grey", "middle"], ["presence"]),
        helper.make_node("Mul", ["presence", "nothing"], ["zero"]),
        helper.make_node("Reshape", ["zero", "column"], ["zeros"]),
        helper.make_node("Add", ["points", "zeros"], ["points_unit"]),
    ]
    constants = {
        "points": np.asarray(points, np.float32),
        "middle": np.float32(100),
        "nothing": np.float32(0),
        "column": np.array([-1, 1, 1], np.int64),
    }
    outputs = dict.fromkeys(("points_unit", "presence"), TensorProto.FLOAT)
    return network(nodes, outputs, constants, **{"size": 16, **of_input})


def write_model(folder: Path, cascade: bytes | None = None, locator: bytes | None = None, **card) -> Path:
    """Writes a model folder, by default of the known networks; ``card`` replaces what its card says."""
    folder.mkdir(parents=True)
    (folder / CASCADE).write_bytes(cascade_network() if cascade is None else cascade)
    (folder / LOCATOR).write_bytes(locator_network() if locator is None else locator)
    known = {"format": FORMAT, "name": "known", "runtime": RUNTIME.as_json(), "files": described(folder)}
    (folder / CARD).write_text(json.dumps({**known, **card}), encoding="utf-8")
    return folder
