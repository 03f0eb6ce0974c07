"""Stages started by a Python without the packages: they go on in the project's own environment, or say what to do."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _checkout(folder: Path) -> Path:
    """A checkout with the stages and what they import before the first package."""
    for name in ("stages/__init__.py", "lipseg/__init__.py", "lipseg/errors.py"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    (folder / "stages" / "probe.py").write_text("import sys\nimport stages\nprint(sys.prefix, *sys.argv[1:])\n")
    return folder


def _run(python: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(python), "-m", "stages.probe", "--out", "a b"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_stage_goes_on_in_the_project_s_environment(tmp_path: Path) -> None:
    folder = _checkout(tmp_path / "project")
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False, symlinks=True)
    (folder / ".venv" / "bin").mkdir(parents=True)
    # A wrapper in place of an environment: it has the packages, and says that it was asked.
    own = folder / ".venv" / "bin" / "python"
    own.write_text(f'#!/bin/sh\necho entered\nexec "{sys.executable}" "$@"\n')
    own.chmod(0o755)
    done = _run(bare / "bin" / "python", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["entered", f"{sys.prefix} --out a b"]


def test_a_stage_without_packages_says_what_to_do_in_one_line(tmp_path: Path) -> None:
    folder = _checkout(tmp_path / "project")
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False, symlinks=True)
    done = _run(bare / "bin" / "python", folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "has no package numpy; run `make repro`" in line
