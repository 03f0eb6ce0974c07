"""The pipeline killed at random moments, until it is through: the same files as those of a run that nobody disturbed.

    python -m benchmarks.killed_pipeline PROJECT --kills 20
    python -m benchmarks.killed_pipeline PROJECT --kills 50 --stage crop train_base    # or: --stage all

PROJECT is a clone in which ``make repro`` has run; it is only read. A copy without its results is run, killed with all
its processes, mended as ``make repro`` does, and run again. Training goes on from its checkpoints.

With --stage, single stages are killed and run again in a copy of the results, which costs far less: a process that has
imported everything forks for each run. Half of the moments are drawn over the whole run, the other half from its first
output on. Every other run begins without the stage's outputs, as DVC begins one; the others find what there is. After
each kill every output must be whole, old, or absent; then the stage runs undisturbed (with --every 5, after each fifth)
and must leave the bytes of one that was never killed, and nothing temporary. The code is that of this checkout, the
data PROJECT's.
"""

import argparse
import contextlib
import csv
import importlib
import io
import itertools
import json
import os
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import yaml

from benchmarks.faults import content_of

# Holds the seconds that epochs and networks took, which are never the same twice, in the midst of its text.
TIMED = frozenset({"reports/index.html"})
_TIMES = frozenset({"seconds", "load_ms", "cpu_ms_a_view"})
# Linear algebra in threads would not survive the fork; the compiled programs are kept for all runs.
_ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")},
}


def outputs(root: Path) -> dict[str, list[str]]:
    """Returns the outputs of each stage of a project, metrics included."""

    def name(out: Any) -> str:
        return next(iter(out)) if isinstance(out, dict) else out

    return {stage: [name(out) for out in [*its["outs"], *its.get("metrics", [])]] for stage, its in _stages(root)}


def _stages(root: Path) -> list[tuple[str, dict[str, Any]]]:
    return list(yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"].items())


def made_by(root: Path, name: str) -> dict[str, bytes]:
    """Returns the bytes of an output's files, without the times that a table or a JSON file holds."""
    return {file: _without_times(Path(name, file), content) for file, content in content_of(root / name).items()}


def _without_times(path: Path, content: bytes) -> bytes:
    with contextlib.suppress(ValueError, csv.Error):
        if path.suffix == ".json":
            return json.dumps(json.loads(content, object_hook=_untimed), indent=1).encode()
        if path.suffix == ".csv":
            return json.dumps([_untimed(row) for row in csv.DictReader(io.StringIO(content.decode()))]).encode()
    return content  # half a file, which is to differ


def _untimed(values: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in values.items() if key not in _TIMES}


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


class KilledStage:
    """One stage of a finished project, run without DVC in processes that have imported everything.

    Args:
        root: the project's folder, which is changed.
        stage: of its ``dvc.yaml``.
    """

    def __init__(self, root: Path, stage: str) -> None:
        self.root, self.stage, self.outs = root, stage, outputs(root)[stage]
        _, _, _, *self.arguments = shlex.split(dict(_stages(root))[stage]["cmd"])

    def start(self) -> ForkServerProcess:
        """Returns a run in a process group of its own, as soon as it begins with its work."""
        context = get_context("forkserver")
        begun, begin = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(self.root, self.stage, self.arguments, begin))
        process.start()
        begin.close()
        begun.recv()
        return process

    def run(self) -> float:
        """Runs the stage undisturbed; returns the seconds that it took.

        Raises:
            RuntimeError: if it fails.
        """
        process, began = self.start(), time.monotonic()
        process.join()
        if process.exitcode:
            said = (self.root.parent / "said.txt").read_text(errors="replace")
            raise RuntimeError(f"{self.stage} exited {process.exitcode}\n{said}")
        return time.monotonic() - began

    def kill_after(self, seconds: float) -> int | None:
        """Runs the stage and kills all its processes after so many seconds; returns the exit code."""
        process = self.start()
        process.join(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
        return process.exitcode

    def made(self) -> dict[str, dict[str, bytes]]:
        """Returns for each output that is there the bytes of its files, without times."""
        return {name: made_by(self.root, name) for name in self.outs if (self.root / name).exists()}

    def remove(self) -> None:
        """Removes the outputs, as DVC does before it runs a stage."""
        for path in map(self.root.joinpath, self.outs):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def temporary(self) -> list[str]:
        """Returns what lies about that is no output: half-written files, checkpoints."""
        left = [*self.root.rglob(".*.partial*"), *(self.root / ".checkpoints").rglob("*.safetensors")]
        return sorted(path.relative_to(self.root).as_posix() for path in left)

    def kill(self, kills: int, every: int = 1, seed: int = 0) -> dict[str, Any]:
        """Kills the stage so many times, and runs it after each, or after each few.

        Args:
            kills: how many; a run that ends by itself does not count, and there are at most three times as many runs.
            every: kills between two undisturbed runs.
            seed: of the moments.

        Returns:
            How often it was killed and how many of these kills left something temporary behind, the seconds of an
            undisturbed run, and what was wrong.

        Raises:
            RuntimeError: if an undisturbed run fails, or two of them differ.
        """
        self.run()  # compiles
        began = time.time()
        expected, took = self.made(), statistics.median(self.run() for _ in range(3))
        if self.made() != expected:
            raise RuntimeError(f"{self.stage}: two undisturbed runs differ")
        self.remove()
        began, took = time.time(), min(took, self.run())
        first = min(path.stat().st_mtime for path in self._files()) - began
        rng, killed, amid, wrong = random.Random(f"{seed} {self.stage}"), 0, 0, list[str]()
        for number in range(3 * kills):
            if killed == kills:
                break
            if number % 2:
                self.remove()
            code = self.kill_after(rng.uniform(0 if number % 4 < 2 else min(first, 0.95 * took), took))
            killed += code == -signal.SIGKILL
            amid += bool(self.temporary())
            for name, files in self.made().items():
                if files != expected[name]:
                    wrong.append(f"{name} is not whole after a kill")
            if code not in (0, -signal.SIGKILL):
                wrong.append(f"exit code {code}")
            if (number + 1) % every and killed < kills:
                continue
            self.run()
            wrong += [f"{name} differs" for name, files in self.made().items() if files != expected[name]]
            wrong += [f"{name} is missing" for name in expected if not (self.root / name).exists()]
            wrong += [f"{name} is left" for name in self.temporary()]
        return {"stage": self.stage, "killed": killed, "amid": amid, "seconds": round(took, 2), "wrong": wrong}

    def _files(self) -> Iterator[Path]:
        for path in map(self.root.joinpath, self.outs):
            yield from [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())


def _run(root: Path, stage: str, arguments: list[str], begin: Connection) -> None:
    """Runs a stage as ``python -m stages.STAGE`` does, in the project's folder and with a process group of its own."""
    os.setsid()
    os.chdir(root)
    said = os.open(root.parent / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = [f"stages.{stage}", *arguments]
    import stages

    main = importlib.import_module(f"stages.{stage}").main
    begin.send(True)
    stages.run(main)


@contextlib.contextmanager
def warm_copy(project: Path, names: list[str], compiled: Path | None = None) -> Iterator[Path]:
    """Gives a copy of a finished project's parameters and results, and starts the process that forks for each run.

    Args:
        project: the finished project.
        names: the stages that will run; they are imported once.
        compiled: folder of compiled programs that is kept; else they are compiled anew.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        for name in ("dvc.yaml", "params.yaml"):
            shutil.copy2(project / name, root / name)
        for name in ("data", "reports", "models"):
            shutil.copytree(project / name, root / name, symlinks=True)
        os.environ.update({"JAX_COMPILATION_CACHE_DIR": str(compiled or Path(folder) / "compiled"), **_ENVIRONMENT})
        get_context("forkserver").set_forkserver_preload([f"stages.{name}" for name in names])
        yield root


def _kill_stages(project: Path, names: list[str], kills: int, every: int, seed: int, compiled: Path | None) -> bool:
    """Prints a line for each stage; returns whether all was well."""
    well = True
    with warm_copy(project, names, compiled) as root:
        for name in names:
            found = KilledStage(root, name).kill(kills, every, seed)
            well &= not found["wrong"]
            print(json.dumps({**found, "wrong": Counter(found["wrong"])}), flush=True)
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--kills", type=int, default=20, help="of the pipeline, or of each stage")
    parser.add_argument("--longest", type=float, default=25, help="seconds from start to kill of the pipeline, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--stage", nargs="+", metavar="NAME", help="kill these stages by themselves; all: every one")
    parser.add_argument("--every", type=int, default=1, help="with --stage: kills between two undisturbed runs")
    parser.add_argument("--compiled", type=Path, help="with --stage: keeps compiled programs there")
    given = parser.parse_args()
    if given.stage:
        every = list(outputs(given.project))
        names = every if given.stage == ["all"] else given.stage
        if unknown := set(names).difference(every):
            parser.error(f"--stage: no such stage: {', '.join(sorted(unknown))}")
        well = _kill_stages(given.project.resolve(), names, given.kills, given.every, given.seed, given.compiled)
        sys.exit(not well)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        bare_copy(given.project.resolve(), root)
        killed = kill_and_go_on(root, given.kills, given.longest, given.seed)
        made = list(itertools.chain(*outputs(root).values()))
        other = [name for name in made if name not in TIMED and made_by(root, name) != made_by(given.project, name)]
        partial = [path.relative_to(root).as_posix() for path in root.rglob(".*.partial*")]
    print(json.dumps({"killed": dict(killed), "outputs": len(made), "other": other, "half-written": partial}, indent=1))
    sys.exit(bool(other or partial))


if __name__ == "__main__":
    main()
