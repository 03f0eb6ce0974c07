"""The project's metrics against the independent judges of lip contours, on the same predictions."""

import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.answers import nearest
from lipseg import scheme
from lipseg.evaluation import metrics
from lipseg.geometry import Affine
from lipseg.rendering.masks import INNER, LOWER, UPPER

REFERENCE = Path(__file__).parents[1] / "reference"
TOLERANCE = 0.005


def load_judge(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REFERENCE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


judge, anyface = load_judge("lipeval"), load_judge("anyface")


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


def painted(outer: np.ndarray, inner: np.ndarray) -> tuple[np.ndarray, metrics.Painted]:
    """Returns a mask of the mouth and of the inner mouth as the judge takes it, and as the project does."""
    labels = np.zeros((400, 400), np.uint8)
    cv2.fillPoly(labels, [np.round(outer).astype(np.int32)], (UPPER,))
    labels[(labels > 0) & (np.arange(400)[:, None] > outer[:, 1].mean())] = LOWER
    cv2.fillPoly(labels, [np.round(inner).astype(np.int32)], (INNER,))
    return (labels > 0, labels == INNER), metrics.Painted(labels, Affine(np.eye(2, 3)))


@pytest.mark.slow  # the judge is a program
@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_offset_and_figures_as_annotated_and_aligned_are_those_of_the_judge(seed: int, masks: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = np.stack([random_face(rng)[scheme.HELEN_LIPS] for _ in range(10)])
    found = np.stack([points + rng.normal(0, 0.04 * np.ptp(points[:, 0]), 2) for points in truth])
    # As of a system that places all mouths to one side, and that misses some.
    found += rng.normal(0, 0.04, 2) * np.ptp(truth[..., 0], axis=1)[:, None, None] + rng.normal(0, 1, found.shape)
    found[rng.random(10) < 0.2] += 500
    missed = np.array([nearest(t, [f]) is None for t, f in zip(truth, found, strict=True)])

    contours = {str(i): (points[scheme.OUTER], points[scheme.INNER]) for i, points in enumerate(truth)}
    regions = {name: painted(*both) for name, both in contours.items()}
    answers = {str(i): [{"outer": f[scheme.OUTER], "inner": f[scheme.INNER]}] for i, f in enumerate(found)}
    ours_of = [region for _, region in regions.values()] if masks else None
    theirs_of = {name: both for name, (both, _) in regions.items()} if masks else contours

    def judged(points: np.ndarray) -> dict[str, np.ndarray]:
        return metrics.per_face(truth, points, np.full(10, 100.0), missed, ours_of)

    tables = [judged(found), judged(metrics.aligned(found, judged(found)))]
    for table, says in zip(tables, (anyface.judge, anyface.aligned), strict=True):
        f1, pooled, offset, _, lost = says(theirs_of, answers)
        summary = metrics.summarise(table)
        assert summary["missed"] == lost
        assert [summary["right"], summary["down"]] == pytest.approx(offset.mean(0) / 100, abs=1e-4)
        for region in anyface.REGIONS:
            np.testing.assert_allclose(table[f"{region}_f1"], f1[region], atol=0.001)
            assert summary[region]["f1_pooled"] == pytest.approx(pooled[region], abs=0.001)


def test_every_group_is_aligned_by_itself() -> None:
    rng = np.random.default_rng(0)
    truth = np.stack([random_face(rng)[scheme.HELEN_LIPS] for _ in range(6)])
    widths = np.ptp(truth[:, scheme.OUTER, 0], axis=1)[:, None, None]
    group = np.array([0, 1, 0, 1, 0, 1])
    found = truth + widths * np.array([[0.03, -0.02], [-0.05, 0.01]])[group][:, None]
    table = metrics.per_face(truth, found, np.full(6, 100.0))
    np.testing.assert_allclose(metrics.aligned(found, table, group), truth, atol=0.3)
    assert np.abs(metrics.aligned(found, table) - truth).max() > 1
