"""Throw-away copies of the project with a tiny configuration, and one finished ``dvc repro`` that the tests share."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]

# The real params.yaml with everything that takes time made small. Every key must exist there.
TINY: dict[str, Any] = {
    "data.validation_share": 0.25,
    "synthesize.train": 24,
    "synthesize.test": 8,
    "synthesize.image_size": 112,
    "crop.size_px": 64,
    "crop.min_mouth_px": 8.0,
    "crop.workers": 1,
    "view.size_px": 32,
    "net.width": 4,
    "net.fc5": 16,
    "teach.teachers": 1,
    "teach.epochs": 1,
    "teach.width": 4,
    "teach.size_px": 32,
    "train_base.epochs": 2,
    "train_base.batch_size": 8,
    "extract.views": 1,
    "cluster.max_components": 2,
    "cluster.restarts": 1,
    "cluster.pca": 3,
    "finetune.sampled": 2,
    "locate.size_px": 16,
    "locate.width": 2,
    "locate.epochs": 1,
    "locate.batch_size": 8,
    "calibrate.repeats": 1,
    "evaluate.resamples": 100,
    "evaluate.examples": 4,
}

STAGES = (
    "code",
    "synthesize",
    "crop",
    "statistics",
    "teach",
    "train_base",
    "extract",
    "cluster",
    "finetune",
    "conventions",
    "detect",
    "locate",
    "export",
    "calibrate",
    "evaluate",
    "report",
    "bundle",
)


@dataclass(frozen=True)
class Project:
    """A throw-away clone of the project.

    Attributes:
        root: its folder.
        env: the environment of everything that runs in it.
    """

    root: Path
    env: dict[str, str]

    def run(self, *command: str, check: bool = True, timeout: float = 600) -> "subprocess.CompletedProcess[str]":
        """Returns what a command did; fails the test with its output where it should have worked and did not."""
        done = subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Returns a command that runs on, in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def dvc(self, *arguments: str, check: bool = True, timeout: float = 600) -> "subprocess.CompletedProcess[str]":
        """As ``run``, for ``dvc``."""
        return self.run(sys.executable, "-m", "dvc", *arguments, check=check, timeout=timeout)

    def stage(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Returns what a stage did when it was called without DVC, whether it worked or not."""
        return self.run(sys.executable, "-m", f"stages.{name}", *arguments, check=False)

    def repro(self, *arguments: str) -> list[str]:
        """Runs ``dvc repro`` and returns the stages that really ran, in order."""
        return ran(self.dvc("repro", *arguments).stdout)

    def git(self, *arguments: str) -> str:
        """Returns the standard output of ``git``."""
        return self.run("git", *arguments).stdout

    def params(self) -> dict[str, Any]:
        """Returns the content of params.yaml."""
        return yaml.safe_load((self.root / "params.yaml").read_text(encoding="utf-8"))

    def set_params(self, changes: Mapping[str, Any]) -> None:
        """Changes existing keys of params.yaml; a key is written with dots."""
        content = self.params()
        for key, value in changes.items():
            *path, last = key.split(".")
            section = content
            for part in path:
                section = section[part]
            assert last in section, f"params.yaml has no key {key}"
            section[last] = value
        (self.root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def outputs(self) -> dict[str, list[str]]:
        """Returns every stage's outputs (metrics included) as dvc.yaml lists them."""
        stages = yaml.safe_load((self.root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        return {
            name: [next(iter(out)) if isinstance(out, dict) else out for out in [*s["outs"], *s.get("metrics", [])]]
            for name, s in stages.items()
        }

    def partials(self) -> list[str]:
        """Returns the half-written files and folders that lie about."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob(".*.partial*"))

    def copy(self, to: Path) -> "Project":
        """Returns a copy of the folder, DVC's cache included."""
        shutil.copytree(self.root, to, symlinks=True)
        return Project(to, self.env)


def ran(output: str) -> list[str]:
    """Returns the stages that ``dvc repro`` says it runs."""
    marks = ("Running stage '", "Would run stage '")
    return [line.split("'")[1] for line in output.splitlines() if line.strip().startswith(marks)]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """A function that returns a named folder of the whole test session, which the first worker that asks for it fills.

    The others wait for it. Where filling it failed, each tries again.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, fill: Callable[[Path], None]) -> Path:
        # Folders that begin otherwise are pytest's own.
        place = base / f"shared_{name}"
        with (base / f"shared_{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = place / ".done"
            if not done.exists():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                fill(place)
                done.touch()
        return place

    return folder


@pytest.fixture(scope="session")
def tool_env(shared: Any) -> dict[str, str]:
    """The environment of every run: this interpreter first, nothing of the user's settings, caches in a temp folder."""

    def fill(home: Path) -> None:
        settings = "[user]\n name = Test\n email = test@example.org\n[init]\n defaultBranch = main\n"
        (home / ".gitconfig").write_text(settings)

    home = shared("home", fill)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "DVC_", "JAX_", "XLA_"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "JAX_PLATFORMS": "cpu",
        # Every stage is a process of its own that compiles the same programs: compile them once a test session.
        "JAX_COMPILATION_CACHE_DIR": str(home / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        # Far more than is ever needed; but only a cache with an end is locked while it is written.
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(1 << 30),
        # No JAX_DISABLE_MOST_OPTIMIZATIONS, as the other tests have: the gradient that XLA compiles of the locator is
        # then not finite from the second epoch on.
        # Two of these tests run at once: more threads each would stand in each other's way.
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def copy_of_sources(to: Path, env: Mapping[str, str]) -> None:
    """Copies what a clone of the working tree would hold, outputs of the pipeline and its lock file left out."""
    with tempfile.TemporaryDirectory() as empty:
        # By a repository without files, so that an unpacked archive will do.
        asked = {**env, "GIT_DIR": empty, "GIT_WORK_TREE": str(ROOT)}
        subprocess.run(["git", "init", "--quiet"], env=asked, check=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--others", "--exclude-standard"],
            cwd=ROOT,
            env=asked,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    for name in filter(None, listed.split("\0")):
        if name == "dvc.lock" or name.split("/")[0] in ("data", "reports", "models"):
            continue
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


@pytest.fixture(scope="session")
def make_project(tool_env: dict[str, str]) -> Any:
    """A function that makes a fresh tiny project in a folder that does not exist yet, committed to git."""

    def make(to: Path, changes: Mapping[str, Any] | None = None) -> Project:
        to.mkdir(parents=True)
        copy_of_sources(to, tool_env)
        project = Project(to, tool_env)
        project.set_params({**TINY, **(changes or {})})
        project.git("init", "--quiet")
        commit(project, "The project")
        return project

    return make


def commit(project: Project, message: str, paths: Sequence[str] = (".",)) -> None:
    """Commits everything that git does not ignore."""
    project.git("add", "--", *paths)
    project.git("commit", "--quiet", "--message", message)


@pytest.fixture(scope="session")
def finished(make_project: Any, tool_env: dict[str, str], shared: Any) -> Project:
    """One whole run on tiny data, in a folder whose path has a space. Tests that change anything copy it."""

    def fill(folder: Path) -> None:
        project: Project = make_project(folder / "a finished run")
        assert project.repro() == list(STAGES)
        commit(project, "A finished run")

    return Project(shared("finished", fill) / "a finished run", tool_env)


@pytest.fixture
def copied(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished run, for a test to change."""
    return finished.copy(tmp_path / "a copy")
