"""Standard streams that the caller closed, that are full, or that nobody reads any more."""

import contextlib
import os
import sys
from typing import TextIO


def open_closed() -> None:
    """Opens the standard streams that the caller closed, as ``lipseg ... 2>&-`` does.

    Else the next files that are opened would get their numbers, and what libraries print. Messages for a closed
    standard error go nowhere; results should not, so that to write them to a closed standard output is an error.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)  # the lowest number that is free
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    # They stay open as long as the process.
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def settle() -> None:
    """Writes what the streams still hold, and drops what cannot be written: Python would try once more and say so."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _discard(stream)


def _discard(stream: TextIO) -> None:
    """Sends to nowhere what a stream still holds and will get, so that it raises no more when Python ends."""
    with contextlib.suppress(OSError, ValueError):  # it is none of the system's
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
