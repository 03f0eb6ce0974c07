"""Following mouths through clips whose truth is known, with a model that knows it too."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from moving_picture import Actor, Pose, TrueFrame, centre_of, clip
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.data.synthesize import draw_face
from lipseg.errors import DataError
from lipseg.geometry import View
from lipseg.inference.lips import Lips
from lipseg.inference.predictor import Prediction
from lipseg.inference.runtime import Runtime
from lipseg.inference.segmenter import LipSegmenter
from lipseg.rendering import measures
from lipseg.scheme import HELEN_LIPS
from lipseg.tracking import OneEuroParams, TrackedFrame, Tracker, TrackParams
from lipseg.tracking import follow as follow_frames

FPS = 30.0
RAW = TrackParams(smooth=None)


class Knows:
    """Stands for a segmenter and a detector: gives the true mouth that lies nearest to each box.

    A box far from every mouth gives a mouth that is no mouth: a score of zero where the box is.
    """

    def __init__(self, noise: float = 0.0) -> None:
        self.now: TrueFrame | None = None
        self.noise, self.rng = noise, np.random.default_rng(0)
        self.batches: list[int] = []
        self.searched: list[float] = []
        self.blind = False
        self.finds_faces, self.min_score = True, 0.0

    def watch(self, frames: Iterator[TrueFrame]) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for self.now in frames:
            yield self.now.time, self.now.image

    def visible(self) -> list[NDArray[Any]]:
        assert self.now is not None
        shown = []
        for points in reversed(self.now.points):  # the one in front first; it hides what is behind it
            if points is not None and all(np.hypot(*(centre_of(points) - centre_of(p))) > 30 for p in shown):
                shown.append(points)
        return shown

    def find(self, image: NDArray[np.uint8]) -> list[Box]:
        assert self.now is not None
        self.searched.append(self.now.time)
        return [] if self.blind else [Box.around(points) for points in self.visible()]

    def __call__(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Lips]:
        self.batches.append(len(boxes))
        return [self.look(box, image.shape[:2]) for box in boxes]

    as_reference = __call__

    def in_convention(self, lips: Lips) -> Lips:
        return lips

    def look(self, box: Box, size: tuple[int, int]) -> Lips:
        off = lambda p: float(np.hypot(*(centre_of(p) - box.centre)))  # noqa: E731
        nearest = min((p for p in self.visible() if off(p) < 0.5 * box.width), key=off, default=None)
        points, score = (oval(box), 0.0) if nearest is None else (nearest, 0.7)
        points = points + self.rng.normal(0, self.noise, (56, 2))
        return Lips(box, score, 1, np.ones(1, np.float32), points.astype(np.float32), size)


def oval(box: Box) -> NDArray[Any]:
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(angle) * box.width, -np.sin(angle) * box.height], 1) / 2
    return np.concatenate([ring, 0.6 * ring]) + box.centre


@pytest.fixture(scope="module")
def faces():
    """Two drawn faces: picture and lip landmarks."""
    drawn = [draw_face(np.random.default_rng(seed), "closed", 96) for seed in (1, 2)]
    return [(picture, points[HELEN_LIPS]) for picture, points in drawn]


def times(seconds: float, fps: float = FPS) -> NDArray[Any]:
    return np.arange(round(seconds * fps)) / fps


def follow(
    actors: Sequence[Actor], when: Sequence[float] | NDArray[Any], params: TrackParams = RAW, **options: Any
) -> tuple[Knows, list[TrackedFrame], list[TrueFrame]]:
    """Follows the mouths of a clip; returns the model, what was followed, and the truth."""
    knows = options.pop("knows", None) or Knows()
    truth = list(clip(actors, list(when), height=120, width=320))
    tracker = Tracker(knows, knows.find, params=params, **options)
    return knows, [tracker(image, time) for time, image in knows.watch(iter(truth))], truth


def actor(face: tuple[NDArray[np.uint8], NDArray[Any]], path: Callable[[float], Pose]) -> Actor:
    return Actor(*face, path, feather=True)


def ids(frames: Sequence[TrackedFrame]) -> list[list[int]]:
    return [[mouth.id for mouth in frame.mouths] for frame in frames]


def test_a_moving_mouth_is_followed_and_rarely_searched_for(faces):
    path = lambda t: Pose(160 + 90 * np.sin(t), 60, 40 * np.exp(0.4 * np.sin(2 * t)), 0.5 * np.sin(3 * t))  # noqa: E731
    knows, frames, truth = follow([actor(faces[0], path)], times(3))
    assert ids(frames) == [[1]] * 90
    assert [frame.index for frame in frames] == list(range(90))
    for frame, true in zip(frames, truth, strict=True):
        assert frame.time == true.time
        np.testing.assert_allclose(frame.mouths[0].landmarks, true.points[0], atol=1e-3)
    assert knows.searched == pytest.approx([0.0, 1.0, 2.0])


def test_two_people_who_pass_each_other_keep_their_ids(faces):
    rightwards = actor(faces[0], lambda t: Pose(60 + 100 * t, 60, 40))
    leftwards = actor(faces[1], lambda t: Pose(260 - 100 * t, 58, 40))  # in front
    knows, frames, truth = follow([rightwards, leftwards], times(2))
    assert ids(frames)[0] == ids(frames)[-1] == [1, 2]
    assert all(len(frame.mouths) >= 1 for frame in frames)
    owner = {mouth.id: nearest(mouth.landmarks, truth[0]) for mouth in frames[0].mouths}
    for frame, true in zip(frames, truth, strict=True):
        for mouth in frame.mouths:
            assert nearest(mouth.landmarks, true) == owner[mouth.id]
    assert sum(len(frame.mouths) == 1 for frame in frames) < 0.7 * FPS  # about as long as one hides the other
    assert len(knows.searched) < 15


def nearest(points: NDArray[Any], true: TrueFrame) -> int:
    off = [np.inf if p is None else np.hypot(*(centre_of(p) - centre_of(points))) for p in true.points]
    return int(np.argmin(off))


def test_all_mouths_of_a_frame_go_through_the_model_at_once(faces):
    people = [actor(faces[k % 2], lambda t, k=k: Pose(50 + 70 * k, 60, 40)) for k in range(4)]
    knows, frames, _ = follow(people, times(0.5))
    assert knows.batches == [4] * 15
    assert ids(frames) == [[1, 2, 3, 4]] * 15


def test_at_most_so_many_mouths_the_largest_first(faces):
    people = [actor(faces[0], lambda t: Pose(60, 60, 30)), actor(faces[1], lambda t: Pose(200, 60, 50))]
    _, frames, truth = follow(people, times(0.2), TrackParams(max_mouths=1))
    assert ids(frames) == [[1]] * 6
    assert nearest(frames[-1].mouths[0].landmarks, truth[-1]) == 1


def test_a_hidden_mouth_is_lost_and_found_with_its_id(faces):
    path = lambda t: Pose(100 + 20 * t, 60, 40, seen=not 0.5 < t < 1.2)  # noqa: E731
    knows, frames, _ = follow([actor(faces[0], path)], times(2))
    seen = ids(frames)
    assert seen[:15] == [[1]] * 15
    assert seen[16:36] == [[]] * 20
    assert seen[-20:] == [[1]] * 20
    # Searching an empty picture grows rarer: not in every frame.
    assert sum(0.5 < t < 1.2 for t in knows.searched) <= 8


def test_after_too_long_it_is_somebody_new(faces):
    path = lambda t: Pose(160, 60, 40, seen=not 0.5 < t < 1.5)  # noqa: E731
    _, frames, _ = follow([actor(faces[0], path)], times(2), TrackParams(smooth=None, keep_lost_s=0.4))
    assert ids(frames)[-1] == [2]


def test_who_leaves_the_picture_is_lost_and_who_comes_is_found(faces):
    leaves = actor(faces[0], lambda t: Pose(160 - 200 * t, 60, 40))
    comes = actor(faces[1], lambda t: Pose(250, 60, 40, seen=t > 1.1))
    _, frames, _ = follow([leaves, comes], times(2.5))
    seen = ids(frames)
    assert seen[0] == [1]
    assert seen[27:33] == [[]] * 6
    assert seen[-1] == [2]
    first = next(i for i, now in enumerate(seen) if now == [2])
    assert first - 1.1 * FPS <= TrackParams().search_every + 1


def test_new_people_are_found_now_and_then(faces):
    stays = actor(faces[0], lambda t: Pose(60, 60, 40))
    comes = actor(faces[1], lambda t: Pose(250, 60, 40, seen=t > 0.1))
    knows, frames, _ = follow([stays, comes], times(1.5), TrackParams(smooth=None, detect_every=12))
    assert ids(frames)[11:13] == [[1], [1, 2]]
    assert np.round(np.array(knows.searched) * FPS).tolist() == [0, 12, 24, 36]
    _, frames, _ = follow(
        [stays, comes], times(1.5), TrackParams(detect_every=12, new_people=False), boxes=[Box(60, 60, 40, 20)]
    )
    assert ids(frames) == [[1]] * 45


def test_a_cut_to_another_scene_is_searched_at_once(faces):
    path = lambda t: Pose(60, 60, 30) if t < 0.5 else Pose(240, 70, 60)  # noqa: E731
    _, frames, truth = follow([actor(faces[0], path)], times(1))
    for frame, true in zip(frames, truth, strict=True):
        np.testing.assert_allclose(frame.mouths[0].landmarks, true.points[0], atol=1e-3)


def test_what_the_detector_never_confirms_is_given_up(faces):
    knows = Knows()
    knows.blind = True
    _, frames, _ = follow(
        [actor(faces[0], lambda t: Pose(160, 60, 40))], times(4), RAW, knows=knows, boxes=[Box(160, 60, 40, 20)]
    )
    assert ids(frames)[30] == [1]
    assert ids(frames)[-1] == []


def test_the_first_boxes_need_no_detector(faces):
    truth = list(clip([actor(faces[0], lambda t: Pose(160, 60, 40))], [0.0, 0.1], height=120, width=320))
    knows = Knows()
    knows.finds_faces = False
    with pytest.raises(DataError, match="needs a detector"):
        Tracker(knows)
    with pytest.raises(DataError, match="outside the picture"):
        Tracker(knows, boxes=[Box(925, 10, 50, 20)])(truth[0].image)
    tracker = Tracker(knows, boxes=[Box(160, 60, 40, 20)])
    assert [ids([tracker(image)]) for _, image in knows.watch(iter(truth))] == [[[1]], [[1]]]
    assert knows.searched == []


@pytest.mark.parametrize(("least", "own", "frames"), [(0.05, 0.0, 30), (0.05, 0.75, 4), (0.75, 0.0, 4), (0.6, 0.75, 4)])
def test_the_higher_least_score_of_tracker_and_segmenter_counts(faces, least, own, frames):
    knows = Knows()  # its mouths score 0.7
    knows.min_score, knows.finds_faces = own, False
    truth = clip([actor(faces[0], lambda t: Pose(160, 60, 40))], times(1), height=120, width=320)
    tracked = follow_frames(
        knows, knows.watch(truth), boxes=[Box(160, 60, 40, 20)], params=TrackParams(min_score=least, patience=5)
    )
    assert sum(len(frame.mouths) for frame in tracked) == frames


@pytest.mark.parametrize("value", [np.nan, np.inf, 60.0])
def test_landmarks_that_are_no_mouth_lose_it(value):
    class Degenerate(Knows):
        def look(self, box: Box, size: tuple[int, int]) -> Lips:
            points = np.full((56, 2), value) if len(self.batches) > 1 else oval(box)
            return Lips(box, 0.7, 0, np.ones(1, np.float32), points.astype(np.float32), size)

    knows = Degenerate()
    knows.finds_faces = False
    frames = follow_frames(knows, [np.zeros((120, 320, 3), np.uint8)] * 3, boxes=[Box(160, 60, 40, 20)])
    assert ids(list(frames)) == [[1], [], []]


def test_smoothing_quietens_a_still_mouth_and_keeps_the_raw_one(faces):
    still = actor(faces[0], lambda t: Pose(160, 60, 100))
    _, frames, truth = follow([still], times(4), TrackParams(detect_every=99), knows=Knows(noise=0.5))
    raw = np.array([frame.mouths[0].raw for frame in frames])[30:]
    smoothed = np.array([frame.mouths[0].landmarks for frame in frames])[30:]
    assert raw.std(0).mean() == pytest.approx(0.5, rel=0.1)
    assert smoothed.std(0).mean() < 0.35
    np.testing.assert_allclose(smoothed.mean(0), truth[0].points[0], atol=0.3)


class FromMiddle:
    """A model whose landmarks tremble with the view it is shown: an echo of its own box."""

    runtime, locator = Runtime(View(16, "square", 1.6), 1), None

    def __init__(self, points: NDArray[Any]) -> None:
        self.points, self.rng = points, np.random.default_rng(0)

    def __call__(self, views: NDArray[np.uint8]) -> Prediction:
        unit = self.points[None] + self.rng.normal(0, 0.002, (len(views), 56, 2))
        n = len(views)
        return Prediction(
            unit.astype(np.float32), np.zeros(n, np.int64), np.ones((n, 1), np.float32), np.ones(n, np.float32)
        )


def test_the_view_is_held_while_the_mouth_is_still():
    segmenter = LipSegmenter(FromMiddle(0.5 + (oval(Box(0, 0, 100, 40)) / 160)))
    frames = [np.zeros((120, 320, 3), np.uint8)] * 30
    boxes = {frame.mouths[0].lips.box for frame in follow_frames(segmenter, frames, boxes=[Box(160, 60, 100, 40)])}
    assert len(boxes) == 1


def test_frames_without_times_and_with_times_that_run_backwards(faces):
    still = [actor(faces[0], lambda t: Pose(160, 60, 40))]
    knows = Knows()
    images = [image for _, image in knows.watch(clip(still, [0, 1, 2], height=120, width=320))]
    tracker = Tracker(knows, knows.find)
    assert [tracker(image).time for image in images] == pytest.approx([0, 0.04, 0.08])
    tracker = Tracker(knows, knows.find)
    assert [(f.time, len(f.mouths)) for f in (tracker(images[0], t) for t in (5.0, 3.0, 6.0))] == [
        (5, 1),
        (3, 1),
        (6, 1),
    ]


@pytest.mark.parametrize("time", [float("nan"), float("inf")])
def test_a_time_that_is_not_finite_is_refused(time):
    tracker = Tracker(Knows(), lambda image: [])
    with pytest.raises(DataError, match="finite number of seconds"):
        tracker(np.zeros((8, 8, 3), np.uint8), time)


def test_a_video_s_name_is_no_frame():
    with pytest.raises(DataError, match=r"a frame must be an RGB uint8 array \(height, width, 3\), not str"):
        list(follow_frames(Knows(), "talk.mp4", lambda image: []))


def test_no_frame_is_kept(faces):
    knows, living = Knows(), []

    def frames() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for true in clip([actor(faces[0], lambda t: Pose(160, 60, 40))], times(0.3), height=120, width=320):
            image = true.image.copy()
            knows.now = TrueFrame(true.time, true.image, true.points)
            living.append(weakref.ref(image))
            yield true.time, image

    tracked = follow_frames(knows, frames(), knows.find)
    for _ in tracked:
        assert sum(ref() is not None for ref in living) <= 1


def test_sizes_of_a_mouth():
    points = oval(Box(50, 20, 100, 40))
    turned = points @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # by 90 degrees
    for shape in (points, turned):
        assert measures.width(shape) == pytest.approx(99, abs=1.5)
        assert measures.opening(shape) == pytest.approx(24, abs=1)
        sizes = measures.areas(shape)
        assert sizes["inner"] == pytest.approx(np.pi * 30 * 12, rel=0.02)
        assert sum(sizes.values()) == pytest.approx(np.pi * 50 * 20, rel=0.02)
    assert measures.opening(points[:, ::1] * [1, -1]) == 0  # the lower lip above the upper one


def test_parameters_that_make_no_sense():
    for wrong in ({"detect_every": 0}, {"patience": 0}, {"max_mouths": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            TrackParams(**wrong)
    assert TrackParams().smooth == OneEuroParams()
