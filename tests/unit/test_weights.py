"""Arrays on disk: an exact round trip, the same bytes every time, and every misfit named."""

import numpy as np
import pytest

from lipseg.errors import ModelError
from lipseg.geometry import View
from lipseg.model.parts import load_base, load_mixture, save_base, save_mixture
from lipseg.model.weights import load_arrays, module_arrays, restore, save_arrays
from lipseg.params import ViewParams


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {"b": rng.normal(size=(3, 4)).astype(np.float32), "a.x": np.arange(5), "c": np.float32(2.5)}


def test_there_and_back(tmp_path, arrays):
    meta = {"z": [1, None, 0.1], "a": {"text": "ö"}}
    save_arrays(tmp_path / "deep" / "w.safetensors", arrays, meta)
    found, facts = load_arrays(tmp_path / "deep" / "w.safetensors")
    assert facts == meta
    assert found.keys() == arrays.keys()
    for name in arrays:
        np.testing.assert_array_equal(found[name], arrays[name])
        assert found[name].dtype == arrays[name].dtype
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["w.safetensors"]


def test_without_a_description_there_is_an_empty_one(tmp_path, arrays):
    save_arrays(tmp_path / "w", arrays)
    assert load_arrays(tmp_path / "w")[1] == {}


def test_parts_of_an_array_are_stored_as_they_are_seen(tmp_path):
    seen = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    save_arrays(tmp_path / "w", {"a": seen})
    np.testing.assert_array_equal(load_arrays(tmp_path / "w")[0]["a"], seen)


def test_bytes_do_not_change_from_save_to_save(tmp_path, arrays):
    meta = {str(i): i for i in range(20)}
    saved = set()
    for i in range(5):
        order = sorted(arrays, reverse=bool(i % 2))
        save_arrays(tmp_path / "w", {name: arrays[name] for name in order}, meta)
        saved.add((tmp_path / "w").read_bytes())
    assert len(saved) == 1


@pytest.mark.parametrize("how", ["missing", "empty", "half", "text", "folder"])
def test_a_damaged_file_is_named(tmp_path, arrays, how):
    path = tmp_path / "w.safetensors"
    save_arrays(path, arrays, {"a": 1})
    whole = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "missing":
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "text": b"text" * 30}[how])
    with pytest.raises(ModelError, match=r"w\.safetensors: ") as caught:
        load_arrays(path)
    assert "\n" not in str(caught.value)


def test_a_network_gets_back_exactly_its_weights(base, drawn_net, net_params):
    other = drawn_net(net_params, 5)
    arrays = module_arrays(base)
    assert any((array != arrays[name]).any() for name, array in module_arrays(other).items())
    assert any(name.endswith("norm.mean") for name in arrays)  # running statistics are part of the weights
    restore(other, arrays, "here")
    for name, array in module_arrays(other).items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("head.fc5.bias"), r"'head\.fc5\.bias' is missing"),
        (lambda a: a.update(extra=np.zeros(3)), "'extra' is not expected"),
        (
            lambda a: a.update({"head.fc5.bias": np.zeros(9, np.float32)}),
            r"float32\[9\], the network needs float32\[8\]",
        ),
        (lambda a: a.update({"head.fc5.bias": np.zeros(8)}), r"float64\[8\], the network needs float32\[8\]"),
    ],
    ids=["missing", "extra", "shape", "type"],
)
def test_an_array_that_does_not_fit_is_named_and_nothing_is_changed(base, drawn_net, net_params, change, said):
    other = drawn_net(net_params, 5)
    before, arrays = module_arrays(other), module_arrays(base)
    change(arrays)
    with pytest.raises(ModelError, match=f"^file: the array .*{said}"):
        restore(other, arrays, "file")
    for name, array in module_arrays(other).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_base_network_is_built_again_from_its_file(tmp_path, base, net_params):
    path = tmp_path / "base.safetensors"
    save_base(path, base, net_params, ViewParams(32, "square", 1.6))
    net, view = load_base(path)
    assert view == View(32, "square", 1.6)
    for name, array in module_arrays(net).items():
        np.testing.assert_array_equal(array, module_arrays(base)[name])


@pytest.mark.parametrize("meta", [{}, {"net": {"kind": "none", "width": 4, "fc5": 8}}, {"net": {"depth": 3}}])
def test_a_wrong_description_of_the_network_is_named(tmp_path, base, meta):
    save_arrays(tmp_path / "base.safetensors", module_arrays(base), meta)
    with pytest.raises(ModelError, match=r"base\.safetensors: wrong description"):
        load_base(tmp_path / "base.safetensors")


def test_a_mixture_there_and_back(tmp_path, mixture):
    save_mixture(tmp_path / "m", mixture, {"dropped": 1})
    found = load_mixture(tmp_path / "m")
    for name, array in mixture.arrays().items():
        np.testing.assert_array_equal(getattr(found, name), array)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("means"), "'means' is missing"),
        (lambda a: a.update(means=a["means"].astype(float)), "'means' is float64"),
        (lambda a: a.update(means=a["means"][:, :2]), "'basis' has the shape"),
        (lambda a: a.update(basis=a["basis"][:-1]), "'basis' has the shape"),
        (lambda a: a.update(precisions=a["precisions"][:1]), "'precisions' has the shape"),
        (lambda a: a.update(log_weights=a["log_weights"][:1]), "'log_weights' has the shape"),
        (lambda a: a.update(likelihoods=a["likelihoods"][:9]), "'likelihoods' has the shape"),
    ],
)
def test_a_mixture_that_does_not_fit_itself_is_named(tmp_path, mixture, change, said):
    arrays = mixture.arrays()
    change(arrays)
    save_arrays(tmp_path / "mixture.safetensors", arrays)
    with pytest.raises(ModelError, match=rf"mixture\.safetensors: the array {said}"):
        load_mixture(tmp_path / "mixture.safetensors")
