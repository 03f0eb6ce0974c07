"""Decoding: the frames of a video file in their order, upright, with their own times; broken ones are skipped."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError
from lipseg.files import not_there
from lipseg.images import IMAGE_SUFFIXES
from lipseg.video.libraries import need_av

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# So many demuxing errors running, without a packet between them, and the rest of the file is given up.
_HOPELESS = 50
_FALLBACK_RATE = Fraction(25)
# The containers of videos, by ffmpeg's names. It knows more, and goes by the content alone: what is called talk.mp4
# could be a playlist or a script, which reads other files.
_CONTAINERS = "mov,mp4,matroska,webm,avi,mpeg,mpegvideo,mpegts,asf,flv,ogg,h264,hevc"
# Pixels of a frame, somewhat more than 8K; and above how many two of them at most are decoded at once.
MOST_PIXELS = 40_000_000
_LARGE = 10_000_000
# Quarter turns counterclockwise, as OpenCV calls them.
_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded frame.

    Attributes:
        index: counts the frames that could be decoded, from 0.
        ticks: its time in units of the reader's ``time_base``; grows strictly from frame to frame.
        time: the same in seconds.
        image: RGB uint8 (height, width, 3), upright; its receiver may draw on it.
    """

    index: int
    ticks: int
    time: float
    image: NDArray[np.uint8]


class VideoReader:
    """A video file, opened; a context manager.

    Attributes:
        path: the file.
        time_base: seconds a tick.
        rate: frames a second on average, as far as the file tells.
        expected: how many frames there are, or None where the file does not tell.
        skipped: packets and frames that could not be decoded so far; at the end also those that the file's index has
            and the file no longer.
    """

    def __init__(self, path: Path) -> None:
        """Opens a file.

        Raises:
            DataError: if it is missing or holds no video that can be decoded.
            MissingLibraryError: without PyAV.
        """
        self._av = need_av("reading videos")
        # ffmpeg would write its warnings about damaged files over the progress bar.
        self._av.logging.set_level(None)
        self.path = path
        self.skipped = 0
        self._stopped = False
        # PyAV 19 takes titles that are no UTF-8 as they are; before, it has to be told not to fail at them.
        lenient = {} if int(self._av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
        try:
            # As a file, never as one of the protocols and devices that ffmpeg reads names as.
            self.container: InputContainer = self._av.open(
                f"file:{path}",
                options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"},
                **lenient,
            )
        except self._av.error.FFmpegError as error:
            raise DataError(f"{path}: not a video that can be read ({_why_not(path, error)})") from error
        if not self.container.streams.video:
            kinds = _kinds(self.container)
            self.container.close()
            raise DataError(f"{path}: holds no video, only {kinds or 'nothing that is known'}")
        self.stream: VideoStream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        if (context := self.stream.codec_context) is not None:
            width, height = context.width, context.height
            if width * height > MOST_PIXELS:
                self.container.close()
                raise DataError(
                    f"{path}: frames of {width} x {height} pixels, and at most {MOST_PIXELS // 1_000_000} million are "
                    "read; make the video smaller"
                )
            if width * height > _LARGE:
                context.thread_count = 2
            # Frames may become larger later on: such a one is broken.
            context.options = {"max_pixels": str(MOST_PIXELS)}
        self.time_base = Fraction(self.stream.time_base or Fraction(1, 90_000))
        self.rate = Fraction(self.stream.average_rate or self.stream.guessed_rate or _FALLBACK_RATE)
        self.expected = self._count()

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    def frames(self, other: "Callable[[Packet], None] | None" = None) -> Iterator[Picture]:
        """Yields the frames one by one; what cannot be decoded is counted in ``skipped``.

        Args:
            other: takes the packets of the sound, in the order of the file.
        """
        step = max(1, round(1 / (self.rate * self.time_base)))
        last: int | None = None
        index = 0
        streams = [self.stream, *(self.container.streams.audio if other else ())]
        for packet in self._packets(streams):
            if packet.stream is not self.stream:
                if other:
                    other(packet)
                continue
            for frame in self._decoded(packet):
                # Frames without a time, or with one that runs backwards, come a usual step after the last.
                ticks = frame.pts
                if ticks is None or (last is not None and ticks <= last):
                    ticks = 0 if last is None else last + (step if ticks is None else 1)
                last = ticks
                yield Picture(index, ticks, float(ticks * self.time_base), _upright(frame))
                index += 1
        self.skipped += self._cut_off()

    def _packets(self, streams: list[Any]) -> "Iterator[Packet]":
        """Yields the packets; goes on behind damaged places."""
        failures = 0
        while failures < _HOPELESS:
            try:
                for packet in self.container.demux(streams):
                    failures = 0
                    yield packet
                return
            except EOFError:
                return
            except self._av.error.FFmpegError:
                failures += 1
                self.skipped += 1

    def _decoded(self, packet: "Packet") -> "list[VideoFrame]":
        try:
            return packet.decode()  # type: ignore[return-value]
        except EOFError:
            return []
        except self._av.error.FFmpegError:
            self.skipped += 1
            return []

    def _cut_off(self) -> int:
        """Returns how many packets the index has behind the file's end: ffmpeg ends there as at any other."""
        try:
            size = self.path.stat().st_size
        except OSError:  # the file has gone since; what was opened was read to its end
            return 0
        return sum(entry.pos + entry.size > size for entry in self.stream.index_entries)

    def _count(self) -> int | None:
        if self.stream.frames:
            return self.stream.frames
        seconds = None
        if self.stream.duration:
            seconds = float(self.stream.duration * self.time_base)
        elif self.container.duration:
            seconds = self.container.duration / self._av.time_base
        if seconds is None or not math.isfinite(seconds) or seconds <= 0:
            return None
        return max(1, round(seconds * float(self.rate)))


def _upright(frame: "VideoFrame") -> NDArray[np.uint8]:
    """Returns a frame as RGB, turned as the file's display matrix wants it (to the nearest quarter)."""
    image: Any = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return cv2.rotate(image, _TURNS[turns]) if turns else image  # type: ignore[return-value]


def _kinds(container: "InputContainer") -> str:
    return " and ".join(sorted({str(stream.type) for stream in container.streams}))


def _why_not(path: Path, error: Exception) -> str:
    """Returns why a file cannot be opened as a video."""
    if isinstance(error, FileNotFoundError):
        return not_there(path)
    if path.is_dir():
        return "it is a folder; give one video"
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return "it is called like a picture, which `lipseg predict` takes"
    return _reason(error)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
