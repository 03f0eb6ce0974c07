"""Bad input: one line on standard error that names the culprit, exit code not 0, nothing half-written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from .conftest import Project

pytestmark = pytest.mark.slow

CROP = ("crop", "--out", "bad/crops", "--sheet", "bad/sheet.jpg")
STATISTICS = ("statistics", "--crops", "data/crops", "--out", "bad/statistics")
TRAIN = (
    *("train_base", "--crops", "data/crops", "--statistics", "data/statistics/normaliser.npz"),
    *("--teach", "data/teach/landmarks.npz", "--out", "bad/base.safetensors"),
    *("--offsets", "bad/offsets.safetensors", "--history", "bad/history.csv"),
)
EXTRACT = (
    *("extract", "--crops", "data/crops", "--statistics", "data/statistics/normaliser.npz"),
    *("--base", "data/base/base.safetensors", "--offsets", "data/base/offsets.safetensors"),
    *("--out", "bad/features.npz"),
)
CLUSTER = (
    *("cluster", "--crops", "data/crops", "--features", "data/features.npz", "--out", "bad/mixture.safetensors"),
    *("--selection", "bad/selection.csv", "--galleries", "bad/galleries"),
)
PARTS = (
    *("--crops", "data/crops", "--statistics", "data/statistics/normaliser.npz"),
    *("--base", "data/base/base.safetensors", "--mixture", "data/mixture/mixture.safetensors"),
    *("--heads", "data/heads/heads.safetensors", "--locator", "data/locator/locator.safetensors"),
)
EXPORT = (
    *("export", *PARTS, "--faces", "data/faces.npz", "--conventions", "data/conventions.json"),
    *("--out", "bad/exported", "--systems", "bad/systems.onnx", "--metrics", "bad/export.json"),
)
CALIBRATE = (
    *("calibrate", "--crops", "data/crops", "--faces", "data/faces.npz", "--model", "data/exported"),
    *("--out", "bad/calibrated", "--results", "bad/calibration", "--metrics", "bad/calibration.json"),
)
EVALUATE = (
    *("evaluate", "--crops", "data/crops", "--model", "data/calibrated", "--systems", "data/systems.onnx"),
    *("--mixture", "data/mixture/mixture.safetensors", "--heads", "data/heads/heads.safetensors"),
    *("--out", "bad/results", "--metrics", "bad/metrics.json"),
)
BUNDLE = (
    *("bundle", *PARTS, "--model", "data/calibrated", "--conventions", "data/conventions.json"),
    *("--metrics", "reports/metrics.json", "--results", "reports/results"),
    *("--finding", "reports/locator.json", "--calibration", "reports/calibration.json", "--out", "bad/lipseg"),
)


@pytest.fixture(scope="module")
def spoilt(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished run for all cases; each puts back what it broke."""
    return finished.copy(tmp_path_factory.mktemp("bad") / "copy")


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 16 + path.read_bytes()[16:])


def remove(path: Path) -> None:
    path.unlink()


def expect_error(project: Project, command: tuple[str, ...], *named: str) -> None:
    """Runs a stage and checks the manner of its failure."""
    shutil.rmtree(project.root / "bad", ignore_errors=True)
    done = project.stage(*command)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    for name in named:
        assert name in lines[0]
    written = [path for path in (project.root / "bad").rglob("*") if not path.is_dir() or ".partial" in path.name]
    assert written == []
    assert project.partials() == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cluster": {"max_komponents": 3}}, ("params.yaml", "cluster.max_komponents")),
        ({"train_base": {"learning_rate": "1e-3"}}, ("params.yaml", "train_base.learning_rate", "1.0e-3")),
        ({"view": {"size_px": 33}}, ("params.yaml", "view.size_px")),
        ({"data": {"source": "nowhere"}}, ("data.source", "nowhere", "celebamask, helen, ibug, masks, synthetic")),
        ({"data": {"source": "synthetic+nowhere"}}, ("data.root", "synthetic")),
        ({"data": {"root": "data/missing"}}, ("data.root", "data/missing")),
        ({"data": {"source": "helen", "root": "stages"}}, ("stages",)),
        ({"data": {"source": "ibug", "root": "stages"}}, ("stages",)),
    ],
    ids=lambda value: "-".join(f"{k}.{j}" for k, v in value.items() for j in v) if isinstance(value, dict) else "",
)
def test_crop_refuses_parameters(
    spoilt: Project, changes: dict[str, dict[str, object]], named: tuple[str, ...]
) -> None:
    path = spoilt.root / "params.yaml"
    kept = path.read_text(encoding="utf-8")
    content = yaml.safe_load(kept)
    for section, values in changes.items():
        content[section].update(values)
    try:
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        expect_error(spoilt, CROP, *named)
    finally:
        path.write_text(kept, encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "file", "spoil"),  # the message names the file, or for the crops their folder
    [
        (CROP, "params.yaml", flip_header),
        (STATISTICS, "data/crops/images.npy", cut_in_half),
        (STATISTICS, "data/crops/faces.npz", cut_in_half),
        (STATISTICS, "data/crops/faces.npz", remove),
        (TRAIN, "data/statistics/normaliser.npz", flip_header),
        (EXTRACT, "data/base/base.safetensors", cut_in_half),
        (EXTRACT, "data/base/base.safetensors", flip_header),
        (CLUSTER, "data/features.npz", cut_in_half),
        (EVALUATE, "data/mixture/mixture.safetensors", cut_in_half),
        (EVALUATE, "data/heads/heads.safetensors", remove),
        (EXPORT, "data/locator/locator.safetensors", remove),
        (EXPORT, "data/faces.npz", cut_in_half),
        (CALIBRATE, "data/exported/cascade.onnx", cut_in_half),
        (CALIBRATE, "data/exported/locator.onnx", remove),
        (CALIBRATE, "data/exported/card.json", remove),
        (EVALUATE, "data/systems.onnx", cut_in_half),
        (EVALUATE, "data/systems.onnx", remove),
        (EVALUATE, "data/calibrated/cascade.onnx", flip_header),
        (BUNDLE, "reports/metrics.json", cut_in_half),
        (BUNDLE, "reports/calibration.json", remove),
        (BUNDLE, "data/base/base.safetensors", remove),
        (BUNDLE, "data/calibrated/locator.onnx", remove),
        (BUNDLE, "data/calibrated/cascade.onnx", flip_header),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else getattr(value, "__name__", str(value)),
)
def test_a_stage_names_a_spoilt_file(
    spoilt: Project, command: tuple[str, ...], file: str, spoil: Callable[[Path], None]
) -> None:
    path = spoilt.root / file
    kept = path.read_bytes()
    try:
        spoil(path)
        expect_error(spoilt, command, "data/crops" if file == "data/crops/images.npy" else file)
    finally:
        path.write_bytes(kept)


def test_weights_of_another_network_are_refused(spoilt: Project) -> None:
    """The mixture in the place of the base: a sound file with the wrong arrays."""
    path = spoilt.root / "data/base/base.safetensors"
    kept = path.read_bytes()
    try:
        path.write_bytes((spoilt.root / "data/mixture/mixture.safetensors").read_bytes())
        expect_error(spoilt, EXTRACT, "data/base/base.safetensors")
    finally:
        path.write_bytes(kept)


def test_too_many_unusable_faces_fail_the_crop_stage(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "copy")
    broken = sorted((project.root / "data/synthetic/image").iterdir())[:3]
    for path in broken:
        cut_in_half(path)
    done = project.stage(*CROP)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: 3 of 32 faces are unusable")
    assert not (project.root / "bad/crops").exists()
    assert project.partials() == []
    listed = (project.root / "bad/skipped.csv").read_text(encoding="utf-8")
    assert all(path.name in listed for path in broken)

    project.set_params({"crop.max_skipped_share": 0.2})
    assert project.stage(*CROP).returncode == 0
    assert all(path.name in (project.root / "bad/crops/skipped.csv").read_text(encoding="utf-8") for path in broken)


def test_dvc_stops_at_a_failed_stage(copied: Project) -> None:
    """The error reaches the user through dvc, and what came before stays good."""
    copied.set_params({"finetune.units": 0})
    done = copied.dvc("repro", check=False)
    assert done.returncode != 0
    assert "error: params.yaml: finetune.units" in done.stderr
    assert "Traceback" not in done.stderr
    assert (copied.root / "data/base/base.safetensors").is_file()
    copied.git("checkout", "--quiet", "--", "params.yaml")
    assert set(copied.repro()) <= {"finetune", "calibrate", "report", "bundle"}
