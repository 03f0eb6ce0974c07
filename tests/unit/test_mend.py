"""What a dvc that was killed leaves half-written does not stand in the next one's way."""

import subprocess
import sys
from pathlib import Path

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
    assert done.stderr == ".dvc/tmp/rwlock: was left half-written by a run that was killed; removed\n"
    assert not locks.exists()


def test_a_file_of_locks_stays(tmp_path, locks):
    locks.write_text('{"write": {}, "read": {}}')
    assert (mend(tmp_path).returncode, locks.exists()) == (0, True)


def test_what_a_living_dvc_is_writing_stays(tmp_path, locks):
    from zc.lockfile import LockFile

    locks.write_text('{"wri')
    guard = LockFile(str(locks.with_name("rwlock.lock")))
    try:
        assert (mend(tmp_path).returncode, locks.exists()) == (0, True)
    finally:
        guard.close()


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
