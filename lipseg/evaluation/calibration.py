"""Calibration of the score, and how much it is worth: reliability, risk over coverage, what passes that should not."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.evaluation.trials import ASTRAY, SEEN, UNSEEN, Trials
from lipseg.inference.runtime import Thresholds
from lipseg.model.confidence import FARTHEST, Confidence

Scores = NDArray[np.floating[Any]]

_BINS = 10
# At most these shares of the validation trials may be dropped: of all visible mouths, many of which are half covered or
# spoilt, and of the plain faces.
_LOST, _PLAIN_LOST = 0.01, 0.002
_LEAST_SCORES = np.linspace(0.05, 0.5, 46)


def fit_confidence(trials: Trials, bound: float) -> Confidence:
    """Returns the calibration of single views: a logistic regression of "the contour is within the bound".

    Args:
        trials: of an uncalibrated model on the validation faces: every mouth was looked at once.
        bound: share of the inter-ocular distance.
    """
    good = trials.contour < bound
    centre = trials.evidence[trials.seen].mean(0)
    # Evidence that a network does not give is constant and must stay so.
    scale = np.maximum(trials.evidence[trials.seen].std(0), 1e-3)
    z = np.clip((trials.evidence - centre) / scale, -FARTHEST, FARTHEST)
    arrays = (centre, scale, _regression(z, good), np.array([1.0, 0.0]))
    return Confidence(*(array.astype(np.float32) for array in arrays))


def rescaled(confidence: Confidence, trials: Trials, bound: float) -> Confidence:
    """Returns the calibration of the predictions that a user gets, each the best scored of up to three views.

    Args:
        confidence: of single views.
        trials: of a model with this calibration on the validation faces.
        bound: share of the inter-ocular distance.
    """
    answered = trials.score > 0
    logit = _logit(trials.score[answered])
    slope, bias = _regression(logit[:, None], trials.contour[answered] < bound)
    if not slope > 0:  # the scores tell nothing, or the model is always right: they keep their order
        slope, bias = 1.0, 0.0
    return replace(confidence, joint=np.array([slope, bias], np.float32))


def rescaled_scores(confidence: Confidence, scores: Scores) -> NDArray[np.float64]:
    """Returns the scores by ``rescaled`` for scores of single views; 0, which stands for no prediction, stays."""
    logit = confidence.joint[0] * _logit(scores) + confidence.joint[1]
    return np.where(scores > 0, _sigmoid(logit), 0.0)


def rescaled_doubt(confidence: Confidence, rules: Thresholds) -> float:
    """Returns the ``doubt`` by which, with rescaled scores, the same mouths get second views as without.

    ``rescaled`` is fitted on predictions for which those below ``rules.doubt`` had second views. With the same number
    on the new scale other mouths would get them, and the scores would not be calibrated for these.
    """
    return float(rescaled_scores(confidence, np.array([rules.doubt]))[0])


def fit_thresholds(trials: Trials, scores: Scores, bound: float) -> Thresholds:
    """Returns which mouths are kept, from validation trials and the final scores of their predictions.

    Of the pairs of thresholds (``clear_presence`` up to 0, and ``min_score``) that drop at most ``_LOST`` of the
    visible mouths, the one that lets the fewest false mouths through. A mouth is dropped for a low score only where
    the locator does not see it clearly either: odd mouths get low scores, and hands get low logits too.
    """
    good = trials.contour < bound
    believable = trials.presence[good] if good.any() else np.zeros(1)
    min_presence = min(0.0, float(np.percentile(believable, 0.2)))
    # Guesses about the whole picture have least scores of their own.
    asked = np.isfinite(trials.presence)
    best: tuple[int, Thresholds] | None = None
    for min_score in _LEAST_SCORES.tolist():
        clear = min(
            _highest_clear(trials.presence, scores, among & asked, share, min_presence, min_score)
            for among, share in ((trials.seen, _LOST), (trials.kind == "plain", _PLAIN_LOST))
        )
        rules = Thresholds(calibrated=True, min_score=min_score, min_presence=min_presence, clear_presence=clear)
        passing = int(accepted(rules, trials.presence, scores)[trials.false & asked].sum())
        if best is None or passing < best[0]:
            best = passing, rules
    assert best is not None
    return best[1]


def _highest_clear(
    presence: Scores, scores: Scores, among: NDArray[np.bool_], share: float, min_presence: float, min_score: float
) -> float:
    """Returns the largest ``clear_presence``, at most 0, that drops no more than this share of these mouths."""
    low = np.sort(presence[among & ((scores < min_score) | (presence < min_presence))])
    bearable = int(share * among.sum())
    return max(min_presence, min(0.0, float(low[bearable]))) if bearable < len(low) else 0.0


def accepted(rules: Thresholds, presence: Scores, scores: Scores) -> NDArray[np.bool_]:
    """Returns (N,) whether mouths of detected faces with these logits and scores count, as ``find_mouths`` has it."""
    unclear = (scores >= rules.min_score) & (presence >= rules.min_presence)
    return unclear | ((presence >= max(rules.min_presence, rules.clear_presence)) & (scores > 0))


def calibration_figures(confidence: Confidence, rules: Thresholds, trials: Trials, bound: float) -> dict[str, Any]:
    """Returns how well the scores predict on trials of other faces, JSON-able.

    Args:
        confidence: whose scores the trials have.
        rules: what counts as a mouth.
        trials: through the model with both.
        bound: share of the inter-ocular distance.
    """
    good = trials.contour < bound
    scores = trials.score
    passing = accepted(rules, trials.presence, scores)
    seen, plain = trials.seen, trials.kind == "plain"
    kinds = [kind for kind in (*SEEN, *ASTRAY, *UNSEEN) if kind in trials.kind]
    # A face box beside a mouth may still lead to that mouth: such predictions are neither right nor false.
    asked = trials.seen | trials.false
    first = confidence.score(trials.evidence)
    return {
        "trials": len(good),
        "bound": bound,
        "min_score": rules.min_score,
        "min_presence": rules.min_presence,
        "clear_presence": rules.clear_presence,
        "all": _probability(scores, good),
        "faces": _probability(scores[seen], good[seen]),
        "plain_faces": _probability(scores[plain], good[plain]),
        "passing": {kind: _share(passing[asked & (trials.kind == kind)]) for kind in kinds},
        "median_score": {kind: float(np.median(scores[trials.kind == kind])) for kind in kinds},
        "aurc": _rankings(trials, seen, first),
        "aurc_plain": _rankings(trials, plain, first),
    }


def _rankings(trials: Trials, mine: NDArray[np.bool_], first: Scores) -> dict[str, float]:
    """Returns the area under the risk-coverage curve by how the predictions are ranked."""
    mine = mine & np.isfinite(trials.contour)
    risk = trials.contour[mine]
    return {
        "score": aurc(trials.score[mine], risk),
        "first_look": aurc(first[mine], risk),
        "typicality": aurc(-trials.evidence[mine, 0], risk),
        "none": float(risk.mean()),
        "best_possible": aurc(-risk, risk),
    }


def risk_coverage(scores: Scores, risk: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the coverages 1/n ... 1 and the mean risk of that share of the highest scores.

    Geifman and El-Yaniv, "Selective classification for deep neural networks", 2017.

    Args:
        scores: (n,).
        risk: (n,) finite.
    """
    ordered = risk[np.argsort(-scores, kind="stable")]
    count = np.arange(1, len(ordered) + 1)
    return count / len(ordered), np.cumsum(ordered) / count


def aurc(scores: Scores, risk: Scores) -> float:
    """Returns the area under the risk-coverage curve: the mean risk over all coverages, the smaller the better."""
    return float(risk_coverage(scores, risk)[1].mean())


def reliability(scores: Scores, good: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Returns a row for each tenth of the scale that holds scores: their mean, the share that is good, their number."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    rows = []
    for b in np.unique(bins):
        mine = bins == b
        rows.append({"score": float(scores[mine].mean()), "share": float(good[mine].mean()), "trials": int(mine.sum())})
    return rows


def curve_rows(trials: Trials) -> list[dict[str, Any]]:
    """Returns the risk-coverage curves on the faces as rows: a hundred of each ranking."""
    seen = trials.seen & np.isfinite(trials.contour)
    risk = trials.contour[seen]
    # The first kind of evidence is the features' deviance under the mixture.
    rankings = {"score": trials.score[seen], "typicality": -trials.evidence[seen, 0]}
    rows = []
    for name, scores in {**rankings, "best possible": -risk}.items():
        coverage, mean = risk_coverage(scores, risk)
        for k in np.unique(np.linspace(0, len(risk) - 1, 100).round().astype(int)):
            rows.append({"coverage": float(coverage[k]), "ranking": name, "contour": float(mean[k])})
    return rows


def reliability_rows(trials: Trials, bound: float) -> list[dict[str, Any]]:
    """Returns the reliability of the score on all trials and on the faces alone, as rows."""
    scores, good = trials.score, trials.contour < bound
    groups = {"all": np.ones(len(good), bool), "faces": trials.seen}
    return [{"group": name, **row} for name, mine in groups.items() for row in reliability(scores[mine], good[mine])]


def _probability(scores: Scores, good: NDArray[np.bool_]) -> dict[str, float | None]:
    """Returns the expected calibration error, the Brier score, and the area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    rows = reliability(scores, good)
    return {
        "good": float(good.mean()),
        "mean_score": float(scores.mean()),
        "calibration_error": sum(row["trials"] * abs(row["score"] - row["share"]) for row in rows) / len(scores),
        "brier": float(((scores - good) ** 2).mean()),
        "auroc": float(roc_auc_score(good, scores)) if 0 < good.sum() < len(good) else None,
    }


def _regression(z: Scores, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns (d + 1,) weights of a logistic regression, the bias last."""
    from sklearn.linear_model import LogisticRegression

    if good.all() or not good.any():  # a model that never is right, or always: the score is one number
        return np.r_[np.zeros(z.shape[1]), 4.0 if good.all() else -4.0]
    fitted = LogisticRegression(C=1.0, max_iter=2000).fit(z.astype(np.float64), good)
    return np.r_[fitted.coef_[0], fitted.intercept_[0]]


def _sigmoid(x: Scores) -> Scores:
    return 1 / (1 + np.exp(-x))


def _logit(scores: Scores) -> Scores:
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _share(which: NDArray[np.bool_]) -> float | None:
    return float(which.mean()) if len(which) else None
