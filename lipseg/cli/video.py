"""``lipseg video``: lips through a video."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipseg.cli.models import (
    ConventionOption,
    DetectorOption,
    MinScoreOption,
    ModelOption,
    ThreadsOption,
    load_segmenter,
)
from lipseg.cli.mouths import parse_boxes
from lipseg.cli.printing import print_result, tell, tell_losses
from lipseg.cli.termination import terminated_as_interrupted
from lipseg.errors import UsageError
from lipseg.files import output_errors
from lipseg.inference.card import DEFAULT_DETECTOR, DEFAULT_MODEL

if TYPE_CHECKING:
    from lipseg.tracking.tracker import TrackedFrame
    from lipseg.video.process import VideoSummary


def video(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The video.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT.mp4", help="Write the video with the contours drawn, and its sound."
        ),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            "--landmarks",
            metavar="OUT.jsonl|OUT.parquet",
            help="Write the landmarks of every frame; without this and -o they go to standard output.",
        ),
    ] = None,
    every: Annotated[int, typer.Option("--every", min=1, metavar="N", help="Take every N-th frame only.")] = 1,
    detect_every: Annotated[
        int | None,
        typer.Option("--detect-every", min=1, metavar="N", help="Look for new people every N frames. [default: 30]"),
    ] = None,
    smooth: Annotated[
        bool, typer.Option("--smooth/--no-smooth", help="Steady the landmarks from frame to frame.")
    ] = True,
    max_faces: Annotated[
        int | None, typer.Option("--max-faces", min=1, metavar="N", help="Follow N people at most, the nearest first.")
    ] = None,
    mouth_box: Annotated[
        list[str] | None,
        typer.Option(
            "--mouth-box",
            metavar="X0,Y0,X1,Y1",
            help="Where a mouth is in the first frame; once for each mouth. Only these are followed.",
        ),
    ] = None,
    detector: DetectorOption = DEFAULT_DETECTOR,
    min_score: MinScoreOption = None,
    model: ModelOption = DEFAULT_MODEL,
    threads: ThreadsOption = 1,
    convention: ConventionOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Follow the lips of everybody in a video, with ids that last from frame to frame.

    One JSON object a frame is printed, or written to a file: {"frame", "time", "faces"}. "time" is the video's own, in
    seconds. "faces" holds for each face its "id" and then what `lipseg predict --help` lists: {"id", "box", "roll",
    "score", "component", "opening", "opening_px", "width", "areas", "outer", "inner"}; a frame without a mouth has an
    empty list. Coordinates are pixels of the upright frame. Frames that cannot be decoded are skipped and counted.
    """
    to_stdout = landmarks == Path("-") or (output is None and landmarks is None)
    rows_file = None if to_stdout else landmarks
    for option, path in (("-o", output), ("--landmarks", rows_file)):
        _check_target(option, path, source, force)
    if output is not None and rows_file is not None and output.resolve() == rows_file.resolve():
        raise UsageError(f"{output}: -o and --landmarks name the same file")

    from lipseg.progress import progress
    from lipseg.tracking.tracker import TrackParams
    from lipseg.video.process import process_video
    from lipseg.video.reading import VideoReader
    from lipseg.video.rows import frame_line, open_rows

    boxes = parse_boxes(mouth_box)
    segmenter = load_segmenter(model, detector, min_score, threads, convention)
    if not boxes and not segmenter.finds_faces:
        raise UsageError("--mouth-box: say where the mouth is in the first frame; --detector none finds no faces")
    options: dict[str, Any] = {"max_mouths": max_faces, "new_people": not boxes}
    if detect_every is not None:
        options["detect_every"] = detect_every
    if not smooth:
        options["smooth"] = None

    with ExitStack() as stack:
        stack.enter_context(terminated_as_interrupted())
        reader = stack.enter_context(VideoReader(source))
        total = None if reader.expected is None else -(-reader.expected // every)
        rows = None
        if rows_file is not None:
            stack.enter_context(output_errors(rows_file))
            rows = stack.enter_context(open_rows(rows_file))
        # On a terminal a bar would overwrite the rows that are printed there.
        bar = None
        if not (to_stdout and sys.stdout.isatty()):
            bar = stack.enter_context(progress(total=total, unit="frame"))

        def seen(frame: "TrackedFrame") -> None:
            if rows is not None and rows_file is not None:
                with output_errors(rows_file):
                    rows.write(frame)
            if to_stdout:
                print_result(frame_line(frame))
            if bar is not None:
                bar.update()

        with output_errors(output or "standard output"):
            summary = process_video(
                reader,
                output,
                segmenter,
                boxes=boxes,
                params=TrackParams(**options),
                every=every,
                seen=seen,
            )
    _report(summary, source, [path for path in (output, rows_file) if path is not None])


def _check_target(option: str, path: Path | None, source: Path, force: bool) -> None:
    """Refuses a file that cannot or must not be written, before anything is read."""
    from lipseg.video.writing import SUFFIXES

    if path is None:
        return
    suffixes = SUFFIXES if option == "-o" else (".jsonl", ".ndjson", ".parquet")
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{option}: {path} must end in {', '.join(suffixes)}")
    if path.is_dir():
        raise UsageError(f"{option}: {path} is a folder, and a file is to be written")
    if path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{option}: {path} is the video itself; name another file")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path}: exists already; give --force to overwrite, or another name with {option}")


def _report(summary: "VideoSummary", source: Path, written: list[Path]) -> None:
    """Says on standard error what was done."""
    empty = f", {summary.empty} without a mouth" if summary.empty else ""
    place = f" written to {' and '.join(map(str, written))}" if written else ""
    tell(f"{summary.frames} frames{empty}{place}")
    tell_losses(source, summary)
