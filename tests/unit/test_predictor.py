"""A model folder ready to run: the same answers in batches of any size, and files that do not fit are refused."""

import dataclasses
import shutil

import numpy as np
import pytest
from known_networks import (
    CASCADE_POINTS,
    COMPONENTS,
    RUNTIME,
    SIZE,
    cascade_network,
    locator_network,
    write_model,
)

from lipseg.boxes import Box
from lipseg.errors import DataError, ModelError
from lipseg.geometry import View, from_unit
from lipseg.inference.card import CASCADE, LOCATOR
from lipseg.inference.predictor import load_predictor
from lipseg.inference.relation import AVERAGE_FACE
from lipseg.inference.runtime import Runtime, Thresholds
from lipseg.inference.segmenter import LipSegmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "known")


@pytest.mark.parametrize("change", ["goes", "is another"])
def test_a_network_that_changes_after_its_card_was_read_is_refused(folder, tmp_path, monkeypatch, change):
    """As when the folder is replaced under way: never the card of one model with the network of another."""
    shutil.copytree(folder, tmp_path / "model")
    path, from_card = tmp_path / "model" / CASCADE, Runtime.from_card

    def late(card, origin):
        path.unlink() if change == "goes" else path.write_bytes(path.read_bytes() + b" ")
        return from_card(card, origin)

    monkeypatch.setattr(Runtime, "from_card", late)
    with pytest.raises(ModelError, match=rf"{CASCADE}: (cannot be read|not the file that card\.json describes)"):
        load_predictor(tmp_path / "model")


@pytest.fixture(scope="module")
def predictor(folder):
    return load_predictor(folder)


def views(n):
    return np.random.default_rng(n).integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)


def test_a_prediction_is_what_the_network_says(predictor):
    shown = np.zeros((3, SIZE, SIZE, 3), np.uint8)
    for colour in range(3):
        shown[colour, ..., colour] = 153
    found = predictor(shown)
    np.testing.assert_array_equal(found.component, [0, 1, 2])
    assert (found.component.dtype, found.score.dtype) == (np.int64, np.float32)
    np.testing.assert_allclose(found.score, 0.2, atol=1e-6)
    np.testing.assert_allclose(found.responsibilities.sum(1), 1, atol=1e-6)
    assert found.responsibilities.shape == (3, COMPONENTS)
    np.testing.assert_allclose(found.points_unit, np.repeat(CASCADE_POINTS[None] + 0.2, 3, 0), atol=1e-6)


def test_a_folder_gives_its_constants_its_card_and_its_locator(predictor):
    assert predictor.runtime == RUNTIME
    assert predictor.card["name"] == "known"
    assert predictor.locator.constants == RUNTIME.locator


@pytest.mark.parametrize("n", [1, 3, 32, 33, 70])
def test_one_view_and_many_give_the_same(predictor, n):
    shown = views(n)
    together = predictor(shown)
    for name in ("points_unit", "component", "responsibilities", "score"):
        alone = np.concatenate([getattr(predictor(view[None]), name) for view in shown])
        np.testing.assert_array_equal(getattr(together, name), alone)


@pytest.mark.parametrize(
    "shown",
    [
        np.zeros((1, SIZE + 1, SIZE + 1, 3), np.uint8),
        np.zeros((SIZE, SIZE, 3), np.uint8),
        np.zeros((1, SIZE, SIZE, 3), np.float32),
        np.zeros((0, SIZE, SIZE, 3), np.uint8),
        np.zeros((1, SIZE, SIZE, 4), np.uint8),
    ],
    ids=["size", "no batch", "type", "none", "channels"],
)
def test_other_views_are_refused(predictor, shown):
    with pytest.raises(ValueError, match=r"views must be \(N, 8, 8, 3\) uint8 with N >= 1"):
        predictor(shown)


@pytest.mark.parametrize(
    "cascade",
    [
        cascade_network(points=CASCADE_POINTS[:55]),
        cascade_network(components=COMPONENTS + 1),
    ],
    ids=["points", "components"],
)
def test_a_cascade_of_other_shapes_than_the_card_s_is_refused(tmp_path, cascade):
    with pytest.raises(ModelError, match=r"cascade\.onnx: gives arrays of other shapes than card\.json says"):
        load_predictor(write_model(tmp_path / "m", cascade=cascade))


@pytest.mark.parametrize(
    ("cascade", "said"),
    [
        (b"no network", "is no ONNX file"),
        (cascade_network(size=SIZE + 1), "does not take views of 8 x 8 pixels alone"),
        (cascade_network(without=("score",)), "has no output 'score'"),
        (cascade_network(points=np.full((56, 2), np.nan)), "gives numbers that are not finite"),
    ],
    ids=["no ONNX", "size", "output", "not finite"],
)
def test_a_cascade_that_is_another_network_is_refused(tmp_path, cascade, said):
    with pytest.raises(ModelError, match=rf"cascade\.onnx: {said}"):
        load_predictor(write_model(tmp_path / "m", cascade=cascade))


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        (b"no network", "is no ONNX file"),
        (locator_network(size=24), "does not take views of 16 x 16 pixels alone"),
        (locator_network(points=np.zeros((5, 2))), r"gives arrays of shapes \(1, 5, 2\), \(1,\)"),
        (cascade_network(size=16), "has no output 'presence'"),
    ],
    ids=["no ONNX", "size", "points", "output"],
)
def test_a_locator_that_is_another_network_is_refused(tmp_path, locator, said):
    with pytest.raises(ModelError, match=rf"locator\.onnx: {said}"):
        load_predictor(write_model(tmp_path / "m", locator=locator))


@pytest.mark.parametrize("name", [CASCADE, LOCATOR])
def test_a_damaged_network_is_never_run(tmp_path, name):
    folder = write_model(tmp_path / "m")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 0x40
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: not the file that card\.json describes"):
        load_predictor(folder)


def test_a_missing_locator_is_named_and_a_model_without_one_has_none(tmp_path):
    folder = write_model(tmp_path / "m")
    (folder / LOCATOR).unlink()
    with pytest.raises(ModelError, match=r"locator\.onnx: cannot be read"):
        load_predictor(folder)
    alone = dataclasses.replace(RUNTIME, locator=None)
    assert load_predictor(write_model(tmp_path / "alone", runtime=alone.as_json())).locator is None


def test_no_threads_are_refused(folder):
    with pytest.raises(DataError, match="threads: must be at least 1, not 0"):
        LipSegmenter(folder, threads=0)


def test_a_folder_s_lips_are_those_of_its_network(folder):
    segment = LipSegmenter(str(folder), detector=None, threads=2)
    image = np.full((60, 80, 3), 51, np.uint8)
    (lips,) = segment(image, [20, 20, 50, 40])
    side = 1.6 * 30
    np.testing.assert_allclose(lips.landmarks, [35, 30] + (CASCADE_POINTS + 0.2 - 0.5) * side, atol=1e-3)
    assert lips.score == pytest.approx(0.2, abs=1e-6)


def test_more_mouths_than_go_through_at_once(folder):
    segment = LipSegmenter(folder)
    image = np.random.default_rng(0).integers(0, 256, (60, 400, 3), dtype=np.uint8)
    boxes = [Box(20 + 9 * i, 30, 16, 8, 0.1 * i) for i in range(40)]
    together = segment(image, boxes)
    assert [lips.box for lips in together] == boxes
    for box, lips in zip(boxes, together, strict=True):
        (alone,) = segment(image, box)
        np.testing.assert_array_equal(alone.landmarks, lips.landmarks)
        assert (alone.score, alone.component) == (lips.score, lips.component)


def test_the_locator_of_a_folder_goes_from_faces_to_mouths(folder, predictor):
    image = np.full((100, 140, 3), 120, np.uint8)
    faces = [Box.square(70, 50, 60), Box.square(50, 40, 40, np.pi / 2, "lying")]
    first, lying = (sighting := predictor.locator(image, faces)).mouths
    # The network's points lie about (.5, .7) of a view of 1.25 sides: .25 below the face's middle, half a side wide.
    np.testing.assert_allclose(first.as_array(), [70, 65, 30, 15, 0], atol=1e-4)
    np.testing.assert_allclose(lying.as_array(), [40, 40, 20, 10, np.pi / 2], atol=1e-4)
    assert lying.origin == "lying"
    np.testing.assert_allclose(sighting.presence, 20, atol=1e-3)
    size = RUNTIME.locator.view.size
    points, _ = predictor.locator.look(np.zeros((40, size, size, 3), np.uint8))
    np.testing.assert_allclose(from_unit(points, size)[39], from_unit(points, size)[0])


def test_a_picture_goes_from_face_to_lips_through_both_networks(tmp_path):
    runtime = dataclasses.replace(RUNTIME, thresholds=Thresholds(calibrated=True, min_score=0.3))
    folder = write_model(tmp_path / "m", runtime=runtime.as_json())
    segment = LipSegmenter(folder, detector=lambda image: [Box.square(70, 50, 60)])
    (lips,) = segment(np.full((100, 140, 3), 120, np.uint8))
    # The known locator's mouth is half as wide as the face: no face has such a mouth, so an average one's is taken.
    assert lips.box.width == pytest.approx(60 * AVERAGE_FACE.width)
    assert lips.score == pytest.approx(120 / 255, abs=1e-5)
    assert segment(np.full((100, 140, 3), 120, np.uint8), lips.box)[0].score == lips.score
    # Too dark to be a mouth: the logit is -100.
    dark = segment(np.zeros((100, 140, 3), np.uint8))
    assert (list(dark), dark.reason) == ([], "faces found, but no mouth")
    strict = LipSegmenter(folder, detector=lambda image: [Box.square(70, 50, 60)], min_score=0.6)
    assert strict(np.full((100, 140, 3), 120, np.uint8)).reason == "faces found, but no mouth of the least score 0.6"


def test_a_stretched_model_looks_at_what_its_margin_says(tmp_path):
    runtime = dataclasses.replace(RUNTIME, view=View(SIZE, "stretch", 5.0))
    segment = LipSegmenter(write_model(tmp_path / "m", runtime=runtime.as_json()))
    (lips,) = segment(np.zeros((60, 80, 3), np.uint8), [20, 20, 50, 40])
    np.testing.assert_allclose(lips.landmarks, [35, 30] + (CASCADE_POINTS - 0.5) * [40, 30], atol=1e-3)
