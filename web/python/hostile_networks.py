"""Cascades that no card can tell from sound ones by their hashes: for the tests of what the browser does with them."""

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

# Of the shipped model's views, landmarks and components.
SIZE, POINTS, COMPONENTS = 80, 56, 4


def hostile_networks() -> dict[str, bytes]:
    """Returns ONNX files by what is wrong with them; "sound" is nothing."""
    sound = _cascade()
    loop = helper.make_node("If", ["always"], ["extra"])
    branch = helper.make_graph([], "branch", [], [helper.make_tensor_value_info("zero", TensorProto.FLOAT, [1])])
    loop.attribute.extend([helper.make_attribute(f"{name}_branch", branch) for name in ("then", "else")])
    assert loop.attribute[0].type == AttributeProto.GRAPH
    outside = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    outside.ClearField("float_data")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="/etc/hostname")
    return {
        "sound": sound,
        "half": sound[: len(sound) // 2],
        "words": b"no network at all",
        "numbers": _cascade(offset=np.nan),
        "infinite": _cascade(offset=np.inf),
        "points": _cascade(points=POINTS - 1),
        "components": _cascade(components=COMPONENTS + 1),
        "size": _cascade(size=SIZE - 8),
        "output": _cascade(names={"score": "scores"}),
        "kind": _cascade(kind=TensorProto.DOUBLE),
        # 4 GB and 16 TB that nothing is known of before the network runs.
        "large": _cascade(extra=_filled(1 << 30)),
        "huge": _cascade(extra=_filled(1 << 42)),
        "branch": _cascade(extra=[loop]),
        "operator": _cascade(extra=[helper.make_node("Shell", ["zero"], ["extra"], domain="com.example")]),
        "elsewhere": _cascade(zero=outside),
    }


def _filled(count: int) -> list[NodeProto]:
    """Returns nodes that sum so many numbers."""
    return [
        helper.make_node("Constant", [], ["count"], value=numpy_helper.from_array(np.array([count], np.int64))),
        helper.make_node("ConstantOfShape", ["count"], ["filled"]),
        helper.make_node("ReduceSum", ["filled"], ["extra"], keepdims=1),
    ]


def _cascade(
    *,
    points: int = POINTS,
    components: int = COMPONENTS,
    size: int = SIZE,
    offset: float = 0.5,
    kind: int = TensorProto.FLOAT,
    names: dict[str, str] | None = None,
    extra: list[NodeProto] | None = None,
    zero: TensorProto | None = None,
) -> bytes:
    """Returns a cascade all of whose answers are ``offset``, and the sum "extra" more where there are such nodes."""
    named = {name: name for name in ("points_unit", "component", "responsibilities", "score")} | (names or {})
    constants = {
        "none": np.zeros(1, np.float32),
        "offset": np.full(1, offset, np.float32),
        "points": np.array([-1, points, 2], np.int64),
        "row": np.array([-1, 1], np.int64),
        "places": np.zeros((1, 2 * points), np.float32),
        "states": np.zeros((1, components), np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["views"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels"], ["grey"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["grey", "none"], ["nothing"]),
        *(extra or [helper.make_node("Identity", ["zero"], ["extra"])]),
        helper.make_node("Add", ["nothing", "offset"], ["level"]),
        helper.make_node("Add", ["level", "extra"], ["each"]),
        helper.make_node("Cast", ["each"], [named["score"]], to=kind),
        helper.make_node("Cast", ["each"], [named["component"]], to=TensorProto.INT64),
        helper.make_node("Reshape", ["each", "row"], ["column"]),
        helper.make_node("Add", ["column", "places"], ["flat"]),
        helper.make_node("Reshape", ["flat", "points"], [named["points_unit"]]),
        helper.make_node("Add", ["column", "states"], [named["responsibilities"]]),
    ]
    kinds = dict.fromkeys(named, TensorProto.FLOAT) | {"component": TensorProto.INT64, "score": kind}
    always = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("views", TensorProto.UINT8, ["N", size, size, 3])],
        [helper.make_tensor_value_info(named[name], of, None) for name, of in kinds.items()],
        [
            always,
            zero or helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
            *(numpy_helper.from_array(array, name) for name, array in constants.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()
