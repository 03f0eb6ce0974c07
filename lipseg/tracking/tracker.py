"""Following mouths through a video: a detector finds them, then the model's own landmarks say where to look next."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box, near, without_doubles
from lipseg.errors import DataError
from lipseg.tracking.matching import Gate, associate
from lipseg.tracking.params import TrackParams
from lipseg.tracking.schedule import DetectionSchedule
from lipseg.tracking.track import Track
from lipseg.tracking.tracked import TrackedFrame, TrackedLips

if TYPE_CHECKING:
    from lipseg.inference.segmenter import LipSegmenter

Frame = NDArray[np.uint8]
Detect = Callable[[Frame], Sequence[Box]]

# Frames without a time of their own are taken to come at this rate.
_DEFAULT_FPS = 25.0
# A detection within this gate belongs to the track. A lost mouth may have moved farther the longer it is lost: its gate
# begins at one length and grows by two a second, up to three.
_FOLLOWED = Gate(shift=0.75, size=2.2)
_LOST_SIZE, _LOST_SHIFT, _LOST_SHIFT_PER_S, _LOST_MOST = 1.7, 1.0, 2.0, 3.0
# Two tracks nearer to each other than this share of the mouth's width are on one mouth.
_SAME_MOUTH = 0.4
_same_mouth = near(_SAME_MOUTH)


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
        boxes: Sequence[Box] = (),
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
        self._detect: Detect | None = detect or (self._segmenter.find if segmenter.finds_faces else None)
        if self._detect is None and not boxes:
            raise DataError("following mouths needs a detector, or the mouths' boxes in the first frame")
        self.params = params or TrackParams()
        self.detections = 0
        self._min_score = max(self.params.min_score, segmenter.min_score)
        self._given = list(boxes)
        self._tracks: list[Track] = []  # confirmed and lost ones
        self._ids = 0
        self._time = -math.inf
        self._size: tuple[int, int] | None = None
        self._schedule = DetectionSchedule(self.params.detect_every if boxes else 0)

    def __call__(self, image: Frame, time: float | None = None) -> TrackedFrame:
        """Returns the mouths of the next frame.

        Args:
            image: RGB uint8 (height, width, 3); not changed and not kept.
            time: in seconds; None takes 25 frames a second. One that runs backwards is taken as no time having passed.

        Raises:
            DataError: if the frame is no picture, a box of the first frame lies outside it, or the time is not finite.
        """
        if not isinstance(image, np.ndarray):
            raise DataError(f"a frame must be an RGB uint8 array (height, width, 3), not {type(image).__name__}")
        if time is not None and not math.isfinite(time):
            raise DataError(f"the time of a frame must be a finite number of seconds, not {time}")
        index = self._schedule.index
        if time is None:
            time = 0.0 if index == 0 else self._time + 1 / _DEFAULT_FPS
        self._time = max(time, self._time)
        size = image.shape[:2]
        tentative: list[Track] = []
        if index == 0:
            for box in self._given:
                box.check_inside(*size)
            tentative = [Track(box, self.params.smooth, given=True) for box in self._given]
        elif size != self._size:  # another picture altogether
            self._tracks = []
            self._schedule.at_once()
        self._size = size
        self._tracks = [t for t in self._tracks if not t.lost or self._time - t.time <= self.params.keep_lost_s]
        for track in self._tracks:
            track.predict(self._time)
        self._lose_outside(size)

        searched = self._due()
        if searched:
            tentative += self._search(image)
        mouths = self._look(image, [*self._followed(), *tentative])
        if not searched and self._due():  # a mouth was lost just now
            searched = True
            mouths += self._look(image, self._search(image))
        if searched:
            self._wait()
        self._schedule.index += 1
        mouths = self._without_doubles(mouths)
        return TrackedFrame(index, time, sorted(mouths, key=lambda mouth: mouth.id))

    def _followed(self) -> list[Track]:
        return [track for track in self._tracks if not track.lost]

    def _due(self) -> bool:
        return self._detect is not None and self._schedule.due()

    def _lose(self, track: Track) -> None:
        """Gives up a mouth, and has it searched for at once."""
        track.lost = True
        self._schedule.at_once()

    def _lose_outside(self, size: tuple[int, int]) -> None:
        """Loses the mouths that have left the picture of this height and width."""
        for track in self._followed():
            box = track.predicted
            if not (-0.5 <= box.cx <= size[1] - 0.5 and -0.5 <= box.cy <= size[0] - 0.5):
                self._lose(track)

    def _search(self, image: Frame) -> list[Track]:
        """Asks the detector; returns tentative tracks: of lost mouths that may be seen again, and of new people."""
        assert self._detect is not None
        detections = sorted(self._detect(image), key=lambda box: box.longer, reverse=True)
        self.detections += 1
        followed = self._followed()
        pairs = associate([(track.predicted, _FOLLOWED) for track in followed], detections)
        for position, track in enumerate(followed):
            track.misses = 0 if position in pairs else track.misses + 1
            # Lost: the detector has missed it too often, or once while its score was low.
            track.lost = track.misses >= self.params.unconfirmed or (track.misses > 0 and track.low_scores > 0)
        detections = [box for position, box in enumerate(detections) if position not in pairs.values()]
        lost = [track for track in self._tracks if track.lost]
        pairs = associate([(track.predicted, self._lost_gate(track)) for track in lost], detections)
        tentative = [Track(detections[d], self.params.smooth, id=lost[t].id) for t, d in pairs.items()]
        if self.params.new_people:
            new = [box for position, box in enumerate(detections) if position not in pairs.values()]
            room = len(new)
            if self.params.max_mouths is not None:
                room = max(0, self.params.max_mouths - len(followed) - len(tentative))
            tentative += [Track(box, self.params.smooth) for box in new[:room]]
        return tentative

    def _lost_gate(self, track: Track) -> Gate:
        shift = _LOST_SHIFT + _LOST_SHIFT_PER_S * (self._time - track.time)
        return Gate(min(shift, _LOST_MOST), _LOST_SIZE)

    def _wait(self) -> None:
        """Sets when the next detection is due, by how the mouths fared in this one."""
        followed = self._followed()
        limit = self.params.detect_every
        if not followed:
            limit = min(limit, self.params.search_every)
        settled = None
        if any(track.misses == 1 for track in followed):
            settled = False
        elif followed and not any(track.lost or track.misses for track in self._tracks):
            settled = True
        self._schedule.wait(limit, settled=settled)

    def _look(self, image: Frame, tracks: list[Track]) -> list[TrackedLips]:
        """Shows the model the mouths of tracks; returns what is seen of them, and keeps or loses the tracks."""
        if not tracks:
            return []
        every_lips = self._segmenter.as_reference(image, [track.view_box() for track in tracks])
        mouths: list[TrackedLips] = []
        for track, lips in zip(tracks, every_lips, strict=True):
            new = not track.confirmed
            low = not lips.score >= self._min_score  # a score that is not a number is low too
            track.low_scores = track.low_scores + 1 if low else 0
            box = track.gate(lips.landmarks, *image.shape[:2])
            if box is None or track.low_scores >= self.params.patience or (new and low and not track.given):
                if not new:
                    self._lose(track)
                continue
            if track.low_scores == 1:
                self._schedule.at_once()
            smoothed = track.update(lips, box, self._time)
            if not new or self._admit(track):
                # Moved at the very end: the track, and so the next frame's view, follows the reference's answer.
                shown, raw = self._segmenter.in_convention(smoothed), self._segmenter.in_convention(lips)
                mouths.append(TrackedLips(track.id, shown, raw.landmarks))
        return mouths

    def _admit(self, track: Track) -> bool:
        """Takes up a new track, in the place of the lost one whose id it has; not if its mouth is followed already."""
        if any(_same_mouth(track.box, other.box) for other in self._followed()):
            return False
        if track.id:
            self._tracks = [other for other in self._tracks if other.id != track.id]
        else:
            self._ids += 1
            track.id = self._ids
        self._tracks.append(track)
        return True

    def _without_doubles(self, mouths: list[TrackedLips]) -> list[TrackedLips]:
        """Loses all but one of the tracks that have come to lie on one mouth; returns the mouths that are left.

        The one with the smallest innovation stays: it was there before, the others jumped there.
        """
        followed = sorted(self._followed(), key=lambda track: track.id)
        if len(followed) > 1:
            surest = [-track.innovation for track in followed]
            kept = set(without_doubles([track.box for track in followed], surest, _same_mouth))
            for position, track in enumerate(followed):
                if position not in kept:
                    # Where it was before it jumped says better where its mouth will be seen again.
                    track.undo_update()
                    self._lose(track)
        ids = {track.id for track in self._followed()}
        return [mouth for mouth in mouths if mouth.id in ids]


def follow(
    segmenter: "LipSegmenter",
    frames: Iterable[Frame | tuple[float, Frame]],
    detect: Detect | None = None,
    *,
    boxes: Sequence[Box] = (),
    params: TrackParams | None = None,
) -> Iterator[TrackedFrame]:
    """Returns the mouths of every frame of a video, one frame at a time; none is kept.

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
