"""The sound of a video, cut to the spans of its clips to the sample."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lipseg.video.libraries import need_av
from lipseg.video.reading import VideoReader
from lipseg.video.writing import AAC_RATES

if TYPE_CHECKING:
    from av.packet import Packet

Samples = NDArray[np.int16]
# Silence is put in pieces of so many samples, however long it is.
_PIECE = 1 << 16
_USUAL_RATE = 48_000


class SoundCutter:
    """Takes the packets of a video's sound and hands each clip its samples, from its first frame on.

    Where the source has no sound in a clip's span there is silence, so that sound and frames stay in step.

    Attributes:
        rate: samples a second; the source's where AAC knows it, else 48000.
        channels: 1 or 2.
        lost: packets that could not be decoded.
    """

    def __init__(self, reader: VideoReader) -> None:
        """Prepares for the first sound of a video that has one.

        Raises:
            ValueError: if it has none.
        """
        streams = [stream for stream in reader.container.streams.audio if stream.codec_context]
        if not streams:
            raise ValueError("no sound")
        self._av = need_av("reading videos")
        self._stream = streams[0]
        context = self._stream.codec_context
        self.rate: int = context.sample_rate if context.sample_rate in AAC_RATES else _USUAL_RATE
        self.channels = 1 if context.channels == 1 else 2
        self.lost = 0
        layout = "mono" if self.channels == 1 else "stereo"
        self._resampler: Any = self._av.AudioResampler(format="s16", layout=layout, rate=self.rate)
        self._at: int | None = None
        self._clips: list[_ClipSound] = []

    @staticmethod
    def of(reader: VideoReader) -> "SoundCutter | None":
        """Returns a cutter, None where the video has no sound."""
        try:
            return SoundCutter(reader)
        except ValueError:
            return None

    def add(self, start_s: float, end_s: float, sink: Callable[[Samples], None]) -> None:
        """Cuts a span out, in seconds: ``sink`` is given its samples, (n, channels) int16, piece by piece."""
        self._clips.append(_ClipSound(round(start_s * self.rate), round(end_s * self.rate), self.channels, sink))

    def length(self, start_s: float, end_s: float) -> int:
        """Returns how many samples a span has."""
        return round(end_s * self.rate) - round(start_s * self.rate)

    def packet(self, packet: "Packet") -> None:
        """Takes the next packet of the file's sound."""
        if packet.stream.index != self._stream.index:
            return
        try:
            frames = packet.decode()
        except EOFError:
            return
        except self._av.error.FFmpegError:
            self.lost += 1
            return
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                begins = round(float(frame.pts * frame.time_base) * self.rate)
                # Rounding of the source's clock is no gap.
                if self._at is None or abs(begins - self._at) > self.rate // 50:
                    self._at = begins
            frame.pts = None
            for piece in self._resampler.resample(frame):
                self._give(piece)

    def close(self) -> None:
        """Hands out what is left, and silence up to each clip's end."""
        if self._at is not None:
            for piece in self._resampler.resample(None):
                self._give(piece)
        for clip in self._clips:
            clip.fill()

    def _give(self, piece: Any) -> None:
        samples: Samples = piece.to_ndarray().reshape(-1, self.channels)
        at = self._at or 0
        for clip in self._clips:
            clip.take(at, samples)
        self._at = at + len(samples)


class _ClipSound:
    """The sound of one clip, from one sample of the source to another."""

    def __init__(self, start: int, end: int, channels: int, sink: Callable[[Samples], None]) -> None:
        self._next, self._end, self._channels, self._sink = start, end, channels, sink

    def take(self, at: int, samples: Samples) -> None:
        """Takes samples of the source from position ``at`` on."""
        if at >= self._end or at + len(samples) <= self._next:
            return
        self._silence(at)
        part = samples[self._next - at : self._end - at]
        self._put(part)

    def fill(self) -> None:
        """Ends with silence where the source's sound ended before the clip."""
        self._silence(self._end)

    def _silence(self, until: int) -> None:
        for piece in _silence(max(0, min(until, self._end) - self._next), self._channels):
            self._put(piece)

    def _put(self, samples: Samples) -> None:
        self._next += len(samples)
        self._sink(samples)


def _silence(length: int, channels: int) -> Iterator[Samples]:
    for start in range(0, length, _PIECE):
        yield np.zeros((min(_PIECE, length - start), channels), np.int16)
