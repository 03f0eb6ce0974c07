"""Work ahead in a thread: bounded, in order, and over when nobody takes it any more."""

import gc
import itertools
import threading
import time
import weakref
from contextlib import closing

import pytest

from lipseg.prefetch import prefetch, read_ahead


class Picture:
    """Something that is large while it lives."""

    def __init__(self, number: int) -> None:
        self.number = number


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_pictures_are_held_than_allowed(depth):
    alive: weakref.WeakSet[Picture] = weakref.WeakSet()
    most = taken = 0

    def load(number: int) -> Picture:
        nonlocal most
        picture = Picture(number)
        alive.add(picture)
        most = max(most, len(alive))
        return picture

    def numbers():
        nonlocal taken
        for number in range(40):
            taken += 1
            yield number

    seen = []
    for picture in prefetch(load, numbers(), depth):
        # However long the caller takes, the thread gets no further.
        if picture.number % 10 == 0:
            time.sleep(0.01)
        assert taken <= picture.number + 1 + depth
        seen.append(picture.number)
    assert seen == list(range(40))
    # Those that wait, the caller's, and the next one in the moment before the caller lets go of its own.
    assert most <= depth + 2
    del picture
    gc.collect()
    assert len(alive) == 0


def test_it_is_ahead():
    began = threading.Event()
    results = prefetch(lambda n: began.set() if n == 1 else None, range(3), 1)
    next(results)
    # The second item is worked on while the first is with the caller.
    assert began.wait(5)


def test_an_error_comes_in_its_turn():
    results = prefetch(lambda n: 6 // n, [3, 2, 0, 1], 4)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_goes_on_when_nobody_listens():
    done = []
    gate = threading.Event()

    def work(number: int) -> None:
        if number > 0:
            gate.wait(5)
        done.append(number)

    results = prefetch(work, range(1000), 100)
    next(results)
    results.close()
    gate.set()
    time.sleep(0.05)
    # At most the one that had begun.
    assert done in ([0], [0, 1])


def test_of_nothing_comes_nothing():
    assert list(prefetch(str, [], 5)) == []


@pytest.mark.parametrize("depth", [1, 3])
def test_reading_ahead_is_bounded_in_order_and_ends_when_it_is_closed(depth):
    taken: list[int] = []
    source = (taken.append(k) or k for k in itertools.count())
    with closing(read_ahead(source, depth)) as items:
        for item in items:
            assert len(taken) <= item + 1 + depth
            if item == 10:
                break
    read = len(taken)
    time.sleep(0.01)
    assert len(taken) == read
    assert list(read_ahead(range(7), depth)) == list(range(7))


def test_reading_ahead_raises_in_the_item_s_turn():
    def numbers():
        yield 1
        raise KeyError("two")

    items = read_ahead(numbers(), 3)
    assert next(items) == 1
    with pytest.raises(KeyError, match="two"):
        next(items)
