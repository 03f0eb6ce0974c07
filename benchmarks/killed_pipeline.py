"""The pipeline killed at random moments, until it is through: the same files as those of a run that nobody disturbed.

    python -m benchmarks.killed_pipeline PROJECT --kills 20

PROJECT is a clone in which ``make repro`` has run; it is only read. A copy without its results is run, killed with all
its processes, mended as ``make repro`` does, and run again. Training goes on from its checkpoints.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

# Hold the seconds that epochs and networks took, which are never the same twice.
TIMED = frozenset({"data/base/history.csv", "data/teach/history.csv", "reports/index.html", "reports/export.json"})


def outputs(root: Path) -> dict[str, list[str]]:
    """Returns the outputs of each stage of a project, metrics included."""
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]

    def name(out: Any) -> str:
        return next(iter(out)) if isinstance(out, dict) else out

    return {stage: [name(out) for out in [*its["outs"], *its.get("metrics", [])]] for stage, its in stages.items()}


def files_below(path: Path) -> dict[str, bytes]:
    """Returns the bytes of a file, or of all below a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def bare_copy(project: Path, to: Path) -> None:
    """Copies a project without what its pipeline made, and without DVC's cache."""
    made = {name for outs in outputs(project).values() for name in outs}
    skipped = {".venv", ".checkpoints", "build", "__pycache__", "dvc.lock"}

    def left_out(folder: str, names: list[str]) -> set[str]:
        here = Path(folder).relative_to(project)
        return {
            name
            for name in names
            if name in skipped
            or (here / name).as_posix() in made
            or (here / name).as_posix() in (".dvc/cache", ".dvc/tmp")
        }

    shutil.copytree(project, to, symlinks=True, ignore=left_out)


def kill_and_go_on(root: Path, kills: int, longest: float, seed: int) -> Counter[str]:
    """Runs a project's pipeline, killing it so many times at most; returns in which stages.

    Raises:
        RuntimeError: if it fails otherwise than by being killed.
    """
    rng, killed = random.Random(seed), Counter[str]()
    while True:
        subprocess.run([sys.executable, "-m", "stages.mend"], cwd=root, check=True)
        said = root.parent / "said.txt"
        with said.open("wb") as file:
            running = subprocess.Popen(
                [sys.executable, "-m", "dvc", "repro"], cwd=root, stdout=file, stderr=file, start_new_session=True
            )
            wait = rng.uniform(2, longest) if sum(killed.values()) < kills else None
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(wait)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        lines = said.read_text(errors="replace").splitlines()
        if running.returncode == 0:
            return killed
        if running.returncode != -signal.SIGKILL:
            raise RuntimeError("\n".join(lines[-20:]))
        begun = [line.split("'")[1] for line in lines if line.startswith("Running stage '")]
        killed[begun[-1] if begun else "before the first stage"] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=25, help="seconds from start to kill, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        bare_copy(given.project.resolve(), root)
        killed = kill_and_go_on(root, given.kills, given.longest, given.seed)
        made = [name for outs in outputs(root).values() for name in outs]
        other = [
            name for name in made if name not in TIMED and files_below(root / name) != files_below(given.project / name)
        ]
        partial = [path.relative_to(root).as_posix() for path in root.rglob(".*.partial*")]
    print(json.dumps({"killed": dict(killed), "outputs": len(made), "other": other, "half-written": partial}, indent=1))
    sys.exit(bool(other or partial))


if __name__ == "__main__":
    main()
