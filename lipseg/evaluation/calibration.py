"""Calibration of the score, and how much it is worth: reliability, risk over coverage, what passes that should not."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.evaluation.trials import SEEN, UNSEEN, Trials
from lipseg.inference.confidence import Confidence

Scores = NDArray[np.floating[Any]]

_BINS = 10
# At most this share of the validation trials without a mouth may reach the least score, and of the plain faces fall
# below it; where both cannot be had, faces are kept.
_PASSING, _LOST = 0.002, 0.005
_LEAST, _MOST = 0.05, 0.5


def fit_confidence(trials: Trials, bound: float) -> Confidence:
    """Returns the calibration: two logistic regressions of "the contour is within the bound".

    The first sees the evidence of the network alone, the second joins its logit with the locator's (Platt,
    "Probabilistic outputs for support vector machines", 1999).

    Args:
        trials: on the validation faces.
        bound: share of the inter-ocular distance.
    """
    good = trials.contour < bound
    centre = trials.evidence[trials.seen].mean(0)
    # Evidence that a network does not give is constant and must stay so.
    scale = np.maximum(trials.evidence[trials.seen].std(0), 1e-3)
    first = Confidence(
        centre=centre.astype(np.float32),
        scale=scale.astype(np.float32),
        weights=np.zeros(len(centre) + 1, np.float32),
        joint=np.zeros(3, np.float32),
        min_score=np.zeros(1, np.float32),
        min_presence=np.zeros(1, np.float32),
    )
    z = np.clip((trials.evidence - first.centre) / first.scale, -4, 4)
    weights = _regression(z, good)
    alone = z @ weights[:-1] + weights[-1]
    joint = _regression(np.stack([alone, trials.presence], axis=1), good)
    joined = _sigmoid(alone * joint[0] + trials.presence * joint[1] + joint[2])
    believable = trials.presence[good] if good.any() else np.zeros(1)
    min_presence = min(0.0, float(np.percentile(believable, 0.2)))
    passing = np.where(trials.presence >= min_presence, joined, 0.0)
    plain = passing[trials.kind == "plain"]
    unseen = passing[~trials.seen]
    wanted = float(np.quantile(unseen, 1 - _PASSING)) + 1e-3
    bearable = float(np.quantile(plain, _LOST))
    return Confidence(
        centre=first.centre,
        scale=first.scale,
        weights=weights.astype(np.float32),
        joint=joint.astype(np.float32),
        min_score=np.array([np.clip(min(wanted, bearable), _LEAST, _MOST)], np.float32),
        min_presence=np.array([min_presence], np.float32),
    )


def joined_scores(confidence: Confidence, trials: Trials) -> NDArray[np.float64]:
    """Returns (N,) the scores that a user would see."""
    alone = confidence.score(trials.evidence)
    return np.array([confidence.join(s, p) for s, p in zip(alone, trials.presence, strict=True)])


def confidence_figures(confidence: Confidence, trials: Trials, bound: float) -> dict[str, Any]:
    """Returns how well the scores predict on trials of other faces, JSON-able."""
    good = trials.contour < bound
    scores = joined_scores(confidence, trials)
    passing = (scores >= confidence.min_score[0]) & (trials.presence >= confidence.min_presence[0])
    seen = trials.seen
    plain = trials.kind == "plain"
    kinds = [kind for kind in (*SEEN, *UNSEEN) if kind in trials.kind]
    return {
        "trials": len(good),
        "bound": bound,
        "min_score": float(confidence.min_score[0]),
        "all": _probability(scores, good),
        "faces": _probability(scores[seen], good[seen]),
        "plain_faces": _probability(scores[plain], good[plain]),
        "passing": {kind: float(passing[trials.kind == kind].mean()) for kind in kinds},
        "median_score": {kind: float(np.median(scores[trials.kind == kind])) for kind in kinds},
        "aurc": {
            "score": aurc(scores[seen], trials.contour[seen]),
            "evidence_alone": aurc(confidence.score(trials.evidence)[seen], trials.contour[seen]),
            "typicality": aurc(trials.typicality[seen], trials.contour[seen]),
            "none": float(trials.contour[seen].mean()),
            "best_possible": aurc(-trials.contour[seen], trials.contour[seen]),
        },
        "aurc_plain": {
            "score": aurc(scores[plain], trials.contour[plain]),
            "typicality": aurc(trials.typicality[plain], trials.contour[plain]),
            "none": float(trials.contour[plain].mean()),
            "best_possible": aurc(-trials.contour[plain], trials.contour[plain]),
        },
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


def curve_rows(confidence: Confidence, trials: Trials) -> list[dict[str, Any]]:
    """Returns the risk-coverage curves on the faces as rows: a hundred of each ranking."""
    seen = trials.seen
    risk = trials.contour[seen]
    rankings = {"score": joined_scores(confidence, trials)[seen], "typicality": trials.typicality[seen]}
    rows = []
    for name, scores in {**rankings, "best possible": -risk}.items():
        coverage, mean = risk_coverage(scores, risk)
        for k in np.unique(np.linspace(0, len(risk) - 1, 100).round().astype(int)):
            rows.append({"coverage": float(coverage[k]), "ranking": name, "contour": float(mean[k])})
    return rows


def reliability_rows(confidence: Confidence, trials: Trials, bound: float) -> list[dict[str, Any]]:
    """Returns the reliability of the score on all trials and on the faces alone, as rows."""
    scores, good = joined_scores(confidence, trials), trials.contour < bound
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
