"""SIGKILL in the middle of a stage, then ``dvc repro`` again: the same result as if nothing had happened."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.faults import content_of
from lipseg.model.weights import load_arrays

from .conftest import Project

pytestmark = pytest.mark.slow

# Enough that a training which has finished one is killed before the last.
EPOCHS = 30


def repro_killed(project: Project, stage: str, now: Callable[[], bool]) -> None:
    """Starts ``dvc repro STAGE`` and kills everything in it, dvc first, as soon as ``now()`` holds."""
    running = project.start("dvc", "repro", stage)
    try:
        deadline = time.monotonic() + 180
        while not now():
            assert running.poll() is None, f"dvc ended before it was killed:\n{running.communicate()[0]}"
            assert time.monotonic() < deadline, "there was nothing to kill"
            time.sleep(0.001)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    assert running.returncode == -signal.SIGKILL


def test_training_goes_on_where_it_was_killed(finished: Project, tmp_path: Path) -> None:
    killed, whole = finished.copy(tmp_path / "killed"), finished.copy(tmp_path / "whole")
    for project in (killed, whole):
        project.set_params({"train_base.epochs": EPOCHS})
    assert whole.repro("train_base") == ["train_base"]

    folder = killed.root / ".checkpoints/train_base"
    repro_killed(killed, "train_base", lambda: any(folder.glob("[!.]*.safetensors")))
    assert not (killed.root / "data/base/base.safetensors").exists()
    (file,) = folder.glob("[!.]*.safetensors")
    before = load_arrays(file)[1]["history"]
    assert 1 <= len(before) < EPOCHS

    assert killed.repro("train_base") == ["train_base"]
    with (killed.root / "data/base/history.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [int(row["epoch"]) for row in rows] == list(range(EPOCHS))
    # The time that an epoch took is never the same twice: these epochs were not trained again.
    assert [float(row["seconds"]) for row in rows[: len(before)]] == pytest.approx([row["seconds"] for row in before])
    with (whole.root / "data/base/history.csv").open(encoding="utf-8", newline="") as table:
        never_killed = list(csv.DictReader(table))
    assert list(rows[0]) == list(never_killed[0])
    for row, expected in zip(rows, never_killed, strict=True):
        assert {**row, "seconds": ""} == {**expected, "seconds": ""}
    # Bit by bit: the resumed process runs the very same compiled step on the very same state. (On another number of
    # cores XLA splits its sums differently: a machine that changes it in mid-run would need a tolerance here.)
    assert content_of(killed.root / "data/base/base.safetensors") == content_of(
        whole.root / "data/base/base.safetensors"
    )
    assert not folder.exists()
    assert killed.partials() == []
    assert killed.repro("train_base") == []


def test_the_locator_goes_on_where_it_was_killed(finished: Project, tmp_path: Path) -> None:
    killed, whole = finished.copy(tmp_path / "killed"), finished.copy(tmp_path / "whole")
    for project in (killed, whole):
        project.set_params({"locate.epochs": EPOCHS})
    assert whole.repro("locate") == ["locate"]

    folder = killed.root / ".checkpoints/locate"
    repro_killed(killed, "locate", lambda: any(folder.glob("[!.]*.safetensors")))
    assert not (killed.root / "data/locator/locator.safetensors").exists()
    (file,) = folder.glob("[!.]*.safetensors")
    assert 1 <= len(load_arrays(file)[1]["history"]) < EPOCHS

    assert killed.repro("locate") == ["locate"]
    for path in ("data/locator/history.csv", "data/locator/locator.safetensors", "reports/locator.json"):
        assert content_of(killed.root / path) == content_of(whole.root / path)
    assert not folder.exists()
    assert killed.partials() == []


def test_crops_are_the_same_after_a_kill(finished: Project, tmp_path: Path) -> None:
    killed, whole = finished.copy(tmp_path / "killed"), finished.copy(tmp_path / "whole")
    for project in (killed, whole):
        project.set_params({"crop.size_px": 1024})  # large, so that there is time to kill it
    assert whole.repro("crop") == ["crop"]

    half = killed.root / "data/.crops.partial/images.raw"
    repro_killed(killed, "crop", lambda: half.exists() and half.stat().st_size > 1 << 20)
    assert half.parent.is_dir()
    assert not (killed.root / "data/crops").exists()

    assert killed.repro("crop") == ["crop"]
    expected = content_of(whole.root / "data/crops")
    assert expected.keys() == {"images.npy", "faces.npz", "skipped.csv", "summary.json"}
    found = content_of(killed.root / "data/crops")
    assert [name for name in expected if found.get(name) != expected[name]] == []
    assert content_of(killed.root / "data/crops_sheet.jpg") == content_of(whole.root / "data/crops_sheet.jpg")
    assert killed.partials() == []
    assert killed.repro("crop") == []


def test_a_killed_dvc_leaves_no_lock_in_the_way(copied: Project) -> None:
    """The moment right at the start, when dvc holds its locks and has deleted the stage's outputs."""
    copied.set_params({"statistics.per": "pixel"})

    table = copied.root / ".dvc/tmp/rwlock"

    def holds_its_locks() -> bool:
        # Not in the midst of writing the file of locks itself: dvc cannot read half of one. It writes it before and
        # after a stage's command, which takes a second: a file that is older than this is not being written.
        with contextlib.suppress(OSError, ValueError):
            at_rest = time.time() - table.stat().st_mtime > 0.1
            locks = json.loads(table.read_text(encoding="utf-8"))
            return at_rest and bool(locks) and not (copied.root / "data/statistics").exists()
        return False

    repro_killed(copied, "statistics", holds_its_locks)
    assert copied.repro("statistics") == ["statistics"]
    assert (copied.root / "data/statistics/normaliser.npz").is_file()


def test_no_worker_outlives_a_killed_crop_stage(copied: Project) -> None:
    """A stage killed alone (out of memory, say) must not leave its workers waiting for ever."""
    # Fewer faces would be cut in the stage's own process.
    copied.set_params({"crop.size_px": 1024, "crop.workers": 2, "synthesize.train": 60, "data.root": "again/faces"})
    drawn = copied.stage("synthesize", "--out", "again/faces", "--sheet", "again/faces.jpg")
    assert drawn.returncode == 0, drawn.stderr
    stage = copied.start(
        os.path.join(copied.env["PATH"].split(os.pathsep)[0], "python"),
        *("-m", "stages.crop", "--out", "again/crops", "--sheet", "again/sheet.jpg"),
    )
    half = copied.root / "again/.crops.partial/images.raw"
    deadline = time.monotonic() + 120
    while not (half.exists() and half.stat().st_size > 0):
        assert stage.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    stage.kill()
    stage.wait()
    try:
        left = members(stage.pid)
        end = time.monotonic() + 20
        while left and time.monotonic() < end:
            time.sleep(0.2)
            left = members(stage.pid)
        assert left == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(stage.pid, signal.SIGKILL)


def members(group: int) -> list[str]:
    """Returns the command lines of the living processes of a process group."""
    listed = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [row[2] for row in rows if int(row[0]) == group and not row[1].startswith("Z")]
