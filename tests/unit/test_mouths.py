"""From pictures to lips with a known detector, locator and model: what counts, what does not, and why."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.geometry import View
from lipseg.inference.conventions import Convention
from lipseg.inference.locator import Sighting
from lipseg.inference.mouths import NO_FACE, NO_MOUTH, find_mouths, whole_picture
from lipseg.inference.predictor import Prediction
from lipseg.inference.relation import AVERAGE_FACE, Relation
from lipseg.inference.runtime import Runtime, Thresholds
from lipseg.inference.segmenter import LipSegmenter

IMAGE = np.zeros((200, 300, 3), np.uint8)
FACE, OTHER = replace(Box.square(100, 100, 100), score=2.0), Box.square(220, 100, 80)
RULES = Thresholds(calibrated=True, min_score=0.3, min_presence=-2.0)


class Locator:
    """A mouth where it lies in an average face; its presence is looked up by the face's side."""

    def __init__(self, **presence):
        self.presence = {float(side[1:]): logit for side, logit in presence.items()}
        self.asked = []

    def __call__(self, image, faces):
        self.asked += faces
        logits = [self.presence.get(face.side, 0.0) for face in faces]
        return Sighting([AVERAGE_FACE.mouth(face) for face in faces], np.array(logits, np.float32))


class Model:
    """The same ring of landmarks in every view, and the same score."""

    def __init__(self, score=0.5, locator=None, rules=None, **constants):
        self.score, self.locator = score, locator
        self.runtime = Runtime(View(16, "square", 1.6), 1, thresholds=rules or Thresholds(), **constants)
        t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        ring = np.stack([-np.cos(t), -np.sin(t)], 1)
        self.points = (0.5 + np.concatenate([0.3 * ring, 0.1 * ring])).astype(np.float32)

    def __call__(self, views):
        n = len(views)
        ones = np.ones((n, 1), np.float32)
        return Prediction(
            np.repeat(self.points[None], n, 0),
            np.zeros(n, np.int64),
            ones,
            np.full(n, self.score, np.float32),
        )


class Attempts:
    """A detector of several attempts, of which it counts how many were asked for."""

    def __init__(self, *attempts):
        self.found, self.made = attempts, 0

    def __call__(self, image):
        return next(iter(self.attempts(image)), [])

    def attempts(self, image):
        for faces in self.found:
            self.made += 1
            yield faces


def test_a_model_without_locator_takes_the_average_mouth():
    segment = LipSegmenter(Model(), detector=lambda image: [FACE])
    (lips,) = segment(IMAGE)
    assert (lips.box.cx, lips.box.cy) == pytest.approx((100, 123.6))
    assert lips.box.width == pytest.approx(34.0)
    assert lips.score == 0.5
    assert segment.find(IMAGE) == [replace(lips.box, score=0.5, origin="found")]


def test_without_a_locator_mouths_come_as_the_detector_found_them():
    surer = LipSegmenter(Model(), detector=lambda image: [OTHER, FACE])(IMAGE)
    assert [lips.box.cx for lips in surer] == [220, 100]


def test_several_faces_come_surest_first_and_a_score_is_the_models_own():
    model = Model(0.5, Locator(_100=1.0, _80=3.0), RULES)
    first, second = LipSegmenter(model, detector=lambda image: [FACE, OTHER])(IMAGE)
    assert (first.box.cx, second.box.cx) == (220, 100)
    assert first.score == second.score == 0.5  # whatever their presence


@pytest.mark.parametrize("presence", [-1.5, 0.0, 4.0])
def test_a_score_is_the_same_for_a_mouth_that_was_found_and_one_whose_box_was_given(presence):
    model = Model(0.4375, Locator(_100=presence), RULES)
    segment = LipSegmenter(model, detector=lambda image: [FACE])
    (found,) = segment(IMAGE)
    (given,) = segment(IMAGE, found.box)
    assert found.score == given.score == 0.4375
    np.testing.assert_array_equal(found.landmarks, given.landmarks)


def test_the_presence_is_a_gate():
    for presence, count in ((-2.1, 0), (-1.9, 1)):
        model = Model(0.5, Locator(_100=presence, _200=-9.0, _130=-9.0), RULES)
        assert len(LipSegmenter(model, detector=lambda image: [FACE])(IMAGE)) == count
    # No least score lets through what the gate holds back.
    shut = Model(0.5, Locator(_100=-2.1, _200=-9.0, _130=-9.0), RULES)
    assert len(LipSegmenter(shut, detector=lambda image: [FACE], min_score=0.0)(IMAGE)) == 0


def test_later_attempts_are_made_only_where_no_mouth_was_surely_seen():
    seen = Attempts([FACE], [OTHER])
    assert len(LipSegmenter(Model(0.5, Locator(_100=2.5), RULES), detector=seen)(IMAGE)) == 1
    assert seen.made == 1
    doubtful = Attempts([FACE], [OTHER])
    assert len(LipSegmenter(Model(0.5, Locator(_100=1.5), RULES), detector=doubtful)(IMAGE)) == 2
    assert doubtful.made == 2
    hidden = Attempts([], [FACE], [OTHER])
    (lips,) = LipSegmenter(Model(0.5, Locator(_100=-9.0, _80=2.0), RULES), detector=hidden)(IMAGE)
    assert hidden.made == 3
    assert lips.box.cx > 180


def test_of_one_face_read_in_two_ways_the_surer_counts():
    # Upside down, and first taken for upright: the mouth on the forehead is doubtful, the true one is sure.
    upright, turned = Box.square(100, 100, 100, origin="a"), Box.square(100, 85, 90, math.pi, "b")
    read = Attempts([upright], [turned])
    (lips,) = LipSegmenter(Model(0.9, Locator(_100=1.0, _90=5.0), RULES), detector=read)(IMAGE)
    assert abs(lips.box.roll) == pytest.approx(math.pi)
    # Two faces that one attempt finds are two, however they overlap.
    both = [Box.square(100, 100, 100, origin="a"), Box.square(140, 135, 90, origin="a")]
    two = LipSegmenter(Model(0.9, Locator(_100=1.0, _90=5.0), RULES), detector=lambda image: both)
    assert len(two(IMAGE)) == 2


def test_a_picture_without_a_face_says_so():
    segment = LipSegmenter(Model(), detector=lambda image: [])
    cut = segment.cut(IMAGE)
    assert (cut.mouths, cut.reason) == ([], NO_FACE)
    (found,) = segment.predict_views([cut])
    assert (list(found), found.reason, found.picture_size) == ([], NO_FACE, (200, 300))
    assert segment.find(IMAGE) == []


def test_a_face_without_a_mouth_says_so():
    model = Model(0.1, Locator(_100=-9.0), RULES)
    segment = LipSegmenter(model, detector=lambda image: [FACE])
    assert segment.cut(IMAGE).reason == NO_MOUTH
    found = segment(IMAGE)
    assert (len(found), found.reason) == (0, NO_MOUTH)


def test_where_there_are_lips_there_is_no_reason():
    found = LipSegmenter(Model(0.9, Locator(_100=1.0), RULES), detector=lambda image: [FACE])(IMAGE)
    assert (len(found), found.reason) == (1, "")
    given = LipSegmenter(Model(0.0, None, RULES))(IMAGE, [])
    assert (len(given), given.reason) == (0, "")


def test_only_what_convinces_comes_of_a_whole_picture():
    locator = Locator(_200=2.0)  # the picture as a tight face crop
    for score, count in ((0.02, 0), (0.4, 1), (0.9, 1)):
        found = LipSegmenter(Model(score, locator, RULES), detector=lambda image: [])(IMAGE)
        assert len(found) == count
        assert found.reason == ("" if count else NO_FACE)
    # No face crop, but a mouth crop that convinces by itself.
    nowhere = Locator(_200=-5.0, _130=-5.0)
    (mouth,) = LipSegmenter(Model(0.85, nowhere, RULES), detector=lambda image: [])(IMAGE)
    assert mouth.box.cx == pytest.approx(149.5)
    assert mouth.score == pytest.approx(0.85)
    assert list(LipSegmenter(Model(0.75, nowhere, RULES), detector=lambda image: [])(IMAGE)) == []


def test_a_model_that_is_not_calibrated_takes_no_whole_picture_for_anything():
    locator = Locator(_200=9.0)
    model = Model(1.0, locator, Thresholds(calibrated=False))
    assert list(LipSegmenter(model, detector=lambda image: [])(IMAGE)) == []
    assert locator.asked == []


def test_the_least_score_drops_what_is_found_and_nothing_that_is_given():
    model = Model(0.5, Locator(_100=-0.5), replace(RULES, min_score=0.6))
    assert list(LipSegmenter(model, detector=lambda image: [FACE])(IMAGE)) == []
    assert len(LipSegmenter(model, detector=lambda image: [FACE], min_score=0.0)(IMAGE)) == 1
    assert len(LipSegmenter(model, detector=lambda image: [FACE])(IMAGE, [10, 10, 50, 30])) == 1
    assert len(LipSegmenter(model, detector=None)(IMAGE)) == 1
    for wrong in (1.5, -0.1, math.nan):
        with pytest.raises(DataError, match="from 0 to 1"):
            LipSegmenter(model, min_score=wrong)


def test_a_detected_face_whose_mouth_is_clearly_visible_counts_unless_the_caller_asks_for_more():
    model = Model(0.02, Locator(_100=0.5), replace(RULES, min_score=0.6))
    (lips,) = LipSegmenter(model, detector=lambda image: [FACE])(IMAGE)
    assert lips.score < 0.1
    found = LipSegmenter(model, detector=lambda image: [FACE], min_score=0.3)(IMAGE)
    assert (list(found), found.reason) == ([], f"{NO_MOUTH} of the least score 0.3")


class Squints(Model):
    """Believes only in views that show something bright in their middle; the landmarks say where that is not."""

    def __call__(self, views):
        found = super().__call__(views)
        self.calls = [*getattr(self, "calls", []), len(views)]
        score = np.where(views[:, 6:10, 6:10].mean((1, 2, 3)) > 100, 0.9, 0.1)
        return replace(found, score=score.astype(np.float32))


class Astray(Locator):
    """Finds mouths 20 pixels beside where they are."""

    def __call__(self, image, faces):
        sighting = super().__call__(image, faces)
        return replace(sighting, mouths=[mouth.moved(-20, 0) for mouth in sighting.mouths])


def with_a_bright_mouth():
    image = IMAGE.copy()
    mouth = AVERAGE_FACE.mouth(FACE)
    x, y = int(mouth.cx), int(mouth.cy)
    image[y - 8 : y + 9, x - 8 : x + 9] = 255
    return image


def test_a_doubtful_mouth_is_looked_at_again_where_an_average_face_has_it():
    image = with_a_bright_mouth()
    model = Squints(0.5, Astray(), RULES)
    (lips,) = LipSegmenter(model, detector=lambda image: [FACE])(image)
    assert lips.score == pytest.approx(0.9)
    assert lips.box.cx == pytest.approx(100)
    np.testing.assert_allclose(lips.landmarks.mean(0), [100, 123.6], atol=0.6)
    assert model.calls == [1, 2]
    # What is believed at once, and what the caller gives, is looked at once.
    sure = Squints(0.5, Locator(), RULES)
    assert len(LipSegmenter(sure, detector=lambda image: [FACE])(image)) == 1
    assert len(LipSegmenter(sure, detector=lambda image: [FACE])(image, [80, 116, 100, 126])) == 1
    assert sure.calls == [1, 1]


def test_a_model_that_is_not_calibrated_has_no_doubts():
    model = Squints(0.5, Astray(), replace(RULES, calibrated=False))
    (lips,) = LipSegmenter(model, detector=lambda image: [FACE])(with_a_bright_mouth())
    assert lips.box.cx == pytest.approx(80)
    assert model.calls == [1]


def test_landmarks_on_a_line_are_looked_at_again_where_an_average_face_has_them():
    model = Squints(0.5, Astray(), RULES)
    model.points[:, 1] = 0.5
    (lips,) = LipSegmenter(model, detector=lambda image: [FACE])(with_a_bright_mouth())
    assert lips.box.cx == pytest.approx(100)
    assert model.calls == [1, 1]


def test_what_is_looked_at_again_does_not_depend_on_the_convention():
    class Surer(Model):
        """Surer of each further look, so that the box about the first look's landmarks is kept."""

        def __call__(self, views):
            prediction = super().__call__(views)
            self.score += 0.05
            return prediction

    far = {"far": Convention((-0.3, 0.0) * 56, (-40.0, 0.0))}
    segmenters = [
        LipSegmenter(Surer(0.4, Locator(), RULES, conventions=far), lambda image: [FACE], convention=asked)
        for asked in (None, "far")
    ]
    (plain,), (moved,) = (segmenter(IMAGE) for segmenter in segmenters)
    assert (moved.box, moved.score) == (plain.box, plain.score)
    assert moved.landmarks[:, 0].mean() < plain.landmarks[:, 0].mean() - 40
    assert segmenters[0].find(IMAGE)[0].centre == pytest.approx(segmenters[1].find(IMAGE)[0].centre)


def test_doubles_are_told_by_the_answers_before_they_are_moved():
    away = {"away": Convention((0.0,) * 112, (500.0, 0.0))}
    twice = [FACE, Box.square(102, 100, 100)]
    model = Model(0.5, Locator(), RULES, conventions=away)
    assert len(LipSegmenter(model, lambda image: twice, convention="away")(IMAGE)) == 1


def test_the_same_mouth_counts_once_and_small_or_outer_ones_not_at_all():
    twice = [FACE, Box.square(102, 100, 100)]
    assert len(LipSegmenter(Model(0.5, Locator(), RULES), detector=lambda image: twice)(IMAGE)) == 1
    runtime = Model().runtime
    small, outside = Box.square(12, 12, 15), Box.square(290, 200, 80)
    assert find_mouths(IMAGE, lambda image: [small, outside], runtime, None).mouths == []
    inside = Box.square(40, 40, 18)
    (mouth,) = find_mouths(IMAGE, lambda image: [small, inside, outside], runtime, None).mouths
    assert (mouth.box, mouth.face, mouth.average) == (AVERAGE_FACE.mouth(inside), inside, None)


def test_of_two_mouths_whose_landmarks_coincide_the_surer_stays():
    class Attracted(Model):
        """Puts the landmarks of every view of the left half at its right edge, and of the right half at its left."""

        def __call__(self, views):
            found = super().__call__(views)
            points = found.points_unit.copy()
            points[..., 0] += np.linspace(0.5, -0.5, len(views), dtype=np.float32)[:, None]
            return replace(found, points_unit=points, score=np.linspace(0.7, 0.8, len(views)).astype(np.float32))

    pair = [Box.square(100, 100, 100), Box.square(150, 100, 100)]
    segment = LipSegmenter(Attracted(0.5, Locator(), RULES), detector=lambda image: pair)
    (lips,) = segment(IMAGE)
    assert lips.score == pytest.approx(0.8)
    # Mouths whose boxes are given are as many as the boxes.
    assert len(segment(IMAGE, [AVERAGE_FACE.mouth(face) for face in pair])) == 2


@pytest.mark.parametrize("roll", [0.0, 0.7, -2.0])
def test_a_relation_and_back(roll):
    relation = Relation(0.03, 0.25, 0.4, 0.2)
    face = Box.square(10, 20, 50, roll, "a face")
    mouth = relation.mouth(face)
    assert (mouth.width, mouth.height, mouth.roll, mouth.origin) == (20, 10, roll, "a face")
    np.testing.assert_allclose(relation.face(mouth).as_array(), face.as_array())
    np.testing.assert_allclose(np.hypot(*(mouth.centre - face.centre)), 50 * np.hypot(0.03, 0.25))


@pytest.mark.parametrize(("height", "width"), [(60, 60), (40, 80), (90, 30)])
def test_the_view_of_a_mouth_crop_is_the_picture(height, width):
    view = View(32, "square", 1.6)
    to_image = view.of(whole_picture(height, width, view))
    edges = to_image(np.array([[-0.5, -0.5], [31.5, 31.5]]))
    middle, half = np.array([(width - 1) / 2, (height - 1) / 2]), max(height, width) / 2
    np.testing.assert_allclose(edges, [middle - half, middle + half])


def test_the_stretched_view_of_a_mouth_crop_is_exactly_the_picture():
    view = View(40, "stretch", 7.0)
    to_image = view.of(whole_picture(50, 90, view))
    np.testing.assert_allclose(to_image(np.array([[-0.5, -0.5], [39.5, 39.5]])), [[-0.5, -0.5], [89.5, 49.5]])


def test_a_picture_too_flat_for_the_margins_still_gives_a_box():
    box = whole_picture(4, 100, View(40, "stretch", 50.0))
    _, y0, _, y1 = box.corners
    assert y0 < 1.5 < y1


def test_faces_on_a_drawn_face_with_the_real_detector():
    from lipseg.data.synthesize import draw_face

    face, points = draw_face(np.random.default_rng([0, 1, 3]), "smile", 200)
    (lips,) = LipSegmenter(Model())(face)
    truth = points[58:114].mean(0)
    assert np.hypot(*(lips.landmarks.mean(0) - truth)) < 0.5 * np.ptp(points[58:86, 0])
