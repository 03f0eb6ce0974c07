"""The cascade: the mixture's head answers, batches do not matter, and a model folder is checked as it is read."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipseg.data.augment import views_on_boxes
from lipseg.data.statistics import Normaliser, save_normaliser
from lipseg.errors import ModelError
from lipseg.model import cascade as model_cascade
from lipseg.model.bundle import assemble, load_cascade, save_cascade
from lipseg.model.cascade import Cascade
from lipseg.model.mixture import Mixture
from lipseg.model.parts import save_base, save_heads, save_mixture
from lipseg.model.weights import load_arrays, module_arrays, save_arrays
from lipseg.params import ViewParams


@pytest.fixture(scope="module")
def views(crops, view):
    return views_on_boxes(crops, np.arange(24), None, view).images


@pytest.fixture(scope="module")
def answers(cascade, views):
    return cascade.answers(views)


def test_shapes_and_types(cascade, answers, views):
    prediction = cascade(views)
    assert prediction.points_unit.shape == answers.base.shape == answers.control.shape == (24, 56, 2)
    assert prediction.responsibilities.shape == (24, 2)
    np.testing.assert_array_equal(prediction.points_unit, answers.cascade)
    np.testing.assert_array_equal(prediction.component, answers.responsibilities.argmax(1))
    assert prediction.points_unit.dtype == prediction.score.dtype == np.float32
    np.testing.assert_allclose(prediction.responsibilities.sum(1), 1, atol=1e-5)
    assert ((prediction.score >= 0) & (prediction.score <= 1)).all()
    assert set(prediction.component) == {0, 1}


def test_each_face_is_answered_by_its_component_s_head(cascade, answers, views, base, normaliser):
    encoded = jax.jit(lambda x: base.encode(x, train=False))(jnp.asarray(normaliser(views)))
    features = np.asarray(encoded.features)
    responsibilities, score = cascade.mixture.assign(features)
    np.testing.assert_allclose(answers.responsibilities, responsibilities, atol=1e-3)
    np.testing.assert_allclose(answers.score, score, atol=1e-3)

    def answer(head, i):
        hidden = np.tanh(features[i] @ head["fc5.kernel"] + head["fc5.bias"])
        relative = features[i, :112] + hidden @ head["fc6.kernel"] + head["fc6.bias"]
        a, b = encoded.frame[i, 2], encoded.frame[i, 3]
        return relative.reshape(56, 2) @ np.array([[a, b], [-b, a]]) + np.asarray(encoded.frame[i, :2])

    for i, k in enumerate(answers.responsibilities.argmax(1)):
        own = {name: array[k] for name, array in cascade.heads.items()}
        np.testing.assert_allclose(answers.cascade[i], answer(own, i), atol=2e-5)
        np.testing.assert_allclose(answers.control[i], answer(cascade.control, i), atol=2e-5)
        np.testing.assert_allclose(answers.base[i], answer(module_arrays(base.head), i), atol=2e-5)
    assert np.abs(answers.cascade - answers.base).max() > 1e-3


@pytest.mark.parametrize("n", [1, 3, 4])
def test_answers_do_not_depend_on_the_batch(cascade, answers, views, n):
    found = cascade.answers(views[5 : 5 + n])
    for name in ("base", "cascade", "control", "responsibilities", "score"):
        np.testing.assert_allclose(getattr(found, name), getattr(answers, name)[5 : 5 + n], atol=1e-4)


def test_more_views_than_one_batch_holds(cascade, answers, views):
    assert len(views) > model_cascade._BUCKETS[-1]
    found = cascade.answers(np.concatenate([views[3:], views]))
    assert found.base.shape == (45, 56, 2)
    np.testing.assert_allclose(found.cascade[21:], answers.cascade, atol=1e-4)


@pytest.mark.parametrize(
    "views",
    [
        np.zeros((1, 40, 40, 3), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((1, 32, 32, 3), np.float32),
        np.zeros((0, 32, 32, 3), np.uint8),
        np.zeros((1, 32, 32, 4), np.uint8),
    ],
    ids=["size", "no batch", "type", "none", "channels"],
)
def test_other_views_are_refused(cascade, views):
    with pytest.raises(ValueError, match=r"views must be \(N, 32, 32, 3\) uint8"):
        cascade(views)


def one(mixture):
    """The mixture of its first component alone."""
    arrays = mixture.arrays()
    part = {name: arrays[name][:1] for name in ("means", "precisions")}
    return Mixture(**{**arrays, **part, "log_weights": np.zeros(1, np.float32)})


def test_one_component_with_the_base_s_head_is_the_base(base, mixture, normaliser, view, views):
    heads = {name: array[None] for name, array in module_arrays(base.head).items()}
    found = Cascade(base, heads, one(mixture), normaliser, view, {}).answers(views[:4])
    np.testing.assert_allclose(found.cascade, found.base, atol=1e-6)
    np.testing.assert_array_equal(found.control, found.base)  # there is no control head
    np.testing.assert_array_equal(found.responsibilities, 1)


def test_parts_that_do_not_fit_are_refused(cascade):
    c = cascade
    with pytest.raises(ModelError, match="1 mixture components but another number of heads"):
        Cascade(c.net, c.heads, one(c.mixture), c.normaliser, c.view, {})
    arrays = c.mixture.arrays()
    short = Mixture(**{**arrays, "centre": arrays["centre"][:-1], "basis": arrays["basis"][:-1]})
    with pytest.raises(ModelError, match="the mixture wants 207 features, the network gives 208"):
        Cascade(c.net, c.heads, short, c.normaliser, c.view, {})
    of_40 = Normaliser(np.zeros((40, 40, 3), np.float32), np.ones((40, 40, 3), np.float32))
    with pytest.raises(ModelError, match=r"statistics .*\(40, 40, 3\)"):
        Cascade(c.net, c.heads, c.mixture, of_40, c.view, {})


@pytest.fixture(scope="module")
def saved(cascade, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "lipseg"
    folder.mkdir()
    (folder / "old.txt").touch()
    save_cascade(folder, cascade, cascade.card)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def test_a_model_folder_there_and_back(cascade, saved, answers, views):
    assert sorted(path.name for path in saved.parent.rglob("*")) == ["card.json", "lipseg", "model.safetensors"]
    found = load_cascade(saved)
    assert found.view == cascade.view
    assert found.card["net"] == cascade.card["net"]
    again = found.answers(views)
    np.testing.assert_array_equal(again.cascade, answers.cascade)
    np.testing.assert_array_equal(again.score, answers.score)
    np.testing.assert_array_equal(again.control, again.base)  # the control stays behind


def test_the_same_cascade_has_the_same_bytes(cascade, saved, tmp_path):
    save_cascade(tmp_path / "again", cascade, cascade.card)
    for name in ("card.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def with_extras(cascade):
    """The cascade with a locator and a confidence whose numbers are known."""
    from lipseg.model.confidence import EVIDENCE, Confidence
    from lipseg.model.locator import Locator, build_locator
    from lipseg.model.predictor import LocatorView
    from lipseg.model.relation import FACE_RELATION

    n = len(EVIDENCE)
    ones = np.ones(n, np.float32)
    confidence = Confidence(
        *(0 * ones, ones, np.linspace(-1, 1, n + 1, dtype=np.float32), np.array([1, 2, 3], np.float32)),
        *(np.array([0.25], np.float32), np.array([-1.5], np.float32)),
    )
    c = cascade
    locator = Locator(build_locator(2, 0), LocatorView(16, 1.3), FACE_RELATION, 1)
    return Cascade(c.net, c.heads, c.mixture, c.normaliser, c.view, c.card, locator=locator, confidence=confidence)


def test_locator_and_confidence_travel_with_the_model(cascade, views, tmp_path):
    full = with_extras(cascade)
    save_cascade(tmp_path / "m", full, full.card)
    found = load_cascade(tmp_path / "m")
    np.testing.assert_array_equal(found(views).score, full(views).score)
    expected = full.confidence.score(full.answers(views).evidence)
    np.testing.assert_allclose(full(views).score, expected, atol=1e-5)
    looks = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), np.uint8)
    for a, b in zip(found.locator.look(looks), full.locator.look(looks), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (found.locator.relation, found.locator.passes) == (full.locator.relation, 1)
    arrays, _ = load_arrays(tmp_path / "m" / "model.safetensors")
    for name in ("locator.maps.bias", "confidence.joint"):
        save_arrays(tmp_path / "m" / "model.safetensors", {k: v for k, v in arrays.items() if k != name})
        with pytest.raises(ModelError, match=rf"'{name.split('.', 1)[1]}' is missing"):
            load_cascade(tmp_path / "m")


def test_a_model_of_the_second_format_has_no_mirror_offset(folder, views, answers):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "format": 2}))
    arrays, _ = load_arrays(folder / "model.safetensors")
    del arrays["base.mirror_offset"]
    save_arrays(folder / "model.safetensors", arrays)
    np.testing.assert_array_equal(load_cascade(folder)(views).points_unit, answers.cascade)


def test_a_model_of_the_first_format_has_neither(folder, views, answers):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "format": 1}))
    found = load_cascade(folder)
    assert found.locator is None
    assert found.confidence is None
    np.testing.assert_array_equal(found(views).score, answers.score)


@pytest.mark.parametrize(
    "name",
    ["base.head.fc5.bias", "base.stem.norm.var", "heads.fc6.kernel", "mixture.means", "normaliser.deviation"],
)
def test_a_missing_array_is_named(folder, name):
    arrays, _ = load_arrays(folder / "model.safetensors")
    del arrays[name]
    save_arrays(folder / "model.safetensors", arrays)
    with pytest.raises(ModelError, match=rf"model\.safetensors: the array '.*{name.split('.', 1)[1]}' is missing"):
        load_cascade(folder)


@pytest.mark.parametrize("name", ["heads.fc5.kernel", "base.maps.kernel"])
def test_an_array_of_another_shape_is_named(folder, name):
    arrays, _ = load_arrays(folder / "model.safetensors")
    arrays[name] = arrays[name][..., :-1]
    save_arrays(folder / "model.safetensors", arrays)
    with pytest.raises(ModelError, match=rf"'.*{name.split('.', 1)[1]}'"):
        load_cascade(folder)


@pytest.mark.parametrize("name", ["card.json", "model.safetensors"])
@pytest.mark.parametrize("how", ["missing", "cut off"])
def test_an_incomplete_folder_is_named(folder, name, how):
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    if how == "cut off":
        path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        load_cascade(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"format": 99}, "format 99"), ({"net": {"kind": "hourglass"}}, "description"), ({"view": None}, "description")],
)
def test_a_wrong_card_is_named(folder, change, said):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **change}))
    with pytest.raises(ModelError, match=rf"card\.json: .*{said}"):
        load_cascade(folder)


@pytest.fixture
def parts(cascade, net_params, tmp_path):
    """The four files that the stages leave."""
    paths = [tmp_path / name for name in ("normaliser.npz", "base", "mixture", "heads")]
    save_normaliser(paths[0], cascade.normaliser)
    save_base(paths[1], cascade.net, net_params, ViewParams(32, "square", 1.6))
    save_mixture(paths[2], cascade.mixture, {"dropped": 0})
    save_heads(paths[3], cascade.heads, cascade.control, {"components": [], "control": {}})
    return paths


def test_the_stages_files_make_the_cascade(parts, answers, views):
    found = assemble(*parts)
    again = found.answers(views)
    for name in ("base", "cascade", "control"):
        np.testing.assert_array_equal(getattr(again, name), getattr(answers, name))
    assert found.card["mixture"] == {"dropped": 0}
    assert found.card["heads"] == {"components": [], "control": {}}


def test_a_heads_file_without_control_is_named(parts, cascade):
    save_heads(parts[3], cascade.heads, {}, {})
    with pytest.raises(ModelError, match=r"heads: the array 'control\.fc5\.\w+' is missing"):
        assemble(*parts)
