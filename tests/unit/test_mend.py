"""What a dvc that was killed leaves half-written does not stand in the next one's way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]


def mend(folder: Path) -> "subprocess.CompletedProcess[str]":
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from stages.mend import main, run; run(main)"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def locks(tmp_path):
    path = tmp_path / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("content", ["", '{"write": {"data/crops": {"pid": 1', "[]"])
def test_half_a_file_of_locks_is_removed(tmp_path, locks, content):
    locks.write_text(content)
    done = mend(tmp_path)
    assert done.returncode == 0
    assert done.stderr == ".dvc/tmp/rwlock: left by a run that was killed; removed\n"
    assert not locks.exists()


def test_a_file_of_locks_stays(tmp_path, locks):
    locks.write_text('{"write": {}, "read": {}}')
    assert (mend(tmp_path).returncode, locks.exists()) == (0, True)


def noted(pid):
    info = {"pid": pid, "cmd": "dvc repro"}
    return json.dumps({"write": {"/here/data/crops": info}, "read": {"/here/data/synthetic": [info]}})


@pytest.mark.parametrize("held", ["lock", "rwlock.lock"])
def test_what_a_living_dvc_is_writing_stays(tmp_path, locks, held):
    """Of the locks that dvc holds, the first is there whenever no stage's command runs."""
    from zc.lockfile import LockFile

    locks.write_text('{"wri')
    guard = LockFile(str(locks.with_name(held)))
    try:
        done = mend(tmp_path)
    finally:
        guard.close()
    assert (done.returncode, locks.exists()) == (1, True)
    assert done.stderr == "error: a dvc is at work in this folder; wait for its end\n"


def test_a_dvc_whose_stage_runs_is_told_and_nothing_is_touched(tmp_path, locks):
    locks.write_text(noted(os.getpid()))
    (tmp_path / "dvc.lock").write_text("half")
    done = mend(tmp_path)
    assert (done.returncode, locks.exists()) == (1, True)
    said = f"error: a dvc is at work in this folder (process {os.getpid()}: dvc repro); wait for its end\n"
    assert done.stderr == said


def test_the_number_of_a_killed_dvc_is_given_to_another_process(tmp_path, locks):
    """Soon after a start of the machine it is: dvc itself would refuse to run."""
    locks.write_text(noted(os.getpid()))
    long_ago = psutil.Process().create_time() - 3600
    os.utime(locks, (long_ago, long_ago))
    done = mend(tmp_path)
    assert (done.returncode, locks.exists()) == (0, False)
    assert done.stderr == ".dvc/tmp/rwlock: left by a run that was killed; removed\n"


def test_the_locks_of_a_dvc_that_is_gone_are_left_to_dvc(tmp_path, locks):
    locks.write_text(noted(1 << 22))  # one more than the largest number of a process
    assert (mend(tmp_path).returncode, locks.exists()) == (0, True)


@pytest.mark.parametrize(
    "content", ["", "schema: '2.0'\nstages:\n", "schema: '2.0'\nstages:\n  code:\n    cmd: [python"]
)
def test_half_of_dvc_lock_is_told_with_its_remedy(tmp_path, content):
    (tmp_path / "dvc.lock").write_text(content)
    done = mend(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: dvc.lock: half-written by a run that was killed; `git checkout dvc.lock`")
    (tmp_path / "dvc.lock").write_text((ROOT / "dvc.lock").read_text())
    assert mend(tmp_path).returncode == 0
