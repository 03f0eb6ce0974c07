"""CPU times of named parts, and their medians."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

_Result = TypeVar("_Result")


class Stopwatch:
    """Collects milliseconds of named parts: CPU time of this process, all its threads."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}

    def __call__(self, part: str, work: Callable[[], _Result]) -> _Result:
        """Returns what ``work`` returns and keeps the CPU time that it took."""
        began = time.process_time()
        result = work()
        self.add(part, [1000 * (time.process_time() - began)])
        return result

    def add(self, part: str, milliseconds: Iterable[float]) -> None:
        """Keeps times measured elsewhere."""
        self.parts.setdefault(part, []).extend(milliseconds)

    def median(self, part: str) -> float | None:
        """Returns a part's median; None where it has not been timed."""
        times = self.parts.get(part)
        return statistics.median(times) if times else None

    def table(self) -> str:
        """Returns the parts as a Markdown table."""
        lines = ["| part | CPU ms, median | 95th percentile | times |", "| --- | --- | --- | --- |"]
        for part, times in self.parts.items():
            ordered = sorted(times)
            p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
            lines.append(f"| {part} | {statistics.median(ordered):.2f} | {p95:.2f} | {len(ordered)} |")
        return "\n".join(lines)


class Meter:
    """Adds up the CPU milliseconds of pieces of work that are scattered through a call."""

    def __init__(self) -> None:
        self._sum = 0.0

    def __call__(self, work: Callable[[], _Result]) -> _Result:
        """Returns what ``work`` returns and adds the CPU time that it took."""
        began = time.process_time()
        result = work()
        self._sum += 1000 * (time.process_time() - began)
        return result

    def taken(self) -> float:
        """Returns the sum, and starts again at 0."""
        taken, self._sum = self._sum, 0.0
        return taken
