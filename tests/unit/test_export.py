"""The exported graphs: what JAX says, at every batch size, for both kinds of network; and the check that says so."""

import subprocess
import sys

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from lipseg.data.statistics import fit_normaliser
from lipseg.errors import ModelError
from lipseg.geometry import View
from lipseg.model.cascade import Cascade
from lipseg.model.confidence import EVIDENCE, Confidence
from lipseg.model.export.check import _difference, _on_edge, check_cascade, check_locator, check_systems
from lipseg.model.export.graphs import cascade_graph, locator_graph, systems_graph
from lipseg.model.export.score import numbers_of, with_score
from lipseg.model.heads import shapes
from lipseg.model.locator import build_locator
from lipseg.model.mixture import SCORE_POINTS, Mixture
from lipseg.model.weights import module_arrays, restore
from lipseg.params import Net

# Network, view, components, statistics.
KINDS = {
    "hourglass": (Net(kind="hourglass", width=5, fc5=8), View(32, "square", 1.6), 3, "channel"),
    "one head": (Net(kind="hourglass", width=4, fc5=7), View(48, "square", 1.6), 1, "pixel"),
    "tcnn": (Net(kind="tcnn", width=4, fc5=9), View(40, "stretch", 20.0), 3, "pixel"),
}
N = 6


def seen(size):
    """Returns N views: blocks of random colours, and one of a single grey."""
    rng = np.random.default_rng(size)
    views = rng.integers(0, 256, (N, size // 8, size // 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    views[-1] = 99
    return views


def scrambled(module, seed):
    """Returns the module with random numbers in its normalisations and biases too."""
    rng = np.random.default_rng(seed)
    change = {"kernel": lambda a: a + 0.01 * rng.normal(size=a.shape), "bias": lambda a: 0.2 * rng.normal(size=a.shape)}
    change["mean"] = change["bias"]
    change |= dict.fromkeys(("scale", "var"), lambda a: rng.uniform(0.5, 2, a.shape))
    arrays = {n: change[n.split(".")[-1]](a).astype(np.float32) for n, a in module_arrays(module).items()}
    restore(module, arrays, "test")
    return module


def built(drawn_net, net_params, view, k, per):
    rng = np.random.default_rng(k)
    net, views = scrambled(drawn_net(net_params, 0), 1), seen(view.size)
    normaliser = fit_normaliser(views, per)[0]
    features = np.asarray(jax.jit(lambda x: net.encode(x, train=False).features)(normaliser(views)))
    d = 2
    basis = np.linalg.qr(rng.normal(size=(net.features, d)))[0] / features.std()
    z = (features - features.mean(0)) @ basis
    fields = {
        "centre": features.mean(0),
        "basis": basis,
        "log_weights": np.log(np.full(k, 1 / k)),
        "means": z[:k],
        "precisions": np.triu(rng.uniform(0.5, 1.5, (k, d, d))),
        "likelihoods": np.linspace(-9, -1, SCORE_POINTS),
    }
    mixture = Mixture(**{name: np.asarray(array, np.float32) for name, array in fields.items()})

    def drawn(kinds, *first):
        return {name: (0.3 * rng.normal(size=(*first, *shape))).astype(np.float32) for name, shape in kinds.items()}

    projection = drawn({"centre": (net.channels,), "basis": (net.channels, min(net.channels, 2))})
    kinds = shapes(net.features + 56 * projection["basis"].shape[1], 5)
    return Cascade(net, drawn(kinds, k), projection, mixture, normaliser, view, control=drawn(kinds))


@pytest.fixture(scope="module", params=KINDS)
def cascade(request, drawn_net):
    return built(drawn_net, *KINDS[request.param])


@pytest.fixture(scope="module")
def model(cascade):
    return cascade_graph(cascade)


@pytest.fixture(scope="module")
def one(drawn_net):
    """One cascade for what does not depend on the kind, and its graph."""
    cascade = built(drawn_net, *KINDS["hourglass"])
    return cascade, cascade_graph(cascade)


@pytest.fixture(scope="module")
def locator():
    return scrambled(build_locator(4, 0), 2)


def run(model, views):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"views": views}), strict=True))


def test_the_cascade_says_what_jax_says(cascade, model):
    views = seen(cascade.view.size)
    report = check_cascade(model, cascade, views)
    assert report["bytes"] == model.ByteSize()
    assert (report["views"], report["opset"]) == (N, 17)
    assert report["undecided"] < N / 2
    assert report["largest"]["points_unit"] < 1e-3
    assert set(report["cpu_ms_a_view"]) == {"1", "8"}
    if cascade.mixture.components > 1:
        assert len(set(run(model, views)["component"])) > 1


def test_types_shapes_and_names(cascade, model):
    views, k = seen(cascade.view.size), cascade.mixture.components
    for n in (1, N):
        got = run(model, views[:n])
        assert {name: (array.dtype.name, array.shape) for name, array in got.items()} == {
            "points_unit": ("float32", (n, 56, 2)),
            "component": ("int64", (n,)),
            "responsibilities": ("float32", (n, k)),
            "score": ("float32", (n,)),
            "evidence": ("float32", (n, len(EVIDENCE))),
        }
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"


def test_the_graph_is_plain_and_wastes_nothing(model):
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert {node.domain for node in model.graph.node} == {""}
    used = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= used
    kept = used | {output.name for output in model.graph.output}
    assert all(node.output[0] in kept for node in model.graph.node)


def test_base_and_control(cascade):
    model = systems_graph(cascade)
    check_systems(model, cascade, seen(cascade.view.size))
    assert [output.name for output in model.graph.output] == ["base", "control"]


def test_without_a_control_head_both_are_the_base(drawn_net):
    cascade = built(drawn_net, *KINDS["tcnn"])
    cascade.control = None
    got = run(systems_graph(cascade), seen(40))
    np.testing.assert_array_equal(got["base"], got["control"])


def test_the_locator_says_what_jax_says(locator):
    model, views = locator_graph(locator, 24), seen(24)
    report = check_locator(model, locator, views)
    assert report["largest"].keys() == {"points_unit", "presence"}
    got = run(model, views[:1])
    assert (got["points_unit"].shape, got["presence"].shape) == ((1, 4, 2), (1,))


def test_same_network_same_bytes(one):
    cascade, model = one
    assert cascade_graph(cascade).SerializeToString() == model.SerializeToString()


def test_an_uncalibrated_score_falls_with_the_deviance(one):
    _, model = one
    got = run(model, seen(32))
    deviance = np.clip(got["evidence"][:, 0], -4, 4)
    np.testing.assert_allclose(got["score"], 1 / (1 + np.exp(deviance)), atol=1e-6)


def test_a_calibrated_cascade_s_score_is_its_own(one, drawn_net):
    rng, e = np.random.default_rng(0), len(EVIDENCE)
    numbers = [rng.uniform(0.5, 1, n).astype(np.float32) for n in (e, e, e + 1, 2)]
    cascade = built(drawn_net, *KINDS["hourglass"])
    sure = Confidence(*numbers)
    parts = (cascade.net, cascade.heads, cascade.projection, cascade.mixture, cascade.normaliser, cascade.view)
    calibrated = Cascade(*parts, confidence=sure)
    views = seen(32)
    model = cascade_graph(calibrated)
    np.testing.assert_allclose(run(model, views)["score"], calibrated.outputs(views).score, atol=1e-4)
    np.testing.assert_array_equal(numbers_of(model)["weights"], sure.weights)


def test_a_score_s_numbers_can_be_replaced(one, tmp_path):
    cascade, model = one
    views, e, rng = seen(32), len(EVIDENCE), np.random.default_rng(1)
    before = model.SerializeToString()
    new = {"centre": rng.normal(size=e), "scale": rng.uniform(1, 2, e), "weights": rng.normal(size=e + 1)}
    new["joint"] = np.array([0.7, -0.3])
    (tmp_path / "cascade.onnx").write_bytes(before)
    changed = with_score((tmp_path / "cascade.onnx").read_bytes(), **new)
    assert model.SerializeToString() == before
    assert with_score(model, **new).SerializeToString() == changed.SerializeToString()
    for name, array in numbers_of(changed).items():
        np.testing.assert_array_equal(array, new[name].astype(np.float32))
    got = run(changed, views)
    z = np.clip((got["evidence"] - new["centre"]) / new["scale"], -4, 4)
    logit = z @ new["weights"][:-1] + new["weights"][-1]
    np.testing.assert_allclose(got["score"], 1 / (1 + np.exp(-(0.7 * logit - 0.3))), atol=1e-5)
    for name, array in run(model, views).items():
        if name != "score":
            np.testing.assert_array_equal(got[name], array)
    check_cascade(changed, cascade, views)
    assert with_score(changed, **numbers_of(model)).SerializeToString() == before


def test_what_is_no_score_is_refused(one, locator):
    _, model = one
    numbers = numbers_of(model)
    with pytest.raises(ModelError, match=r"^score\.weights: the shape is \(3,\), in the graph it is \(9,\)"):
        with_score(model, **{**numbers, "weights": np.zeros(3)})
    with pytest.raises(ModelError, match=r"^score\.joint: not all numbers are finite"):
        with_score(model, **{**numbers, "joint": np.array([np.nan, 0])})
    with pytest.raises(ModelError, match=r"'locator' lacks the constant 'score\.centre'"):
        with_score(locator_graph(locator, 24), **numbers)


def test_a_score_is_replaced_without_jax():
    code = "import sys, lipseg.model.export.score; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def spoilt(model, operator, factor):
    """Returns a copy with the weights of the first node of an operator multiplied by a factor."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    name = next(node.input[1] for node in copy.graph.node if node.op_type == operator)
    tensor = next(tensor for tensor in copy.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), name))
    return copy


def test_another_network_is_told_by_its_landmarks(one):
    cascade, model = one
    with pytest.raises(
        ModelError, match=r"^cascade\.onnx, 'points_unit': view \d in a batch of 6 differs from JAX by "
    ):
        check_cascade(spoilt(model, "Conv", 1.05), cascade, seen(32))


def test_other_numbers_in_the_locator_are_told(locator):
    with pytest.raises(
        ModelError, match=r"^locator\.onnx, '\w+': view \d in .* differs from JAX by .*, more than 0\.0"
    ):
        check_locator(spoilt(locator_graph(locator, 24), "Gemm", 1.5), locator, seen(24))


def test_another_graph_is_told_by_its_outputs(one):
    cascade, model = one
    with pytest.raises(ModelError, match=r"^cascade\.onnx: the outputs are \['points_unit', .*\], not \['base', 'cont"):
        check_systems(model, cascade, seen(32))


def test_differences_of_what_is_not_finite():
    a = np.array([[1, np.nan], [np.nan, np.nan], [np.inf, 0], [np.inf, 0]])
    b = np.array([[1, np.nan], [np.nan, 1], [np.inf, 0], [1, 0.0]])
    np.testing.assert_array_equal(_difference("x", a, b), [0, np.inf, 0, np.inf])
    with pytest.raises(ModelError, match=r"^x: the outputs are float64\[4, 2\], in JAX float64\[4, 1\]"):
        _difference("x", a, b[:, :1])


def test_a_place_on_the_edge_of_two_cells_decides_nothing():
    rng = np.random.default_rng(0)
    inside = np.full((2, 56, 2), 0.5 + 1 / 64)
    edge = inside.copy()
    edge[1] = rng.permuted(edge[1]) + 1 / 64
    none = np.zeros(2, bool)
    assert _on_edge(inside, inside, 32, none).tolist() == [False, False]
    assert _on_edge(edge, edge, 32, none).tolist() == [False, True]
    assert _on_edge(edge, edge, 0, none).tolist() == [False, False]


def test_components_that_share_a_head_have_it_once(drawn_net):
    cascade = built(drawn_net, *KINDS["hourglass"])
    heads = {name: np.stack([array[0], array[1], array[0]]) for name, array in cascade.heads.items()}
    parts = (cascade.net, heads, cascade.projection, cascade.mixture, cascade.normaliser, cascade.view)
    sharing = Cascade(*parts)
    model = cascade_graph(sharing)
    largest = check_cascade(model, sharing, seen(32))["largest"]
    assert largest["points_unit"] < 1e-3
    size = heads["fc5.kernel"][0].nbytes
    assert cascade_graph(cascade).ByteSize() - model.ByteSize() > size
