"""Work in worker processes: in order, a little ahead, and an end that leaves nothing behind."""

import operator
import os
import signal
import subprocess
import sys
import time
from itertools import islice

import pytest

from lipseg.data.workers import in_order
from lipseg.errors import WorkerError


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_jobs_are_asked_for_as_they_are_taken(workers):
    asked = 0

    def jobs():
        nonlocal asked
        while True:
            asked += 1
            yield asked

    results = in_order(operator.neg, jobs(), workers)
    assert list(islice(results, 1000)) == [-number for number in range(1, 1001)]
    assert 1000 <= asked < 1500
    results.close()


def test_few_jobs_start_no_process():
    assert set(in_order(_process, range(49), 2)) == {os.getpid()}


def _process(_):
    return os.getpid()


def test_what_the_work_raises_is_raised_here():
    with pytest.raises(ValueError, match="no root of -1"):
        list(in_order(_root, [*range(80), -1, *range(40)], 2))


def _root(number):
    if number < 0:
        raise ValueError(f"no root of {number}")
    return number**0.5


def test_a_worker_that_is_killed_is_told_and_not_waited_for():
    began = time.monotonic()
    with pytest.raises(WorkerError, match=r"a worker process was killed, .*\(crop\.workers"):
        list(in_order(signal.raise_signal, [*[0] * 80, signal.SIGKILL, *[0] * 4000], 2))
    assert time.monotonic() - began < 60


INTERRUPTED = """
import time
from lipseg.data.workers import in_order

if __name__ == "__main__":
    for number in in_order(time.sleep, [0.01] * 100_000, 2):
        print("one", flush=True)
"""


@pytest.mark.parametrize("late", [True, False], ids=["at work", "while the workers start"])
def test_ctrl_c_ends_all_and_only_the_command_tells(tmp_path, late):
    (tmp_path / "command.py").write_text(INTERRUPTED)
    command = subprocess.Popen(
        [sys.executable, "command.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What a shell starts in the background ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert command.stdout is not None
        if late:
            command.stdout.readline()
        else:
            while not _children(command.pid):
                assert command.poll() is None
                time.sleep(0.001)
        workers = _children(command.pid)
        assert workers
        os.killpg(command.pid, signal.SIGINT)  # as a terminal does
        _, said = command.communicate(timeout=60)
    finally:
        if command.poll() is None:
            os.killpg(command.pid, signal.SIGKILL)
    assert command.returncode == -signal.SIGINT
    assert said.count("Traceback") == 1, said
    # They see for themselves that the command is gone.
    until = time.monotonic() + 30
    while alive := [worker for worker in workers if _alive(worker)]:
        assert time.monotonic() < until, alive
        time.sleep(0.05)


def _children(process):
    try:
        with open(f"/proc/{process}/task/{process}/children") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        pytest.skip("the system does not list a process's children")


def _alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
