"""Work on many things in worker processes, in order, with flat memory, that ends with the stage that started it."""

import itertools
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TypeVar

import cv2

from lipseg.errors import WorkerError

Job = TypeVar("Job")
Result = TypeVar("Result")

# A process takes about half a second to start: it should have at least so many things to do.
_WORTHWHILE = 25
# Jobs that are sent to a worker at once, and how many such chunks of each worker are on their way or waiting.
_CHUNK, _AHEAD = 16, 4


def in_order(work: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Yields ``work(job)`` of every job in order, computed in worker processes.

    At no time more than some hundred jobs and results are held, whatever there is to do: jobs are asked for as results
    are taken. No worker waits for another one but where that one is some chunks behind. Few jobs are done in this
    process. Ctrl-C is for this process alone; it and every error end the workers after the chunk that they are at.

    Args:
        work: a function of a module, or a ``functools.partial`` of one.
        jobs: what can be pickled.
        workers: processes; 0 is one a core. 1 does all in this process.

    Raises:
        WorkerError: if a worker was killed.
        Exception: what ``work`` raises.
    """
    workers = workers or os.cpu_count() or 1
    jobs = iter(jobs)
    first = list(itertools.islice(jobs, workers * _WORTHWHILE))
    workers = min(workers, len(first) // _WORTHWHILE)
    jobs = itertools.chain(first, jobs)
    del first
    if workers <= 1:
        yield from map(work, jobs)
        return
    chunks = iter(lambda: list(itertools.islice(jobs, _CHUNK)), [])
    # Spawned, not forked: a fork of a process in which JAX or OpenCV runs threads can hang.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for chunk in chunks:
            with _no_interrupt():  # it starts workers as they are needed
                waiting.append(pool.submit(_each, work, chunk))
            if len(waiting) > _AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process was killed, perhaps for want of memory; use fewer of them (crop.workers in params.yaml)"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _each(work: Callable[[Job], Result], chunk: list[Job]) -> list[Result]:
    return [work(job) for job in chunk]


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Holds Ctrl-C back until the block's end, and for ever from the processes that are started in it.

    A terminal sends it to all processes of a command at once. A worker that dies of it in the middle of its start
    leaves a traceback, and a broken pool where the command itself has nothing to tell but that it was interrupted.
    """
    if not hasattr(signal, "pthread_sigmask"):  # not a POSIX system
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Runs first in every worker."""
    cv2.setNumThreads(1)  # the processes are the threads: OpenCV's own would only get in their way
    _end_with_parent()


def _end_with_parent() -> None:
    """Lets this worker end when its parent is killed; without it, it would wait for the next job for ever."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
