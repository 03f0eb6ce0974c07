"""Seconds from a prompt to the first result: whole processes, started one after the other."""

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from lipseg.errors import DataError

# What the console script calls, by the Python and the lipseg of this process.
LIPSEG = (sys.executable, "-m", "lipseg.cli.app")


def medians(commands: Mapping[str, Sequence[str]], starts: int) -> dict[str, float]:
    """Returns the median seconds that each command takes from its start to its end.

    All are run once before, so that their files are in memory as they are at anybody's second run; then they take
    turns, so that what else the machine does hits them alike.

    Args:
        commands: by name.
        starts: of each that are timed.

    Raises:
        DataError: if one fails.
    """
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(1 + starts):
        for name, command in commands.items():
            seconds, _ = timed(command)
            if turn:
                times[name].append(seconds)
    return {name: statistics.median(each) for name, each in times.items()}


def timed(command: Sequence[str]) -> tuple[float, str]:
    """Returns the seconds that a command takes, and what it prints.

    Raises:
        DataError: if it fails.
    """
    began = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise DataError(f"{command[0]}: cannot be run ({error.strerror or error})") from error
    seconds = time.perf_counter() - began
    if done.returncode:
        last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        raise DataError(f"`{' '.join(command)}` ended with exit code {done.returncode}: {last}")
    return seconds, done.stdout
