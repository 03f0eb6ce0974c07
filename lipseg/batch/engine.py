"""The work on a plan, by Ray Data: actors that each hold one model and take shard after shard."""

import logging
import math
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow

from lipseg.batch.ledger import Attempt, Journal, Key, Ledger
from lipseg.batch.results import Counts
from lipseg.batch.worker import Job, Worker
from lipseg.errors import OutputError, UsageError, in_brief
from lipseg.video.libraries import need

# Blocks of the plan, at most: Ray keeps account of every one.
_MOST_BLOCKS = 10_000
# Of Ray, read when it is imported, where the user has not set them. Ray's workers would run at niceness 15, and on a
# machine that does something else too nearly stand still; of what its core logs nothing is meant for a user.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
# Bytes of Ray's object store where a cluster is started here: only plan and counts pass through it.
_STORE = 128 << 20
_PATIENCE_S = 5.0
_STDERR, _NOTICE = 2, b"Set ray log level from environment variable"


def load_ray() -> Any:
    """Returns the module ``ray``.

    Raises:
        MissingLibraryError: if it is not installed.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    ray = need("ray", "ray", "lipseg batch")
    need("ray.data", "ray", "lipseg batch")
    return ray


@contextmanager
def connected(workers: int | None, address: str | None) -> Iterator[None]:
    """Joins a Ray cluster, or starts one on this machine, for the block; does nothing where one is joined already.

    Args:
        workers: see ``process.find_lips``; likewise ``address``.

    Raises:
        UsageError: if no cluster answers at the address.
        MissingLibraryError: if Ray is not installed.
    """
    ray = load_ray()
    if ray.is_initialized():
        yield
        return
    quiet = {"logging_level": "error", "log_to_driver": False}
    if address is None:
        with _without_notice():
            ray.init(address="local", num_cpus=workers, include_dashboard=False, object_store_memory=_STORE, **quiet)
    else:
        try:
            _knock(address)
            with _without_notice():
                ray.init(address=address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"--address {address}: no Ray cluster answers there ({in_brief(error)})") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _without_notice() -> Iterator[None]:
    """Takes out of standard error the line in which Ray's core says at what level it logs; the rest comes at the end.

    The core writes it to the file descriptor itself, and before that level counts.
    """
    try:
        before = os.dup(_STDERR)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(before, _STDERR)
            os.close(before)
            said.seek(0)
            for line in said:
                if _NOTICE not in line:
                    os.write(_STDERR, line)


def _knock(address: str) -> None:
    """Raises OSError if nobody listens at HOST:PORT: Ray itself would go on trying for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        with socket.create_connection((host.rpartition("/")[2], int(port)), timeout=_PATIENCE_S):
            pass


def run(job: Job, todo: pyarrow.Table, workers: int | None) -> Iterator[Counts]:
    """Does the work on shards, on the cluster that is joined; yields the counts of each when its rows are written.

    Args:
        job: the run's.
        todo: rows of ``plan.SCHEMA``, at least one; each comes once.
        workers: see ``process.find_lips``.

    Raises:
        OutputError: or another error of a worker.
    """
    ray = load_ray()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # On the machine that this runs on: it is lost with the run, and not with a worker.
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), False)
    ledger = ray.remote(num_cpus=0, scheduling_strategy=here)(Ledger).remote()
    cpus = int(ray.cluster_resources().get("CPU", 1))
    actors = max(1, min(workers or cpus, len(todo)))
    share = math.ceil(len(todo) / _MOST_BLOCKS)
    blocks = [todo.slice(at, share) for at in range(0, len(todo), share)]
    done = ray.data.from_arrow(blocks).map_batches(
        Worker,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_args=(job, _journal_of(ledger)),
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
    )
    seen: set[int] = set()
    for row in done.iter_rows():
        if row["error"] is not None:
            raise OutputError(row["error"]) if row["expected"] else RuntimeError(row["error"])
        if row["shard"] not in seen:
            seen.add(row["shard"])
            yield Counts(row["pictures"], row["faces"], row["failed"])


def _journal_of(ledger: Any) -> Callable[[], Journal]:
    return lambda: _Remote(ledger)


class _Remote:
    """The way to a ledger in another process. Implements ``Journal``.

    Args:
        ledger: handle of the actor.
    """

    def __init__(self, ledger: Any) -> None:
        import ray

        self._ledger, self._get = ledger, ray.get

    def begin(self, key: Key) -> Attempt:
        return self._get(self._ledger.begin.remote(key))

    def at(self, key: Key, picture: int | None) -> None:
        self._get(self._ledger.at.remote(key, picture))

    def end(self, key: Key) -> None:
        self._get(self._ledger.end.remote(key))
