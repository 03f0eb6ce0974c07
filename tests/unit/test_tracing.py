"""Landmarks traced along label maps, on drawn mouths whose landmarks are known."""

import numpy as np
import pytest

from lipseg import scheme
from lipseg.data.face_shape import STATES, sample_shape
from lipseg.data.tracing import inter_ocular_estimate, trace
from lipseg.errors import DataError
from lipseg.rendering.masks import INNER, LOWER, UPPER, label_map, region

SIDE = 320


def drawn(state: str, seed: int = 0, roll: float = 0.0) -> np.ndarray:
    """(56, 2) landmarks of a drawn mouth about 200 pixels wide in the middle of a picture of SIDE pixels."""
    lips = sample_shape(np.random.default_rng(seed), state).lips
    cos, sin = np.cos(roll), np.sin(roll)
    middle = (lips.max(0) + lips.min(0)) / 2
    return (lips - middle) @ np.array([[cos, sin], [-sin, cos]]) * (200 / np.ptp(lips[:, 0])) + SIDE / 2 + 0.3


def f1(one: np.ndarray, other: np.ndarray, name: str) -> float:
    a, b = region(one, name), region(other, name)
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("roll", [0.0, 0.5, -0.5])
def test_points_come_back_from_the_mask_they_drew(state, roll):
    for seed in range(3):
        points = drawn(state, seed, roll)
        labels = label_map(points, SIDE, SIDE)
        found = trace(labels)
        again = label_map(found, SIDE, SIDE)
        assert f1(labels, again, "mouth") > 0.99
        assert f1(labels, again, "lips") > 0.975
        if (opening := (labels == INNER).sum() / np.prod(np.ptp(points, axis=0))) > 0.02:
            assert f1(labels, again, "inner") > (0.96 if opening > 0.1 else 0.88)
        distance = np.hypot(*(found - points).T)
        assert distance[scheme.OUTER].mean() < 1.5
        assert distance[list(scheme.OUTER_CORNERS)].max() < 4
        assert distance[scheme.INNER].mean() < 4  # where a line begins that has no area, a mask does not say


def test_outlines_lie_between_the_pixels():
    # A diamond-shaped mouth: its outline is straight between the corners at x = 19.5 and 180.5.
    labels = np.zeros((101, 201), np.uint8)
    rows, columns = np.mgrid[:101, :201]
    inside = np.abs(columns - 100) / 80.5 + np.abs(rows - 50) / 30.5 <= 1
    labels[inside & (rows < 50)] = UPPER
    labels[inside & (rows >= 50)] = LOWER
    outer = trace(labels)[scheme.OUTER]
    off = np.abs(np.abs(outer[:, 0] - 100) / 80.5 + np.abs(outer[:, 1] - 50) / 30.5 - 1) * 30.5
    assert np.median(off) < 0.3
    np.testing.assert_allclose(outer[[0, 13]], [[20, 49.5], [180, 49.5]], atol=1.5)


def test_a_closed_mouth_s_inner_contour_is_the_line_between_the_lips():
    labels = np.zeros((60, 140), np.uint8)
    labels[20:30, 20:120] = UPPER
    labels[30:45, 20:120] = LOWER
    inner = trace(labels)[scheme.INNER]
    np.testing.assert_allclose(inner[:, 1], 29.5, atol=0.2)
    np.testing.assert_allclose(inner[[0, 14], 0], [20 + 6, 119 - 6], atol=1.5)
    # There and back again: the lower half is the upper one reversed.
    np.testing.assert_allclose(inner[15:], inner[1:14][::-1], atol=1e-6)


def test_stray_pixels_holes_and_the_picture_s_edge_do_not_matter():
    points = drawn("smile")
    points[:, 0] -= points[:, 0].min() + 0.5
    labels = label_map(points, SIDE, SIDE)
    found = trace(labels)
    spoilt = labels.copy()
    spoilt[5:8, 200:203] = LOWER
    rows, columns = np.nonzero(spoilt == LOWER)
    spoilt[rows[len(rows) // 2], columns[len(rows) // 2]] = 0
    assert np.hypot(*(trace(spoilt) - found).T).max() < 0.5
    assert np.hypot(*(found - points).T).mean() < 3


def test_an_opening_in_two_pieces_is_one_contour():
    labels = np.zeros((80, 140), np.uint8)
    labels[20:40, 20:120] = UPPER
    labels[40:60, 20:120] = LOWER
    labels[36:44, 35:60] = INNER
    labels[36:44, 75:100] = INNER
    again = label_map(trace(labels), 80, 140)
    assert f1(labels, again, "inner") > 0.85


def test_what_has_no_outline_says_why():
    with pytest.raises(DataError, match="the mouth has 0 pixels"):
        trace(np.zeros((50, 50), np.uint8))
    labels = label_map(drawn("open"), SIDE, SIDE)
    with pytest.raises(DataError, match="no upper lip"):
        trace(np.where(labels == UPPER, LOWER, labels).astype(np.uint8))
    with pytest.raises(DataError, match="no lower lip"):
        trace(np.where(labels == LOWER, 0, labels).astype(np.uint8))
    with pytest.raises(DataError, match="several pieces"):
        trace(np.hstack([labels, labels]))
    with pytest.raises(DataError, match="are the labels 1 and 2 exchanged"):
        trace(np.choose(labels, [0, 2, 1, 3]).astype(np.uint8))
    tiny = np.zeros((50, 50), np.uint8)
    tiny[10:13, 10:18] = UPPER
    tiny[13:16, 10:18] = LOWER
    with pytest.raises(DataError, match="the mouth has 48 pixels"):
        trace(tiny)


def test_lips_without_order_raise_nothing_else():
    rng = np.random.default_rng(0)
    for _ in range(40):
        labels = np.zeros((60, 90), np.uint8)
        for _ in range(4):
            y, x = rng.integers(0, 50), rng.integers(0, 70)
            labels[y : y + rng.integers(3, 30), x : x + rng.integers(3, 40)] = rng.integers(1, 4)
        try:
            points = trace(labels)
        except DataError:
            continue
        assert points.shape == (56, 2)
        assert np.isfinite(points).all()


def test_the_estimate_follows_the_mouth_s_width():
    points = drawn("smile")
    assert inter_ocular_estimate(points) == pytest.approx(200 / 0.87, rel=0.02)
    assert inter_ocular_estimate(points * 3 + 5) == pytest.approx(3 * inter_ocular_estimate(points))
