"""The exit codes of every command."""

from enum import IntEnum

from lipseg.errors import LipsegError, ModelError, OutputError


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0  # everything was done
    UNEXPECTED = 1  # a defect, or a disk that is full or not ours; the message or traceback says which
    USAGE = 2  # nothing was done: an option, a path or a file named by one cannot be used
    SOME_FAILED = 3  # some inputs failed, each with a message; the others were written
    MODEL = 4  # the model is missing, incomplete or does not fit this version
    INTERRUPTED = 130  # Ctrl-C (128 + SIGINT)
    PIPE_CLOSED = 141  # the reader of standard output went away, as with `| head` (128 + SIGPIPE)


def exit_code_of(error: LipsegError) -> ExitCode:
    """Returns the exit code for an error that ends a command."""
    if isinstance(error, ModelError):
        return ExitCode.MODEL
    if isinstance(error, OutputError):
        return ExitCode.UNEXPECTED
    # Bad inputs are caught one by one and counted; one that ends the command was needed before the first of them.
    return ExitCode.USAGE
