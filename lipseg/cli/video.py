"""``lipseg video``: lips through a video."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipseg.cli.exit_codes import ExitCode, OutputError, UsageError
from lipseg.model.folder import DEFAULT_MODEL

if TYPE_CHECKING:
    from lipseg.inference.track import TrackedFrame
    from lipseg.video.process import VideoSummary

_TERMINATED = 143  # 128 + SIGTERM


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
            help="Where the mouth is in the first frame; may be given several times. Only these mouths are followed.",
        ),
    ] = None,
    model: Annotated[Path, typer.Option("--model", metavar="DIR", help="Folder of the model.")] = DEFAULT_MODEL,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Follow the lips of everybody in a video, with ids that last from frame to frame.

    Coordinates are pixels of the upright frame, times those of the video. Prints one JSON object a frame: {"frame",
    "time", "faces": [{"id", "opening", "opening_px", "width", "areas", "state", "score", "outer", "inner"}]}, with an
    empty list where there is no mouth; opening_px is the gap between the lips, opening the same over the width. Broken
    frames are skipped and counted.
    """
    to_stdout = landmarks == Path("-") or (output is None and landmarks is None)
    rows_file = None if to_stdout else landmarks
    for option, path in (("-o", output), ("--landmarks", rows_file)):
        _check_target(option, path, source, force)
    if output is not None and rows_file is not None and output.resolve() == rows_file.resolve():
        raise UsageError(f"{output}: -o and --landmarks name the same file")

    from lipseg.inference.locate import MouthBox
    from lipseg.inference.segmenter import LipSegmenter
    from lipseg.inference.track import TrackParams
    from lipseg.progress import progress
    from lipseg.video.overlay import draw_lips
    from lipseg.video.process import process_video
    from lipseg.video.reading import VideoReader
    from lipseg.video.rows import frame_line, open_rows

    boxes = [MouthBox.parse(text, "--mouth-box") for text in mouth_box or ()]
    segmenter = LipSegmenter(model)
    if not boxes and not hasattr(segmenter, "find"):
        raise UsageError("--mouth-box: say where the mouth is in the first frame; this version does not find faces")
    options: dict[str, Any] = {"max_mouths": max_faces, "new_people": not boxes}
    if detect_every is not None:
        options["detect_every"] = detect_every
    if not smooth:
        options["smooth"] = None

    with ExitStack() as stack:
        stack.enter_context(_terminated_as_interrupted())
        stack.enter_context(_output_errors(output or rows_file))
        reader = stack.enter_context(VideoReader(source))
        total = None if reader.expected is None else -(-reader.expected // every)
        rows = stack.enter_context(open_rows(rows_file)) if rows_file is not None else None
        # Rows that run over a terminal and a bar on the same one would overwrite each other.
        bar = None
        if not (to_stdout and sys.stdout.isatty()):
            bar = stack.enter_context(progress(total=total, unit="frame"))

        def seen(frame: "TrackedFrame") -> None:
            if rows is not None:
                rows.write(frame)
            if to_stdout:
                _print_line(frame_line(frame))
            if bar is not None:
                bar.update()

        summary = process_video(
            reader, output, segmenter, draw_lips, boxes=boxes, params=TrackParams(**options), every=every, seen=seen
        )
    _report(summary, source, [path for path in (output, rows_file) if path is not None])


def _check_target(option: str, path: Path | None, source: Path, force: bool) -> None:
    """Refuses a file that cannot or must not be written, before anything is read."""
    if path is None:
        return
    suffixes = (".mp4", ".m4v", ".mov", ".mkv") if option == "-o" else (".jsonl", ".ndjson", ".parquet")
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
    typer.echo(f"{summary.frames} frames{empty}{place}", err=True)
    if summary.broken:
        typer.echo(f"{source}: {summary.broken} broken packets or frames were skipped", err=True)
    if summary.sound_lost:
        typer.echo(f"{source}: {summary.sound_lost} packets of the sound could not be kept", err=True)


@contextmanager
def _output_errors(path: Path | None) -> Iterator[None]:
    """Turns what the system says about writing into an error for the user."""
    try:
        yield
    except OSError as error:
        name = error.filename or path or "standard output"
        raise OutputError(f"{name}: cannot be written ({error.strerror or error})") from error


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Lets a SIGTERM unwind the program, so that half-written files are removed as with Ctrl-C."""

    def stop(number: int, frame: Any) -> None:
        raise SystemExit(_TERMINATED)

    before: Callable[[int, Any], Any] | int | None
    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_line(line: str) -> None:
    """Prints a row on standard output; when nobody reads it any more, ends the command quietly."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered must not raise once more when Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.PIPE_CLOSED) from None
