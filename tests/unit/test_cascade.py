"""The cascade: the mixture's head answers, batches do not matter, and its files are checked as they are read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipseg.data.augment import views_on_boxes
from lipseg.data.statistics import Normaliser, save_normaliser
from lipseg.errors import LipsegError, ModelError
from lipseg.inference.runtime import LocatorConstants, LocatorView, Runtime
from lipseg.model import cascade as model_cascade
from lipseg.model.assembly import assemble
from lipseg.model.cascade import Cascade
from lipseg.model.confidence import EVIDENCE, Confidence
from lipseg.model.heads import nothing
from lipseg.model.mixture import Mixture
from lipseg.model.parts import save_base, save_heads, save_mixture
from lipseg.model.weights import load_arrays, module_arrays, save_arrays
from lipseg.params import ViewParams


@pytest.fixture(scope="module")
def views(crops, view):
    return views_on_boxes(crops, np.arange(24), None, view).images


@pytest.fixture(scope="module")
def answers(cascade, views):
    return cascade.outputs(views)


def test_shapes_and_types(answers):
    assert answers.cascade.shape == answers.base.shape == answers.control.shape == (24, 56, 2)
    assert answers.responsibilities.shape == (24, 2)
    assert answers.evidence.shape == (24, len(EVIDENCE))
    assert answers.cascade.dtype == answers.score.dtype == answers.evidence.dtype == np.float32
    np.testing.assert_allclose(answers.responsibilities.sum(1), 1, atol=1e-5)
    assert ((answers.score >= 0) & (answers.score <= 1)).all()
    assert set(answers.responsibilities.argmax(1)) == {0, 1}


def test_the_constants_beside_the_network(cascade, view):
    assert cascade.runtime() == Runtime(view, 2)
    locator = LocatorConstants(LocatorView(16, 1.3))
    assert cascade.runtime(locator).locator == locator


def test_each_face_is_answered_by_its_component_s_head(cascade, answers, views, base, normaliser):
    encoded = jax.jit(lambda x: base.encode(x, train=False))(jnp.asarray(normaliser(views)))
    features = np.asarray(encoded.features)
    responsibilities, score = cascade.mixture.assign(features)
    np.testing.assert_allclose(answers.responsibilities, responsibilities, atol=1e-3)
    np.testing.assert_allclose(answers.score, score, atol=1e-3)

    first, kept = module_arrays(base.head), cascade.projection
    sampled = (np.asarray(encoded.sampled) - kept["centre"]) @ kept["basis"]
    seen = np.concatenate([features, sampled.transpose(0, 2, 1).reshape(24, -1)], axis=1)

    def layers(inputs, head):
        return np.tanh(inputs @ head["fc5.kernel"] + head["fc5.bias"]) @ head["fc6.kernel"] + head["fc6.bias"]

    def answer(head, i):
        relative = features[i, :112] + layers(features[i], first) + (layers(seen[i], head) if head else 0)
        a, b = encoded.frame[i, 2], encoded.frame[i, 3]
        return relative.reshape(56, 2) @ np.array([[a, b], [-b, a]]) + np.asarray(encoded.frame[i, :2])

    for i, k in enumerate(answers.responsibilities.argmax(1)):
        own = {name: array[k] for name, array in cascade.heads.items()}
        np.testing.assert_allclose(answers.cascade[i], answer(own, i), atol=2e-5)
        np.testing.assert_allclose(answers.control[i], answer(cascade.control, i), atol=2e-5)
        np.testing.assert_allclose(answers.base[i], answer(None, i), atol=2e-5)
    assert np.abs(answers.cascade - answers.base).max() > 1e-3


@pytest.mark.parametrize("n", [1, 3, 4])
def test_answers_do_not_depend_on_the_batch(cascade, answers, views, n):
    found = cascade.outputs(views[5 : 5 + n])
    for name in ("base", "cascade", "control", "responsibilities", "score"):
        np.testing.assert_allclose(getattr(found, name), getattr(answers, name)[5 : 5 + n], atol=1e-4)


def test_more_views_than_one_batch_holds(cascade, answers, views):
    assert len(views) > model_cascade._BUCKETS[-1]
    found = cascade.outputs(np.concatenate([views[3:], views]))
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
        cascade.outputs(views)


def one(mixture):
    """The mixture of its first component alone."""
    arrays = mixture.arrays()
    part = {name: arrays[name][:1] for name in ("means", "precisions")}
    return Mixture(**{**arrays, **part, "log_weights": np.zeros(1, np.float32)})


def test_one_component_whose_head_adds_nothing_is_the_base(cascade, views):
    c = cascade
    heads = {name: array[None] for name, array in nothing(*c.control["fc5.kernel"].shape).items()}
    found = Cascade(c.net, heads, c.projection, one(c.mixture), c.normaliser, c.view).outputs(views[:4])
    np.testing.assert_array_equal(found.cascade, found.base)
    np.testing.assert_array_equal(found.control, found.base)  # there is no control head
    np.testing.assert_array_equal(found.responsibilities, 1)


def test_parts_that_do_not_fit_are_refused(cascade):
    c = cascade
    with pytest.raises(ModelError, match="1 mixture components but another number of heads"):
        Cascade(c.net, c.heads, c.projection, one(c.mixture), c.normaliser, c.view)
    arrays = c.mixture.arrays()
    short = Mixture(**{**arrays, "centre": arrays["centre"][:-1], "basis": arrays["basis"][:-1]})
    with pytest.raises(ModelError, match="the mixture wants 207 features, the network gives 208"):
        Cascade(c.net, c.heads, c.projection, short, c.normaliser, c.view)
    of_40 = Normaliser(np.zeros((40, 40, 3), np.float32), np.ones((40, 40, 3), np.float32))
    with pytest.raises(ModelError, match=r"statistics .*\(40, 40, 3\)"):
        Cascade(c.net, c.heads, c.projection, c.mixture, of_40, c.view)


def test_a_calibrated_cascade_s_score_is_its_evidence_s(cascade, answers, views):
    ones = np.ones(len(EVIDENCE), np.float32)
    weights = np.linspace(-1, 1, len(EVIDENCE) + 1, dtype=np.float32)
    confidence = Confidence(0 * ones, ones, weights, np.array([0.5, 0.25], np.float32))
    c = cascade
    parts = (c.net, c.heads, c.projection, c.mixture, c.normaliser, c.view)
    found = Cascade(*parts, confidence=confidence).outputs(views)
    np.testing.assert_allclose(found.score, confidence.score(found.evidence), atol=1e-5)
    for name in ("base", "cascade", "evidence"):
        np.testing.assert_allclose(getattr(found, name), getattr(answers, name), atol=1e-4)


@pytest.fixture
def parts(cascade, net_params, tmp_path):
    """The four files that the stages leave."""
    paths = [tmp_path / name for name in ("normaliser.npz", "base", "mixture", "heads")]
    save_normaliser(paths[0], cascade.normaliser)
    save_base(paths[1], cascade.net, net_params, ViewParams(32, "square", 1.6))
    save_mixture(paths[2], cascade.mixture, {"dropped": 0})
    save_heads(paths[3], cascade.heads, cascade.control, cascade.projection, {"components": [], "control": {}})
    return paths


def test_the_stages_files_make_the_cascade(parts, cascade, answers, views):
    found = assemble(*parts)
    again = found.outputs(views)
    for name in ("base", "cascade", "control", "score", "evidence"):
        np.testing.assert_array_equal(getattr(again, name), getattr(answers, name))
    assert found.view == cascade.view


def test_a_heads_file_without_control_is_named(parts, cascade):
    save_heads(parts[3], cascade.heads, {}, cascade.projection, {})
    with pytest.raises(ModelError, match=r"heads: the array 'control\.fc5\.\w+' is missing"):
        assemble(*parts)


# The stages' files, by their place in ``parts``.
BASE, MIXTURE, HEADS = 1, 2, 3


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (BASE, "head.fc5.bias"),
        (BASE, "stem.norm.var"),
        (HEADS, "heads.fc6.kernel"),
        (HEADS, "projection.centre"),
        (MIXTURE, "means"),
        (MIXTURE, "likelihoods"),
    ],
)
def test_a_missing_array_is_named(parts, part, name):
    arrays, meta = load_arrays(parts[part])
    del arrays[name]
    save_arrays(parts[part], arrays, meta)
    with pytest.raises(ModelError, match=rf"{parts[part].name}: the array '{name}' is missing"):
        assemble(*parts)


@pytest.mark.parametrize(("part", "name"), [(HEADS, "heads.fc5.kernel"), (BASE, "maps.kernel"), (MIXTURE, "basis")])
def test_an_array_of_another_shape_is_named(parts, part, name):
    arrays, meta = load_arrays(parts[part])
    arrays[name] = arrays[name][..., :-1]
    save_arrays(parts[part], arrays, meta)
    with pytest.raises(ModelError, match=rf"{parts[part].name}: .*'{name}'"):
        assemble(*parts)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("how", ["missing", "cut off"])
def test_a_file_that_cannot_be_read_is_named(parts, part, how):
    path = parts[part]
    whole = path.read_bytes()
    path.unlink()
    if how == "cut off":
        path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LipsegError, match=path.name.replace(".", r"\.")):
        assemble(*parts)


@pytest.mark.parametrize("change", [{"net": {"kind": "hourglass"}}, {"view": None}, {"view": {"size": 32}}])
def test_a_wrong_description_is_named(parts, change):
    arrays, meta = load_arrays(parts[BASE])
    save_arrays(parts[BASE], arrays, {**meta, **change})
    with pytest.raises(ModelError, match="base: wrong description of the network"):
        assemble(*parts)
