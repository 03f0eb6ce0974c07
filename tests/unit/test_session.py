"""Networks in ONNX Runtime: what is no such network is refused, and a batch of any size gives the same answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from known_networks import CASCADE_POINTS, SIZE, cascade_network, locator_network, network
from onnx import TensorProto, helper

from lipseg.errors import DataError, ModelError
from lipseg.inference import session
from lipseg.inference.session import load_network, open_network

ORIGIN = Path("somewhere/cascade.onnx")
OUTPUTS = ("points_unit", "component", "responsibilities", "score")


def views(n, size=SIZE):
    return np.random.default_rng(n).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def test_outputs_come_in_the_order_in_which_they_were_asked_for():
    run = open_network(cascade_network(), ("score", "points_unit"), SIZE, ORIGIN)
    score, points = run(np.full((2, SIZE, SIZE, 3), 51, np.uint8))
    np.testing.assert_allclose(score, 0.2, atol=1e-6)
    np.testing.assert_allclose(points, np.repeat(CASCADE_POINTS[None] + 0.2, 2, 0), atol=1e-6)
    assert [score.dtype, points.dtype] == [np.float32] * 2


@pytest.mark.parametrize("n", [1, 31, 32, 33, 64, 65])
def test_one_view_and_many_give_the_same(n):
    run = open_network(cascade_network(), OUTPUTS, SIZE, ORIGIN)
    shown = views(n)
    together = run(shown)
    alone = [np.concatenate(outputs) for outputs in zip(*(run(view[None]) for view in shown), strict=True)]
    for a, b in zip(together, alone, strict=True):
        assert len(a) == n
        np.testing.assert_array_equal(a, b)


def test_no_more_than_a_chunk_goes_through_at_once(monkeypatch):
    monkeypatch.setattr(session, "_CHUNK", 4)
    run = open_network(cascade_network(), ("score",), SIZE, ORIGIN)
    shown = views(11)
    np.testing.assert_allclose(run(shown)[0], shown.mean((1, 2, 3)) / 255, atol=1e-6)


def test_views_need_not_lie_in_memory_one_after_the_other():
    run = open_network(cascade_network(), ("score", "responsibilities"), SIZE, ORIGIN)
    shown = views(5)
    for a, b in zip(run(shown[::2, :, ::-1]), run(np.ascontiguousarray(shown[::2, :, ::-1])), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("threads", [0, -1, 1.5])
def test_no_threads_are_refused(threads):
    with pytest.raises(DataError, match=rf"threads: must be at least 1, not {threads}"):
        open_network(cascade_network(), OUTPUTS, SIZE, ORIGIN, threads)


def test_two_threads_say_the_same():
    one, two = (open_network(cascade_network(), OUTPUTS, SIZE, ORIGIN, threads) for threads in (1, 2))
    for a, b in zip(one(views(40)), two(views(40)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    "content",
    [b"", b"no network", b"\x00" * 100, cascade_network()[:200], b"\xff" * 40],
    ids=["empty", "text", "zeros", "cut off", "ones"],
)
def test_what_is_no_onnx_file_is_refused(content, capfd):
    with pytest.raises(ModelError, match=r"cascade\.onnx: .*; get the folder again") as caught:
        open_network(content, OUTPUTS, SIZE, ORIGIN)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx: cannot be read \(No such file or directory\)"):
        load_network(tmp_path / "gone.onnx", OUTPUTS, SIZE)


def two_inputs():
    model = onnx.load_from_string(cascade_network())
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["N"]))
    return model.SerializeToString()


def no_input():
    nodes = [helper.make_node("Constant", [], ["score"], value_float=1.0)]
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, [])]
    graph = helper.make_graph(nodes, "alone", [], outputs)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    "content",
    [
        cascade_network(size=SIZE + 1),
        locator_network(size=SIZE, channels=1),
        cascade_network(kind=TensorProto.FLOAT),
        two_inputs(),
        no_input(),
    ],
    ids=["size", "channels", "type", "two inputs", "no input"],
)
def test_other_inputs_are_refused(content):
    with pytest.raises(ModelError, match=r"cascade\.onnx: does not take views of 8 x 8 pixels alone"):
        open_network(content, ("score",), SIZE, ORIGIN)


def test_a_network_of_a_fixed_number_of_views_is_refused():
    with pytest.raises(ModelError, match=r"cascade\.onnx: takes 1 views at a time, not any number"):
        open_network(cascade_network(batch=1), OUTPUTS, SIZE, ORIGIN)


def test_a_missing_output_is_named():
    with pytest.raises(ModelError, match=r"cascade\.onnx: has no output 'component'"):
        open_network(cascade_network(without=("component",)), OUTPUTS, SIZE, ORIGIN)
    with pytest.raises(ModelError, match=r"cascade\.onnx: has no output 'score'"):
        open_network(locator_network(), ("points_unit", "score"), 16, ORIGIN)


def test_a_network_that_cannot_run_is_refused():
    nodes = [helper.make_node("Reshape", ["grey", "shape"], ["score"])]
    content = network(nodes, {"score": TensorProto.FLOAT}, {"shape": np.array([-1, 7], np.int64)})
    with pytest.raises(ModelError, match=r"cascade\.onnx: ONNX Runtime cannot run it"):
        open_network(content, ("score",), SIZE, ORIGIN)


def test_a_network_reads_no_other_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.bin").write_bytes(np.float32(255).tobytes())
    model = onnx.load_from_string(cascade_network())
    white = next(tensor for tensor in model.graph.initializer if tensor.name == "white")
    white.ClearField("raw_data")
    white.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "other.bin"), ("length", "4")):
        white.external_data.add(key=key, value=value)
    with pytest.raises(ModelError, match=r"cascade\.onnx: names another file"):
        open_network(model.SerializeToString(), OUTPUTS, SIZE, ORIGIN)
