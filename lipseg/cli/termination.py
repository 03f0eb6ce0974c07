"""A command that is told to end removes what it has half written."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_TERMINATED = 143  # 128 + SIGTERM


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
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
