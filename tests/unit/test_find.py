"""From pictures to lips with a known detector, locator and model: what counts, what does not, and why."""

import numpy as np
import pytest

from lipseg.data.frames import View
from lipseg.errors import DataError
from lipseg.inference.detect import FaceBox
from lipseg.inference.find import NO_FACE, NO_MOUTH, distinct_mouths, mouths_in
from lipseg.inference.segmenter import LipSegmenter
from lipseg.model.confidence import EVIDENCE, Confidence
from lipseg.model.predictor import Prediction, Sighting
from lipseg.model.relation import FACE_RELATION, Relation

IMAGE = np.zeros((200, 300, 3), np.uint8)
FACE, OTHER = FaceBox(50, 50, 150, 150, score=2.0), FaceBox(180, 60, 260, 140, score=1.0)


def confidence(min_score=0.3, min_presence=-2.0) -> Confidence:
    n = len(EVIDENCE)
    # The joint score is the evidence's own, moved by the presence.
    return Confidence(
        *(np.zeros(n, np.float32), np.ones(n, np.float32), np.zeros(n + 1, np.float32)),
        *(np.array([1, 1, 0], np.float32), np.array([min_score], np.float32), np.array([min_presence], np.float32)),
    )


class Locator:
    """A mouth where it lies in an average face; its presence is looked up by the face's side."""

    def __init__(self, **presence):
        self.presence = {float(side[1:]): logit for side, logit in presence.items()}
        self.asked = []

    def __call__(self, image, faces):
        self.asked += faces.tolist()
        logits = [self.presence.get(face[2], 0.0) for face in faces]
        return Sighting(np.stack([FACE_RELATION.mouth(face) for face in faces]), np.array(logits, np.float32))


class Model:
    """The same ring of landmarks in every view, and a score for each call's views in turn."""

    view = View(16, "square", 1.6)
    card: dict = {}  # noqa: RUF012

    def __init__(self, score=0.5, locator=None, confidence=None):
        self.score, self.locator, self.confidence = score, locator, confidence
        t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        ring = np.stack([-np.cos(t), -np.sin(t)], 1)
        self.points = (0.5 + np.concatenate([0.3 * ring, 0.1 * ring])).astype(np.float32)

    def __call__(self, views):
        n = len(views)
        ones = np.ones((n, 1), np.float32)
        return Prediction(np.repeat(self.points[None], n, 0), np.zeros(n, int), ones, np.full(n, self.score))


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
    x0, y0, x1, y1 = lips.box
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((100, 123.6))
    assert x1 - x0 == pytest.approx(34.0)
    assert lips.score == 0.5
    assert [box.corners for box in segment.find(IMAGE)] == [lips.box]


def test_several_faces_come_surest_first_and_scores_join_the_presence():
    model = Model(0.5, Locator(_100=1.0, _80=3.0), confidence())
    first, second = LipSegmenter(model, detector=lambda image: [FACE, OTHER])(IMAGE)
    assert first.box[0] > 180 > second.box[2]
    assert first.score == pytest.approx(1 / (1 + np.exp(-3)))
    assert second.score == pytest.approx(1 / (1 + np.exp(-1)))


def test_later_attempts_are_made_only_where_no_mouth_was_seen():
    seen = Attempts([FACE], [OTHER])
    assert len(LipSegmenter(Model(0.5, Locator(), confidence()), detector=seen)(IMAGE)) == 1
    assert seen.made == 1
    hidden = Attempts([], [FACE], [OTHER])
    (lips,) = LipSegmenter(Model(0.5, Locator(_100=-9.0, _80=2.0), confidence()), detector=hidden)(IMAGE)
    assert hidden.made == 3
    assert lips.box[0] > 180


def test_a_picture_without_a_face_says_so():
    segment = LipSegmenter(Model(), detector=lambda image: [])
    cut = segment.cut(IMAGE)
    assert (cut.boxes, cut.reason) == ([], NO_FACE)
    assert segment.predict_views([cut]) == [[]]
    assert segment.find(IMAGE) == []


def test_a_face_without_a_mouth_says_so():
    model = Model(0.1, Locator(_100=-9.0), confidence())
    cut = LipSegmenter(model, detector=lambda image: [FACE]).cut(IMAGE)
    assert cut.reason == NO_MOUTH
    assert LipSegmenter(model, detector=lambda image: [FACE])(IMAGE) == []


def test_only_what_convinces_comes_of_a_whole_picture():
    locator = Locator(_200=2.0)  # the picture as a tight face crop
    for score, count in ((0.02, 0), (0.4, 1), (0.9, 1)):
        found = LipSegmenter(Model(score, locator, confidence()), detector=lambda image: [])(IMAGE)
        assert len(found) == count
    # No face crop, but a mouth crop that convinces by itself.
    nowhere = Locator(_200=-5.0, _130=-5.0)
    (mouth,) = LipSegmenter(Model(0.85, nowhere, confidence()), detector=lambda image: [])(IMAGE)
    assert (mouth.box[0] + mouth.box[2]) / 2 == pytest.approx(149.5)
    assert mouth.score == pytest.approx(0.85)
    assert LipSegmenter(Model(0.75, nowhere, confidence()), detector=lambda image: [])(IMAGE) == []


def test_the_least_score_drops_what_is_found_and_nothing_that_is_given():
    model = Model(0.5, Locator(_100=-0.5), confidence(min_score=0.6))
    assert LipSegmenter(model, detector=lambda image: [FACE])(IMAGE) == []
    assert len(LipSegmenter(model, detector=lambda image: [FACE], min_score=0.0)(IMAGE)) == 1
    assert len(LipSegmenter(model, detector=lambda image: [FACE])(IMAGE, [10, 10, 50, 30])) == 1
    assert len(LipSegmenter(model, detector=None)(IMAGE)) == 1
    with pytest.raises(DataError, match="from 0 to 1"):
        LipSegmenter(model, min_score=1.5)


def test_a_detected_face_whose_mouth_is_clearly_visible_counts_unless_the_caller_asks_for_more():
    model = Model(0.02, Locator(_100=0.5), confidence(min_score=0.6))
    (lips,) = LipSegmenter(model, detector=lambda image: [FACE])(IMAGE)
    assert lips.score < 0.1
    assert LipSegmenter(model, detector=lambda image: [FACE], min_score=0.3)(IMAGE) == []


class Squints(Model):
    """Believes only in views that show something bright in their middle; the landmarks say where that is not."""

    def __call__(self, views):
        found = super().__call__(views)
        self.calls = [*getattr(self, "calls", []), len(views)]
        score = np.where(views[:, 6:10, 6:10].mean((1, 2, 3)) > 100, 0.9, 0.1)
        return Prediction(found.points_unit, found.component, found.responsibilities, score)


def test_a_doubtful_mouth_is_looked_at_again_where_an_average_face_has_it():
    image = IMAGE.copy()
    x, y = map(int, FACE_RELATION.mouth(np.array([100.0, 100.0, 100.0, 0.0]))[:2])
    image[y - 8 : y + 9, x - 8 : x + 9] = 255

    class Astray(Locator):
        def __call__(self, image, faces):
            sighting = super().__call__(image, faces)
            sighting.mouths[:, 0] -= 20
            return sighting

    model = Squints(0.5, Astray(), confidence())
    (lips,) = LipSegmenter(model, detector=lambda image: [FACE])(image)
    assert lips.score == pytest.approx(0.9)
    assert (lips.box[0] + lips.box[2]) / 2 == pytest.approx(100)
    np.testing.assert_allclose(lips.landmarks.mean(0), [100, 123.6], atol=0.6)
    assert model.calls == [1, 2]
    # What is believed at once, and what the caller gives, is looked at once.
    sure = Squints(0.5, Locator(), confidence())
    assert len(LipSegmenter(sure, detector=lambda image: [FACE])(image)) == 1
    assert len(LipSegmenter(sure, detector=lambda image: [FACE])(image, [80, 116, 100, 126])) == 1
    assert sure.calls == [1, 1]


def test_what_is_looked_at_again_does_not_depend_on_the_bias():
    class Surer(Model):
        """Surer of each further look, so that the box about the first look's landmarks is kept."""

        bias = np.array([0.3, 0.0], np.float32)

        def __call__(self, views):
            prediction = super().__call__(views)
            self.score += 0.05
            return prediction

    plain, unbiased = (
        LipSegmenter(Surer(0.4, Locator(), confidence()), detector=lambda image: [FACE], unbiased=asked)(IMAGE)[0]
        for asked in (False, True)
    )
    assert (unbiased.box, unbiased.score) == (plain.box, plain.score)
    assert unbiased.landmarks[:, 0].mean() < plain.landmarks[:, 0].mean() - 1


def test_the_same_mouth_counts_once_and_small_or_outer_ones_not_at_all():
    twice = [FACE, FaceBox(52, 50, 152, 150, score=1.0)]
    assert len(LipSegmenter(Model(0.5, Locator(), confidence()), detector=lambda image: twice)(IMAGE)) == 1
    small, outside = FaceBox(5, 5, 20, 20), FaceBox(250, 160, 330, 240)
    assert mouths_in(IMAGE, [small, outside], None, -np.inf)[::2] == ([], [])


def test_of_the_same_mouths_the_surest_stays():
    centres = np.array([[0.0, 0], [2, 0], [30, 0]])
    assert distinct_mouths(centres, np.full(3, 10.0), np.array([0.2, 0.9, 0.1])) == [1, 2]


@pytest.mark.parametrize("roll", [0.0, 0.7, -2.0])
def test_a_relation_and_back(roll):
    relation = Relation(0.03, 0.25, 0.4, 0.2)
    face = np.array([10.0, 20.0, 50.0, roll])
    mouth = relation.mouth(face)
    np.testing.assert_allclose(relation.face(mouth), face)
    np.testing.assert_allclose(np.hypot(*(mouth[:2] - face[:2])), 50 * np.hypot(0.03, 0.25))


def test_faces_on_a_drawn_face_with_the_real_detector():
    from lipseg.data.synthesize import draw_face

    face, points = draw_face(np.random.default_rng([0, 1, 3]), "smile", 200)
    (lips,) = LipSegmenter(Model())(face)
    truth = points[58:114].mean(0)
    assert np.hypot(*(lips.landmarks.mean(0) - truth)) < 0.5 * np.ptp(points[58:86, 0])
