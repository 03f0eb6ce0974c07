"""A whole video: read, follow, paint, write."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.inference.segmenter import LipSegmenter
from lipseg.rendering.overlay import draw_lips
from lipseg.tracking import Detect, TrackedFrame, TrackedLips, Tracker, TrackParams
from lipseg.video.reading import VideoReader
from lipseg.video.writing import VideoWriter

Paint = Callable[[NDArray[np.uint8], Sequence[TrackedLips]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """What was done.

    Attributes:
        frames: that were followed (and written, if any were).
        empty: frames among them without a mouth.
        broken: packets and frames of the source that could not be decoded.
        sound_lost: packets of the sound that could not be written.
        detections: how often the detector was asked.
    """

    frames: int
    empty: int
    broken: int
    sound_lost: int
    detections: int


def draw_mouths(image: NDArray[np.uint8], mouths: Sequence[TrackedLips]) -> NDArray[np.uint8]:
    """Draws the contours of every mouth with its id into a frame (RGB uint8), and returns the same array."""
    for mouth in mouths:
        draw_lips(image, mouth.landmarks, label=str(mouth.id))
    return image


def process_video(
    source: Path | VideoReader,
    target: Path | None,
    segmenter: LipSegmenter,
    paint: Paint = draw_mouths,
    *,
    detect: Detect | None = None,
    boxes: Sequence[Box] = (),
    params: TrackParams | None = None,
    every: int = 1,
    seen: Callable[[TrackedFrame], None] | None = None,
) -> VideoSummary:
    """Follows the lips through a video file and writes it anew with something painted on every frame.

    One frame is in memory at a time, however long the video is. The target keeps the frames' times and the sound; it
    is written beside its place and moved there at the end, so that an error or Ctrl-C leaves nothing half-written.
    Whether a file may be overwritten is for the caller to decide.

    Args:
        source: the file, or a reader of it.
        target: the file to write, .mp4, .m4v, .mov or .mkv; None writes none.
        segmenter: the model.
        paint: from a frame (RGB uint8, which it may draw on) and the mouths in it, by id, to the frame to write, of
            the same size. Called for every frame, also for one without a mouth; only if there is a target.
        detect: see ``Tracker``.
        boxes: the mouths in the first frame, see ``Tracker``.
        params: how to follow and smooth, see ``TrackParams``.
        every: takes every n-th frame only.
        seen: is told of every frame that was followed; its ``index`` counts the frames of the source.

    Raises:
        DataError: if the source cannot be used or holds no frame that can be decoded.
        OSError: if the target cannot be written.
        MissingLibraryError: without PyAV.
    """
    with ExitStack() as stack:
        reader = source if isinstance(source, VideoReader) else stack.enter_context(VideoReader(source))
        tracker = Tracker(segmenter, detect, boxes=boxes, params=params)
        writer = stack.enter_context(VideoWriter(target, reader)) if target is not None else None
        frames = empty = 0
        for picture in reader.frames(writer.sound if writer else None):
            if picture.index % every:
                continue
            tracked = replace(tracker(picture.image, picture.time), index=picture.index)
            frames += 1
            empty += not tracked.mouths
            if writer:
                writer.write(picture, paint(picture.image, tracked.mouths))
            if seen:
                seen(tracked)
        if frames == 0:
            raise DataError(f"{reader.path}: no frame of it can be decoded")
    return VideoSummary(frames, empty, reader.skipped, writer.sound_lost if writer else 0, tracker.detections)
