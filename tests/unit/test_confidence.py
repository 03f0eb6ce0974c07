"""The evidence, its calibration, and the curves that say what a score is worth."""

import json

import numpy as np
import pytest

from lipseg.evaluation import calibration
from lipseg.evaluation.trials import SEEN, UNSEEN, Trials
from lipseg.model.confidence import EVIDENCE


def made_trials(n: int, seed: int) -> Trials:
    """Trials in which the first two pieces of evidence and the presence tell good from bad, with noise."""
    rng = np.random.default_rng(seed)
    kind = rng.choice([*SEEN, *UNSEEN], n)
    seen = np.isin(kind, SEEN)
    quality = rng.normal(0, 1, n) - 2.0 * ~seen
    evidence = rng.normal(0, 1, (n, len(EVIDENCE)))
    evidence[:, 0] -= quality
    evidence[:, 1] -= 2 * quality
    evidence[:, 4] = 0.25  # evidence that a network does not give
    contour = np.where(seen, 0.02 * np.exp(-0.7 * quality + rng.normal(0, 0.3, n)), np.inf)
    presence = np.where(seen, 4.0, -4.0) + rng.normal(0, 2, n)
    return Trials(evidence.astype(np.float32), rng.random(n).astype(np.float32), presence, contour, kind)


@pytest.fixture(scope="module")
def fitted():
    return calibration.fit_confidence(made_trials(3000, 0), 0.025)


def test_a_score_is_the_share_of_right_contours(fitted):
    other = made_trials(3000, 1)
    figures = calibration.confidence_figures(fitted, other, 0.025)
    assert figures["all"]["calibration_error"] < 0.03
    assert figures["all"]["auroc"] > 0.9
    aurc = figures["aurc"]
    assert aurc["best_possible"] < aurc["score"] < 0.8 * aurc["none"]
    assert aurc["typicality"] == pytest.approx(aurc["none"], rel=0.15)  # drawn at random here
    assert figures["passing"]["plain"] > 0.9
    assert figures["passing"]["drawn"] < 0.2
    json.dumps(figures, allow_nan=False)


def test_more_presence_is_never_a_lower_score(fitted):
    scores = [fitted.join(0.4, presence) for presence in (-5.0, 0.0, 5.0)]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < scores[-1] <= 1
    assert 0 < fitted.join(0.0, 0.0) < fitted.join(1.0, 0.0) < 1


def test_a_model_that_is_always_right_or_never_has_one_score():
    trials = made_trials(60, 2)
    for bound, low, high in ((1e-9, 0.0, 0.1), (np.inf, 0.0, 1.0)):
        found = calibration.fit_confidence(trials, bound)
        scores = calibration.joined_scores(found, trials)
        assert ((scores >= low) & (scores <= high)).all()


def test_the_risk_of_the_surest_comes_first():
    coverage, risk = calibration.risk_coverage(np.array([0.1, 0.9, 0.5]), np.array([6.0, 1.0, 2.0]))
    np.testing.assert_allclose(coverage, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(risk, [1, 1.5, 3])
    assert calibration.aurc(np.array([0.1, 0.9, 0.5]), np.array([6.0, 1.0, 2.0])) == pytest.approx(5.5 / 3)


def test_reliability_has_a_row_for_every_tenth_that_holds_scores():
    rows = calibration.reliability(np.array([0.02, 0.04, 1.0]), np.array([False, True, True]))
    assert rows == [
        {"score": pytest.approx(0.03), "share": 0.5, "trials": 2},
        {"score": 1.0, "share": 1.0, "trials": 1},
    ]


def test_the_tables_of_the_report(fitted):
    trials = made_trials(300, 3)
    curves = calibration.curve_rows(fitted, trials)
    assert {row["ranking"] for row in curves} == {"score", "typicality", "best possible"}
    assert max(row["coverage"] for row in curves) == 1
    assert {row["group"] for row in calibration.reliability_rows(fitted, trials, 0.025)} == {"all", "faces"}


def test_evidence_of_a_cascade_is_finite_and_of_every_kind(cascade, crops, view):
    from lipseg.data.augment import views_on_boxes

    views = views_on_boxes(crops, np.arange(3), None, view)
    evidence = cascade.outputs(views.images).evidence
    assert evidence.shape == (3, len(EVIDENCE))
    assert np.isfinite(evidence).all()
    noise = np.random.default_rng(0).integers(0, 255, views.images.shape, np.uint8)
    assert np.isfinite(cascade.outputs(noise).evidence).all()
