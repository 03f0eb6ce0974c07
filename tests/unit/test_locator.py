"""The locator: its geometry, its training on a handful of drawn faces, and what the detect stage leaves for it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipseg.data.face_set import load_faces, save_faces
from lipseg.errors import DataError, ModelError
from lipseg.inference.detector import FaceBox
from lipseg.inference.relation import DLIB_RELATION
from lipseg.model.bundle import load_locator, save_locator
from lipseg.model.locator import mouth_of
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
        self.faces = [DLIB_RELATION.face(mouth) for mouth in mouths_of(crops)]
        self.calls = 0

    def __call__(self, image):
        x, y, side, _ = self.faces[self.calls]
        self.calls += 1
        far = FaceBox(0, 0, 9, 9, source="a false alarm")
        if self.calls % 3 == 0:
            return [far]
        return [far, FaceBox(x - side / 2, y - side / 2, x + side / 2, y + side / 2)]


@pytest.fixture(scope="module")
def faces(crops, data_params):
    return find_faces(crops, data_params, 0, Oracle(crops))


@given(SMALL, SMALL, st.floats(1, 99), st.floats(0.2, 2), st.floats(-3.1, 3.1))
def test_a_mouth_and_the_middles_of_its_sides(x, y, width, flat, roll):
    mouth = np.array([x, y, width, width * flat, roll])
    np.testing.assert_allclose(mouth_of(side_middles(mouth)), mouth, atol=1e-6)


def test_boxes_are_the_detectors_own_where_it_found_the_face(faces, crops):
    own = ~faces.background
    assert sorted(faces.face[own]) == list(range(len(crops)))
    assert faces.found[own].sum() == 16
    truth = np.stack([DLIB_RELATION.face(mouth) for mouth in mouths_of(crops)])[faces.face[own]]
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


def test_a_trained_locator_there_and_back(faces, crops, tmp_path):
    fitted = fit_locator(faces, crops, PARAMS, 0, checkpoint=Checkpoint("locate", "key", tmp_path))
    assert [row["epoch"] for row in fitted.history] == [0, 1]
    assert set(fitted.figures) == {"validation", "test"}
    # The boxes are right but for the roll, which upright boxes do not have.
    assert 0 < fitted.figures["test"]["detected"]["fixed"]["centre_mean"] < 0.3
    assert 0 <= fitted.figures["test"]["without_mouth"]["presence"] <= 1
    path: Path = tmp_path / "locator.safetensors"
    save_locator(path, fitted.locator)
    again = load_locator(path)
    photo = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    boxes = np.array([[60.0, 40, 50, 0.2], [30.0, 40, 30, 0]])
    one, two = fitted.locator(photo, boxes), again(photo, boxes)
    np.testing.assert_array_equal(one.mouths, two.mouths)
    assert one.mouths.shape == (2, 5)
    assert one.presence.shape == (2,)
    path.write_bytes(path.read_bytes()[:99])
    with pytest.raises(ModelError, match=r"locator\.safetensors"):
        load_locator(path)


class KilledError(Exception):
    pass


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
    for name, array in whole.locator.arrays().items():
        np.testing.assert_array_equal(resumed.locator.arrays()[name], array)


def test_errors_of_mouths():
    truth = np.array([[0.0, 0, 10, 5, np.pi - 0.01]])
    found = np.array([[3.0, 4, 10 * np.e, 6, -np.pi + 0.01]])
    errors = mouth_errors(found, truth)
    assert errors["centre_mean"] == pytest.approx(0.5)
    assert errors["width_p95"] == pytest.approx(1)
    assert errors["roll_mean"] == pytest.approx(np.degrees(0.02))
    assert errors["height_mean"] == pytest.approx(0.1)
