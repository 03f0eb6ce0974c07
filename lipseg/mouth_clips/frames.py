"""The frames and the sound of a clip as files: MP4, NumPy, PNG, WAV; one frame is in memory at a time."""

import wave
import zipfile
from abc import ABC, abstractmethod
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lipseg.mouth_clips.cutting import ClipFrame
from lipseg.mouth_clips.params import ClipParams
from lipseg.mouth_clips.planning import ClipPlan
from lipseg.mouth_clips.rows import Columns
from lipseg.mouth_clips.sound import Samples, SoundCutter
from lipseg.video.libraries import need_av
from lipseg.video.writing import os_error, video_encoder

# Of frames that come at the source's own times.
_TIME_BASE = Fraction(1, 60_000)


class FrameWriter(ABC):
    """Writes the frames of one clip in one format, into a folder that the caller throws away should this fail.

    Attributes:
        name: the format's name on the command line.
        ending: what follows the clip's name in the file's.
        holds_sound: whether the sound goes into the same file.
    """

    name: ClassVar[str]
    ending: ClassVar[str]
    holds_sound: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, path: Path, plan: ClipPlan, params: ClipParams, sound: SoundCutter | None) -> None:
        """Begins the file.

        Args:
            path: of it.
            plan: of the clip.
            params: what its frames look like.
            sound: what the sound comes from; None for a clip without.

        Raises:
            OSError: if it cannot be written.
        """

    @abstractmethod
    def write(self, frame: ClipFrame) -> None:
        """Writes the next frame."""

    def write_sound(self, samples: Samples) -> None:  # noqa: B027  (most formats hold none)
        """Writes the next samples, (n, channels)."""

    @abstractmethod
    def close(self) -> None:
        """Ends the file; also of a clip that failed."""


class Mp4Writer(FrameWriter):
    """H.264 (MPEG-4 where ffmpeg lacks it) and AAC."""

    name, ending, holds_sound = "mp4", ".mp4", True

    def __init__(self, path: Path, plan: ClipPlan, params: ClipParams, sound: SoundCutter | None) -> None:
        self._av = need_av("writing videos")
        self._start, self._grid = plan.start_s, bool(params.fps)
        rate = Fraction(1 / plan.step_s).limit_denominator(1001)
        self._base = 1 / rate if self._grid else _TIME_BASE
        encoder, settings = video_encoder()
        try:
            self._container = self._av.open(f"file:{path}", "w", format="mp4", options={"movflags": "+faststart"})
        except self._av.error.FFmpegError as error:
            raise os_error(error) from error
        self._video: Any = self._container.add_stream(encoder, rate=rate, options=settings)
        self._video.width, self._video.height = params.width + params.width % 2, params.height + params.height % 2
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = self._base
        self._video.codec_context.thread_count = 1  # more would only wait for each other, on pictures this small
        self._sound: Any = None
        self._written = 0
        if sound is not None:
            self._sound = self._container.add_stream("aac", rate=sound.rate)
            self._layout = "mono" if sound.channels == 1 else "stereo"
            self._sound.codec_context.layout = self._layout
        self._last = -1

    def write(self, frame: ClipFrame) -> None:
        image = frame.image if frame.image.ndim == 3 else np.repeat(frame.image[..., None], 3, 2)
        image = np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), "edge")
        shown = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        shown = shown.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        ticks = frame.index if self._grid else round((frame.time - self._start) / self._base)
        self._last = max(ticks, self._last + 1)
        shown.pts, shown.time_base = self._last, self._base
        self._mux(self._video.encode(shown))

    def write_sound(self, samples: Samples) -> None:
        heard = self._av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=self._layout)
        heard.sample_rate = self._sound.rate
        heard.pts, heard.time_base = self._written, Fraction(1, self._sound.rate)
        self._written += len(samples)
        self._mux(self._sound.encode(heard))

    def close(self) -> None:
        try:
            for stream in (self._video, self._sound):
                if stream is not None:
                    self._mux(stream.encode(None))
        finally:
            with suppress(ValueError):
                self._container.close()

    def _mux(self, packets: Any) -> None:
        try:
            self._container.mux(packets)
        except self._av.error.FFmpegError as error:
            raise os_error(error) from error


class NpzWriter(FrameWriter):
    """``data``, (n, height, width) or (n, height, width, 3) uint8, and an array for each column of the rows."""

    name, ending = "npz", ".npz"

    def __init__(self, path: Path, plan: ClipPlan, params: ClipParams, sound: SoundCutter | None) -> None:
        shape = (len(plan.frames), params.height, params.width) + (() if params.grey else (3,))
        self._columns = Columns(len(plan.frames))
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._data: Any = self._zip.open("data.npy", "w", force_zip64=True)
        np.lib.format.write_array_header_1_0(self._data, {"descr": "|u1", "fortran_order": False, "shape": shape})

    def write(self, frame: ClipFrame) -> None:
        self._data.write(np.ascontiguousarray(frame.image).data)
        self._columns.put(frame)

    def close(self) -> None:
        self._data.close()
        for name, values in self._columns.arrays().items():
            with self._zip.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, values, allow_pickle=False)
        self._zip.close()


class PngWriter(FrameWriter):
    """A folder with a picture a frame: 000000.png and so on."""

    name, ending = "png", ""

    def __init__(self, path: Path, plan: ClipPlan, params: ClipParams, sound: SoundCutter | None) -> None:
        self._folder = path
        path.mkdir()

    def write(self, frame: ClipFrame) -> None:
        Image.fromarray(frame.image).save(self._folder / f"{frame.index:06d}.png", compress_level=1)

    def close(self) -> None:
        pass


class WavWriter(FrameWriter):
    """The sound alone, 16 bits; beside clips whose frames' format holds none."""

    name, ending, holds_sound = "wav", ".wav", True

    def __init__(self, path: Path, plan: ClipPlan, params: ClipParams, sound: SoundCutter | None) -> None:
        assert sound is not None
        self._file = wave.open(str(path), "wb")  # noqa: SIM115  (open until ``close``)
        self._file.setnchannels(sound.channels)
        self._file.setsampwidth(2)
        self._file.setframerate(sound.rate)

    def write(self, frame: ClipFrame) -> None:
        pass

    def write_sound(self, samples: NDArray[np.int16]) -> None:
        self._file.writeframes(np.ascontiguousarray(samples, "<i2").tobytes())

    def close(self) -> None:
        self._file.close()


# What --format names.
FRAME_WRITERS: dict[str, type[FrameWriter]] = {kind.name: kind for kind in (Mp4Writer, NpzWriter, PngWriter)}
