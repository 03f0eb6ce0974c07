"""A whole video: its mouths are followed, and the clip of each person is written, with its sound and its rows."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.files import whole_folder
from lipseg.inference.segmenter import LipSegmenter
from lipseg.mouth_clips.clip_files import ClipFiles
from lipseg.mouth_clips.cutting import cut_frames
from lipseg.mouth_clips.frames import FRAME_WRITERS
from lipseg.mouth_clips.observing import observe
from lipseg.mouth_clips.params import ClipParams
from lipseg.mouth_clips.planning import plan_clips
from lipseg.mouth_clips.rows import ROW_WRITERS
from lipseg.mouth_clips.sound import SoundCutter
from lipseg.tracking import Detect, TrackParams
from lipseg.video.reading import VideoReader

# The file of a video's folder that names its clips.
INDEX = "clips.json"
INDEX_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """What was done with a video.

    Attributes:
        clips: how many were written.
        frames: of all clips together.
        gaps: frames among them in which the mouth was not found.
        too_short: people who were seen for too short a time to get a clip.
        broken: packets and frames of the source that could not be decoded.
        sound_lost: packets of the sound that could not be decoded.
        reason: why there is no clip; "" where there is one.
    """

    clips: int
    frames: int
    gaps: int
    too_short: int
    broken: int
    sound_lost: int
    reason: str


def settings_of(
    params: ClipParams, formats: Sequence[str], rows: str, *, sound: bool, convention: str | None
) -> dict[str, Any]:
    """Returns what the index says about how its clips were made."""
    output = {"mouth_width": params.mouth_px, "formats": list(formats), "rows": rows, "sound": sound}
    return asdict(params) | output | {"convention": convention}


def cut_clips(
    video: Path | str,
    folder: Path | str,
    segmenter: LipSegmenter,
    params: ClipParams | None = None,
    *,
    formats: Sequence[str] = ("mp4",),
    rows: str = "json",
    sound: bool = True,
    detect: Detect | None = None,
    boxes: Sequence[Box] = (),
    track: TrackParams | None = None,
    seen: Callable[[], Any] | None = None,
) -> ClipSummary:
    """Writes a clip of the mouth of every person in a video into a folder: ``1.mp4``, ``1.json``, ``2.mp4``, ...

    ``clips.json`` names them. The folder is whole or absent, and replaced where it exists; whether it may be is for the
    caller to decide. Memory does not grow with the video, but for some two kilobytes a frame that shows a mouth.

    Args:
        video: the file.
        folder: of this video's clips alone.
        segmenter: the model.
        params: what the frames look like, see ``ClipParams`` and ``PRESETS``.
        formats: of the frames, any of "mp4", "npz", "png". The sound goes into the mp4; without one it is ``1.wav``.
        rows: "json" or "parquet", see ``lipseg.mouth_clips.rows``.
        sound: whether the sound is wanted, where the video has one.
        detect: see ``Tracker``.
        boxes: the mouths in the first frame, see ``Tracker``; only these are then followed.
        track: how mouths are followed, see ``TrackParams``.
        seen: is called after every frame of the source, in each of the two passes.

    Raises:
        DataError: if the video cannot be used or holds no frame that can be decoded, or a format is not known.
        OSError: if a file cannot be written.
        MissingLibraryError: without PyAV, or without pyarrow for Parquet.
    """
    video, params = Path(video), params or ClipParams()
    _check_known("formats", formats, FRAME_WRITERS)
    _check_known("rows", [rows], ROW_WRITERS)
    with VideoReader(video) as reader:
        observed = observe(reader, segmenter, detect=detect, boxes=boxes, track=track, seen=seen)
    if not len(observed.times):
        raise DataError(f"{video}: no frame of it can be decoded")
    plans, too_short = plan_clips(observed, params)
    index: dict[str, Any] = {
        "format": INDEX_FORMAT,
        "video": video.name,
        "frames": len(observed.times),
        "settings": settings_of(params, formats, rows, sound=sound, convention=segmenter.convention),
        "too_short": too_short,
    }
    lost = 0
    reason = ""
    if not plans:
        reason = "every mouth was seen for too short a time" if too_short else "no mouth found"
        index["reason"] = reason
    with whole_folder(Path(folder)) as partial, ExitStack() as stack:
        files: list[ClipFiles] = []
        if plans:
            reader = stack.enter_context(VideoReader(video))
            cutter = SoundCutter.of(reader) if sound else None
            for plan in plans:
                files.append(ClipFiles(partial, plan, params, formats, rows, cutter, video.name))
                stack.callback(files[-1].abandon)
            packets = cutter.packet if cutter else None
            for frame in stack.enter_context(closing(cut_frames(reader, plans, params, sound=packets, seen=seen))):
                files[frame.person - 1].write(frame)
            if cutter:
                cutter.close()
                lost = cutter.lost
            for its in files:
                its.finish()
        index["clips"] = [its.entry for its in files]
        (partial / INDEX).write_text(json.dumps(index, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return ClipSummary(
        clips=len(plans),
        frames=sum(len(plan.frames) for plan in plans),
        gaps=sum(int((plan.seen < 0).sum()) for plan in plans),
        too_short=too_short,
        broken=observed.skipped,
        sound_lost=lost,
        reason=reason,
    )


# Of what an index may say: more is damage, or meant to fill the memory.
_LARGEST, _WIDEST = 2**31, 4096


def read_index(folder: Path) -> dict[str, Any] | None:
    """Returns what ``clips.json`` in a folder says, None where there is none, or none of these."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        ours = index["format"] == INDEX_FORMAT and isinstance(index["settings"]["grey"], bool)
        return index if ours and all(map(_usable, index["clips"])) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _usable(entry: dict[str, Any]) -> bool:
    """Whether a clip's entry can be used; a file that it names lies beside it."""
    counts = [entry[name] for name in ("person", "width", "height", "frames", "found")]
    names = [entry["rows"], *entry["files"].values()]
    return (
        all(isinstance(count, int) and not isinstance(count, bool) and 0 <= count < _LARGEST for count in counts)
        and max(entry["width"], entry["height"]) <= _WIDEST
        and isinstance(entry["fps"], (int, float))
        and 0 < entry["fps"] < _LARGEST
        and all(isinstance(name, str) and Path(name).name == name and len(name.encode()) < 256 for name in names)
    )


def _check_known(what: str, names: Sequence[str], known: dict[str, Any]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise DataError(f"{what}: expected any of {', '.join(known)}, not '{unknown[0] if unknown else ''}'")
