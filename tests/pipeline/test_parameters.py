"""A changed parameter reruns the stages that use it and what follows from them, and nothing else."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lipseg.params import Params

from .conftest import Project

pytestmark = pytest.mark.slow

# The exported model and what looks through it; what follows from the base network, and from the crops.
JUDGED = "export calibrate evaluate"
FROM_HEADS = f"conventions {JUDGED}"
FROM_BASE = f"extract cluster finetune {FROM_HEADS}"
FROM_CROPS = f"statistics teach train_base {FROM_BASE} detect locate"
# Written by hand from the design. Key -> new value, stages that use the key, stages that follow from those. The report
# shows all parameters and the bundle's card holds them, so these two use every one.
CASES: dict[str, tuple[Any, str, str]] = {
    "seed": (1, f"synthesize crop teach train_base {FROM_BASE} detect locate", "statistics"),
    "data.test_share": (0.2, "crop detect calibrate", f"{FROM_CROPS} evaluate"),
    "synthesize.image_size": (120, "synthesize", f"crop {FROM_CROPS}"),
    "crop.context": (3.0, "crop", FROM_CROPS),
    "view.margin": (1.5, "statistics teach train_base", FROM_BASE),
    "augment.roll": (5.0, "teach train_base extract", f"cluster finetune {FROM_HEADS}"),
    "statistics.per": ("pixel", "statistics teach", f"train_base {FROM_BASE}"),
    "net.fc5": (24, "teach train_base", FROM_BASE),
    "net.width": (8, "train_base", FROM_BASE),
    "teach.width": (8, "teach", f"train_base {FROM_BASE}"),
    "train_base.epochs": (3, "train_base", FROM_BASE),
    "train_base.source_weights": ([2.0], "teach train_base", FROM_BASE),
    "teach.share": (0.25, "train_base", FROM_BASE),
    "train_base.learning_rate": (0.001, "teach train_base", FROM_BASE),
    "train_base.loss": ("l2", "teach train_base", FROM_BASE),
    "train_base.tangential": (0.5, "teach train_base finetune", f"extract cluster {FROM_HEADS}"),
    "train_base.optimiser": ("adamw", "teach train_base", FROM_BASE),
    "extract.views": (2, "extract", f"cluster finetune {FROM_HEADS}"),
    "cluster.restarts": (2, "cluster", f"finetune {FROM_HEADS}"),
    "finetune.pull": ([1.0], "finetune", FROM_HEADS),
    "detect.threshold": (0.5, "detect", f"locate {JUDGED}"),
    "locate.learning_rate": (0.004, "locate export", "calibrate evaluate"),
    "calibrate.bound": (0.03, "calibrate", "evaluate"),
    "evaluate.shift": (0.05, "evaluate", ""),
    "bundle.description": ("Another one.", "", ""),
}
ALWAYS = {"report", "bundle"}

# Asks DVC about many parameter files in one process (a start of dvc takes a second). `dvc status` names the stages
# that are directly out of date; `dvc repro --dry` stops at them, and goes on downstream only with force_downstream,
# which means: take every descendant of a changed stage for changed.
ASK = """
import json, sys
from pathlib import Path
from dvc.repo import Repo
answers = {}
for name, text in json.load(sys.stdin).items():
    Path("params.yaml").write_text(text)
    with Repo() as repo:
        direct = sorted(repo.status())
        rerun = sorted(stage.addressing for stage in repo.reproduce(dry=True, force_downstream=True))
    answers[name] = direct, rerun
Path(sys.argv[1]).write_text(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(finished: Project, shared: Any) -> dict[str, tuple[list[str], list[str]]]:
    """For every case: the stages that DVC calls out of date, and those that it would run."""
    folder = shared("answers", lambda folder: ask(finished.copy(folder / "copy"), folder / "answers.json"))
    return json.loads((folder / "answers.json").read_text(encoding="utf-8"))


def ask(project: Project, answer: Path) -> None:
    """Asks DVC about every case, and writes what it says."""
    original = (project.root / "params.yaml").read_text(encoding="utf-8")
    texts = {"nothing": original}
    for key, (value, _, _) in CASES.items():
        (project.root / "params.yaml").write_text(original, encoding="utf-8")
        project.set_params({key: value})
        texts[key] = (project.root / "params.yaml").read_text(encoding="utf-8")
        assert texts[key] != original
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(answer)],
        input=json.dumps(texts),
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_is_a_case_for_every_section() -> None:
    assert {key.split(".")[0] for key in CASES} == {field.name for field in dataclasses.fields(Params)}


def test_no_change_reruns_nothing(answers: dict[str, tuple[list[str], list[str]]]) -> None:
    assert answers["nothing"] == [[], []]


@pytest.mark.parametrize("key", CASES)
def test_a_parameter_reruns_its_stages_and_what_follows(
    key: str, answers: dict[str, tuple[list[str], list[str]]]
) -> None:
    _, uses, follows = CASES[key]
    direct, rerun = answers[key]
    assert set(direct) == {*uses.split(), *ALWAYS}
    assert set(rerun) == {*uses.split(), *follows.split(), *ALWAYS}


def digest(path: Path) -> tuple[str, int]:
    """Returns what tells whether a file was written again: its content's hash and its time."""
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


def test_cluster_and_finetune_really_leave_the_base_alone(copied: Project) -> None:
    base, features, mixture = (
        copied.root / name
        for name in ("data/base/base.safetensors", "data/features.npz", "data/mixture/mixture.safetensors")
    )
    kept = digest(base), digest(features)

    # As far as export: that the rest follows from it, the cases above say, and test_experiments runs it.
    copied.set_params({"cluster.pca": 2})  # another mixture for certain, so that all that follows changes
    assert copied.repro("export") == ["cluster", "finetune", "conventions", "export"]
    assert (digest(base), digest(features)) == kept

    fitted = digest(mixture)
    copied.set_params({"finetune.units": 8})
    # DVC exports nothing anew where all heads came out as before.
    assert copied.repro("export")[0] == "finetune"
    assert (digest(base), digest(features), digest(mixture)) == (*kept, fitted)


def test_a_size_is_not_overlooked(copied: Project) -> None:
    """DVC's run cache leaves every key called ``size`` out of what it compares (treeverse/dvc 10296).

    It would bring back crops of another size; ``size_px`` it compares.
    """
    copied.set_params({"crop.size_px": 48})
    assert copied.repro("crop") == ["crop"]
    copied.set_params({"view.size_px": 48})
    assert copied.repro("statistics") == ["statistics"]
