"""Training on several devices, in one process and in two: the loss curve of one device, and nothing lost."""

import csv
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from .conftest import Project

pytestmark = pytest.mark.slow

# Enough that a training which has finished one is killed before the last.
EPOCHS = 40
# So many epochs' figures are compared. Muon makes rounding larger at every step: in double precision too, curves part
# after some more.
COMPARED = 4


def history(project: Project, devices: int) -> list[dict[str, float]]:
    """Returns the rows of a training of ``toy``, without its times."""
    with (project.root / f"toy/{devices}/history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


def assert_same_curve(found: list[dict[str, float]], expected: list[dict[str, float]]) -> None:
    assert len(found) == len(expected) == EPOCHS
    for row, wanted in zip(found[:COMPARED], expected[:COMPARED], strict=True):
        assert row == pytest.approx(wanted, rel=1e-5)


@pytest.fixture(scope="module")
def one(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished run, in which a toy has been trained on 1, 2 and 4 of four simulated devices."""
    project = finished.copy(tmp_path_factory.mktemp("devices") / "one")
    project.set_params({"train_base.epochs": EPOCHS})
    with_four = Project(project.root, {**project.env, "XLA_FLAGS": "--xla_force_host_platform_device_count=4"})
    with_four.run(sys.executable, "-m", "tests.pipeline.toy", "1", "2", "4")
    return project


def test_several_devices_have_the_loss_curve_of_one(one: Project) -> None:
    assert history(one, 1)[COMPARED - 1]["loss"] < 0.9 * history(one, 1)[0]["loss"]
    assert_same_curve(history(one, 2), history(one, 1))
    assert_same_curve(history(one, 4), history(one, 1))


class Pair:
    """Two processes of one training, each in a folder of its own."""

    def __init__(self, projects: tuple[Project, Project]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        joined = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
        self.running = [
            Project(project.root, {**project.env, **joined, "JAX_PROCESS_ID": str(i)}).start(
                sys.executable, "-m", "tests.pipeline.toy", "2"
            )
            for i, project in enumerate(projects)
        ]

    def ended(self) -> list[tuple[int, str]]:
        """Returns the exit codes and what was printed."""
        said = [process.communicate(timeout=180)[0] for process in self.running]
        return [(process.returncode, text) for process, text in zip(self.running, said, strict=True)]


@pytest.fixture
def two(one: Project, tmp_path: Path) -> Iterator[tuple[Project, Project]]:
    """Two folders with the same inputs; what a process writes in the second is wrong."""
    projects = one.copy(tmp_path / "first"), one.copy(tmp_path / "second")
    for project, folder in product(projects, ("toy", ".checkpoints")):
        shutil.rmtree(project.root / folder)
    yield projects
    assert not (projects[1].root / "toy").exists()
    assert not (projects[1].root / ".checkpoints").exists()


def test_two_processes_have_the_loss_curve_of_one_and_a_loss_of_either_costs_an_epoch(
    one: Project, two: tuple[Project, Project]
) -> None:
    saved = two[0].root / ".checkpoints/train_base"
    pair = Pair(two)
    deadline = time.monotonic() + 180
    while not any(saved.glob("[!.]*.safetensors")):
        assert all(process.poll() is None for process in pair.running), pair.ended()
        assert time.monotonic() < deadline, "nothing was saved"
        time.sleep(0.005)
    os.kill(pair.running[1].pid, signal.SIGKILL)
    (code, said), (killed, _) = pair.ended()
    assert killed == -signal.SIGKILL
    assert code == 1
    assert "error: another process of this training is lost" in said
    assert "Traceback" not in said
    assert not (two[0].root / "toy").exists()

    (code, said), (other_code, other_said) = Pair(two).ended()
    assert (code, other_code) == (0, 0), (said, other_said)
    assert "train_base" in said
    assert "train_base" not in other_said  # the first tells how far the work of both is
    assert_same_curve(history(two[0], 2), history(one, 1))


def test_processes_with_different_parameters_are_told(two: tuple[Project, Project]) -> None:
    two[1].set_params({"train_base.learning_rate": 1.0e-3})
    for code, said in Pair(two).ended():
        assert code == 1
        assert "process 1 was given other data, parameters or code than process 0" in said
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"JAX_COORDINATOR_ADDRESS": "127.0.0.1:1", "JAX_PROCESS_ID": "0"}, "Number of processes must be defined"),
        ({"JAX_COORDINATOR_ADDRESS": "127.0.0.1:1", "JAX_NUM_PROCESSES": "two"}, "invalid literal"),
    ],
)
def test_a_process_that_cannot_be_joined_says_what_is_wrong(
    one: Project, variables: dict[str, str], message: str
) -> None:
    asked = Project(one.root, {**one.env, **variables})
    done = asked.run(sys.executable, "-m", "tests.pipeline.toy", "1", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the processes of this training cannot be joined")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
