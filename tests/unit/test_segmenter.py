"""The way from pictures to landmarks and back, with a model that is known."""

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_networks import write_model
from numpy.typing import NDArray
from PIL import Image

import lipseg
from lipseg.boxes import Box
from lipseg.errors import DataError, ModelError
from lipseg.geometry import View
from lipseg.inference.conventions import Convention
from lipseg.inference.lips import Detections, Lips
from lipseg.inference.predictor import Prediction
from lipseg.inference.runtime import Runtime
from lipseg.inference.segmenter import LipSegmenter


class SamePoints:
    """Returns the same unit points for every view; counts its calls."""

    locator = None

    def __init__(self, view: View, points_unit: NDArray[np.floating[Any]], **constants: Any) -> None:
        self.runtime, self.calls = Runtime(view, 2, **constants), []
        self.points_unit = points_unit.astype(np.float32)

    def __call__(self, views: NDArray[np.uint8]) -> Prediction:
        n = len(views)
        self.calls.append(views.shape)
        assert views.dtype == np.uint8
        return Prediction(
            np.repeat(self.points_unit[None], n, 0),
            np.arange(n),
            np.full((n, 2), 0.5, np.float32),
            np.linspace(0.5, 1, n, dtype=np.float32),
        )


class FindRed:
    """Puts all landmarks at the centre of what is red in the view."""

    locator = None

    def __init__(self, view: View) -> None:
        self.runtime = Runtime(view, 1)

    def __call__(self, views: NDArray[np.uint8]) -> Prediction:
        n, size = len(views), self.runtime.view.size
        red = np.clip(views[..., 0].astype(float) - views[..., 1], 0, None)
        grid = (np.arange(size) + 0.5) / size
        total = red.sum((1, 2))
        centre = np.stack([(red.sum(1) @ grid) / total, (red.sum(2) @ grid) / total], 1)
        points = np.repeat(centre[:, None], 56, 1).astype(np.float32)
        return Prediction(points, np.zeros(n, np.int64), np.ones((n, 1), np.float32), np.ones(n, np.float32))


def red_spot(x: float, y: float, height: int = 80, width: int = 120) -> NDArray[np.uint8]:
    """A grey picture with a soft red spot, its centre at (x, y)."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))
    image = np.full((height, width, 3), 60, np.uint8)
    image[..., 0] += np.round(180 * spot).astype(np.uint8)
    return image


UNIT = np.random.default_rng(3).uniform(0, 1, (56, 2))
BOX = (10.0, 20.0, 50.0, 40.0)


@pytest.mark.parametrize(
    ("view", "sides"),
    [
        # The view's sides in image pixels, worked out by hand for a box of 40 x 20.
        (View(16, "square", 2.0), (80.0, 80.0)),
        (View(64, "square", 1.5), (60.0, 60.0)),
        (View(40, "stretch", 10.0), (60.0, 40.0)),
    ],
)
def test_unit_points_come_back_in_image_pixels(view, sides):
    image = np.zeros((70, 90, 3), np.uint8)
    (lips,) = LipSegmenter(SamePoints(view, UNIT))(image, [BOX])
    expected = np.array([30.0, 30.0]) + (UNIT - 0.5) * sides
    np.testing.assert_allclose(lips.landmarks, expected, atol=1e-4)
    assert lips.landmarks.dtype == np.float32
    np.testing.assert_array_equal(lips.outer, lips.landmarks[:28])
    np.testing.assert_array_equal(lips.inner, lips.landmarks[28:])
    assert lips.box.corners == BOX
    assert (lips.score, lips.component) == (0.5, 0)
    np.testing.assert_array_equal(lips.responsibilities, [0.5, 0.5])


def test_a_mouth_crop_needs_no_box():
    (lips,) = LipSegmenter(SamePoints(View(16, "square", 2.0), UNIT), detector=None)(np.zeros((40, 60, 3), np.uint8))
    np.testing.assert_allclose(lips.landmarks, np.array([29.5, 19.5]) + (UNIT - 0.5) * 60, atol=1e-4)
    assert lips.box.corners == (14.5, 9.5, 44.5, 29.5)


@pytest.mark.parametrize("view", [View(32, "square", 1.6), View(48, "stretch", 8.0), View(20, "square", 2.5)])
@pytest.mark.parametrize("spot", [(60.0, 40.0), (52.3, 44.8)])
def test_the_view_shows_the_part_of_the_picture_that_the_points_come_back_to(view, spot):
    (lips,) = LipSegmenter(FindRed(view))(red_spot(*spot), [40, 28, 80, 54])
    np.testing.assert_allclose(lips.landmarks, np.tile(spot, (56, 1)), atol=0.15)


def test_exif_rotation_comes_before_everything(tmp_path):
    upright = red_spot(30.0, 55.0, height=120, width=80)
    # Orientation 6: the file's rows run down the upright picture's columns, from its right.
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "turned.png", exif=exif)
    segmenter = LipSegmenter(FindRed(View(40, "square", 1.5)))
    box = [15, 40, 50, 70]
    for picture in (tmp_path / "turned.png", str(tmp_path / "turned.png"), Image.open(tmp_path / "turned.png")):
        (lips,) = segmenter(picture, box)
        assert lips.picture_size == (120, 80)
        np.testing.assert_allclose(lips.landmarks[0], (30.0, 55.0), atol=0.15)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_pil_images_of_any_mode(mode):
    image = Image.fromarray(red_spot(60.0, 40.0))
    image = image.quantize(128) if mode == "P" else image.convert(mode)
    assert image.mode == mode
    (lips,) = LipSegmenter(FindRed(View(40, "square", 1.5)))(image, [40, 28, 80, 54])
    np.testing.assert_allclose(lips.landmarks[0], (60.0, 40.0), atol=0.5)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_pil_images_without_colour(mode):
    image = Image.fromarray(np.full((20, 30), 128, np.uint8)).convert("L")
    image = Image.new("I;16", image.size) if mode == "I;16" else image.convert(mode)
    assert len(LipSegmenter(SamePoints(View(8, "square", 1.5), UNIT), detector="none")(image)) == 1


def test_a_batch_goes_through_the_model_at_once_and_comes_back_in_order():
    model = SamePoints(View(16, "square", 2.0), UNIT)
    pictures = [np.zeros((70, 90, 3), np.uint8), np.zeros((30, 40, 3), np.uint8), np.zeros((50, 50, 3), np.uint8)]
    boxes = [[BOX, (0, 0, 8, 8)], [], None]
    found = LipSegmenter(model, detector=None).predict_batch(pictures, boxes)
    assert model.calls == [(3, 16, 16, 3)]
    assert [[lips.component for lips in its] for its in found] == [[0, 1], [], [2]]
    assert [lips.box.corners for lips in found[0]] == [BOX, (0, 0, 8, 8)]
    np.testing.assert_allclose(found[0][1].landmarks, 4 + (UNIT - 0.5) * 16, atol=1e-4)
    assert found[2][0].picture_size == (50, 50)


def test_an_answer_is_a_sequence_of_lips_and_knows_the_picture():
    found = LipSegmenter(SamePoints(View(16, "square", 2.0), UNIT))(np.zeros((70, 90, 3), np.uint8), [BOX, BOX])
    assert isinstance(found, Detections)
    assert (len(found), found.picture_size, found.reason) == (2, (70, 90), "")
    assert found[-1] is list(found)[1]
    assert list(found[:1]) == [found[0]]
    assert found[0] in found


def test_one_picture_and_several_give_the_same():
    segment = LipSegmenter(FindRed(View(32, "square", 1.6)))
    pictures = [red_spot(x, 40.0) for x in (50.0, 55.5, 61.0)]
    box = [40, 28, 80, 54]
    for one, among in zip(pictures, segment.predict_batch(pictures, [box] * 3), strict=True):
        np.testing.assert_array_equal(segment(one, box)[0].landmarks, among[0].landmarks)


def test_no_boxes_do_not_call_the_model():
    model = SamePoints(View(16, "square", 2.0), UNIT)
    assert list(LipSegmenter(model)(np.zeros((9, 9, 3), np.uint8), [])) == []
    assert model.calls == []


def test_as_many_boxes_as_pictures():
    segmenter = LipSegmenter(SamePoints(View(16, "square", 2.0), UNIT))
    with pytest.raises(ValueError, match="zip"):
        segmenter.predict_batch([np.zeros((9, 9, 3), np.uint8)], [None, None])


def test_bad_boxes_and_pictures_are_named(tmp_path):
    segmenter = LipSegmenter(SamePoints(View(16, "square", 2.0), UNIT))
    image = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(DataError, match=r"boxes\[0\]: x0 must be smaller"):
        segmenter(image, [5, 5, 5, 9])
    with pytest.raises(DataError, match=r"list\.csv, line 4: 90,1,95,4 lies outside the picture of 9 x 9"):
        segmenter(image, [Box.from_corners(90, 1, 95, 4, origin="list.csv, line 4")])
    with pytest.raises(DataError, match=r"none\.jpg"):
        segmenter(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="shape"):
        segmenter(np.zeros((2, 3, 4, 5), np.uint8))
    with pytest.raises(DataError, match="for one, call the segmenter itself"):
        segmenter.predict_batch("photo.jpg")


def test_lips_are_shown_on_a_line():
    (lips,) = LipSegmenter(SamePoints(View(16, "square", 2.0), UNIT))(np.zeros((70, 90, 3), np.uint8), [BOX])
    assert re.fullmatch(
        r"<Lips at \(\d+, \d+\): score=\d\.\d\d, width=\d+, opening=\d\.\d\d, component=\d>", repr(lips)
    )


def test_masks_have_the_picture_size_and_fit_the_landmarks():
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    unit = 0.5 + np.concatenate([0.25 * ring, 0.1 * ring])
    (lips,) = LipSegmenter(SamePoints(View(32, "square", 2.0), unit))(
        np.zeros((100, 140, 3), np.uint8), [50, 30, 90, 70]
    )
    # Rings of 20 and 8 pixels about (70, 50); a regular 28-gon has 0.9916 of its circle's area.
    assert lips.mask("mouth").shape == (100, 140)
    assert lips.mask("mouth").sum() == pytest.approx(0.9916 * np.pi * 400, rel=0.02)
    assert lips.mask("inner").sum() == pytest.approx(0.9916 * np.pi * 64, rel=0.04)
    assert lips.mask().sum() == lips.mask("mouth").sum() - lips.mask("inner").sum()
    rows, columns = np.nonzero(lips.mask("upper"))
    assert rows.mean() < 42 < 58 < np.nonzero(lips.mask("lower"))[0].mean()
    assert columns.mean() == pytest.approx(70, abs=1)
    assert set(np.unique(lips.label_map())) == {0, 1, 2, 3}


def test_a_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(ModelError, match=r"no model folder there.*make repro"):
        LipSegmenter(tmp_path / "none")
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ModelError, match=r"cascade\.onnx: missing"):
        LipSegmenter(str(tmp_path))


def test_a_pickle_opens_the_model_anew(tmp_path):
    write_model(tmp_path / "model")
    picture = np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    segment = LipSegmenter(tmp_path / "model", detector=None, min_score=0.25)
    content = pickle.dumps(segment)
    assert len(content) < 1000  # no networks
    for other in (pickle.loads(content), copy.deepcopy(segment)):
        assert (other.min_score, other.finds_faces) == (0.25, False)
        for lips, same in zip(segment(picture, [(20, 30, 70, 60)]), other(picture, [(20, 30, 70, 60)]), strict=True):
            np.testing.assert_array_equal(same.landmarks, lips.landmarks)


def test_a_pickle_finds_the_model_that_comes_along_where_it_is_opened():
    assert b"shipped" not in pickle.dumps(LipSegmenter())


def test_the_public_names():
    assert lipseg.LipSegmenter is LipSegmenter
    assert lipseg.Lips is Lips
    assert lipseg.Detections is Detections
    assert lipseg.Box is Box
    assert isinstance(lipseg.__version__, str)
    assert {"Box", "Detections", "LipSegmenter", "Lips", "__version__"} <= set(dir(lipseg))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lipseg.nothing  # type: ignore[attr-defined]
    assert Path(lipseg.__file__).name == "__init__.py"


def test_boxes_of_both_kinds_may_be_mixed():
    boxes = [Box.from_corners(10.0, 20.0, 50.0, 40.0, origin="a test"), (12.0, 22.0, 52.0, 42.0)]
    found = LipSegmenter(SamePoints(View(16, "square", 2.0), UNIT))(np.zeros((70, 90, 3), np.uint8), boxes)
    assert [lips.box.corners for lips in found] == [(10, 20, 50, 40), (12, 22, 52, 42)]
    assert [lips.box.origin for lips in found] == ["a test", "boxes[1]"]


@pytest.mark.parametrize("roll", [0.4, -1.2, 3.0])
def test_points_of_a_rolled_box_come_back_turned(roll):
    box = Box.from_corners(10.0, 20.0, 50.0, 40.0, roll=roll)
    (lips,) = LipSegmenter(SamePoints(View(16, "square", 2.0), UNIT))(np.zeros((70, 90, 3), np.uint8), [box])
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    np.testing.assert_allclose(lips.landmarks, 30 + ((UNIT - 0.5) * 80) @ turn.T, atol=1e-4)
    assert lips.box == box


@pytest.mark.parametrize("roll", [0.5, -2.0])
def test_a_rolled_view_shows_what_its_points_come_back_to(roll):
    box = Box.from_corners(40, 28, 80, 54, roll=roll)
    (lips,) = LipSegmenter(FindRed(View(32, "square", 1.6)))(red_spot(52.3, 44.8), [box])
    np.testing.assert_allclose(lips.landmarks, np.tile((52.3, 44.8), (56, 1)), atol=0.15)


def test_the_box_around_found_lips_is_that_of_the_next_frame():
    unit = np.array([0.5, 0.5]) + (UNIT - 0.5) * [0.6, 0.3]
    segmenter = LipSegmenter(SamePoints(View(16, "square", 2.0), unit))
    image = np.zeros((200, 200, 3), np.uint8)
    (first,) = segmenter(image, [Box.from_corners(80, 90, 130, 115, roll=0.3)])
    box = Box.around(first.landmarks)
    (second,) = segmenter(image, [box])
    # The same view of a mouth turned as before: the landmarks turn with the box about its centre.
    assert second.box == box
    own = (second.landmarks - second.landmarks.mean(0)) @ np.array(
        [[np.cos(box.roll), -np.sin(box.roll)], [np.sin(box.roll), np.cos(box.roll)]]
    )
    expected = (unit - unit.mean(0)) * 2.0 * box.longer
    np.testing.assert_allclose(own, expected, atol=1e-3)


def test_lips_come_in_the_convention_that_is_asked_for():
    image, box = np.zeros((70, 90, 3), np.uint8), [BOX]
    convention = Convention((0.1, 0.0) * 56, (0.0, 2.0))
    model = SamePoints(View(16, "square", 2.0), UNIT, reference="mine", conventions={"theirs": convention})
    (plain,), (mine,), (theirs,) = (
        LipSegmenter(model, convention=name)(image, box) for name in (None, "mine", "theirs")
    )
    np.testing.assert_array_equal(mine.landmarks, plain.landmarks)
    np.testing.assert_array_equal(theirs.landmarks, convention(plain.landmarks))
    assert theirs.landmarks.dtype == np.float32
    assert (theirs.box, theirs.score, theirs.component) == (plain.box, plain.score, plain.component)
    moved = LipSegmenter(model, convention="theirs")
    np.testing.assert_array_equal(moved.as_reference(image, box)[0].landmarks, plain.landmarks)
    np.testing.assert_array_equal(moved.predict_batch([image], [box])[0][0].landmarks, theirs.landmarks)


def test_an_unknown_convention_lists_those_that_there_are():
    view = View(16, "square", 2.0)
    several = SamePoints(
        view, UNIT, reference="mine", conventions=dict.fromkeys(("b", "a"), Convention((0,) * 112, (0, 0)))
    )
    with pytest.raises(DataError, match=r"this model has no convention 'helen'; it knows mine, a, b$"):
        LipSegmenter(several, convention="helen")
    with pytest.raises(DataError, match=r"this model has no convention ''; it knows mine$"):
        LipSegmenter(SamePoints(view, UNIT, reference="mine"), convention="")
    with pytest.raises(DataError, match=r"this model has no convention 'helen'; it knows none$"):
        LipSegmenter(SamePoints(view, UNIT), convention="helen")


def test_no_threads_are_refused_with_a_loaded_model_too():
    with pytest.raises(DataError, match="threads: must be at least 1, not 0"):
        LipSegmenter(FindRed(View(40, "square", 1.6)), None, threads=0)


def test_another_thread_may_load_the_detector_between_two_steps_of_this_one(monkeypatch):
    def loaded(image):
        return []

    class Interrupted(LipSegmenter):
        """Every reading of the attribute after the first finds what another thread has put there."""

        @property
        def _detector(self):
            self._reads = getattr(self, "_reads", 0) + 1
            return "yunet" if self._reads == 1 else loaded

        @_detector.setter
        def _detector(self, found): ...

    monkeypatch.setattr("lipseg.inference.segmenter.make_detector", {"yunet": loaded}.__getitem__)
    assert Interrupted(FindRed(View(40, "square", 1.6))).detector is loaded
