"""Metrics against values worked out by hand."""

import json
import math

import numpy as np
import pytest

from lipseg.evaluation import metrics

IOD = 100.0


def rectangle(n: int, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Returns n points along a rectangle: the upper edge left to right, then the lower edge back."""
    upper = n // 2
    lower = n - upper
    return np.concatenate(
        [
            np.stack([np.linspace(left, right, upper), np.full(upper, top)], 1),
            np.stack([np.linspace(right, left, lower), np.full(lower, bottom)], 1),
        ]
    )


def mouth(x: float = 0.0, y: float = 0.0, inner_height: float = 16.0) -> np.ndarray:
    """Returns a rectangular mouth 64 wide and 32 high, the inner one 32 wide, centred in it; (56, 2)."""
    half = inner_height / 2
    return np.concatenate(
        [rectangle(28, x, y, x + 64, y + 32), rectangle(28, x + 16, y + 16 - half, x + 48, y + 16 + half)]
    )


def elliptic_mouth() -> np.ndarray:
    """Returns a mouth of two ellipses, the inner one half as large, the corners at the scheme's indices; (56, 2)."""
    truth = np.zeros((56, 2))
    for start, corner, half in ((0, 13, 16.0), (28, 14, 8.0)):
        angle = np.concatenate([np.linspace(-math.pi, 0, corner + 1), np.linspace(0, math.pi, 29 - corner)[1:-1]])
        truth[start : start + 28] = np.stack([32 + 2 * half * np.cos(angle), 16 + half * np.sin(angle)], 1)
    return truth


def test_a_perfect_prediction_has_no_error_and_full_overlap() -> None:
    figures = metrics.face_metrics(mouth(), mouth(), IOD)
    assert (figures["nme"], figures["nme_width"]) == (0, 0)
    assert figures["contour"] == pytest.approx(0, abs=1e-9)
    for region in ("mouth", "lips", "inner"):
        assert (figures[f"{region}_f1"], figures[f"{region}_iou"]) == (1, 1)


def test_upper_and_lower_lip_part_the_lips() -> None:
    figures = metrics.face_metrics(elliptic_mouth(), elliptic_mouth(), IOD)
    assert (figures["upper_f1"], figures["lower_f1"]) == (1, 1)
    # Half an ellipse ring each; on the canvas the mouth is 256 wide: pi * (128 * 64 - 64 * 32) / 2 pixels.
    expected = math.pi * (128 * 64 - 64 * 32) / 2
    assert figures["upper_truth"] == pytest.approx(expected, rel=0.06)
    assert figures["lower_truth"] == pytest.approx(expected, rel=0.06)
    assert figures["lips_truth"] == pytest.approx(2 * expected, rel=0.06)


def test_normalisers_of_a_shifted_prediction() -> None:
    figures = metrics.face_metrics(mouth(), mouth(x=3, y=4), IOD)
    assert figures["nme"] == pytest.approx(5 / 100)
    # The outer corners are points 0 and 13: both ends of the upper edge, 64 apart.
    assert figures["mouth_width"] == 64
    assert figures["nme_width"] == pytest.approx(5 / 64)
    assert (figures["right"], figures["down"]) == pytest.approx((3 / 64, 4 / 64), abs=1e-9)


def test_overlap_of_a_mouth_moved_by_half_its_width() -> None:
    figures = metrics.face_metrics(mouth(), mouth(x=32), IOD)
    # Two equal boxes that share half: IoU 1/3, F1 1/2. The canvas draws the border pixel too, hence the tolerance.
    assert figures["mouth_iou"] == pytest.approx(1 / 3, abs=0.005)
    assert figures["mouth_f1"] == pytest.approx(1 / 2, abs=0.005)
    assert figures["mouth_truth"] == pytest.approx(256 * 128, rel=0.015)
    assert figures["inner_f1"] == pytest.approx(0, abs=0.01)
    assert figures["opening"] == pytest.approx(16 * 32 / (32 * 64), rel=0.03)


def test_outline_distance_of_concentric_squares() -> None:
    inner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    # From the inner one every point is 1 away. From the outer one 1 along the middle half of each side, then growing
    # to sqrt(2) at the corner: the mean of sqrt(1 + t^2) over t in 0..1 is 1.1478.
    expected = (1 + (1 + 1.1478) / 2) / 2
    assert metrics.outline_distance(inner, 2 * inner) == pytest.approx(expected, abs=0.005)
    far = np.array([1e8, -1e8])
    assert metrics.outline_distance(inner + far, 2 * inner + far) == pytest.approx(expected, abs=0.005)


def test_a_missed_face_has_no_error_and_no_overlap() -> None:
    figures = metrics.face_metrics(mouth(), None, IOD)
    assert all(math.isnan(figures[name]) for name in ("nme", "nme_width", "contour"))
    assert all(figures[f"{region}_f1"] == 0 for region in metrics.REGIONS)
    assert figures["mouth_truth"] > 0
    assert figures["mouth_predicted"] == 0


def test_a_thin_inner_mouth_is_not_judged() -> None:
    # Thresholds at 2 % of the mouth's box of 64 x 32: an inner mouth of 32 wide must be higher than 1.28.
    judged = metrics.face_metrics(mouth(inner_height=4), mouth(), IOD)
    thin = metrics.face_metrics(mouth(inner_height=0.5), mouth(), IOD)
    assert judged["inner_f1"] > 0
    assert math.isnan(thin["inner_f1"])
    assert math.isnan(thin["inner_iou"])
    assert thin["lips_f1"] > 0


@pytest.mark.parametrize(
    "predicted", [np.full((56, 2), 16.0), mouth() * [1, 0] + [0, 16], mouth() * 1e9, mouth() - 1e9]
)
def test_a_degenerate_prediction_is_judged_and_bad(predicted: np.ndarray) -> None:
    figures = metrics.face_metrics(mouth(), predicted, IOD)
    assert figures["nme"] > 0.05
    assert figures["lips_f1"] < 0.7
    # Of a mouth off the canvas nobody knows where it lies.
    assert all(np.isfinite(value) for name, value in figures.items() if name not in ("right", "down"))


def test_a_prediction_far_larger_than_the_canvas_covers_it() -> None:
    predicted = mouth()
    predicted[:28] = rectangle(28, -1e9, -1e9, 1e9, 1e9)
    figures = metrics.face_metrics(mouth(), predicted, IOD)
    # The canvas is 2.5 mouth widths wide and 1.5 mouth widths higher than the mouth, one pixel more each.
    assert figures["mouth_predicted"] == (640 + 1) * (128 + 384 + 1)
    assert figures["mouth_intersection"] == figures["mouth_truth"]


@pytest.mark.parametrize(
    ("truth", "predicted", "inter_ocular", "message"),
    [
        (mouth()[:-1], mouth(), IOD, r"true?.*\(56, 2\)"),
        (mouth(), mouth()[:28], IOD, r"predicted.*\(56, 2\)"),
        (mouth(), np.full((56, 2), np.nan), IOD, "predicted.*not finite"),
        (mouth(), mouth(), 0.0, "inter-ocular"),
        (mouth(), mouth(), math.nan, "inter-ocular"),
        (np.zeros((56, 2)), mouth(), IOD, "no area"),
    ],
)
def test_unusable_input_is_refused(truth: np.ndarray, predicted: np.ndarray, inter_ocular: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.face_metrics(truth, predicted, inter_ocular)


def test_the_table_names_the_face_it_cannot_judge() -> None:
    truth = np.stack([mouth(), mouth()])
    predicted = truth.copy()
    predicted[1, 3] = np.inf
    with pytest.raises(ValueError, match="face 1"):
        metrics.per_face(truth, predicted, np.full(2, IOD))
    with pytest.raises(ValueError, match="2 true faces, but 1 predictions"):
        metrics.per_face(truth, predicted[:1], np.full(2, IOD))
    # A missed face's row is not read.
    table = metrics.per_face(truth, predicted, np.full(2, IOD), np.array([False, True]))
    assert table["missed"].tolist() == [False, True]


def test_a_summary_of_four_faces() -> None:
    truth = np.stack([mouth()] * 4)
    predicted = np.stack([mouth(), mouth(x=5), mouth(x=20), mouth()])
    table = metrics.per_face(truth, predicted, np.full(4, IOD), np.array([False, False, False, True]))
    summary = metrics.summarise(table)
    assert (summary["faces"], summary["missed"]) == (4, 1)
    assert summary["nme"]["mean"] == pytest.approx(0.25 / 3)
    assert summary["nme"]["median"] == pytest.approx(0.05)
    assert summary["nme"]["p95"] == pytest.approx(np.percentile([0, 0.05, 0.2], 95))
    assert summary["nme"]["fail_at_0.1"] == pytest.approx(1 / 3)
    assert summary["failure_rate"] == pytest.approx(2 / 4)
    assert summary["auc"] == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    f1 = [table["mouth_f1"][i] for i in range(4)]
    assert f1[0] == 1
    assert f1[3] == 0
    assert summary["mouth"]["f1_mean"] == pytest.approx(sum(f1) / 4)
    # Equal mouths: pooled F1 weighs the faces by their predicted area, the missed one has none.
    sums = [sum(table[f"mouth_{part}"]) for part in ("intersection", "truth", "predicted")]
    assert summary["mouth"]["f1_pooled"] == pytest.approx(2 * sums[0] / (sums[1] + sums[2]))
    assert summary["mouth"]["f1_pooled"] > summary["mouth"]["f1_mean"]
    assert summary["inner"]["faces"] == 4


def test_a_selection_counts_its_faces_only() -> None:
    truth = np.stack([mouth(), mouth()])
    table = metrics.per_face(truth, np.stack([mouth(), mouth(x=5)]), np.full(2, IOD))
    assert metrics.summarise(table, np.array([False, True]))["nme"]["mean"] == pytest.approx(0.05)


def test_summaries_of_nothing_are_null_and_valid_json() -> None:
    truth = np.stack([mouth(inner_height=0.5)])
    table = metrics.per_face(truth, truth, np.full(1, IOD), np.ones(1, np.bool_))
    missed = metrics.summarise(table)
    assert missed["nme"] == {"mean": None, "median": None, "p95": None, "fail_at_0.1": None}
    assert missed["inner"] == {"f1_mean": None, "iou_mean": None, "f1_pooled": None, "iou_pooled": None, "faces": 0}
    assert (missed["failure_rate"], missed["auc"]) == (1.0, 0.0)
    none = metrics.summarise(table, np.zeros(1, np.bool_))
    assert (none["faces"], none["auc"], none["mouth"]["f1_mean"]) == (0, None, None)
    json.dumps([missed, none], allow_nan=False)


def test_the_cumulative_error_distribution() -> None:
    nme = np.array([0.0, 0.05, 0.1, 0.3, np.nan])
    thresholds, share = metrics.ced(nme, limit=0.1, points=5)
    assert thresholds == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])
    assert share == pytest.approx([0.2, 0.2, 0.4, 0.4, 0.6])
    # Areas of the faces' steps: 1 + 1/2 + 0 + 0 + 0 of five.
    assert metrics.ced_auc(nme) == pytest.approx(0.3)
    fine, curve = metrics.ced(nme, points=100_001)
    assert np.trapezoid(curve, fine) / 0.1 == pytest.approx(0.3, abs=1e-4)


def test_the_bootstrap_interval_of_a_paired_difference() -> None:
    rng = np.random.default_rng(1)
    hard = rng.gamma(2, 0.02, 400)
    gain = rng.normal(-0.002, 0.005, 400)
    result = metrics.paired_bootstrap(hard, hard + gain, resamples=2000, seed=3)
    difference, low, high = (result[k] for k in ("difference", "low", "high"))
    assert difference is not None
    assert low is not None
    assert high is not None
    assert difference == pytest.approx(gain.mean())
    # By the central limit theorem: 1.96 standard errors to either side.
    error = 1.96 * gain.std() / 20
    assert low == pytest.approx(gain.mean() - error, abs=error / 5)
    assert high == pytest.approx(gain.mean() + error, abs=error / 5)
    assert metrics.paired_bootstrap(hard, hard + gain, resamples=2000, seed=3) == result
    assert metrics.paired_bootstrap(hard, hard + gain, resamples=2000, seed=4) != result


def test_the_bootstrap_leaves_out_faces_that_one_system_missed() -> None:
    a, b = np.array([0.1, np.nan, 0.3]), np.array([0.2, 0.2, np.nan])
    assert metrics.paired_bootstrap(a, b)["difference"] == pytest.approx(0.1)
    assert metrics.paired_bootstrap(a[1:2], b[1:2]) == {"difference": None, "low": None, "high": None}


def test_the_bootstrap_of_pooled_f1() -> None:
    rng = np.random.default_rng(0)
    truth = np.stack([mouth()] * 30)
    moved = truth + rng.normal(0, 3, (30, 1, 2))
    iod = np.full(30, IOD)
    worse, better = metrics.per_face(truth, moved, iod), metrics.per_face(truth, truth + (moved - truth) / 2, iod)
    result = metrics.pooled_f1_bootstrap(worse, better, "lips", resamples=500)
    expected = metrics.summarise(better)["lips"]["f1_pooled"] - metrics.summarise(worse)["lips"]["f1_pooled"]
    assert result["difference"] == pytest.approx(expected)
    assert result["low"] is not None
    assert result["high"] is not None
    assert 0 < result["low"] < expected < result["high"]
    same = metrics.pooled_f1_bootstrap(worse, worse, "lips", resamples=50)
    assert same == {"difference": 0, "low": 0, "high": 0}


def test_jittered_boxes_do_not_depend_on_the_order_of_the_faces() -> None:
    points = np.stack([mouth(x=i) for i in range(4)])
    names = ["b", "a", "d", "c"]
    boxes = metrics.jittered_boxes(points, names, seed=5)
    order = [2, 0, 3, 1]
    again = metrics.jittered_boxes(points[order], [names[i] for i in order], seed=5)
    assert np.array_equal(boxes[order], again)
    assert not np.array_equal(boxes, metrics.jittered_boxes(points, names, seed=6))
    with pytest.raises(ValueError, match="distinct names"):
        metrics.jittered_boxes(points, ["a", "a", "b", "c"])


def test_jittered_boxes_stay_within_their_ranges() -> None:
    points = np.stack([mouth()] * 500)
    names = [f"{i:03}" for i in range(500)]
    assert np.allclose(metrics.jittered_boxes(points, names, shift=0, scale=0), [0, 0, 64, 32])
    boxes = metrics.jittered_boxes(points, names)
    moves = (boxes[:, :2] + boxes[:, 2:]) / 2 - [32, 16]
    growth = np.log((boxes[:, 2] - boxes[:, 0]) / 64)
    assert 6.2 < np.abs(moves).max() <= 6.4
    assert 0.145 < np.abs(growth).max() <= 0.15
    assert np.allclose(boxes[:, 2] - boxes[:, 0], 2 * (boxes[:, 3] - boxes[:, 1]))


def test_a_comparison_has_the_summary_s_names_and_differences() -> None:
    truth = np.stack([mouth(), mouth(x=9)])
    iod = np.full(2, IOD)
    a, b = (
        metrics.per_face(truth, truth + np.array([6, 0]), iod),
        metrics.per_face(truth, truth + np.array([3, 0]), iod),
    )
    comparison = metrics.compare(a, b, resamples=20)
    before, after = metrics.summarise(a), metrics.summarise(b)
    for group, figures in comparison.items():
        for name, interval in figures.items():
            assert interval["difference"] == pytest.approx(after[group][name] - before[group][name])
    assert comparison["nme"]["mean"]["difference"] == pytest.approx(-0.03)
    assert set(comparison) == {"nme", "nme_width", "contour", *metrics.REGIONS}
