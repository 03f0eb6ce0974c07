"""The exit codes of every command."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from lipseg.errors import LipsegError, ModelError


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0  # everything was done
    UNEXPECTED = 1  # a defect, or a disk that is full or not ours; the message or traceback says which
    USAGE = 2  # nothing was done: an option, a path or a file named by one cannot be used
    SOME_FAILED = 3  # some inputs failed, each with a message; the others were written
    MODEL = 4  # the model is missing, incomplete or does not fit this version
    INTERRUPTED = 130  # Ctrl-C (128 + SIGINT)
    PIPE_CLOSED = 141  # the reader of standard output went away, as with `| head` (128 + SIGPIPE)


class UsageError(LipsegError):
    """What was asked for cannot be done as it was asked for; nothing has been done yet."""


class OutputError(LipsegError):
    """A result cannot be written. Names the file."""


@contextmanager
def output_errors(path: Path | str) -> Iterator[None]:
    """Turns what the system says about writing a file into an ``OutputError``.

    Args:
        path: the file, as the user knows it; what the system names may be what is written beside it.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def exit_code_of(error: LipsegError) -> ExitCode:
    """Returns the exit code for an error that ends a command."""
    if isinstance(error, ModelError):
        return ExitCode.MODEL
    if isinstance(error, OutputError):
        return ExitCode.UNEXPECTED
    # Bad inputs are caught one by one and counted; one that ends the command was needed before the first of them.
    return ExitCode.USAGE
