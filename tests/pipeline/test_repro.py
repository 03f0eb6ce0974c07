"""``dvc repro`` on tiny data: what it leaves behind, what it does not do twice, and that it does the same again."""

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from .conftest import ROOT, STAGES, Project

pytestmark = pytest.mark.slow

METRICS = ("reports/metrics.json", "reports/locator.json", "reports/export.json", "reports/calibration.json")


def leaves(content: Any, path: str = "") -> dict[str, Any]:
    """Returns the values of nested dictionaries under their dotted paths."""
    if not isinstance(content, dict):
        return {path: content}
    return {key: value for name, part in content.items() for key, value in leaves(part, f"{path}.{name}").items()}


def figures(project: Project) -> dict[str, float]:
    """Returns the metrics of a run by their dotted names."""
    return leaves(json.loads((project.root / "reports/metrics.json").read_text(encoding="utf-8")))


def test_every_output_is_there(finished: Project) -> None:
    outputs = finished.outputs()
    assert tuple(outputs) == STAGES
    for stage, names in outputs.items():
        for name in names:
            path = finished.root / name
            assert path.exists(), f"{stage} left no {name}"
            assert any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0, f"{name} is empty"
    assert finished.partials() == []
    assert not list((finished.root / ".checkpoints").rglob("*.safetensors"))


def test_outputs_are_ignored_by_git_and_metrics_are_not(finished: Project) -> None:
    tracked = finished.git("ls-files").splitlines()
    assert set(METRICS) <= set(tracked)
    assert "dvc.lock" in tracked
    assert finished.git("status", "--porcelain") == ""
    for names in finished.outputs().values():
        for name in set(names) - set(METRICS):
            assert not [file for file in tracked if file == name or file.startswith(f"{name}/")]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_no_cached_output_is_committed_to_the_project_itself() -> None:
    """DVC refuses an output that git tracks, so that one careless ``git add`` breaks every later run."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    cached = [out for stage in stages.values() for out in stage["outs"]]
    listed = subprocess.run(["git", "ls-files", "--", *cached], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout == ""


def test_metrics_are_finite_and_hold_the_headline(finished: Project) -> None:
    found = figures(finished)
    wrong = {
        key: value for key, value in found.items() if not isinstance(value, int | float) or not math.isfinite(value)
    }
    assert wrong == {}
    for boxes in ("jittered", "exact"):
        for system in ("base", "cascade", "control"):
            assert 0 < found[f".{boxes}.{system}.nme"] < 2
            for region in ("mouth", "lips", "inner", "upper", "lower"):
                assert 0 <= found[f".{boxes}.{system}.{region}_f1"] <= 1
    assert -1 <= found[".mixture.adjusted_rand_exact"] <= 1


def test_report_is_one_page_that_loads_nothing(finished: Project) -> None:
    page = (finished.root / "reports/index.html").read_text(encoding="utf-8")
    assert "</html>" in page
    assert "data:image/" in page
    for found in re.findall(r"""(?:src|href|url)\s*(?:=\s*["']?|\(\s*["']?)([^"')\s>]+)""", page):
        assert found.startswith(("data:", "#")), f"the report loads {found}"
    assert "@import" not in page


def test_summary_prints_figures_and_the_report(finished: Project) -> None:
    done = finished.stage(
        "summary", "--metrics", "reports/metrics.json", "--report", "reports/index.html", "--model", "models/lipseg"
    )
    assert done.returncode == 0, done.stderr
    assert "jittered boxes, cascade" in done.stdout
    assert str(finished.root / "reports/index.html") in done.stdout


def test_the_model_predicts_on_a_drawn_face(finished: Project) -> None:
    rows = (finished.root / "data/synthetic/testnames.txt").read_text(encoding="utf-8").split()
    image = finished.root / "data/synthetic/image" / f"{rows[0]}.jpg"
    command = (sys.executable, "-m", "lipseg.cli.app", "predict", str(image), "--json")
    command += ("--mouth-box", "35,60,80,85", "--model", "models/lipseg")
    done = finished.run(*command)
    (line,) = done.stdout.splitlines()
    (face,) = json.loads(line)["faces"]
    assert face["box"] == [35, 60, 80, 85]
    for contour in ("outer", "inner"):
        points = np.array(face[contour])
        assert points.shape == (28, 2)
        assert np.isfinite(points).all()
    assert face["component"] in range(2)
    assert 0 <= face["score"] <= 1


def test_a_second_repro_runs_nothing(finished: Project) -> None:
    assert finished.repro() == []
    assert "up to date" in finished.dvc("status").stdout


def test_a_shallow_clone_without_a_cache_comes_to_the_same_figures(finished: Project, tmp_path: Path) -> None:
    """What a stranger does: clone, repro. All is made anew, and the metrics are those that were committed."""
    clone = Project(tmp_path / "shallow clone", finished.env)
    finished.run("git", "clone", "--quiet", "--depth", "1", finished.root.as_uri(), str(clone.root))
    assert clone.git("rev-list", "--count", "HEAD").strip() == "1"
    assert not (clone.root / "data/crops").exists()
    assert not (clone.root / ".dvc/cache").exists()
    # A dry run stops where the first output is missing.
    dry = clone.dvc("repro", "--dry", check=False)
    assert "Running stage 'code'" in dry.stdout
    before = figures(clone)
    (clone.root / "reports/metrics.json").unlink()

    assert clone.repro() == list(STAGES)

    # DVC itself says whether the drawn faces and crops are byte-identical: their hashes are in the lock file.
    locks = [yaml.safe_load((p.root / "dvc.lock").read_text(encoding="utf-8"))["stages"] for p in (finished, clone)]
    for stage in ("synthesize", "crop", "statistics"):
        assert locks[0][stage] == locks[1][stage]
    # JAX on a CPU may add in another order when it has another number of free cores; hence no equality.
    assert figures(clone) == pytest.approx(before, abs=1e-4)
    shutil.rmtree(clone.root)


def test_the_model_is_a_dvc_artifact(finished: Project) -> None:
    code = "from dvc.repo import Repo; print(Repo().artifacts.read()['dvc.yaml']['lipseg'].path)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=finished.root, env=finished.env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "models/lipseg"
