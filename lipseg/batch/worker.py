"""What an actor does: reads its shards, finds the lips and writes the rows, a batch at a time."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import pyarrow

from lipseg.batch.finder import LipFinder, PictureFile
from lipseg.batch.ledger import Attempt, Journal, Key
from lipseg.batch.plan import shard_of
from lipseg.batch.reading import read_shard
from lipseg.batch.results import Counts, Results
from lipseg.batch.rows import Answer, table_of
from lipseg.batch.stores import Store
from lipseg.batch.table_columns import TableColumns
from lipseg.errors import DataError, LipsegError

DONE = pyarrow.schema(
    [
        ("shard", pyarrow.int32()),
        ("pictures", pyarrow.int64()),
        ("faces", pyarrow.int64()),
        ("failed", pyarrow.int64()),
        ("error", pyarrow.string()),
        ("expected", pyarrow.bool_()),
    ]
)
"""What a worker answers for each shard: the counts, or the error that ended it and whether it is meant for the user."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all workers of a run.

    Attributes:
        results: where the rows go.
        stores: the file systems of the shards.
        finder: turns picture files into answers.
        columns: of Parquet files.
        size: most pictures of a batch, that is of a file of rows.
        tries: how many workers a picture may kill.
    """

    results: Results
    stores: list[Store]
    finder: LipFinder
    columns: TableColumns
    size: int
    tries: int


class Worker:
    """Works on the shards of a plan, each row of which is one.

    Args:
        job: see there.
        journal: makes the journal; called in the worker's own process.
    """

    def __init__(self, job: Job, journal: Callable[[], Journal]) -> None:
        self._job, self._journal = job, journal()

    def __call__(self, plan: pyarrow.Table) -> pyarrow.Table:
        """Returns a table of ``DONE`` for rows of ``plan.SCHEMA``; the rows of lips are in their files by then."""
        return pyarrow.Table.from_pylist([self._shard(row) for row in plan.to_pylist()], DONE)

    def _shard(self, row: Mapping[str, Any]) -> dict[str, Any]:
        number, shard = row["shard"], shard_of(row)
        counts = Counts()
        try:
            files = _Files(read_shard(shard, self._job.stores[shard.store], self._job.columns))
            batch = 0
            while True:
                done, last = self._batch((number, batch), files)
                counts += done
                batch += 1
                if last:
                    break
        except Exception as error:
            expected = isinstance(error, LipsegError)
            return {
                "shard": number,
                "error": str(error) if expected else traceback.format_exc(),
                "expected": expected,
            }
        return {"shard": number, **asdict(counts)}

    def _batch(self, key: Key, files: "_Files") -> tuple[Counts, bool]:
        """Writes the rows of the next batch; returns its counts and whether it is the last of its shard."""
        attempt = self._journal.begin(key)
        if attempt.earlier and (written := self._job.results.written(*key)):
            for _ in files.take(self._job.size):
                pass
            self._journal.end(key)
            return written
        taken = files.take(self._job.size)
        finder = self._job.finder
        answers = list(self._watched(key, attempt, taken) if attempt.earlier else finder.answers(taken))
        last = files.at_end
        counts = Counts(
            len(answers),
            sum(len(one) for _, one in answers if not isinstance(one, DataError)),
            sum(isinstance(one, DataError) for _, one in answers),
        )
        self._job.results.write(*key, last, table_of(answers), counts)
        self._journal.end(key)
        return counts, last

    def _watched(self, key: Key, attempt: Attempt, taken: Iterator[PictureFile]) -> Iterator[Answer]:
        """Yields the answers to a batch over which a worker has died, telling the journal before each picture.

        The same pictures go through the model together as in the first attempt, so that the answers are the same to the
        last bit. Where workers die and no picture can be blamed, each goes alone.
        """
        finder = self._job.finder
        blamed = sum(attempt.strikes.values())
        group_size = finder.views_of if attempt.earlier - blamed <= self._job.tries else 1
        numbered = enumerate(taken)
        while group := list(islice(numbered, group_size)):
            cuts = []
            for number, (name, content) in group:
                if attempt.strikes.get(number, 0) >= self._job.tries:
                    content = DataError(f"{name}: {self._job.tries} processes died over this picture")
                else:
                    self._journal.at(key, number)
                cuts.append((name, finder.cut(name, content)))
            if group_size > 1:
                self._journal.at(key, None)
            yield from finder.predicted(cuts)


class _Files:
    """An iterator that knows whether it is at its end."""

    def __init__(self, source: Iterator[PictureFile]) -> None:
        self._source = source
        self._next = list(islice(source, 1))

    @property
    def at_end(self) -> bool:
        return not self._next

    def take(self, most: int) -> Iterator[PictureFile]:
        for _ in range(most):
            if not self._next:
                return
            (one,) = self._next
            self._next = []
            yield one
            self._next = list(islice(self._source, 1))
