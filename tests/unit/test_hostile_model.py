"""A model folder from a stranger: it reads no other file, runs no other code, neither hangs nor fills the memory."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import lipseg.inference.card
from lipseg.errors import ModelError
from lipseg.inference.card import CARD, CASCADE, DEFAULT_MODEL, read_card
from lipseg.inference.onnx_file import UnusualNetworkError, check_onnx
from lipseg.inference.predictor import load_predictor
from lipseg.inference.session import load_network
from lipseg.inference.yunet import YuNetDetector, packaged_file


def network(nodes, constants=(), functions=()):
    """Returns the bytes of a network from views of 24 pixels to ``points``."""
    view = helper.make_tensor_value_info("view", TensorProto.UINT8, ["N", 24, 24, 3])
    points = helper.make_tensor_value_info("points", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [view], [points], list(constants))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=functions).SerializeToString()


def whole(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def in_file(location):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def endless():
    """A loop of 10 ** 15 turns."""
    flags = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c", "d", "c2", "d2")]
    turn = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    inner = [helper.make_node("Identity", [a], [b]) for a, b in (("c", "c2"), ("d", "d2"))]
    body = helper.make_graph(inner, "body", [turn, *flags[:2]], flags[2:])
    count = numpy_helper.from_array(np.array(10**15, np.int64), "n")
    yes = numpy_helper.from_array(np.array(True), "yes")
    return network([helper.make_node("Loop", ["n", "yes", "yes"], ["q"], body=body), CAST], [count, yes])


CAST = helper.make_node("Cast", ["view"], ["points"], to=TensorProto.FLOAT)
FUNCTION = helper.make_function("evil", "F", ["x"], ["y"], [helper.make_node("Identity", ["x"], ["y"])], [])
ELSEWHERE = "names another file"
CASES = {
    "custom": (network([helper.make_node("Evil", ["view"], ["points"], domain="evil")]), "custom operator 'Evil'"),
    "function": (network([CAST], functions=[FUNCTION]), "defines functions"),
    "file": (
        network([helper.make_node("Identity", ["w"], ["points"])], [in_file("/etc/hostname")]),
        "names another file",
    ),
    "file beside": (
        network([helper.make_node("Identity", ["w"], ["points"])], [in_file("a.bin")]),
        "names another file",
    ),
    "file of a node": (
        network([helper.make_node("Constant", [], ["points"], value=in_file("a"))]),
        "names another file",
    ),
    "loop": (endless(), "a loop or a branch, the operator 'Loop'"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_no_network_of_lipseg_asks_for_is_refused(tmp_path, case):
    content, what = CASES[case]
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=rf"x\.onnx: .*{what}"):
        load_network(tmp_path / "x.onnx", ("points",), 24)
    with pytest.raises(ModelError, match=r"x\.onnx"):
        YuNetDetector(tmp_path / "x.onnx")


ONE = [
    helper.make_node("Cast", ["view"], ["f"], to=TensorProto.FLOAT),
    helper.make_node("ReduceMax", ["f"], ["one"], keepdims=0),
]
LARGE = {
    "constant": network([helper.make_node("ConstantOfShape", ["s"], ["points"])], [whole("s", 600_000_000)]),
    "absurd": network([helper.make_node("ConstantOfShape", ["s"], ["points"])], [whole("s", 2**40, 2**20)]),
    "computed": network([*ONE, helper.make_node("Expand", ["one", "s"], ["points"])], [whole("s", 700_000_000)]),
    "broadcast": network(
        [*ONE, helper.make_node("Add", ["one", "a"], ["c"]), helper.make_node("Add", ["c", "b"], ["points"])],
        [
            numpy_helper.from_array(np.zeros((30_000, 1), np.float32), "a"),
            numpy_helper.from_array(np.zeros((1, 30_000), np.float32), "b"),
        ],
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_few_bytes_cannot_ask_for_gigabytes(tmp_path):
    for name, content in LARGE.items():
        (tmp_path / f"{name}.onnx").write_bytes(content)
    program = (
        "import sys\nfrom pathlib import Path\nfrom lipseg.errors import ModelError\n"
        "from lipseg.inference.session import load_network\n"
        "for name in sys.argv[1:]:\n"
        " try: load_network(Path(name), ('points',), 24)\n"
        " except ModelError as error: print(error)\n"
        # Not ru_maxrss, which begins with the memory of the process that started this one.
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", program, *(f"{name}.onnx" for name in LARGE)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    *messages, peak = done.stdout.splitlines()
    assert [message.split(":")[0] for message in messages] == [f"{name}.onnx" for name in LARGE]
    assert int(peak) * 1024 < 700_000_000


@pytest.mark.parametrize("path", [DEFAULT_MODEL / CASCADE, packaged_file()])
def test_the_networks_in_use_are_taken_and_their_halves_are_not(path):
    content = path.read_bytes()
    check_onnx(content)
    with pytest.raises(UnusualNetworkError, match="cut off"):
        check_onnx(content[: len(content) // 2])


@pytest.mark.parametrize(
    "content", [b"\x3a", b"\x3a\xff", b"\x38\x01", b"\xff" * 20, b"\x0b", b"\x3a\x04\x0a\x02\x28\x01"]
)
def test_what_is_no_message_is_refused(content):
    with pytest.raises(UnusualNetworkError):
        check_onnx(content)


def copied(to: Path) -> Path:
    shutil.copytree(DEFAULT_MODEL, to)
    return to


def test_one_flipped_bit_of_the_weights_is_noticed(tmp_path):
    path = copied(tmp_path / "model") / CASCADE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"cascade\.onnx: not the file that card\.json describes \(another SHA-256\)"):
        load_predictor(tmp_path / "model")


def test_sizes_are_checked_before_files_are_read(tmp_path, monkeypatch):
    folder = copied(tmp_path / "model")
    card = read_card(folder)
    monkeypatch.setattr(lipseg.inference.card, "MOST_BYTES", 1 << 20)
    with pytest.raises(ModelError, match=r"cascade\.onnx: larger than 1 MB"):
        load_predictor(folder)
    with (folder / CARD).open("w", encoding="utf-8") as file:
        file.write(json.dumps(card))
        file.truncate(64 << 20)
    with pytest.raises(ModelError, match=r"card\.json: larger than 32 MB"):
        load_predictor(folder)


@pytest.mark.parametrize(("output", "what"), [("score", "not finite"), ("points_unit", "ONNX Runtime cannot run it")])
def test_numbers_that_are_not_finite_are_an_error_on_any_view(tmp_path, output, what):
    """Weights that give no number on a bright view, and pass on a black one; other nodes may fail on such points."""
    folder = copied(tmp_path / "model")
    model = onnx.load(folder / CASCADE)
    (node,) = (node for node in model.graph.node if output in node.output)
    node.output[list(node.output).index(output)] = "before"
    for other in model.graph.node:
        other.input[:] = ["after" if name == output else name for name in other.input]
    model.graph.node.extend(
        [
            helper.make_node("Cast", [model.graph.input[0].name], ["float_view"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["float_view"], ["brightest"], keepdims=0),
            # e ** 255 is infinite, and so many times 0 no number.
            helper.make_node("Sub", ["brightest", "brightest"], ["nought"]),
            helper.make_node("Exp", ["brightest"], ["huge"]),
            helper.make_node("Mul", ["huge", "nought"], ["shift"]),
            helper.make_node("Add", ["before", "shift"], [output]),
            helper.make_node("Identity", [output], ["after"]),
        ]
    )
    (folder / CASCADE).write_bytes(model.SerializeToString())
    card = read_card(folder)
    card["files"] = lipseg.inference.card.described(folder)
    (folder / CARD).write_text(json.dumps(card))
    predictor = load_predictor(folder)
    size = predictor.runtime.view.size
    with pytest.raises(ModelError, match=what):
        predictor(np.full((1, size, size, 3), 255, np.uint8))
