"""What commands print: results on standard output, messages on standard error."""

import os
import sys

import typer

from lipseg.cli.exit_codes import ExitCode


def tell(message: str) -> None:
    """Prints a line on standard error without tearing the progress bar."""
    from tqdm import tqdm

    tqdm.write(message, file=sys.stderr)


def print_result(line: str) -> None:
    """Prints a line on standard output at once; when nobody reads it any more, ends the command quietly."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered must not raise once more when Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.PIPE_CLOSED) from None
