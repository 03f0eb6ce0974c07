"""Following mouths through a video: detection finds them, the model's own landmarks say where to look next."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError
from lipseg.inference.locate import MouthBox
from lipseg.rendering import measures
from lipseg.tracking.one_euro import OneEuroFilter, OneEuroParams

if TYPE_CHECKING:
    from lipseg.inference.lips import Lips
    from lipseg.inference.segmenter import LipSegmenter

Frame = NDArray[np.uint8]
Detect = Callable[[Frame], Sequence[MouthBox]]

# Frames without a time of their own are taken to come at this rate.
_DEFAULT_FPS = 25.0

# A box is held as long as the landmarks stay in it: every move of it moves the landmarks a little too, and a still
# mouth would tremble by its own echo (measured: 0.19 px against 0.39 px at a 100-px mouth). The three shares add up to
# 1 at the edge: of the box's length, of its logarithmic size, and radians. Training jitters boxes by more than that.
_HELD_SHIFT, _HELD_SIZE, _HELD_ROLL = 0.055, 0.09, 0.09

# What a mouth cannot do from one frame to the next: move by this many of its widths from where it was expected, change
# its size by this factor, turn by this angle.
_JUMP_SHIFT, _JUMP_SIZE, _JUMP_ROLL = 0.6, 1.4, 0.6
# Against a detector's box, which is coarser.
_COARSE_SHIFT, _COARSE_SIZE = 1.0, 2.2
_HIGHEST = 1.8  # of height to width; a rounded open mouth reaches about 1.2
_SMALLEST_PX = 6.0

# A detection within this many widths of a mouth is that mouth; two mouths nearer to each other than _SAME are one.
_MATCH, _SAME = 0.75, 0.4
# A mouth is expected to keep its velocity for so long after it was last seen.
_LONGEST_STEP_S = 0.3
_LOST_SIZE = 1.7
# What a mouth that was just found is taken to have been surprised by: of two tracks on one mouth the older stays,
# unless it jumped there.
_NEW_SURPRISE = 0.05
# Memory of velocity and of score, as weights of the newest frame.
_VELOCITY_WEIGHT, _SCORE_WEIGHT, _SURPRISE_WEIGHT = 0.4, 0.1, 0.3


@dataclass(frozen=True, slots=True)
class TrackParams:
    """How mouths are followed.

    Attributes:
        detect_every: frames between two detections that look for new people while every mouth is followed.
        search_every: frames between two detections while there is none (they begin right away and grow rarer up to
            this).
        keep_lost_s: seconds for which a lost mouth keeps its id, to be taken up where it is seen again.
        min_score: a mouth that scores less for ``patience`` frames running is lost, and a found one that scores less
            is none.
        patience: see ``min_score``.
        unconfirmed: detections running that may miss a mouth before it is lost.
        max_mouths: mouths followed at once, the largest first; None is no limit.
        smooth: of the landmarks, None for none.
        new_people: whether detection may add people; without it, it only takes up lost ones.
    """

    detect_every: int = 30
    search_every: int = 5
    keep_lost_s: float = 2.0
    min_score: float = 0.005
    patience: int = 5
    unconfirmed: int = 5
    max_mouths: int | None = None
    smooth: OneEuroParams | None = field(default_factory=OneEuroParams)
    new_people: bool = True

    def __post_init__(self) -> None:
        if min(self.detect_every, self.search_every, self.patience, self.unconfirmed) < 1:
            raise ValueError("detect_every, search_every, patience and unconfirmed must be at least 1")
        if self.max_mouths is not None and self.max_mouths < 1:
            raise ValueError(f"max_mouths must be at least 1, not {self.max_mouths}")


@dataclass(frozen=True, slots=True, eq=False)
class TrackedLips:
    """One mouth in one frame; everything in pixels of the frame.

    Attributes:
        id: the same from frame to frame; counts from 1 in the order of appearance.
        lips: with the smoothed landmarks; ``lips.mask()``, ``lips.matte()`` and the rest follow them.
        raw: (56, 2) float32, the landmarks as the model gave them.
    """

    id: int
    lips: "Lips"
    raw: NDArray[np.float32]

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(56, 2) smoothed landmarks."""
        return self.lips.landmarks

    @property
    def outer(self) -> NDArray[np.float32]:
        """(28, 2) smoothed outer contour."""
        return self.lips.outer

    @property
    def inner(self) -> NDArray[np.float32]:
        """(28, 2) smoothed inner contour."""
        return self.lips.inner

    @property
    def score(self) -> float:
        """The model's score of this frame, see ``Lips``."""
        return self.lips.score

    @property
    def component(self) -> int:
        """The mixture component in this frame, that is the mouth's state."""
        return self.lips.component

    @property
    def width(self) -> float:
        """Pixels between the outer corners."""
        return measures.width(self.lips.landmarks)

    @property
    def opening_px(self) -> float:
        """Pixels between the lips in the middle of the mouth."""
        return measures.opening(self.lips.landmarks)

    @property
    def opening(self) -> float:
        """``opening_px`` over ``width``: 0 is closed."""
        width = self.width
        return self.opening_px / width if width > 0 else 0.0

    @property
    def areas(self) -> dict[str, float]:
        """Square pixels of "upper", "lower" and "inner"."""
        return measures.areas(self.lips.landmarks)


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """What is known of one frame. The picture itself is not kept.

    Attributes:
        index: counts the frames from 0.
        time: seconds, as the frames' source says.
        mouths: by their ids.
    """

    index: int
    time: float
    mouths: list[TrackedLips]


class _Track:
    """One mouth's past."""

    def __init__(self, box: MouthBox, smooth: OneEuroParams | None, *, id: int = 0, given: bool = False) -> None:
        self.id = id  # 0 until the model has confirmed it
        self.box = box
        self.given = given  # by the caller, who knows
        self.filter = OneEuroFilter(smooth) if smooth else None
        self.points: NDArray[np.float64] | None = None
        self.around = box  # about the points
        self.velocity = np.zeros(2)  # pixels a second
        self.width = _length(box)
        self.time = -math.inf
        self.score = self.usual_score = 0.0
        self.surprise = _NEW_SURPRISE
        self.before = (self.points, self.velocity)
        self.low = self.missed = 0
        self.lost = False

    @property
    def centre(self) -> NDArray[Any]:
        return np.array(_middle(self.box)) if self.points is None else measures.centre(self.points)

    def expected(self, time: float) -> NDArray[np.float64]:
        """Where the mouth's centre should be."""
        if self.points is None:
            return self.centre
        return self.centre + self.velocity * min(time - self.time, _LONGEST_STEP_S)

    def next_box(self, time: float) -> MouthBox:
        """Where the model is to look."""
        if self.points is None:
            return self.box
        dx, dy = self.expected(time) - self.centre
        own = self.around
        box = replace(own, x0=own.x0 + dx, y0=own.y0 + dy, x1=own.x1 + dx, y1=own.y1 + dy)
        if not _held(self.box, box):
            self.box = box
        return self.box

    def accepts(self, points: NDArray[np.float64], time: float, size: tuple[int, int]) -> MouthBox | None:
        """Returns the box about the model's landmarks if they can be this mouth's, else None."""
        width = measures.width(points)
        if not np.isfinite(points).all() or width < _SMALLEST_PX:
            return None
        inside = (points >= -0.5).all(1) & (points <= np.array(size[::-1]) - 0.5).all(1)
        if 2 * np.count_nonzero(inside) < len(points):
            return None
        box = MouthBox.around(points)
        if box.y1 - box.y0 > _HIGHEST * (box.x1 - box.x0):
            return None
        if self.points is None:
            off = _distance(_middle(box), _middle(self.box)) / _length(self.box)
            fits = off < _COARSE_SHIFT and _ratio(_length(box), _length(self.box)) < _COARSE_SIZE
        else:
            off = _distance(measures.centre(points), self.expected(time)) / self.width
            turned = abs(math.remainder(box.roll - self.around.roll, 2 * math.pi))
            fits = off < _JUMP_SHIFT and _ratio(width, self.width) < _JUMP_SIZE and turned < _JUMP_ROLL
        return box if fits else None

    def update(self, lips: "Lips", points: NDArray[np.float64], around: MouthBox, time: float) -> "Lips":
        """Takes the mouth's new landmarks and the box about them; returns the lips with the smoothed ones."""
        self.before = (self.points, self.velocity)
        if self.points is None:
            self.usual_score = self.score = lips.score
        elif time > self.time:
            here = measures.centre(points)
            off = _distance(here, self.expected(time)) / self.width
            self.surprise += _SURPRISE_WEIGHT * (off - self.surprise)
            speed = (here - self.centre) / (time - self.time)
            self.velocity = self.velocity + _VELOCITY_WEIGHT * (speed - self.velocity)
        self.score += _SCORE_WEIGHT * (lips.score - self.score)
        self.points, self.around, self.time = points, around, time
        self.width = max(measures.width(points), 1.0)
        if self.filter is None:
            return lips
        return replace(lips, landmarks=self.filter(points, time, self.width).astype(np.float32))


class Tracker:
    """Follows every mouth from frame to frame; call it with the frames in their order.

    A followed mouth is looked for where its landmarks were, moved on by its velocity; a detector is asked only while
    there is no mouth, when one is lost, and now and then for new people. All mouths of a frame go through the model at
    once. Frames are not kept.

    Attributes:
        params: see ``TrackParams``.
        detections: how often the detector was asked.
    """

    def __init__(
        self,
        segmenter: "LipSegmenter",
        detect: Detect | None = None,
        *,
        boxes: Sequence[MouthBox] = (),
        params: TrackParams | None = None,
    ) -> None:
        """Prepares for a video.

        Args:
            segmenter: the model.
            detect: from an RGB uint8 (height, width, 3) frame to the boxes of the mouths in it; None takes
                ``segmenter.find`` where the segmenter looks for faces, and otherwise searches no frame.
            boxes: the mouths in the first frame. Given them, the first frame is not searched.
            params: see ``TrackParams``.

        Raises:
            DataError: if there is neither a detector nor a box to begin with.
        """
        self._segmenter = segmenter
        self._detect: Detect | None = detect or (segmenter.find if segmenter.finds_faces else None)
        if self._detect is None and not boxes:
            raise DataError("following mouths needs a detector, or the mouths' boxes in the first frame")
        self.params = params or TrackParams()
        self.detections = 0
        self._first = list(boxes)
        self._tracks: list[_Track] = []
        self._ids = 0
        self._index = 0
        self._last_time = -math.inf
        self._size: tuple[int, int] | None = None
        self._next_detection = 0 if not boxes else self.params.detect_every
        self._gap = 1

    def __call__(self, image: Frame, time: float | None = None) -> TrackedFrame:
        """Returns the mouths of the next frame.

        Args:
            image: RGB uint8 (height, width, 3); not changed and not kept.
            time: in seconds; None takes 25 frames a second. One that runs backwards is taken as no time having passed.

        Raises:
            DataError: if the frame is no picture, or a box of the first frame lies outside it.
        """
        if time is None:
            time = 0.0 if self._index == 0 else self._last_time + 1 / _DEFAULT_FPS
        shown_time, time = time, max(time, self._last_time)
        size = image.shape[:2]
        if self._index == 0:
            for box in self._first:
                box.check_inside(*size)
        elif size != self._size:
            self._tracks = []  # another picture altogether
            self._next_detection, self._gap = self._index, 1
        self._size, self._last_time = size, time
        self._tracks = [t for t in self._tracks if not t.lost or time - t.time <= self.params.keep_lost_s]

        candidates = [_Track(box, self.params.smooth, given=True) for box in self._first] if self._index == 0 else []
        self._drop_outside(time, size)
        found, detected = candidates, False
        if self._due():
            found, detected = found + self._search(image, time), True
        mouths = self._look(image, time, [t for t in self._tracks if not t.lost], found)
        if not detected and self._due():  # a mouth was lost just now
            mouths += self._look(image, time, [], self._search(image, time))
            detected = True
        if detected:
            self._wait()
        mouths = self._merged(mouths)
        self._index += 1
        return TrackedFrame(self._index - 1, shown_time, sorted(mouths, key=lambda mouth: mouth.id))

    def _due(self) -> bool:
        return self._detect is not None and self._index >= self._next_detection

    def _lose(self, track: _Track) -> None:
        """Gives up a mouth, and has it searched for at once."""
        track.lost = True
        self._hurry()

    def _hurry(self) -> None:
        self._next_detection, self._gap = self._index, 1

    def _drop_outside(self, time: float, size: tuple[int, int]) -> None:
        """Loses the mouths that have left the picture."""
        for track in self._tracks:
            x, y = track.expected(time)
            if not track.lost and not (-0.5 <= x <= size[1] - 0.5 and -0.5 <= y <= size[0] - 0.5):
                self._lose(track)

    def _search(self, image: Frame, time: float) -> list[_Track]:
        """Asks the detector; returns the tracks to be tried: lost ones that may be seen again, and new people."""
        assert self._detect is not None
        boxes = sorted(self._detect(image), key=_length, reverse=True)
        self.detections += 1
        live = [track for track in self._tracks if not track.lost]
        free = _unmatched(live, boxes, time, lambda track: _MATCH)
        for track in live:
            if track in free.tracks:
                track.missed += 1
                halved = track.score < track.usual_score / 2
                patience = self.params.unconfirmed
                # A mouth that neither the model nor the detector takes for one is none.
                track.lost = track.low > 0 or track.missed >= (math.ceil(patience / 2) if halved else patience)
            else:
                track.missed, track.usual_score = 0, track.score
        lost = [track for track in self._tracks if track.lost]
        again = _unmatched(lost, free.boxes, time, lambda track: 1.0 + min(2.0, 2.0 * (time - track.time)))
        tried = [_Track(box, self.params.smooth, id=track.id) for track, box in again.pairs]
        limit = self.params.max_mouths or math.inf
        for box in again.boxes if self.params.new_people else ():
            if len(live) + len(tried) < limit:
                tried.append(_Track(box, self.params.smooth))
        return tried

    def _wait(self) -> None:
        """Sets when the next detection is due: soon after something has happened, then ever more rarely."""
        live = [track for track in self._tracks if not track.lost]
        limit = self.params.detect_every
        if not live:
            limit = min(limit, self.params.search_every)
        if any(track.missed == 1 for track in live):
            self._gap = 1
        elif live and len(live) == len(self._tracks) and not any(track.missed for track in live):
            self._gap = limit
        self._next_detection = self._index + min(self._gap, limit)
        self._gap = min(2 * self._gap, limit)

    def _look(self, image: Frame, time: float, live: list[_Track], found: list[_Track]) -> list[TrackedLips]:
        """Shows the model the mouths followed and those found; returns what is seen of them and keeps or loses them."""
        tracks = live + found
        if not tracks:
            return []
        every_lips = self._segmenter(image, [track.next_box(time) for track in tracks])
        mouths = []
        for track, lips in zip(tracks, every_lips, strict=True):
            points = lips.landmarks.astype(np.float64)
            low = not lips.score >= self.params.min_score
            new = track.points is None
            around = track.accepts(points, time, image.shape[:2])
            if around is None or (new and low and not track.given):
                if not new:
                    self._lose(track)
                continue
            track.low = track.low + 1 if low else 0
            if track.low >= self.params.patience:
                self._lose(track)
                continue
            if track.low == 1:
                self._hurry()
            smoothed = track.update(lips, points, around, time)
            if new and not self._admit(track):
                continue
            mouths.append(TrackedLips(track.id, smoothed, lips.landmarks))
        return mouths

    def _admit(self, track: _Track) -> bool:
        """Takes up a new track, in the place of the lost one whose id it has; not if it is a mouth already followed."""
        if any(not other.lost and _same(track, other) for other in self._tracks):
            return False
        if track.id:
            self._tracks = [other for other in self._tracks if other.id != track.id]
        else:
            self._ids += 1
            track.id = self._ids
        self._tracks.append(track)
        return True

    def _merged(self, mouths: list[TrackedLips]) -> list[TrackedLips]:
        """Loses one of two tracks that have come to lie on one mouth: the one that had to be surprised to get there."""
        by_id = {track.id: track for track in self._tracks if not track.lost}
        mouths = [mouth for mouth in mouths if mouth.id in by_id]
        if len(mouths) < 2:
            return mouths
        kept: list[TrackedLips] = []
        for mouth in sorted(mouths, key=lambda mouth: (by_id[mouth.id].surprise, mouth.id)):
            track = by_id[mouth.id]
            if any(_same(track, by_id[other.id]) for other in kept):
                track.lost = True
                # Where it was before it jumped says better where it will be seen again.
                track.points, track.velocity = track.before
                self._next_detection, self._gap = self._index + 1, 1
            else:
                kept.append(mouth)
        return kept


def follow(
    segmenter: "LipSegmenter",
    frames: Iterable[Frame | tuple[float, Frame]],
    detect: Detect | None = None,
    *,
    boxes: Sequence[MouthBox] = (),
    params: TrackParams | None = None,
) -> Iterator[TrackedFrame]:
    """Yields the mouths of every frame of a video, one frame at a time; none is kept.

    Args:
        segmenter: the model.
        frames: RGB uint8 (height, width, 3) arrays, or pairs of a time in seconds and such an array.
        detect: see ``Tracker``.
        boxes: the mouths in the first frame, see ``Tracker``.
        params: see ``TrackParams``.

    Raises:
        DataError: as ``Tracker`` does.
    """
    tracker = Tracker(segmenter, detect, boxes=boxes, params=params)
    for frame in frames:
        if isinstance(frame, tuple):
            yield tracker(frame[1], frame[0])
        else:
            yield tracker(frame)


@dataclass(frozen=True, slots=True)
class _Matching:
    """Pairs of tracks and boxes, and what found no partner."""

    pairs: list[tuple[_Track, MouthBox]]
    tracks: list[_Track]
    boxes: list[MouthBox]


def _unmatched(
    tracks: list[_Track], boxes: Sequence[MouthBox], time: float, reach: Callable[[_Track], float]
) -> _Matching:
    """Pairs tracks with boxes, the nearest first; ``reach`` is in widths of the mouth."""
    costs = []
    for t, track in enumerate(tracks):
        for b, box in enumerate(boxes):
            off = _distance(_middle(box), track.expected(time)) / max(track.width, 1.0)
            ratio = _ratio(_length(box), track.width)
            if off < reach(track) and ratio < (_LOST_SIZE if track.lost else _COARSE_SIZE):
                costs.append((off + math.log(ratio), t, b))
    pairs: list[tuple[int, int]] = []
    for _, t, b in sorted(costs):
        if all(t != other_t and b != other_b for other_t, other_b in pairs):
            pairs.append((t, b))
    done_t, done_b = {t for t, _ in pairs}, {b for _, b in pairs}
    return _Matching(
        [(tracks[t], boxes[b]) for t, b in pairs],
        [track for t, track in enumerate(tracks) if t not in done_t],
        [box for b, box in enumerate(boxes) if b not in done_b],
    )


def _same(a: _Track, b: _Track) -> bool:
    return _distance(a.centre, b.centre) < _SAME * max(a.width, b.width)


def _held(held: MouthBox, box: MouthBox) -> bool:
    length = _length(held)
    shift = _distance(_middle(box), _middle(held)) / length
    size = abs(math.log(_length(box) / length))
    roll = abs(math.remainder(box.roll - held.roll, 2 * math.pi))
    return shift / _HELD_SHIFT + size / _HELD_SIZE + roll / _HELD_ROLL < 1


def _middle(box: MouthBox) -> tuple[float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def _distance(a: Any, b: Any) -> float:
    return math.hypot(a[0] - b[0], a[1] - b[1])


def _length(box: MouthBox) -> float:
    return max(box.x1 - box.x0, box.y1 - box.y0)


def _ratio(a: float, b: float) -> float:
    return max(a, b) / max(min(a, b), 1e-9)
