"""``lipseg mouths``: clips of the mouths in videos, for lip readers."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipseg.cli.exit_codes import ExitCode
from lipseg.cli.inputs import CLIPS_MARK, InputImage, find_videos
from lipseg.cli.models import (
    ConventionOption,
    DetectorOption,
    MinScoreOption,
    ModelOption,
    ThreadsOption,
    load_segmenter,
)
from lipseg.cli.mouths import parse_boxes
from lipseg.cli.plan import check_folder, refuse_existing
from lipseg.cli.printing import tell, tell_failure
from lipseg.cli.termination import terminated_as_interrupted
from lipseg.errors import DataError, UsageError
from lipseg.files import output_errors
from lipseg.inference.card import DEFAULT_DETECTOR, DEFAULT_MODEL

if TYPE_CHECKING:
    from lipseg.mouth_clips import ClipParams, ClipSummary

# Named here as well, so that --help need not import what reads videos; a test holds them to the room's own.
PRESET_NAMES = ("auto_avsr", "lipreading_tcn", "av_hubert", "lipnet")
FORMAT_NAMES = ("mp4", "npz", "png")


def mouths(
    paths: Annotated[
        list[str], typer.Argument(metavar="VIDEO", help="Videos, folders of them, patterns such as 'talks/**/*.mp4'.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Write folders of clips here, laid out as the videos are."),
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help=f"Settings of a public lip reader: {', '.join(PRESET_NAMES)}; the options below come on top.",
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="W[xH]", help="Pixels of a frame. [default: 96]")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option("--fps", metavar="N", help="Frames a second; 0 keeps the video's own. [default: 25]"),
    ] = None,
    grey: Annotated[bool | None, typer.Option("--grey/--colour", "--gray/--color", help="[default: colour]")] = None,
    align: Annotated[
        str | None,
        typer.Option(
            "--align",
            metavar="similarity|none",
            help="similarity: moved, scaled and turned upright; none: not turned. [default: similarity]",
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="W",
            help="Pixels between the mouth's corners in the clip. [default: half the frame's width]",
        ),
    ] = None,
    gaps: Annotated[
        str | None,
        typer.Option(
            "--gaps",
            metavar="blank|interpolate",
            help="Frames without the mouth: black, or cut where it must have been (gaps up to half a second). "
            "Marked as not found either way. [default: blank]",
        ),
    ] = None,
    clip_formats: Annotated[
        str, typer.Option("--format", metavar="NAMES", help=f"Any of {','.join(FORMAT_NAMES)}, with commas.")
    ] = "mp4",
    rows: Annotated[
        str,
        typer.Option("--rows", metavar="json|parquet", help="What is known of every frame; parquet needs an extra."),
    ] = "json",
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Cut the sound to each clip.")] = True,
    shortest: Annotated[
        float | None,
        typer.Option("--shortest", min=0.0, metavar="S", help="Leave out people seen for less. [default: 0.4]"),
    ] = None,
    max_faces: Annotated[
        int | None, typer.Option("--max-faces", min=1, metavar="N", help="Follow N people at most, the nearest first.")
    ] = None,
    mouth_box: Annotated[
        list[str] | None,
        typer.Option(
            "--mouth-box",
            metavar="X0,Y0,X1,Y1",
            help="Where a mouth is in the first frame of every video; once for each. Only these are followed.",
        ),
    ] = None,
    detector: DetectorOption = DEFAULT_DETECTOR,
    min_score: MinScoreOption = None,
    model: ModelOption = DEFAULT_MODEL,
    threads: ThreadsOption = 1,
    convention: ConventionOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite folders of clips that exist.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep folders of clips that exist, and skip their videos.")
    ] = False,
) -> None:
    """Cut the mouths out of videos: a clip of everybody, upright, centred and scaled, with its sound.

    \b
    Of talk.mp4, DIR/talk.mouths/ gets, for the persons 1, 2 ...
      1.mp4      the clip with its sound; of other formats: 1.npz, 1/000000.png ..., and the sound as 1.wav
      1.json     what is known of every frame (--rows parquet: 1.parquet)
      clips.json all of the clips, and the settings

    \b
    Of every frame:
      index         in the clip, from 0
      time          in seconds of the video
      source_frame  of the video, from 0; null where it has none at this time
      found         whether the mouth was found
      inside        whether the whole frame lies in the picture; beyond it, the pixels of its edge are repeated
      to_picture    2 x 3, from the clip's pixels to the picture's; null where the frame is black
      opening       pixels between the lips over the mouth's width; 0 is closed
      score         0 to 1, the probability that the contours are right
      outer, inner  28 points each in pixels of the picture, as the model gave them, see --convention

    The mouth's place, roll and size are smoothed over time, with the frames that follow as well as with those before,
    so that nothing lags. The size is smoothed over a second or so: lips that purse or spread change their width in the
    clip. A frame without the mouth is black (see --gaps) and is marked; none is left out and none made up.

    --fps takes of the video the frame nearest to each tick. An .npz holds "data" and an array for each of the above,
    outer and inner together as "landmarks". Every folder is whole or absent.

    Exit codes: 0 all done, also where no mouth was found; 1 unexpected error, such as a full disk; 2 wrong usage,
    nothing was done; 3 some videos failed, the others were written; 4 model unusable; 130 interrupted.
    """
    if resume and force:
        raise UsageError(
            "--resume and --force: give one of them; --resume keeps folders that exist, --force replaces them"
        )
    names = _formats(clip_formats)
    if rows not in ("json", "parquet"):
        raise UsageError(f"--rows: expected json or parquet, not '{rows}'")
    boxes = parse_boxes(mouth_box)
    check_folder(output)
    videos = find_videos(paths)

    from lipseg.mouth_clips import cut_clips
    from lipseg.mouth_clips.observing import DEFAULT_TRACK
    from lipseg.mouth_clips.process import settings_of
    from lipseg.progress import progress
    from lipseg.video.libraries import need, need_av
    from lipseg.video.reading import VideoReader

    params = _params(preset, size, fps, grey, align, scale, gaps, shortest)
    settings = settings_of(params, names, rows, sound=sound, convention=convention)
    targets = _targets(output, videos, settings, overwrite=force, resume=resume)
    need_av("reading videos")
    if rows == "parquet":
        need("pyarrow.parquet", "parquet", "writing Parquet")
    todo = [(video.path, target) for video, target in zip(videos, targets, strict=True) if target is not None]
    if not todo:
        tell(f"nothing to do: the clips of {len(videos)} of {len(videos)} videos were written to {output} before")
        return
    if resume:
        tell(f"{len(videos) - len(todo)} of {len(videos)} videos skipped: their clips are there already")
    segmenter = load_segmenter(model, detector, min_score, threads, convention)
    if not boxes and not segmenter.finds_faces:
        raise UsageError("--mouth-box: say where the mouth is in the first frame; --detector none finds no faces")
    track = replace(DEFAULT_TRACK, max_mouths=max_faces, new_people=not boxes)
    failed = 0
    with terminated_as_interrupted():
        for number, (path, target) in enumerate(todo, 1):
            try:
                with VideoReader(path) as reader:
                    total = None if reader.expected is None else 2 * reader.expected
                desc = path.name if len(todo) == 1 else f"{number}/{len(todo)} {path.name}"
                with output_errors(target), progress(total=total, unit="frame", desc=desc) as bar:
                    summary = cut_clips(
                        path,
                        target,
                        segmenter,
                        params,
                        formats=names,
                        rows=rows,
                        sound=sound,
                        boxes=boxes,
                        track=track,
                        seen=bar.update,
                    )
            except DataError as error:
                failed += 1
                tell_failure(path, str(error))
            else:
                _report(path, target, summary)
    if failed:
        if len(todo) > 1:
            tell(f"{failed} of {len(todo)} videos failed")
        raise typer.Exit(ExitCode.SOME_FAILED)


def _formats(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in FORMAT_NAMES]
    if unknown or not names:
        raise UsageError(f"--format: expected any of {','.join(FORMAT_NAMES)}, not '{unknown[0] if unknown else text}'")
    return names


def _params(
    preset: str | None,
    size: str | None,
    fps: float | None,
    grey: bool | None,
    align: str | None,
    scale: float | None,
    gaps: str | None,
    shortest: float | None,
) -> "ClipParams":
    """Returns what the options ask for.

    Raises:
        UsageError: if one of them cannot be.
    """
    from lipseg.mouth_clips import PRESETS, ClipParams

    if preset is not None and preset not in PRESETS:
        raise UsageError(f"--preset: expected any of {', '.join(PRESETS)}, not '{preset}'")
    given: dict[str, Any] = {
        "fps": fps, "grey": grey, "align": align, "mouth_width": scale, "gaps": gaps, "shortest_s": shortest
    }  # fmt: skip
    start = PRESETS[preset] if preset else ClipParams()
    if size is not None:
        width, _, height = size.lower().partition("x")
        try:
            given |= {"width": int(width), "height": int(height or width)}
        except ValueError:
            raise UsageError(f"--size: expected pixels such as 96 or 100x50, not '{size}'") from None
        if scale is None and start.mouth_width is not None:  # the mouth keeps its share of the preset's frame
            given["mouth_width"] = start.mouth_width * given["width"] / start.width
    try:
        return replace(start, **{name: value for name, value in given.items() if value is not None})
    except DataError as error:
        raise UsageError(str(error)) from None


def _targets(
    folder: Path, videos: Sequence[InputImage], settings: dict[str, Any], *, overwrite: bool, resume: bool
) -> list[Path | None]:
    """Returns the folder of each video's clips, None where it is there and may stay; writes nothing.

    Raises:
        UsageError: if two videos have the same place, or a folder exists that may neither be overwritten nor stay,
            holds something else than clips, or may stay and was cut with other settings.
    """
    from lipseg.mouth_clips.process import read_index

    places = [video.place for video in videos]
    twice = [place for place, count in Counter(places).items() if count > 1]
    if twice:
        raise UsageError(
            f"{folder / twice[0]}: two of the videos would have this place; cut them into different folders"
        )
    shared = Counter(place.with_suffix("") for place in places)
    bases = [place if shared[place.with_suffix("")] > 1 else place.with_suffix("") for place in places]
    targets = [folder / base.with_name(base.name + CLIPS_MARK) for base in bases]
    there = [target for target in targets if os.path.lexists(target)]
    if not (overwrite or resume):
        refuse_existing(there)
    for target in there:
        index = read_index(target)
        if index is None:
            raise UsageError(f"{target}: exists already and is no folder of mouth clips; move it, or name another -o")
        other = next((key for key, value in settings.items() if index["settings"].get(key) != value), None)
        if resume and other is not None:
            raise UsageError(
                f"{target}: was cut with {other} {index['settings'].get(other)}, not {settings[other]}; give --force "
                "to cut it anew, or name another -o"
            )
    return [None if resume and target in there else target for target in targets]


def _report(path: Path, target: Path, summary: "ClipSummary") -> None:
    """Says on standard error what was done with a video."""
    if summary.reason:
        tell(f"{path}: {summary.reason}")
    else:
        gaps = f", {summary.gaps} of them without the mouth" if summary.gaps else ""
        plural = "s" if summary.clips > 1 else ""
        tell(f"{path}: {summary.clips} clip{plural} with {summary.frames} frames{gaps} written to {target}")
    if summary.too_short:
        tell(f"{path}: {summary.too_short} more seen too shortly for a clip (see --shortest)")
    if summary.broken:
        tell(f"{path}: {summary.broken} broken packets or frames were skipped")
    if summary.sound_lost:
        tell(f"{path}: {summary.sound_lost} packets of the sound could not be decoded")
