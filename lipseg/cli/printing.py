"""What commands print: results on standard output, messages on standard error."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lipseg.cli.exit_codes import ExitCode
from lipseg.errors import one_line, printable
from lipseg.files import output_errors

if TYPE_CHECKING:
    from lipseg.video.process import VideoSummary


def tell(message: str) -> None:
    """Prints a line on standard error without tearing the progress bar."""
    from tqdm import tqdm

    from lipseg.progress import MESSAGES

    tqdm.write(one_line(message), file=MESSAGES)


def tell_failure(path: Path, message: str) -> None:
    """Says on standard error why an input failed, with its name if the message does not name it."""
    tell(message if str(path) in message else f"{path}: {message}")


def tell_losses(source: Path, summary: "VideoSummary") -> None:
    """Says on standard error what of a video could not be decoded or kept, if anything."""
    if summary.broken:
        tell(f"{source}: {summary.broken} broken packets or frames were skipped")
    if summary.sound_lost:
        tell(f"{source}: {summary.sound_lost} packets of the sound could not be kept")


def print_result(line: str) -> None:
    """Prints a line on standard output at once; when nobody reads it any more, ends the command quietly.

    On a terminal, what is no text is shown by its escapes; programs get names as they are.

    Raises:
        OutputError: if it cannot be written.
    """
    if sys.stdout.isatty():
        line = printable(line)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a name that is no text in this encoding
        line = printable(line)
    with output_errors("standard output"):
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise typer.Exit(ExitCode.PIPE_CLOSED) from None
