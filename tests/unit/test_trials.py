"""Trials: what a user gets on pictures whose truth is known, through the tool's own segmenter."""

from dataclasses import replace

import numpy as np
import pytest

from lipseg.evaluation.trials import ASTRAY, SEEN, UNSEEN, run_trials
from lipseg.geometry import View, from_unit, to_unit
from lipseg.inference.locator import Sighting
from lipseg.inference.predictor import Prediction
from lipseg.inference.relation import AVERAGE_FACE
from lipseg.inference.runtime import Runtime, Thresholds
from lipseg.training.faces import find_faces, mouths_of, photos


class Locator:
    """Takes every face for an average one, and every mouth for a visible one."""

    def __init__(self, presence=3.0):
        self.presence = presence

    def __call__(self, image, faces):
        return Sighting([AVERAGE_FACE.mouth(face) for face in faces], np.full(len(faces), self.presence, np.float32))


class MeanShape:
    """Lays the mean landmarks into every view; its score is the views' mean grey level over 255."""

    def __init__(self, crops, locator, **rules):
        self.locator = locator
        self.runtime = Runtime(View(32, "square", 1.6), 2, thresholds=Thresholds(**rules))
        looks = [
            to_unit(self.runtime.view.of(box).inverse()(points), 32)
            for box, points in zip(mouths_of(crops), crops.points_px, strict=True)
        ]
        self.points = np.mean(looks, axis=0).astype(np.float32)
        assert np.abs(from_unit(self.points, 32).mean(0) - 15.5).max() < 3

    def __call__(self, views):
        n = len(views)
        score = (views.mean((1, 2, 3)) / 255).astype(np.float32)
        ones = np.full((n, 2), 0.5, np.float32)
        return Prediction(np.repeat(self.points[None], n, 0), np.zeros(n, np.int64), ones, score)


def evidence(views):
    return views.mean((1, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def faces(crops, data_params):
    class Known:
        """Finds the drawn faces where average faces have the mouths that they have."""

        found = iter([AVERAGE_FACE.face(mouth) for mouth in mouths_of(crops)])

        def __call__(self, image):
            return [replace(next(self.found), roll=0.0)]

    return find_faces(crops, data_params, 0, Known())


@pytest.fixture(scope="module")
def run(crops, faces, data_params):
    def trials(locator, split="validation", seed=0, **rules):
        predictor = MeanShape(crops, locator, **rules)
        return run_trials(predictor, evidence, crops, faces, dict(photos(crops, data_params)), split, 1, seed)

    return trials


@pytest.fixture(scope="module")
def found(run):
    return run(Locator())


def test_every_face_is_shown_in_every_way(found, crops, faces):
    n = len(crops.indices("validation"))
    counts = {kind: int((found.kind == kind).sum()) for kind in (*SEEN, *UNSEEN)}
    backgrounds = (faces.background & np.isin(faces.face, crops.indices("validation"))).sum()
    assert counts.pop("background") == backgrounds
    assert counts.pop("plain") == 2 * n
    assert set(counts.values()) == {n}
    for array in (found.evidence, found.presence, found.score, found.contour):
        assert len(array) == len(found.kind)


def test_a_face_s_contour_is_that_of_the_answer_and_what_is_no_mouth_has_none(found):
    assert np.isinf(found.contour[np.isin(found.kind, UNSEEN)]).all()
    astray = found.contour[np.isin(found.kind, ASTRAY)]
    # A box beside the mouth or turned away gives an answer that is on no mouth; the score must say so.
    assert (astray > 0.15).mean() > 0.8
    assert found.false.sum() == (found.contour[~found.seen] > 0.15).sum()
    plain = found.contour[found.kind == "plain"]
    # The mean shape in a box that is a little off, as a share of the inter-ocular distance.
    assert (plain < 0.15).all()
    assert plain.mean() < np.mean(found.contour[found.kind == "jittered"])


def test_the_score_is_the_model_s_own_and_the_evidence_that_of_the_first_look(found):
    answered = found.score > 0
    assert answered.mean() > 0.9
    np.testing.assert_allclose(found.score[answered], found.evidence[answered].mean(1) / 255, atol=1e-4)
    np.testing.assert_array_equal(found.presence[answered], 3.0)


def test_the_same_seed_draws_the_same_trials(found, run):
    again, other = run(Locator()), run(Locator(), seed=1)
    for name in ("evidence", "presence", "score", "contour", "kind"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert not np.array_equal(other.score, found.score)


def test_faces_whose_mouth_is_held_back_have_no_answer(run):
    found = run(Locator(-5.0), min_presence=-2.0)
    np.testing.assert_array_equal(found.score, 0)
    assert np.isinf(found.contour).all()
    assert (found.presence < -2.0).all()
    np.testing.assert_array_equal(found.evidence, 0)


def test_a_calibrated_model_answers_as_a_user_gets_it(run):
    # No face shows a mouth to this locator, nor does the whole picture as a face; as a mouth crop it must convince.
    for guess, answers in ((0.01, True), (0.99, False)):
        found = run(Locator(-5.0), calibrated=True, min_presence=-2.0, mouth_guess=guess)
        assert (found.score > 0).all() == answers
        assert np.isposinf(found.presence).all()


def test_a_guess_about_the_whole_picture_has_no_presence_of_its_own(run):
    class WholePicturesAlone(Locator):
        """Sees a mouth in no detected face, and in every picture that is taken for a face itself."""

        def __call__(self, image, faces):
            self.presence = 3.0 if faces[0].origin == "whole picture as a face" else -5.0
            return super().__call__(image, faces)

    found = run(WholePicturesAlone(), calibrated=True, min_presence=-2.0, face_guess=0.01)
    assert (found.score > 0).all()
    assert np.isposinf(found.presence).all()


def test_a_batch_of_trials_without_a_mouth_may_stand_among_others(run, monkeypatch):
    monkeypatch.setattr("lipseg.evaluation.trials._CHUNK", 1)

    class SeesTheLast(Locator):
        """Sees no mouth in the first trials, which fill a batch."""

        calls = 0

        def __call__(self, image, faces):
            self.calls += 1
            self.presence = 3.0 if self.calls > 12 else -5.0
            return super().__call__(image, faces)

    found = run(SeesTheLast(), min_presence=-2.0)
    assert found.evidence.shape == (len(found.kind), 3)
    np.testing.assert_array_equal(found.evidence.any(1), found.presence > 0)
