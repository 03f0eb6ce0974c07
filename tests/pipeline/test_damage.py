"""Damage around a run: DVC's cache, a second run, a full disk, folders that may not be written, Ctrl-C."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.faults import content_of, plain_user, small_disk

from .conftest import Project

pytestmark = pytest.mark.slow


def cached(project: Project, name: str, member: str = "") -> Path:
    """Returns the file in DVC's cache that holds an output, or of a folder's files one."""
    stages = yaml.safe_load((project.root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    (md5,) = [out["md5"] for stage in stages.values() for out in stage["outs"] if out["path"] == name]
    path = project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    if member:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
        (md5,) = [file["md5"] for file in listed if file["relpath"] == member]
        path = project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    assert path.is_file()
    return path


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Changes a file of the cache and leaves it read-only, which is what DVC looks at."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))
    path.chmod(mode)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_a_damaged_cache_is_never_used(copied: Project) -> None:
    names = [name for outs in copied.outputs().values() for name in outs]
    expected = {name: content_of(copied.root / name) for name in names}
    # What DVC would restore as it is, cut off or another.
    rewrite(cached(copied, "reports/index.html"), half)
    rewrite(cached(copied, "data/statistics", "mean.png"), flipped)
    for path in ("reports/index.html", "data/statistics/mean.png"):
        (copied.root / path).unlink()
    # What it would stop at.
    folder = cached(copied, "data/crops_sheet.jpg")
    folder.unlink()
    folder.mkdir()
    # What nobody would see, as the outputs are there, until they are not.
    rewrite(cached(copied, "data/mixture/mixture.safetensors"), half)
    rewrite(cached(copied, "reports/calibration"), flipped)
    run, *_ = sorted((copied.root / ".dvc/cache/runs").glob("*/*/*"))
    rewrite(run, half)
    (folder.parent / ".left.tmp").touch()

    done = copied.stage("mend")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(".dvc/cache/files/md5/")
    assert done.stderr.endswith(" and 5 more: damaged; removed, to be made again where it is needed\n")
    assert not run.exists()
    assert not (folder.parent / ".left.tmp").exists()
    # Outputs that are there and whole are put into the cache again: their stages need not run.
    assert folder.is_file()
    assert copied.repro() == ["statistics", "report"]
    assert {name: content_of(copied.root / name) for name in names} == expected
    assert copied.stage("mend").stderr == ""


def test_damaged_notes_of_dvc_are_told_with_the_remedy(copied: Project, tmp_path: Path) -> None:
    project = Project(copied.root, {**copied.env, "DVC_SITE_CACHE_DIR": str(tmp_path / "notes")})
    assert project.stage("mend").returncode == 0
    databases = list((tmp_path / "notes").rglob("*.db"))
    assert databases
    for path in databases:
        path.write_bytes(half(path.read_bytes()))
    done = project.stage("mend")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"error: {tmp_path}/notes/repo: what DVC has noted of files here cannot be used (")
    assert "remove that folder" in done.stderr
    shutil.rmtree(tmp_path / "notes/repo")
    assert project.stage("mend").stderr == ""


def test_a_second_run_is_refused_and_the_first_ends_undisturbed(copied: Project) -> None:
    expected = content_of(copied.root / "data/statistics")
    first = copied.start("dvc", "repro", "--force", "--single-item", "statistics")
    assert first.stdout is not None
    said = ""
    while not said.startswith("> python -m stages.statistics"):  # from then on dvc does not hold its first lock
        said = first.stdout.readline()
        assert said
    os.killpg(first.pid, signal.SIGSTOP)  # as if it took long
    try:
        locks = content_of(copied.root / ".dvc/tmp/rwlock")
        rewrite(cached(copied, "reports/index.html"), lambda _: b"")  # nothing is mended meanwhile
        mended = copied.stage("mend")
        assert content_of(copied.root / ".dvc/tmp/rwlock") == locks
        second = copied.dvc("repro", check=False)
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    rest, _ = first.communicate()
    assert mended.returncode == 1
    (line,) = mended.stderr.splitlines()
    assert line.startswith(f"error: a dvc is at work in this folder (process {first.pid}: ")
    assert line.endswith("repro --force --single-item statistics); wait for its end")
    assert second.returncode != 0
    assert f"is busy, it is being blocked by:\n  (PID {first.pid})" in second.stderr
    assert cached(copied, "reports/index.html").stat().st_size == 0
    assert first.returncode == 0, rest
    assert content_of(copied.root / "data/statistics") == expected


def test_a_full_disk_is_told_and_the_next_run_goes_on(finished: Project, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "300m") as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        project = finished.copy(tmp_path / "disk" / "project")
        expected = content_of(project.root / "data/crops")

        def leave(free: int) -> None:
            """Fills the disk but for so many bytes."""
            ballast = tmp_path / "disk" / "ballast"
            ballast.unlink(missing_ok=True)
            there = os.statvfs(ballast.parent)
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, there.f_bavail * there.f_frsize - free)

        # In the midst of a stage: the outputs of an earlier run stay.
        leave(200_000)
        done = project.stage("crop", "--out", "data/crops", "--sheet", "data/crops_sheet.jpg")
        assert (done.returncode, done.stderr.count("Traceback")) == (1, 0), done.stderr
        assert done.stderr.splitlines()[-1] == "error: data/crops: cannot be written (No space left on device)"
        assert project.partials() == []
        assert content_of(project.root / "data/crops") == expected
        # When DVC puts what a stage has made into its cache: with the old outputs' place there is room for the crops
        # twice, which the stage needs for a moment, but not for all outputs twice.
        shutil.rmtree(project.root / ".dvc/cache")
        leave(len(expected["images.npy"]))
        stopped = project.dvc("repro", "--force", "--single-item", "crop", check=False)
        assert stopped.returncode != 0
        assert "No space left on device" in stopped.stderr
        assert "Traceback" not in stopped.stderr

        (tmp_path / "disk" / "ballast").unlink()
        assert project.stage("mend").returncode == 0
        assert project.repro("--single-item", "crop") == ["crop"]
        assert content_of(project.root / "data/crops") == expected
        assert content_of(cached(project, "data/crops", "images.npy"))["."] == expected["images.npy"]
        assert project.partials() == []


def test_a_folder_of_models_that_may_not_be_written_is_told(copied: Project) -> None:
    if (prefix := plain_user()) is None:
        pytest.skip("root may write everywhere, and setpriv cannot take that away")
    models = copied.root / "models"
    expected = content_of(models)
    command = yaml.safe_load((copied.root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["bundle"]["cmd"].split()
    models.chmod(0o500)
    try:
        done = copied.run(*prefix, *command, check=False)
        repro = copied.run(*prefix, *command[:2], "dvc", "repro", "--force", "--single-item", "bundle", check=False)
    finally:
        models.chmod(0o700)
    assert done.returncode == 1
    assert done.stderr == "error: models/lipseg: cannot be written (Permission denied)\n"
    assert repro.returncode != 0
    assert "Permission denied" in repro.stderr
    assert "models/lipseg" in repro.stderr
    assert "Traceback" not in repro.stderr
    copied.repro()
    assert content_of(models) == expected


def test_ctrl_c_ends_a_stage_in_one_line(copied: Project) -> None:
    copied.set_params({"crop.size_px": 1024})
    interrupted: Any = subprocess.Popen(
        [*("python", "-m", "stages.crop"), "--out", "again/crops", "--sheet", "again/sheet.jpg"],
        cwd=copied.root,
        env=copied.env,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    half = copied.root / "again/.crops.partial/images.raw"
    while not (half.exists() and half.stat().st_size > 0):
        assert interrupted.poll() is None
    interrupted.send_signal(signal.SIGINT)
    _, said = interrupted.communicate()
    assert interrupted.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "error: interrupted; the same command again goes on"
    assert list((copied.root / "again").iterdir()) == []
