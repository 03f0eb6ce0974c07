"""A run: the plan, what of it is left to do, and the engine that does it."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSystem

from lipseg.batch.engine import connected, load_ray, run
from lipseg.batch.finder import LipFinder
from lipseg.batch.plan import planned
from lipseg.batch.results import Counts, Results
from lipseg.batch.sources import find_shards, open_stores
from lipseg.batch.stores import Stores
from lipseg.batch.table_columns import TableColumns
from lipseg.batch.worker import Job
from lipseg.inference.card import CARD


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What a run has done.

    Attributes:
        counts: of the pictures of this run.
        shards: of the whole plan.
        before: shards that an earlier run had done.
    """

    counts: Counts
    shards: int
    before: int


def find_lips(
    sources: Sequence[str | Path],
    output: str | Path,
    finder: LipFinder | None = None,
    *,
    columns: TableColumns | None = None,
    size: int = 256,
    tries: int = 3,
    workers: int | None = None,
    address: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    filesystem: FileSystem | None = None,
    tell: Callable[[Counts], None] = lambda done: None,
) -> BatchSummary:
    """Finds the lips in very many pictures on Ray and writes them as a folder of Parquet files (``rows.SCHEMA``).

    Args:
        sources: see ``sources.find_shards``.
        output: folder, or URI of one, for the results and the plan.
        finder: with the model and its options; the shipped model without.
        columns: of Parquet files with pictures.
        size: most pictures of a file of rows; that is what a worker's death costs.
        tries: how many workers a picture may kill before it is given up.
        workers: actors, one CPU each; None for as many as the cluster has CPUs.
        address: of a cluster that runs, "auto" for the one of this machine; None starts one here, or takes the one
            that this process is connected to.
        resume: whether a run whose results are there goes on.
        overwrite: whether such results are removed.
        filesystem: of the paths that are no URIs, those of the results too; None for the local one.
        tell: told the counts of each shard when it is done.

    Raises:
        UsageError: if a source, an option, the output or the address cannot be used; nothing has been done then.
        ModelError: if the model cannot be used.
        OutputError: if results cannot be written.
        MissingLibraryError: if Ray is not installed.
    """
    load_ray()
    finder = LipFinder() if finder is None else finder
    columns = TableColumns() if columns is None else columns
    stores = Stores(filesystem)
    at, folder = stores.find(str(output))
    results = Results(stores.stores[at], folder)
    words = [str(word) for word in sources]
    settings = _settings(words, stores, finder, columns, size)
    with ExitStack() as cluster:
        # A cluster that runs is joined before anything is written; one of this run's own starts when there is work.
        if address is not None:
            cluster.enter_context(connected(workers, address))
        plan = planned(
            results,
            settings,
            lambda: find_shards(words, stores, size, columns),
            resume=resume,
            overwrite=overwrite,
        )
        ended = results.ended()
        todo = plan.filter([number not in ended for number in plan["shard"].to_pylist()])
        counts = Counts()
        if len(todo):
            if address is None:
                cluster.enter_context(connected(workers, None))
            job = Job(results, stores.stores, finder, columns, size, tries)
            for done in run(job, todo, workers):
                counts += done
                tell(done)
    return BatchSummary(counts, len(plan), len(plan) - len(todo))


def _settings(
    words: Sequence[str], stores: Stores, finder: LipFinder, columns: TableColumns, size: int
) -> dict[str, Any]:
    """Returns what the rows depend on.

    Opens the file systems of all sources, in the order in which a plan that is there already numbers them.
    """
    open_stores(words, stores)
    found = [stores.find(word) for word in words]
    options = dict(finder.options)
    # The model itself and not where it lies: the card holds the hashes of its networks.
    card = Path(str(options.pop("model"))) / CARD
    return {
        "sources": [stores.stores[at].name(path) for at, path in found],
        "list of file systems": [store.place for store in stores.stores],
        "number of pictures a file": size,
        "column": columns.content,
        "column of names": columns.name,
        "model": hashlib.sha256(card.read_bytes()).hexdigest() if card.is_file() else None,
        **options,
    }
