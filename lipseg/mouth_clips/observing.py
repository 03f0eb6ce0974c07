"""The first pass over a video: every mouth in it is followed, and where it was seen is kept."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.inference.segmenter import LipSegmenter
from lipseg.prefetch import read_ahead
from lipseg.tracking import Detect, Tracker, TrackParams
from lipseg.video.reading import VideoReader

# Nobody waits for a file's next frame, and who comes in late should not be missed for a second: the detector is asked
# more often than by a tracker of a camera.
DEFAULT_TRACK = TrackParams(detect_every=10)
# Frames that are decoded beside the work on one; all that both passes hold.
FRAMES_AHEAD = 3


@dataclass(slots=True, eq=False)
class Track:
    """Where one mouth was seen: half a kilobyte a frame.

    Attributes:
        id: of the mouth, as the tracker counts.
        frames: positions of the frames, increasing.
        landmarks: of each, (56, 2) float32 as the model gave them, in pixels of the upright frame.
        scores: of each.
    """

    id: int
    frames: list[int] = field(default_factory=list)
    landmarks: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What the first pass has seen.

    Attributes:
        times: (n,) float64, of every frame that could be decoded, in seconds.
        tracks: of the mouths, by their ids.
        skipped: packets and frames that could not be decoded.
    """

    times: NDArray[np.float64]
    tracks: list[Track]
    skipped: int


def observe(
    reader: VideoReader,
    segmenter: LipSegmenter,
    *,
    detect: Detect | None = None,
    boxes: Sequence[Box] = (),
    track: TrackParams | None = None,
    seen: Callable[[], Any] | None = None,
) -> Observed:
    """Follows the mouths through a video.

    Args:
        reader: of the video.
        segmenter: the model.
        detect: see ``Tracker``.
        boxes: the mouths in the first frame, see ``Tracker``.
        track: how mouths are followed, None for ``DEFAULT_TRACK``; its smoothing is not used, since the whole video is
            known.
        seen: is called after every frame.

    Raises:
        DataError: if there is neither a detector nor a box to begin with.
    """
    params = replace(track or replace(DEFAULT_TRACK, new_people=not boxes), smooth=None)
    tracker = Tracker(segmenter, detect, boxes=boxes, params=params)
    times: list[float] = []
    tracks: dict[int, Track] = {}
    with closing(read_ahead(reader.frames(), FRAMES_AHEAD)) as pictures:
        for picture in pictures:
            for mouth in tracker(picture.image, picture.time).mouths:
                found = tracks.setdefault(mouth.id, Track(mouth.id))
                found.frames.append(len(times))
                found.landmarks.append(mouth.raw)
                found.scores.append(mouth.score)
            times.append(picture.time)
            if seen:
                seen()
    return Observed(np.array(times), sorted(tracks.values(), key=lambda its: its.id), reader.skipped)
