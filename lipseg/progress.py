"""Progress bars: on standard error, live on a terminal, one line now and then in a log."""

import contextlib
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


class _Messages:
    """Standard error, but that what cannot be written there is dropped: work goes on though its log's disk is full."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


# One for all, by which tqdm knows that bars and messages go to the same place.
MESSAGES: Any = _Messages()


def progress(
    iterable: Iterable[T] | None = None,
    *,
    total: int | None = None,
    desc: str = "",
    unit: str = "it",
    quiet: bool = False,
) -> "tqdm[T]":
    """Returns a progress bar with rate and remaining time over an iterable (or to be updated by hand).

    Args:
        iterable: what to iterate over; None for a bar that the caller updates.
        total: how many items there will be.
        desc: what is being done, for the left end of the bar.
        unit: name of one item.
        quiet: show nothing, where another process tells how far the work of all is.
    """
    live = sys.stderr.isatty()
    return tqdm(  # pyright: ignore[reportReturnType]  (tqdm is typed as empty without an iterable)
        iterable,
        total=total,
        desc=desc,
        unit=f" {unit}",
        disable=quiet,
        file=MESSAGES,
        dynamic_ncols=live,
        ncols=None if live else 110,
        mininterval=0.2 if live else 10.0,
        miniters=1 if live else None,
        ascii=not live,
    )
