"""The second pass over a video: the frames of the clips are cut out, upright, centred and scaled."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.geometry import Affine, warp
from lipseg.inference.segmenter import LipSegmenter
from lipseg.mouth_clips.observing import FRAMES_AHEAD, observe
from lipseg.mouth_clips.params import ClipParams
from lipseg.mouth_clips.planning import ClipPlan, plan_clips
from lipseg.prefetch import read_ahead
from lipseg.rendering import measures
from lipseg.tracking import Detect, TrackParams
from lipseg.video.reading import Picture, VideoReader

if TYPE_CHECKING:
    from av.packet import Packet


@dataclass(frozen=True, slots=True, eq=False)
class ClipFrame:
    """One frame of the clip of one person.

    Attributes:
        person: counts from 1 in the order of appearance.
        index: of the frame in its clip, from 0.
        time: in seconds of the source.
        image: (height, width, 3) uint8 RGB, or (height, width) where clips are grey; black where nothing is shown.
        found: whether the mouth was found in the frame that is shown.
        source_frame: which of the source's frames is shown, counted from 0; None where the source has none.
        to_picture: (2, 3) float64, the map from the clip's pixels to the picture's; None where nothing is shown.
        inside: whether all of the frame lies in the picture; beyond its edge the pixels of the edge are repeated.
        landmarks: (56, 2) float32 in pixels of the picture, as the model gave them; None where the mouth was not found.
        opening: pixels between the lips over the mouth's width, see ``Lips``; None likewise.
        score: the model's, see ``Lips``; None likewise.
    """

    person: int
    index: int
    time: float
    image: NDArray[np.uint8]
    found: bool
    source_frame: int | None
    to_picture: NDArray[np.floating[Any]] | None
    inside: bool
    landmarks: NDArray[np.float32] | None
    opening: float | None
    score: float | None


def mouth_frames(
    video: Path | str,
    segmenter: LipSegmenter,
    params: ClipParams | None = None,
    *,
    detect: Detect | None = None,
    boxes: Sequence[Box] = (),
    track: TrackParams | None = None,
) -> Iterator[ClipFrame]:
    """Yields the aligned frames of every mouth in a video, in the order of time; the people of one frame by number.

    The video is read twice: landmarks are smoothed with those that follow as well as with those before. One frame is in
    memory at a time, and some two kilobytes for each that shows a mouth.

    Args:
        video: the file.
        segmenter: the model.
        params: what the frames look like, see ``ClipParams`` and ``PRESETS``.
        detect: see ``Tracker``.
        boxes: the mouths in the first frame, see ``Tracker``; only these are then followed.
        track: how mouths are followed, see ``TrackParams``.

    Raises:
        DataError: if the video cannot be used or holds no frame that can be decoded.
        MissingLibraryError: without PyAV.
    """
    params = params or ClipParams()
    with VideoReader(Path(video)) as reader:
        observed = observe(reader, segmenter, detect=detect, boxes=boxes, track=track)
        if not len(observed.times):
            raise DataError(f"{video}: no frame of it can be decoded")
    plans, _ = plan_clips(observed, params)
    with VideoReader(Path(video)) as reader:
        yield from cut_frames(reader, plans, params)


def cut_frames(
    reader: VideoReader,
    plans: Sequence[ClipPlan],
    params: ClipParams,
    *,
    sound: "Callable[[Packet], None] | None" = None,
    seen: Callable[[], Any] | None = None,
) -> Generator[ClipFrame, None, None]:
    """Yields the frames of planned clips, as ``mouth_frames`` does.

    Args:
        reader: of the video that the plans are of, opened anew.
        plans: of the clips.
        params: that they were planned with.
        sound: takes the packets of the sound, in the order of the file.
        seen: is called after every frame of the source.

    Raises:
        DataError: if the video ends earlier than it did in the first pass.
    """
    done = [0] * len(plans)
    # The sound is taken here and not in the thread that reads the frames: both end in the same files.
    packets: deque[Packet] = deque()
    with closing(read_ahead(reader.frames(packets.append if sound else None), FRAMES_AHEAD)) as pictures:
        for picture in pictures:
            for number, plan in enumerate(plans):
                while done[number] < len(plan.frames) and plan.frames[done[number]] <= picture.index:
                    yield _cut(plan, done[number], picture, params)
                    done[number] += 1
            while sound and packets:
                sound(packets.popleft())
            if seen:
                seen()
    while sound and packets:
        sound(packets.popleft())
    if any(count < len(plan.frames) for count, plan in zip(done, plans, strict=True)):
        raise DataError(f"{reader.path}: fewer frames were decoded the second time; is the file still being written?")


def _cut(plan: ClipPlan, index: int, picture: Picture, params: ClipParams) -> ClipFrame:
    source, seen = int(plan.frames[index]), int(plan.seen[index])
    found = seen >= 0
    to_picture: Affine | None = None
    if source >= 0 and (found or params.gaps == "interpolate"):
        to_picture = plan.path.to_picture(picture.time)
    if to_picture is None:
        image = np.zeros((params.height, params.width) + (() if params.grey else (3,)), np.uint8)
        inside = False
    else:
        image = warp(picture.image, to_picture, params.width, params.height)
        if params.grey:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        ends = np.array([[x, y] for x in (-0.5, params.width - 0.5) for y in (-0.5, params.height - 0.5)])
        height, width = picture.image.shape[:2]
        corners = to_picture(ends)
        inside = bool(((corners >= -0.5) & (corners <= (width - 0.5, height - 0.5))).all())
    landmarks = plan.track.landmarks[seen] if found else None
    opening = None
    if landmarks is not None:
        across = measures.width(landmarks)
        opening = measures.opening(landmarks) / across if across > 0 else 0.0
    return ClipFrame(
        person=plan.person,
        index=index,
        time=float(plan.times[index]),
        image=image,  # pyright: ignore[reportArgumentType]
        found=found,
        source_frame=source if source >= 0 else None,
        to_picture=None if to_picture is None else to_picture.matrix,
        inside=inside,
        landmarks=landmarks,
        opening=opening,
        score=plan.track.scores[seen] if found else None,
    )
