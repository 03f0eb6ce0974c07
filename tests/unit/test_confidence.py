"""The evidence, its calibration, and the curves that say what a score is worth."""

import dataclasses
import json

import numpy as np
import pytest

from lipseg.evaluation import calibration
from lipseg.evaluation.calibrate import Model, calibrate, refit_thresholds
from lipseg.evaluation.trials import SEEN, UNSEEN, Trials
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.inference.runtime import Thresholds
from lipseg.model.confidence import EVIDENCE, FARTHEST, Confidence

BOUND = 0.025


def made_trials(n: int, seed: int, confidence: Confidence | None = None, looks: int = 1) -> Trials:
    """Trials in which the first two pieces of evidence and the presence tell good from bad, with noise.

    Args:
        n: of trials.
        seed: of all of them.
        confidence: of the model; without one the scores are drawn at random.
        looks: at each mouth, of which the surest counts; the evidence is the first one's.
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice([*SEEN, *UNSEEN], n)
    seen = np.isin(kind, SEEN)
    quality = rng.normal(0, 1, n) - 2.0 * ~seen
    evidence = rng.normal(0, 1, (looks, n, len(EVIDENCE)))
    evidence[..., 0] -= quality
    evidence[..., 1] -= 2 * quality
    evidence[..., 4] = 0.25  # evidence that a network does not give
    evidence = evidence.astype(np.float32)
    contour = np.where(seen, 0.02 * np.exp(-0.7 * quality + rng.normal(0, 0.3, n)), np.inf)
    presence = (np.where(seen, 4.0, -4.0) + rng.normal(0, 2, n)).astype(np.float32)
    score = rng.random(n)
    if confidence is not None:
        score = np.max([confidence.score(look) for look in evidence], axis=0).astype(np.float64)
    return Trials(evidence[0], presence, score, contour, kind)


@pytest.fixture(scope="module")
def fitted():
    return calibration.fit_confidence(made_trials(3000, 0), BOUND)


def test_a_score_is_the_share_of_right_contours(fitted):
    trials = made_trials(3000, 5, fitted)
    rules = calibration.fit_thresholds(trials, trials.score, BOUND)
    figures = calibration.calibration_figures(fitted, rules, made_trials(3000, 1, fitted), BOUND)
    assert figures["all"]["calibration_error"] < 0.03
    assert figures["all"]["auroc"] > 0.85
    aurc = figures["aurc"]
    assert aurc["best_possible"] < aurc["score"] < 0.8 * aurc["none"]
    assert aurc["first_look"] == pytest.approx(aurc["score"])  # there was no other
    assert aurc["score"] < aurc["typicality"] < aurc["none"]
    assert figures["passing"]["plain"] > 0.9
    assert figures["passing"]["drawn"] < 0.2
    assert (figures["min_score"], figures["min_presence"]) == (rules.min_score, rules.min_presence)
    json.dumps(figures, allow_nan=False)


def test_of_several_looks_the_surest_counts_so_their_scores_are_rescaled(fitted):
    thrice = made_trials(4000, 6, fitted, looks=3)
    final = calibration.rescaled(fitted, thrice, BOUND)
    assert final.joint[0] > 0
    for name in ("centre", "scale", "weights"):
        np.testing.assert_array_equal(getattr(final, name), getattr(fitted, name))

    def error(confidence: Confidence) -> float:
        other = made_trials(4000, 7, confidence, looks=3)
        rows = calibration.reliability(other.score, other.contour < BOUND)
        return sum(row["trials"] * abs(row["score"] - row["share"]) for row in rows) / len(other.score)

    assert error(final) < 0.03 < error(fitted)


def test_rescaled_scores_are_those_of_the_rescaled_model(fitted):
    thrice = made_trials(1000, 6, fitted, looks=3)
    final = calibration.rescaled(fitted, thrice, BOUND)
    again = made_trials(1000, 6, final, looks=3)
    np.testing.assert_allclose(calibration.rescaled_scores(final, thrice.score), again.score, atol=1e-4)
    # No answer stays none, and a surer one stays surer.
    scores = calibration.rescaled_scores(final, np.array([0.0, 1e-9, 0.3, 0.6, 1.0]))
    assert scores[0] == 0
    assert (np.diff(scores) > 0).all()
    assert scores[-1] <= 1


def test_with_rescaled_scores_the_same_mouths_are_looked_at_again(fitted):
    trials = made_trials(1000, 6, fitted, looks=3)
    final = calibration.rescaled(fitted, trials, BOUND)
    rules = Thresholds(calibrated=True)
    doubtful = calibration.rescaled_scores(final, trials.score) < calibration.rescaled_doubt(final, rules)
    np.testing.assert_array_equal(doubtful, trials.score < rules.doubt)
    # The number itself would pick others.
    assert (doubtful != (calibration.rescaled_scores(final, trials.score) < rules.doubt)).any()


def test_a_score_depends_on_the_evidence_alone(fitted):
    evidence = made_trials(20, 3).evidence
    scores = fitted.score(evidence)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-fitted.logit(evidence))))
    # Far out the fit knows nothing: more of the same evidence counts no further.
    far = fitted.centre + FARTHEST * fitted.scale
    np.testing.assert_allclose(fitted.score(far[None]), fitted.score(far[None] + 100 * fitted.scale), rtol=1e-6)
    # What a network does not give must not count, whatever it is.
    assert fitted.scale[4] == np.float32(1e-3)


def test_jax_and_numpy_say_the_same_score(fitted):
    import jax.numpy as jnp

    evidence = made_trials(20, 3).evidence
    np.testing.assert_allclose(fitted.score(jnp.asarray(evidence), jnp), fitted.score(evidence), rtol=1e-4)


def test_thresholds_let_plain_faces_through_and_hold_back_what_is_no_mouth(fitted):
    trials = made_trials(4000, 8, fitted)
    rules = calibration.fit_thresholds(trials, trials.score, BOUND)
    assert rules.calibrated
    assert rules.min_presence <= 0
    assert 0.05 <= rules.min_score <= 0.5
    good = trials.contour < BOUND
    assert (trials.presence[good] >= rules.min_presence).mean() > 0.995
    passing = calibration.accepted(rules, trials.presence, trials.score)
    assert passing[trials.kind == "plain"].mean() > 0.9
    # Where the locator sees a mouth clearly, the score has no say: it can hold back the others alone.
    judged = ~trials.seen & (trials.presence < rules.clear_presence)
    assert judged.sum() > 0.8 * (~trials.seen).sum()
    assert passing[judged].mean() < 0.05


def test_a_low_score_drops_a_mouth_only_where_the_locator_does_not_see_it_clearly(fitted):
    trials = made_trials(4000, 8, fitted)
    # Odd mouths: the locator sees them as clearly as any, the score is next to none.
    odd = np.flatnonzero(trials.seen & (trials.presence > 2))[:200]
    scores = trials.score.copy()
    scores[odd] = 0.001
    rules = calibration.fit_thresholds(trials, scores, BOUND)
    passing = calibration.accepted(rules, trials.presence, scores)
    assert passing[odd].all()
    assert (~passing[trials.seen]).mean() <= 0.01
    assert (~passing[trials.kind == "plain"]).mean() <= 0.002


def test_of_the_bearable_thresholds_the_fewest_false_mouths_pass(fitted):
    trials = made_trials(4000, 9, fitted)
    rules = calibration.fit_thresholds(trials, trials.score, BOUND)
    passing = calibration.accepted(rules, trials.presence, trials.score)[trials.false].sum()
    for min_score in (0.05, 0.2, 0.5):
        for clear in np.linspace(rules.min_presence, 0, 9):
            other = dataclasses.replace(rules, min_score=min_score, clear_presence=float(clear))
            kept = calibration.accepted(other, trials.presence, trials.score)
            bearable = (~kept[trials.seen]).mean() <= 0.01 and (~kept[trials.kind == "plain"]).mean() <= 0.002
            assert not bearable or kept[trials.false].sum() >= passing


def test_what_counts_is_what_the_tool_lets_through():
    rules = Thresholds(calibrated=True, min_score=0.3, min_presence=-2.0)
    presence = np.array([-2.1, -1.9, -1.9, 0.1, 0.1])
    scores = np.array([0.9, 0.2, 0.4, 0.01, 0.0])
    # The last one had no answer at all.
    np.testing.assert_array_equal(calibration.accepted(rules, presence, scores), [0, 0, 1, 1, 0])


def test_a_model_that_is_always_right_or_never_has_one_score():
    trials = made_trials(60, 2)
    for bound, low, high in ((1e-9, 0.0, 0.1), (np.inf, 0.0, 1.0)):
        found = calibration.fit_confidence(trials, bound)
        scores = found.score(trials.evidence)
        assert ((scores >= low) & (scores <= high)).all()
        scored = made_trials(60, 2, found)
        final = calibration.rescaled(found, scored, bound)
        if not (scored.contour < bound).any():
            np.testing.assert_array_equal(final.joint, [1, 0])
        rules = calibration.fit_thresholds(scored, calibration.rescaled_scores(final, scored.score), bound)
        assert 0.05 <= rules.min_score <= 0.5


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
    trials = made_trials(300, 3, fitted)
    curves = calibration.curve_rows(trials)
    assert {row["ranking"] for row in curves} == {"score", "typicality", "best possible"}
    assert max(row["coverage"] for row in curves) == 1
    assert {row["group"] for row in calibration.reliability_rows(trials, BOUND)} == {"all", "faces"}


@pytest.mark.parametrize("fit", [calibrate, refit_thresholds])
def test_a_model_is_calibrated_or_absent(fit, tmp_path, fitted):
    """Its scores are fitted by what it itself answers: until that has ended it is not there."""
    out = tmp_path / "calibrated"

    def trials(model):
        assert not out.exists()
        assert model.predictor.runtime.thresholds.calibrated  # its scores are in it, and it can be asked
        if interrupted:
            raise KeyboardInterrupt
        return made_trials(3000, 5, fitted)

    interrupted = True
    with pytest.raises(KeyboardInterrupt):
        fit(DEFAULT_MODEL, out, BOUND, trials)
    assert list(tmp_path.iterdir()) == []
    interrupted = False
    _, rules = fit(DEFAULT_MODEL, out, BOUND, trials)
    assert Model(out).predictor.runtime.thresholds == rules
    assert list(tmp_path.iterdir()) == [out]


def test_evidence_of_a_cascade_is_finite_and_of_every_kind(cascade, crops, view):
    from lipseg.data.augment import views_on_boxes

    views = views_on_boxes(crops, np.arange(3), None, view)
    evidence = cascade.outputs(views.images).evidence
    assert evidence.shape == (3, len(EVIDENCE))
    assert np.isfinite(evidence).all()
    noise = np.random.default_rng(0).integers(0, 255, views.images.shape, np.uint8)
    assert np.isfinite(cascade.outputs(noise).evidence).all()
