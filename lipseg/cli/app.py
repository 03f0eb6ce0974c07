"""The command ``lipseg``. Commands import what they need when they run, so that ``--help`` answers at once."""

import errno
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

import lipseg
from lipseg.cli import streams
from lipseg.cli.batch import batch
from lipseg.cli.exit_codes import exit_code_of
from lipseg.cli.info import info
from lipseg.cli.makeup import makeup
from lipseg.cli.mouth_clips import mouths
from lipseg.cli.predict import predict
from lipseg.cli.printing import print_result, tell
from lipseg.cli.video import video
from lipseg.errors import LipsegError, UsageError
from lipseg.files import output_errors

_CANNOT_WRITE = (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT)

app = typer.Typer(
    name="lipseg",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain text: messages stay whole lines when standard error goes to a file.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(short_help="Find the lips in pictures.")(predict)
app.command(short_help="Put lipstick on the lips in photos.")(makeup)
app.command(short_help="Follow the lips through a video.")(video)
app.command(short_help="Cut the mouths out of videos, for lip readers.")(mouths)
app.command(short_help="Find the lips in very many pictures, on Ray.")(batch)
app.command(short_help="Print what a model is.")(info)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_result(f"lipseg {lipseg.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Lip segmentation: 56 lip landmarks and masks from photos and videos.

    Exit codes: 0 all done, 1 unexpected error, 2 wrong usage or an extra that is not installed, 3 some inputs failed
    (the others were written), 4 model unusable, 130 interrupted.
    """


def _check_words(words: Sequence[str]) -> None:
    """Raises UsageError where a file stands in a command's place, or nothing in an argument's.

    An empty path would be the current folder: a shell's variable that is not set should not name it.
    """
    if "" in words:
        at = words.index("")
        which = f"the argument after {words[at - 1]}" if at else "the first argument"
        raise UsageError(f"{which} is empty; is a variable not set?")
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    if words and words[0] not in commands and os.path.exists(words[0]):
        raise UsageError(f"{words[0]}: say what to do with it, such as: lipseg predict {shlex.quote(words[0])}")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits; an error meant for the user becomes one line on standard error.

    Args:
        arguments: the words after ``lipseg``; None takes the process's own.
    """
    if not sys.warnoptions:
        # Warnings of libraries are for those who program with them: a picture's names where Pillow is installed.
        warnings.simplefilter("ignore")
    words = sys.argv[1:] if arguments is None else list(arguments)
    streams.open_closed()
    try:
        _run(words)
    except LipsegError as error:
        tell(f"error: {error}")
        sys.exit(exit_code_of(error))
    finally:
        streams.settle()
    sys.exit(0)


def _run(words: Sequence[str]) -> None:
    _check_words(words)
    try:
        app(args=words, prog_name="lipseg")
    except OSError as error:
        # Of an open file; those of results say so themselves, so that this is the help, which Typer prints.
        if error.filename is not None or error.errno not in _CANNOT_WRITE:
            raise
        with output_errors("standard output"):
            raise


if __name__ == "__main__":
    main()
