"""The locator: its geometry, its training on a handful of drawn faces, and what the detect stage leaves for it."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipseg.boxes import Box
from lipseg.data.face_set import load_faces, save_faces
from lipseg.errors import DataError, ModelError
from lipseg.geometry import to_unit
from lipseg.inference.locator import Locator, face_to_image, mouth_of
from lipseg.inference.relation import AVERAGE_FACE
from lipseg.inference.runtime import LocatorConstants, LocatorView
from lipseg.model.locator import build_locator, load_locator, look_of, save_locator
from lipseg.model.weights import load_arrays, module_arrays, save_arrays
from lipseg.params import Locate
from lipseg.training.checkpoint import Checkpoint
from lipseg.training.faces import find_faces, mouths_of
from lipseg.training.locator import fit_locator, mouth_errors
from lipseg.training.locator_batches import Sampler, side_middles

PARAMS = Locate(
    *(16, 1.3, 2, 2, 2, 8, 2.0e-3),
    shift=0.15,
    scale=0.2,
    roll=30.0,
)
SMALL = st.floats(-50, 50)


class Oracle:
    """Finds the drawn faces where their mouths say; every third not at all."""

    def __init__(self, crops):
        self.faces = [AVERAGE_FACE.face(mouth) for mouth in mouths_of(crops)]
        self.calls = 0

    def __call__(self, image):
        face = self.faces[self.calls]
        self.calls += 1
        far = Box(4.5, 4.5, 9, 9, origin="a false alarm")
        if self.calls % 3 == 0:
            return [far]
        return [far, Box.square(face.cx, face.cy, face.side)]


@pytest.fixture(scope="module")
def faces(crops, data_params):
    return find_faces(crops, data_params, 0, Oracle(crops))


@given(SMALL, SMALL, st.floats(1, 99), st.floats(0.2, 2), st.floats(-3.1, 3.1))
def test_a_mouth_and_the_middles_of_its_sides(x, y, width, flat, roll):
    mouth = Box(x, y, width, width * flat, roll)
    np.testing.assert_allclose(mouth_of(side_middles(mouth)).as_array(), mouth.as_array(), atol=1e-6)


def test_points_that_are_no_mouth_still_make_a_box():
    nothing = mouth_of(np.full((4, 2), 7.0))
    assert (nothing.cx, nothing.cy) == (7, 7)
    assert 0 < nothing.height < nothing.width < 0.01
    upside_down = mouth_of(np.array([[0.0, 0], [10, 0], [5, 3], [5, -3]]))  # its top below its bottom
    assert upside_down.height == pytest.approx(1)


VIEW = LocatorView(16, 1.25)


class Looks:
    """A network that sees the known mouths of a picture wherever it looks."""

    def __init__(self, faces, mouths):
        self.faces, self.mouths, self.shapes = faces, mouths, []

    def __call__(self, views):
        self.shapes.append(views.shape)
        faces = self.faces.pop(0)
        points = [
            to_unit(face_to_image(VIEW, face).inverse()(side_middles(mouth)), VIEW.size)
            for face, mouth in zip(faces, self.mouths, strict=True)
        ]
        return np.stack(points).astype(np.float32), np.arange(len(views), dtype=np.float32)


def test_a_locator_says_in_pixels_of_the_picture_what_its_network_sees():
    faces = [Box.square(60, 40, 50, 0.2, "one"), Box(30, 40, 20, 45, -1.0, 0.5, "two")]
    mouths = [Box(62, 50, 17, 8, 0.3), Box(35, 44, 9, 3, -0.9)]
    look = Looks([faces], mouths)
    sighting = Locator(look, LocatorConstants(VIEW))(np.zeros((90, 120, 3), np.uint8), faces)
    assert look.shapes == [(2, 16, 16, 3)]
    for found, mouth in zip(sighting.mouths, mouths, strict=True):
        np.testing.assert_allclose(found.as_array(), mouth.as_array(), atol=1e-4)
    assert [(mouth.score, mouth.origin) for mouth in sighting.mouths] == [(1.0, "one"), (0.5, "two")]
    np.testing.assert_array_equal(sighting.presence, [0, 1])


def test_a_second_look_is_at_the_face_that_the_first_mouth_has():
    face, mouth = Box.square(60, 40, 50), Box(70, 55, 17, 8, 0.3)
    second = AVERAGE_FACE.face(mouth)
    locator = Locator(Looks([[face], [second]], [mouth]), LocatorConstants(VIEW, passes=2))
    (found,) = locator(np.zeros((90, 120, 3), np.uint8), [face]).mouths
    np.testing.assert_allclose(found.as_array(), mouth.as_array(), atol=1e-4)
    # However small the first mouth, the second look is at half of the face at least, and at twice at most.
    for width, side in ((1.0, 25.0), (90.0, 100.0)):
        mouth = Box(70, 55, width, 0.5 * width, 0.3)
        of_mouth = AVERAGE_FACE.face(mouth)
        again = Box.square(of_mouth.cx, of_mouth.cy, side, of_mouth.roll)
        locator = Locator(Looks([[face], [again]], [mouth]), LocatorConstants(VIEW)).with_passes(2)
        (found,) = locator(np.zeros((90, 120, 3), np.uint8), [face]).mouths
        np.testing.assert_allclose(found.as_array(), mouth.as_array(), atol=1e-3)


@pytest.mark.parametrize(("mirrored", "edges"), [(False, [[60, 30], [40, 50]]), (True, [[60, 50], [40, 30]])])
def test_a_view_of_a_face_is_as_wide_as_its_margin_says(mirrored, edges):
    to_image = face_to_image(VIEW, Box(50, 40, 8, 32, math.pi / 2), mirrored)
    # A side of 16, a quarter turn.
    np.testing.assert_allclose(to_image(np.array([[-0.5, -0.5], [15.5, 15.5]])), edges, atol=1e-9)


def test_boxes_are_the_detectors_own_where_it_found_the_face(faces, crops):
    own = ~faces.background
    assert sorted(faces.face[own]) == list(range(len(crops)))
    assert faces.found[own].sum() == 16
    truth = np.stack([AVERAGE_FACE.face(mouth).as_array() for mouth in mouths_of(crops)])[faces.face[own]]
    assert not faces.found[faces.background].any()
    np.testing.assert_allclose(faces.face_boxes[own], truth[:, :3], atol=1e-6)  # simulated by the same relation


def test_faces_there_and_back(faces, tmp_path):
    save_faces(tmp_path / "faces.npz", faces)
    again = load_faces(tmp_path / "faces.npz")
    np.testing.assert_array_equal(again.patches, faces.patches)
    np.testing.assert_array_equal(again.found, faces.found)
    with pytest.raises(DataError, match="run the detect stage again"):
        load_faces(tmp_path / "none.npz")


def test_a_view_shows_the_mouth_where_its_points_say(faces, crops):
    sampler = Sampler(faces, crops, "train", PARAMS, 0)
    rng = np.random.default_rng(0)
    for row in sampler.rows[:4]:
        image, points = sampler.face(int(row), rng, 0.0)
        assert image.shape == (16, 16, 3)
        assert ((points > 0) & (points < 1)).all()
        assert points[0, 0] < points[1, 0]
        assert points[2, 1] < points[3, 1]
    looks = sampler.batch(sampler.rows[:3], 12, rng)
    assert looks.images.shape == (15, 16, 16, 3)
    np.testing.assert_array_equal(looks.presence, [1.0] * 3 + [0.0] * 12)


@pytest.mark.slow  # trains
def test_a_trained_locator_there_and_back(faces, crops, tmp_path):
    fitted = fit_locator(faces, crops, PARAMS, 0, checkpoint=Checkpoint("locate", "key", tmp_path))
    assert [row["epoch"] for row in fitted.history] == [0, 1]
    assert set(fitted.figures) == {"validation", "test"}
    # The boxes are right but for the roll, which upright boxes do not have.
    assert 0 < fitted.figures["test"]["detected"]["fixed"]["centre_mean"] < 0.3
    assert 0 <= fitted.figures["test"]["without_mouth"]["presence"] <= 1
    path: Path = tmp_path / "locator.safetensors"
    save_locator(path, fitted.net, fitted.constants)
    again, constants = load_locator(path)
    assert constants == fitted.constants
    photo = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    boxes = [Box.square(60, 40, 50, 0.2), Box.square(30, 40, 30)]
    one, two = (Locator(look_of(net), constants)(photo, boxes) for net in (fitted.net, again))
    assert one.mouths == two.mouths
    assert len(one.mouths) == len(one.presence) == 2
    np.testing.assert_array_equal(one.presence, two.presence)
    path.write_bytes(path.read_bytes()[:99])
    with pytest.raises(ModelError, match=r"locator\.safetensors"):
        load_locator(path)


class KilledError(Exception):
    pass


@pytest.mark.slow  # trains
def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(faces, crops, tmp_path):
    class KillsAfterAnEpoch(Checkpoint):
        def save(self, arrays, meta):
            super().save(arrays, meta)
            if len(meta["history"]) == 1:
                raise KilledError

    with pytest.raises(KilledError):
        fit_locator(faces, crops, PARAMS, 0, checkpoint=KillsAfterAnEpoch("locate", "key", tmp_path))
    resumed = fit_locator(faces, crops, PARAMS, 0, checkpoint=Checkpoint("locate", "key", tmp_path))
    whole = fit_locator(faces, crops, PARAMS, 0, checkpoint=Checkpoint("locate", "other", tmp_path))
    assert resumed.history == whole.history
    assert resumed.figures == whole.figures
    for name, array in module_arrays(whole.net).items():
        np.testing.assert_array_equal(module_arrays(resumed.net)[name], array)


def test_errors_of_mouths():
    truth = Box(0, 0, 10, 5, math.pi - 0.01)
    found = Box(3, 4, 10 * math.e, 6, -math.pi + 0.01)
    errors = mouth_errors([found], [truth])
    assert errors["centre_mean"] == pytest.approx(0.5)
    assert errors["width_p95"] == pytest.approx(1)
    assert errors["roll_mean"] == pytest.approx(np.degrees(0.02))
    assert errors["height_mean"] == pytest.approx(0.1)


def test_looks_do_not_depend_on_the_batch():
    look = look_of(build_locator(2, 0))
    views = np.random.default_rng(0).integers(0, 255, (21, 16, 16, 3), np.uint8)
    points, presence = look(views)
    assert (points.shape, presence.shape) == ((21, 4, 2), (21,))
    for at in (0, 16, 20):
        one_points, one_presence = look(views[at : at + 1])
        np.testing.assert_allclose(one_points[0], points[at], atol=1e-5)
        np.testing.assert_allclose(one_presence[0], presence[at], atol=1e-4)


@pytest.mark.parametrize("key", ["width", "view", "relation", "passes"])
def test_a_locator_of_another_description_is_named(key, tmp_path):
    path = tmp_path / "locator.safetensors"
    save_locator(path, build_locator(2, 0), LocatorConstants(VIEW))
    arrays, facts = load_arrays(path)
    save_arrays(path, arrays, {k: v for k, v in facts.items() if k != key})
    with pytest.raises(ModelError, match=rf"locator\.safetensors: .*{key}"):
        load_locator(path)


def test_an_array_that_is_missing_is_named(tmp_path):
    path = tmp_path / "locator.safetensors"
    save_locator(path, build_locator(2, 0), LocatorConstants(VIEW))
    arrays, facts = load_arrays(path)
    save_arrays(path, {name: array for name, array in arrays.items() if name != "maps.bias"}, facts)
    with pytest.raises(ModelError, match=r"locator\.safetensors: .*'maps\.bias' is missing"):
        load_locator(path)
