"""What must hold of the metrics for any face and any prediction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipseg import scheme
from lipseg.evaluation import metrics

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)


def mouth(width: float, height: float, opening: float) -> np.ndarray:
    """Returns (56, 2): two ellipses about the origin, the corners at the scheme's indices."""
    contours = []
    for size, corner in (((width, height), 13), ((0.8 * width, opening * height), 14)):
        angle = np.concatenate([np.linspace(-np.pi, 0, corner + 1), np.linspace(0, np.pi, 29 - corner)[1:-1]])
        contours.append(np.stack([np.cos(angle) * size[0], np.sin(angle) * size[1]], 1) / 2)
    return np.concatenate(contours)


@st.composite
def faces(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    """Draws true landmarks, predicted landmarks and an inter-ocular distance."""
    width = draw(st.floats(20, 200))
    truth = mouth(width, width * draw(st.floats(0.2, 0.9)), draw(st.floats(0, 0.8)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    off = draw(st.floats(0, 0.3)) * width
    predicted = truth + rng.normal(0, off, 2) + rng.normal(0, off / 5, truth.shape)
    return truth + 300, predicted + 300, width * draw(st.floats(0.8, 2))


@given(faces(), st.floats(-3, 3), st.floats(0.2, 5), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
@SETTINGS
def test_errors_do_not_change_under_a_similarity_of_image_and_points(
    face: tuple[np.ndarray, np.ndarray, float], angle: float, scale: float, shift: tuple[float, float]
) -> None:
    truth, predicted, iod = face
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before = metrics.face_metrics(truth, predicted, iod)
    after = metrics.face_metrics(truth @ turn.T + shift, predicted @ turn.T + shift, iod * scale)
    for name in ("nme", "nme_width"):
        assert after[name] == pytest.approx(before[name], rel=1e-6, abs=1e-9)
    assert after["contour"] == pytest.approx(before["contour"], rel=1e-4, abs=1e-6)


@given(faces(), st.floats(0.2, 5), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
@SETTINGS
def test_overlaps_do_not_depend_on_resolution_or_place(
    face: tuple[np.ndarray, np.ndarray, float], scale: float, shift: tuple[float, float]
) -> None:
    truth, predicted, iod = face
    before = metrics.face_metrics(truth, predicted, iod)
    after = metrics.face_metrics(truth * scale + shift, predicted * scale + shift, iod * scale)
    for region in ("mouth", "lips"):
        assert after[f"{region}_f1"] == pytest.approx(before[f"{region}_f1"], abs=0.01)


@given(faces())
@SETTINGS
def test_overlaps_are_in_range_and_f1_follows_from_iou(face: tuple[np.ndarray, np.ndarray, float]) -> None:
    figures = metrics.face_metrics(*face)
    for region in metrics.REGIONS:
        f1, iou = figures[f"{region}_f1"], figures[f"{region}_iou"]
        assert np.isnan(f1) == np.isnan(iou)
        if not np.isnan(f1):
            assert 0 <= iou <= f1 <= 1
            assert f1 == pytest.approx(2 * iou / (1 + iou), abs=1e-12)
        areas = [figures[f"{region}_{part}"] for part in ("intersection", "truth", "predicted")]
        assert 0 <= areas[0] <= min(areas[1:])
    assert figures["lips_truth"] <= figures["mouth_truth"]


@given(faces())
@SETTINGS
def test_swapping_truth_and_prediction_keeps_distances(face: tuple[np.ndarray, np.ndarray, float]) -> None:
    truth, predicted, iod = face
    there, back = metrics.face_metrics(truth, predicted, iod), metrics.face_metrics(predicted, truth, iod)
    assert there["nme"] == pytest.approx(back["nme"], rel=1e-9)
    assert there["contour"] == pytest.approx(back["contour"], rel=1e-6, abs=1e-9)


@given(faces())
@SETTINGS
def test_mirroring_truth_and_prediction_keeps_the_error(face: tuple[np.ndarray, np.ndarray, float]) -> None:
    truth, predicted, iod = face
    before = metrics.face_metrics(truth, predicted, iod)
    after = metrics.face_metrics(scheme.mirror(truth, 600), scheme.mirror(predicted, 600), iod)
    assert after["nme"] == pytest.approx(before["nme"], rel=1e-9)
    for region in ("upper", "lower"):
        assert after[f"{region}_f1"] == pytest.approx(before[f"{region}_f1"], abs=0.03)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
@SETTINGS
def test_the_cumulative_distribution_rises_to_the_share_of_faces_that_pass(errors: list[float]) -> None:
    nme = np.array(errors)
    _, share = metrics.ced(nme)
    assert (np.diff(share) >= 0).all()
    assert share[-1] == pytest.approx((nme <= 0.1).mean())
    auc = metrics.ced_auc(nme)
    assert auc is not None
    assert 0 <= auc <= share[-1] + 1e-12


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40), st.floats(-1, 1))
@SETTINGS
def test_a_constant_difference_has_an_interval_of_no_width(values: list[float], gain: float) -> None:
    a = np.array(values)
    result = metrics.paired_bootstrap(a, a + gain, resamples=50)
    for figure in result.values():
        assert figure == pytest.approx(gain, abs=1e-9)
