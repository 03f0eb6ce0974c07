"""The project's metrics against the independent judge of lip contours, on the same predictions."""

import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lipseg import scheme
from lipseg.evaluation import metrics

REFERENCE = Path(__file__).parents[1] / "reference"
TOLERANCE = 0.005


def load_judge() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lipeval", REFERENCE / "lipeval.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


judge = load_judge()


def random_face(rng: np.random.Generator) -> np.ndarray:
    """Returns 194 landmarks with plausible eyes and lips: mouths of any width, height, opening and roll."""
    points = rng.uniform(0, 400, (scheme.HELEN_POINTS, 2))
    width, height = rng.uniform(40, 160), rng.uniform(15, 80)
    centre, roll = rng.uniform(150, 250, 2), rng.normal(0, 0.2)
    opening = rng.choice([0.03, 0.2, 0.6])

    def ellipse(size: tuple[float, float], corner: int) -> np.ndarray:
        angle = np.concatenate([np.linspace(-np.pi, 0, corner + 1), np.linspace(0, np.pi, 29 - corner)[1:-1]])
        flat = np.stack([np.cos(angle) * size[0], np.sin(angle) * size[1]], 1) / 2
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        return flat @ turn.T + centre + rng.normal(0, 0.5, (28, 2))

    points[58:86] = ellipse((width, height), 13)
    points[86:114] = ellipse((0.8 * width, opening * height), 14)
    for eye, side in zip(scheme.HELEN_EYES, (60, -60), strict=True):
        points[eye] = np.add(centre, [side, -120]) + rng.normal(0, 5, (20, 2))
    return points


def write_helen(root: Path, faces: dict[str, np.ndarray]) -> None:
    (root / "annotation").mkdir(parents=True)
    for i, (name, points) in enumerate(faces.items(), 1):
        rows = "\n".join(f"{x:.3f} , {y:.3f}" for x, y in points)
        (root / "annotation" / f"{i}.txt").write_text(f"{name}\n{rows}\n")


def noisy(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns predictions from nearly right to off the face: shift, size and noise that differ between faces."""
    lips = truth[scheme.HELEN_LIPS]
    width = np.ptp(lips[:, 0])
    off = rng.choice([0.01, 0.05, 0.2, 1.5])
    centre = lips.mean(0)
    grown = (lips - centre) * np.exp(rng.normal(0, 0.15)) + centre
    return grown + rng.normal(0, off * width, 2) + rng.normal(0, off * width / 4, (56, 2))


def assert_agreement(truth: dict[str, np.ndarray], seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = list(truth)
    predicted = np.stack([noisy(truth[name], rng) for name in names])
    missed = rng.random(len(names)) < 0.1
    missed[0] = True
    table = metrics.per_face(
        np.stack([truth[name][scheme.HELEN_LIPS] for name in names]),
        np.where(missed[:, None, None], np.nan, predicted),
        np.array([scheme.inter_ocular(truth[name]) for name in names]),
        missed,
    )
    ours = metrics.summarise(table)
    answers: dict[str, Any] = {
        name: None if missed[i] else {"outer": predicted[i, :28].tolist(), "inner": predicted[i, 28:].tolist()}
        for i, name in enumerate(names)
    }
    theirs = judge.judge(truth, answers)
    shared = 0
    for group, figures in theirs.items():
        for name, value in figures.items() if isinstance(figures, dict) else [("", figures)]:
            assert value == pytest.approx(ours[group][name] if name else ours[group], abs=TOLERANCE), (group, name)
            shared += 1
    # faces, missed, three regions of five figures, contour and nme: the loop compared all that the judge knows.
    assert shared == 2 + 3 * 5 + 3 + 4


def test_every_shared_figure_agrees_on_drawn_faces(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    write_helen(tmp_path, {f"face_{i}": random_face(rng) for i in range(40)})
    truth = judge.read_helen(tmp_path)
    assert len(truth) == 40
    assert_agreement(truth, seed=1)


@pytest.mark.skipif("LIPSEG_HELEN" not in os.environ, reason="LIPSEG_HELEN does not name the Helen dataset")
def test_every_shared_figure_agrees_on_helen() -> None:
    root = Path(os.environ["LIPSEG_HELEN"])
    assert_agreement(judge.read_helen(root, (root / "testnames.txt").read_text().split()[:60]), seed=2)


@pytest.mark.parametrize("seed", [0, 11])
def test_jittered_boxes_are_those_of_the_judge(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(3)
    # Names whose text order is not their order in the folder, upper and lower case.
    write_helen(tmp_path, {name: random_face(rng) for name in ("b_2", "b_10", "A_1", "c", "a_9")})
    truth = judge.read_helen(tmp_path)
    command = [sys.executable, str(REFERENCE / "jitter.py"), str(tmp_path), "--seed", str(seed)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    expected = {
        row["image"]: [row[k] for k in ("x0", "y0", "x1", "y1")] for row in csv.DictReader(printed.splitlines())
    }

    names = list(truth)
    assert names != sorted(names)
    boxes = metrics.jittered_boxes(np.stack([truth[name][58:114] for name in names]), names, seed=seed)
    # The judge prints hundredths of a pixel; the same draws give the same digits.
    assert {f"{name}.jpg": [f"{v:.2f}" for v in box] for name, box in zip(names, boxes, strict=True)} == expected
