"""Clips that were written, as a data set: what the loaders of PyTorch and TensorFlow wrap."""

import math
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError, in_brief
from lipseg.images import read_image
from lipseg.mouth_clips.process import INDEX, read_index
from lipseg.mouth_clips.rows import read_rows
from lipseg.video.libraries import need_av

Item = dict[str, Any]

# Bytes, at most, before the numbers of an .npy file.
_NPY_HEAD = 1024


@dataclass(frozen=True, slots=True)
class _Window:
    clip: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class _Clip:
    folder: Path
    name: str
    entry: dict[str, Any]
    grey: bool


class MouthClips:
    """The clips below a folder, by number: has ``__len__`` and ``__getitem__``, holds no open file and can be pickled.

    Each item is a dict of NumPy arrays of the same length n, and of what names it:

    - ``frames``: (n, height, width) or (n, height, width, 3) uint8; black where nothing is shown
    - ``found``: (n,) bool, whether the mouth was found; ``inside``: whether the frame lies in the picture
    - ``time``: (n,) float64, seconds in the source; ``source_frame``: (n,) int64, -1 where it has none
    - ``to_picture``: (n, 2, 3) float64, the map from the clip's pixels to the picture's, NaN where nothing is shown
    - ``landmarks``: (n, 56, 2) float32 in pixels of the picture; ``opening`` and ``score``: (n,) float32; NaN where the
      mouth was not found
    - ``name``: of the clip, its place below the folder without an ending; ``start``: its first frame in the clip
    - ``sound`` (where asked for): (samples, channels) int16 of these frames, and ``rate``, samples a second
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        length: int | None = None,
        step: int | None = None,
        complete: bool = False,
        sound: bool = False,
        transform: Callable[[Item], Any] | None = None,
    ) -> None:
        """Looks for clips in a folder and below it, sorted by their names.

        Args:
            folder: that ``lipseg mouths`` or ``cut_clips`` has written to.
            length: frames an item: windows of the clips; None gives each clip as a whole.
            step: frames from one window to the next; None takes ``length``, so that they do not overlap.
            complete: leaves out items in which the mouth is not found in every frame.
            sound: whether the items hold their sound.
            transform: what is made of each item; a function that can be pickled if loaders' workers are to have it.

        Raises:
            DataError: if there is no clip, or an index cannot be used.
            ValueError: if ``length`` or ``step`` is below 1.
        """
        if (length is not None and length < 1) or (step is not None and step < 1):
            raise ValueError(f"length and step must be at least 1, not {length} and {step}")
        self.folder = Path(folder)
        self.transform = transform
        self._sound = sound
        self._clips: list[_Clip] = []
        for path in sorted(self.folder.rglob(INDEX)):
            index = read_index(path.parent)
            if index is None:
                raise DataError(f"{path}: not an index of mouth clips; remove it, or cut the clips again")
            for entry in index["clips"]:
                name = (path.parent / str(entry["person"])).relative_to(self.folder).as_posix()
                self._clips.append(_Clip(path.parent, name, entry, index["settings"]["grey"]))
        if not self._clips:
            raise DataError(f"{folder}: no mouth clips in this folder or below it; write some with: lipseg mouths")
        self._windows = [
            window
            for number, clip in enumerate(self._clips)
            for window in _windows(number, clip, length, step or length, complete=complete)
        ]
        self._kept: tuple[int, Item] | None = None

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, number: int) -> Any:
        """Returns an item, or what ``transform`` makes of it.

        Raises:
            IndexError: if there are not so many.
            DataError: if a file of the clip is missing or cannot be read.
        """
        window = self._windows[number]
        clip = self._clips[window.clip]
        whole = self._load(window.clip)
        part = slice(window.start, window.start + window.length)
        item: Item = {name: values[part] for name, values in whole.items() if name not in ("sound", "rate")}
        item |= {"name": clip.name, "start": window.start}
        if self._sound:
            samples = (
                np.array([window.start, window.start + window.length]) / clip.entry["fps"] * whole["rate"]
            ).round()
            item |= {"sound": whole["sound"][slice(*samples.astype(int))], "rate": whole["rate"]}
        return self.transform(item) if self.transform else item

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_kept": None}

    def _load(self, number: int) -> Item:
        """Returns a clip as a whole; the last one is kept, since its other windows are often next."""
        if self._kept is None or self._kept[0] != number:
            clip = self._clips[number]
            item: Item = {"frames": _read_frames(clip)} | read_rows(clip.folder / clip.entry["rows"])
            if len(item["frames"]) != len(item["found"]):
                raise DataError(
                    f"{clip.folder / clip.entry['rows']}: {len(item['found'])} rows of a clip of "
                    f"{len(item['frames'])} frames"
                )
            if self._sound:
                item["sound"], item["rate"] = _read_sound(clip)
            self._kept = (number, item)
        return self._kept[1]


def _windows(number: int, clip: _Clip, length: int | None, step: int | None, *, complete: bool) -> list[_Window]:
    n = int(clip.entry["frames"])
    if length is None or step is None:
        windows = [_Window(number, 0, n)]
    else:
        windows = [_Window(number, start, length) for start in range(0, n - length + 1, step)]
    if complete and clip.entry["found"] < n:
        found = read_rows(clip.folder / clip.entry["rows"])["found"]
        windows = [window for window in windows if found[window.start : window.start + window.length].all()]
    return windows


def _read_frames(clip: _Clip) -> NDArray[np.uint8]:
    files = clip.entry["files"]
    for name, read in (("npz", _from_npz), ("png", _from_png), ("mp4", _from_mp4)):
        if name in files:
            path = clip.folder / files[name]
            try:
                return read(path, clip)
            except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
                raise DataError(f"{path}: not the frames of a clip ({in_brief(error)})") from error
    raise DataError(f"{clip.folder / INDEX}: names no frames of clip {clip.name}")


def _from_npz(path: Path, clip: _Clip) -> NDArray[np.uint8]:
    shape = (clip.entry["frames"], clip.entry["height"], clip.entry["width"], *(() if clip.grey else (3,)))
    # The archive says how large its content is, and no more is ever unpacked: a small file may hold very much.
    with zipfile.ZipFile(path) as archive, archive.open("data.npy") as file:
        size = archive.getinfo("data.npy").file_size
        if not 0 <= size - math.prod(shape) <= _NPY_HEAD:
            raise ValueError(f"{size} bytes, not those of {shape[0]} frames")
        frames = np.lib.format.read_array(file, allow_pickle=False)
    if frames.shape != shape or frames.dtype != np.uint8:
        raise ValueError(f"{frames.dtype} of shape {frames.shape}, not uint8 of {shape}")
    return frames


def _from_png(path: Path, clip: _Clip) -> NDArray[np.uint8]:
    frames = [read_image(path / f"{number:06d}.png") for number in range(clip.entry["frames"])]
    return np.stack([frame[..., 0] if clip.grey else frame for frame in frames])


def _from_mp4(path: Path, clip: _Clip) -> NDArray[np.uint8]:
    av = need_av("reading clips")
    with av.open(f"file:{path}") as container:
        kind = "gray" if clip.grey else "rgb24"
        n, height, width = (clip.entry[name] for name in ("frames", "height", "width"))
        frames = []
        for frame in islice(container.decode(video=0), n + 1):
            # No more is kept than the index says: a small file may hold very much.
            if len(frames) == n or not (0 <= frame.height - height <= 1 and 0 <= frame.width - width <= 1):
                raise ValueError(f"more or larger frames than {n} of {width} x {height} pixels")
            frames.append(_decoded(frame, kind))
    return np.stack(frames)[:, : clip.entry["height"], : clip.entry["width"]]


def _decoded(frame: Any, kind: str) -> NDArray[np.uint8]:
    # As they were encoded: by BT.709, and as a whole range where they are shown.
    return frame.reformat(format=kind, src_colorspace="ITU709", dst_color_range="JPEG").to_ndarray()


def _read_sound(clip: _Clip) -> tuple[NDArray[np.int16], int]:
    files = clip.entry["files"]
    path = clip.folder / files.get("wav", files.get("mp4", ""))
    try:
        if "wav" in files:
            with wave.open(str(path), "rb") as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                return samples.reshape(-1, file.getnchannels()), file.getframerate()
        if "mp4" in files:
            av = need_av("reading clips")
            with av.open(f"file:{path}") as container:
                if container.streams.audio:
                    return _from_aac(av, container)
    except (OSError, ValueError, EOFError, wave.Error) as error:
        raise DataError(f"{path}: not the sound of a clip ({in_brief(error)})") from error
    raise DataError(f"{clip.folder / clip.name}: this clip has no sound")


def _from_aac(av: Any, container: Any) -> tuple[NDArray[np.int16], int]:
    stream = container.streams.audio[0]
    channels, rate = stream.codec_context.channels, stream.codec_context.sample_rate
    resampler = av.AudioResampler(format="s16", layout="mono" if channels == 1 else "stereo", rate=rate)
    pieces = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate([piece.to_ndarray().reshape(-1, channels) for piece in pieces]), rate
