"""Encoding: frames with the times of their source and the source's sound into a file, whole or not at all."""

from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError
from lipseg.files import whole_file
from lipseg.video.libraries import need_av
from lipseg.video.reading import Picture, VideoReader

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet

# The containers that are written, and the sound that each takes as it is; other sound becomes AAC.
_MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_SOUND = {".mp4": _MP4_SOUND, ".m4v": _MP4_SOUND, ".mov": _MP4_SOUND - {"opus", "flac"}, ".mkv": None}
SUFFIXES = tuple(_SOUND)
# Samples a second that AAC knows.
AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
_FORMATS = {".mkv": "matroska", ".mov": "mov"}

# Visually lossless at a fair speed.
_X264 = {"crf": "18", "preset": "veryfast"}
_MPEG4 = {"qscale": "3"}
# MPEG-4 part 2 counts at most 65535 ticks a second.
_MPEG4_TIME_BASE = Fraction(1, 60_000)
_FINEST_TIME_BASE = Fraction(1, 1_000_000)
_BT709 = 1


class VideoWriter:
    """A video file that is being written: beside its place, and moved there when all is well; a context manager.

    H.264 where the installed ffmpeg has it, else MPEG-4; 4:2:0, so a picture with an odd side gets one more row or
    column. Sound is copied where the container takes it and encoded anew where not.

    Attributes:
        path: the file.
        sound_lost: packets of the sound that could not be written.
    """

    def __init__(self, path: Path, source: VideoReader) -> None:
        """Prepares for writing; the file is begun with the first frame.

        Args:
            path: ends in one of ``SUFFIXES``.
            source: whose time base, rate, sound and tags the file takes over.

        Raises:
            DataError: for another ending.
        """
        self._av = need_av("writing videos")
        if path.suffix.lower() not in _SOUND:
            raise DataError(f"{path}: videos are written as {', '.join(SUFFIXES)}")
        self.path, self._source = path, source
        self.sound_lost = 0
        self._partial = path
        self._stack = ExitStack()
        self._container: OutputContainer | None = None
        self._video: Any = None
        self._sounds: dict[int, tuple[Any, bool]] = {}
        self._waiting: list[Packet] = []
        self._size = (0, 0)
        self._last = -1

    def __enter__(self) -> "VideoWriter":
        self._partial = self._stack.enter_context(whole_file(self.path))
        self._stack.push(self._end)  # before the file is moved or removed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _end(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._container is not None:
            self._finish()
        elif self._container is not None:
            self._close()

    def write(self, picture: Picture, image: NDArray[np.uint8]) -> None:
        """Writes a frame.

        Args:
            picture: whose time it has.
            image: RGB uint8; of another size than the first, it is scaled to that.

        Raises:
            OSError: if the file cannot be written.
        """
        if self._container is None:
            self._open(image.shape[1], image.shape[0])
        height, width = self._size
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        if height % 2 or width % 2:
            image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        base = self._video.codec_context.time_base
        # Where the time base had to be coarser, two frames may round to one tick.
        self._last = max(round(picture.ticks * self._source.time_base / base), self._last + 1)
        frame.pts, frame.time_base = self._last, base
        self._mux(lambda: self._video.encode(frame))

    def sound(self, packet: "Packet") -> None:
        """Writes a packet of the source's sound; one that is damaged is left out.

        Raises:
            OSError: if the file cannot be written.
        """
        if self._container is None:
            # The streams must all be known before the first packet, and the picture's size is not yet.
            self._waiting.append(packet)
            return
        target, copied = self._sounds[packet.stream.index]
        if copied:
            if packet.dts is None:  # the end
                return
            packet.stream = target
            self._mux(lambda: [packet])
            return
        try:
            frames = packet.decode()
            packets = [encoded for frame in frames for encoded in target.encode(frame)]
        except self._av.error.FFmpegError:
            self.sound_lost += 1
            return
        self._mux(lambda: packets)

    def _open(self, width: int, height: int) -> None:
        self._size = (height, width)
        suffix = self.path.suffix.lower()
        kind = _FORMATS.get(suffix, "mp4")
        options = {} if suffix == ".mkv" else {"movflags": "+faststart"}
        try:
            container = self._av.open(f"file:{self._partial}", "w", format=kind, options=options)
        except self._av.error.FFmpegError as error:
            raise os_error(error) from error
        self._container = container
        name, settings = video_encoder()
        video = container.add_stream(name, rate=self._source.rate, options=settings)
        video.width, video.height, video.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        base = max(self._source.time_base, _FINEST_TIME_BASE)
        video.codec_context.time_base = _MPEG4_TIME_BASE if name == "mpeg4" else base
        video.codec_context.colorspace, video.codec_context.color_range = _BT709, 1
        aspect = self._source.stream.sample_aspect_ratio
        if aspect and aspect != 1:
            video.codec_context.sample_aspect_ratio = aspect
        self._video = video
        for stream in self._source.container.streams.audio:
            taken = _SOUND[suffix]
            codec = stream.codec_context.name if stream.codec_context else ""
            copied = codec in taken if taken is not None else codec in container.supported_codecs
            if copied:
                self._sounds[stream.index] = container.add_stream_from_template(stream), True
            elif stream.codec_context:
                rate = stream.codec_context.sample_rate
                sound = container.add_stream("aac", rate=rate if rate in AAC_RATES else 48_000)
                # Raw sound often comes without saying which channel is which.
                sound.codec_context.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
                self._sounds[stream.index] = sound, False
        for packet in self._waiting:
            self.sound(packet)
        self._waiting.clear()

    def _mux(self, packets: Any) -> None:
        assert self._container is not None
        try:
            self._container.mux(packets())
        except self._av.error.FFmpegError as error:
            raise os_error(error) from error

    def _finish(self) -> None:
        self._mux(lambda: self._video.encode(None))
        for target, copied in self._sounds.values():
            if not copied:
                self._mux(lambda target=target: target.encode(None))
        assert self._container is not None
        try:
            self._container.close()
        except self._av.error.FFmpegError as error:
            raise os_error(error) from error

    def _close(self) -> None:
        """Closes a file that will be thrown away; what fails now does not matter."""
        assert self._container is not None
        with suppress(self._av.error.FFmpegError, ValueError):
            self._container.close()


def video_encoder() -> tuple[str, dict[str, str]]:
    """Returns the encoder's name and its settings: H.264 where the installed ffmpeg has it, else MPEG-4.

    Raises:
        MissingLibraryError: without PyAV.
    """
    av = need_av("writing videos")
    try:
        av.codec.Codec("libx264", "w")
    except av.codec.codec.UnknownCodecError:
        return "mpeg4", _MPEG4
    return "libx264", _X264


def os_error(error: Any) -> OSError:
    """Returns what ffmpeg says about a file as an ``OSError``."""
    return OSError(error.errno or 0, error.strerror or str(error))
