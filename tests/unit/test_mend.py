"""What a dvc that was killed leaves half-written does not stand in the next one's way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import stages
from stages.mend import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mend(tmp_path, monkeypatch, capsys):
    """Runs the command in the test's folder; returns its exit code and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0)

    def run():
        code = 0
        try:
            stages.run(main)
        except SystemExit as error:
            code = error.code
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def locks(tmp_path):
    path = tmp_path / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("content", ["", '{"write": {"data/crops": {"pid": 1', "[]"])
def test_half_a_file_of_locks_is_removed(mend, tmp_path, locks, content):
    locks.write_text(content)
    code, said = mend()
    assert code == 0
    assert said == ".dvc/tmp/rwlock: left by a run that was killed; removed\n"
    assert not locks.exists()


def test_a_file_of_locks_stays(mend, tmp_path, locks):
    locks.write_text('{"write": {}, "read": {}}')
    assert (mend()[0], locks.exists()) == (0, True)


@pytest.mark.slow  # runs DVC
def test_dvc_works_without_git_where_there_is_none(mend, tmp_path):
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    (tmp_path / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo 1 > a\n    outs: [a]\n")
    repro = [sys.executable, "-m", "dvc", "repro"]
    assert "not a git repository" in subprocess.run(repro, capture_output=True, text=True, check=False).stderr
    assert mend() == (0, "")
    subprocess.run(repro, capture_output=True, check=True)
    assert (tmp_path / "a").read_text() == "1\n"

    subprocess.run(["git", "init", "--quiet"], check=True)  # experiments need it
    assert mend() == (0, "")
    assert not (tmp_path / ".dvc/config.local").exists()
    mine = "[core]\n    no_scm = true\n"
    (tmp_path / ".dvc/config.local").write_text(mine)
    assert mend() == (0, "")
    assert (tmp_path / ".dvc/config.local").read_text() == mine


def noted(pid):
    info = {"pid": pid, "cmd": "dvc repro"}
    return json.dumps({"write": {"/here/data/crops": info}, "read": {"/here/data/synthetic": [info]}})


@pytest.mark.parametrize("held", ["lock", "rwlock.lock"])
def test_what_a_living_dvc_is_writing_stays(mend, tmp_path, locks, held):
    """Of the locks that dvc holds, the first is there whenever no stage's command runs."""
    from zc.lockfile import LockFile

    locks.write_text('{"wri')
    guard = LockFile(str(locks.with_name(held)))
    try:
        code, said = mend()
    finally:
        guard.close()
    assert (code, locks.exists()) == (1, True)
    assert said == "error: a dvc is at work in this folder; wait for its end\n"


def test_a_dvc_whose_stage_runs_is_told_and_nothing_is_touched(mend, tmp_path, locks):
    locks.write_text(noted(os.getpid()))
    (tmp_path / "dvc.lock").write_text("half")
    code, said = mend()
    assert (code, locks.exists()) == (1, True)
    expected = f"error: a dvc is at work in this folder (process {os.getpid()}: dvc repro); wait for its end\n"
    assert said == expected


def test_the_number_of_a_killed_dvc_is_given_to_another_process(mend, tmp_path, locks):
    """Soon after a start of the machine it is: dvc itself would refuse to run."""
    locks.write_text(noted(os.getpid()))
    long_ago = psutil.Process().create_time() - 3600
    os.utime(locks, (long_ago, long_ago))
    code, said = mend()
    assert (code, locks.exists()) == (0, False)
    assert said == ".dvc/tmp/rwlock: left by a run that was killed; removed\n"


def test_the_locks_of_a_dvc_that_is_gone_are_left_to_dvc(mend, tmp_path, locks):
    locks.write_text(noted(1 << 22))  # one more than the largest number of a process
    assert (mend()[0], locks.exists()) == (0, True)


@pytest.mark.parametrize(
    "content", ["", "schema: '2.0'\nstages:\n", "schema: '2.0'\nstages:\n  code:\n    cmd: [python"]
)
def test_half_of_dvc_lock_is_told_with_its_remedy(mend, tmp_path, content):
    (tmp_path / "dvc.lock").write_text(content)
    code, said = mend()
    assert code == 1
    assert said.startswith("error: dvc.lock: half-written by a run that was killed; `git checkout dvc.lock`")
    (tmp_path / "dvc.lock").write_text((ROOT / "dvc.lock").read_text())
    assert mend()[0] == 0
