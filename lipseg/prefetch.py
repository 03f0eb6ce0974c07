"""Results computed, or items read, in a thread while the caller is busy with the ones before."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, repeat
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def prefetch(function: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[R]:
    """Yields ``function`` of each item in order; while the caller is busy with one, a thread prepares the next ones.

    One thread does it all, so that ``function`` need not be safe to call from several at once. Reading and cutting
    pictures runs beside the model that way: decoders and array work release Python's lock.

    Args:
        function: what it raises is raised here, in the item's turn.
        items: taken one by one, as results are taken.
        depth: most results that wait to be taken, at least 1. Whatever the number of items, no more than these and the
            one that the caller has are held.
    """
    source = iter(items)
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    waiting: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(source, depth))
    try:
        while waiting:
            # Taken out before it is yielded: what the caller lets go of must not live on here.
            done = waiting.popleft().result()
            for item in islice(source, 1):
                waiting.append(pool.submit(function, item))
            yield done
            del done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def read_ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yields items in order; while the caller is busy with one, a thread makes the next ones.

    To be closed (``contextlib.closing``) before what the items come from is: the thread has ended then.

    Args:
        items: what taking one raises is raised here, in the item's turn.
        depth: most items that wait to be taken, at least 1.
    """
    source = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        waiting: deque[Future[Any]] = deque(pool.submit(next, source, end) for _ in repeat(None, depth))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, source, end))
                yield item
                del item
        finally:
            for future in waiting:
                future.cancel()
