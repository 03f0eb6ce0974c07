"""Which picture killed a worker: known only if somebody outside the worker was told before."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

# A batch of pictures: number of its shard, and its own in the shard.
Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known when work on a batch begins.

    Attributes:
        earlier: how often work on it began before and did not end.
        strikes: how many workers have died over each of its pictures, by their numbers in the batch.
    """

    earlier: int = 0
    strikes: dict[int, int] = field(default_factory=dict)


class Journal(Protocol):
    """Where a worker tells what it is about to do; ``Ledger``, or the way to one in another process."""

    def begin(self, key: Key) -> Attempt:
        """Notes that work on a batch begins; a batch whose last attempt did not end strikes its last picture."""
        ...

    def at(self, key: Key, picture: int | None) -> None:
        """Notes which picture is next, None for what none can be blamed for; returns when that is known."""
        ...

    def end(self, key: Key) -> None:
        """Notes that a batch is written."""
        ...


class Ledger:
    """Counts, for each batch that is begun and not ended, the deaths of workers and the pictures they died over."""

    def __init__(self) -> None:
        self._begun: Counter[Key] = Counter()
        self._at: dict[Key, int | None] = {}
        self._strikes: dict[Key, Counter[int]] = {}

    def begin(self, key: Key) -> Attempt:
        picture = self._at.pop(key, None)
        if picture is not None:
            self._strikes.setdefault(key, Counter())[picture] += 1
        earlier = self._begun[key]
        self._begun[key] += 1
        return Attempt(earlier, dict(self._strikes.get(key, {})))

    def at(self, key: Key, picture: int | None) -> None:
        self._at[key] = picture

    def end(self, key: Key) -> None:
        # Kept is that it was begun: a worker that is asked once more looks whether its file is there.
        self._at.pop(key, None)
        self._strikes.pop(key, None)
