"""Standard streams that are closed or full: results are written or their loss is told, and messages cost no results."""

import errno
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lipseg.cli.exit_codes import ExitCode
from lipseg.progress import progress

LIPSEG = f"{shlex.quote(sys.executable)} -m lipseg.cli.app"
PREDICT = f"{LIPSEG} predict a.png --detector none"
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")


@pytest.fixture
def shell(tmp_path):
    """Runs a line of a shell in a folder with a picture; returns exit code, standard output and standard error."""
    Image.fromarray(np.full((90, 90, 3), 150, np.uint8)).save(tmp_path / "a.png")

    def run(line: str) -> tuple[int, str, str]:
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    ("to", "reason"),
    [(">&-", "Bad file descriptor"), pytest.param("> /dev/full", "No space left on device", marks=FULL)],
)
@pytest.mark.parametrize("words", ["predict a.png --detector none --json", "info", "--help", "--version"])
def test_results_that_cannot_be_printed_are_an_error_of_one_line(shell, words, to, reason):
    assert shell(f"{LIPSEG} {words} {to}") == (
        ExitCode.UNEXPECTED,
        "",
        f"error: standard output: cannot be written ({reason})\n",
    )


@pytest.mark.parametrize("to", ["2>&-", ">&- 2>&- <&-", pytest.param("2> /dev/full", marks=FULL)])
def test_messages_that_cannot_be_printed_cost_no_result(shell, tmp_path, to):
    assert shell(f"{PREDICT} -o here")[0] == 0
    assert shell(f"{PREDICT} -o there {to}") == (0, "", "")
    for file in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / file.name).read_bytes() == file.read_bytes()
    assert shell(f"{LIPSEG} predict missing.png {to}")[0] == ExitCode.USAGE


def test_work_outlives_the_log_of_its_progress(monkeypatch):
    class Full:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            self.write("")

    monkeypatch.setattr(sys, "stderr", Full())
    assert list(progress(range(3), desc="counting")) == [0, 1, 2]
