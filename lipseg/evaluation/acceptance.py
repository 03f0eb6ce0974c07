"""Which heads are accepted: those that beat what they would replace on validation faces, beyond chance."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.feature_set import FeatureSet
from lipseg.evaluation import metrics
from lipseg.model.heads import nothing
from lipseg.model.nets import Head
from lipseg.model.weights import Arrays
from lipseg.training.heads import HeadFits, head_points

# What has to be better beyond chance, and what else must not be worse on average; less is better in the first two.
DECIDES = "contour"
_FIGURES = {DECIDES: -1, "nme": -1, "mouth_f1": 1, "lips_f1": 1, "inner_f1": 1}
# Regions are filled on a canvas of their own; the figures are ratios, and any unit of length will do.
_UNIT = 1000.0

# The bootstrap's intervals are too narrow for a handful of faces.
_LEAST_FACES = 8

Interval = dict[str, float | None]
Table = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Verdict:
    """What becomes of a component's head, or of the control.

    Attributes:
        kept: "own", "control" or "base".
        faces: training faces.
        validation_faces: validation faces.
        base_error, control_error, tuned_error: mean outline distances on the validation faces, None without any.
        minus_base, minus_control: of the tuned head, ``metrics.paired_bootstrap``.
    """

    kept: str
    faces: int
    validation_faces: int
    base_error: float | None
    control_error: float | None
    tuned_error: float | None
    minus_base: Interval
    minus_control: Interval


@dataclass(frozen=True)
class Accepted:
    """The heads that the cascade has.

    Attributes:
        heads: stacked arrays of the K heads, see ``lipseg.model.heads``.
        components: what became of each.
        control: what the control is worth: it stays the control of every comparison, accepted or not.
    """

    heads: Arrays
    components: list[Verdict]
    control: Verdict

    def summary(self) -> dict[str, Any]:
        """Returns what became of every head, JSON-able."""
        parts = [asdict(verdict) | {"won": verdict.kept == "own"} for verdict in self.components]
        return {"components": parts, "control": asdict(self.control) | {"won": self.control.kept == "control"}}


def accept_heads(
    base: Head, held_out: FeatureSet, chosen: NDArray[np.intp], fits: HeadFits, resamples: int, seed: int
) -> Accepted:
    """Returns the heads that are accepted.

    A component's head has to beat the base and the control on its validation faces: the interval of the paired
    bootstrap over faces must exclude zero, and no other figure may be worse on average. Else the control takes its
    place, if it beats the base on all validation faces in the same way and is not worse beyond chance on the
    component's; else the base does.

    Args:
        base: the base network's head.
        held_out: the validation views.
        chosen: (N,) their components.
        fits: the heads.
        resamples: of the bootstrap.
        seed: of its draws.
    """
    everyone = np.zeros(len(held_out), np.intp)
    tables = {
        "base": _table(held_out, head_points(base, held_out, [fits.control], fits.projection, everyone - 1)),
        "control": _table(held_out, head_points(base, held_out, [fits.control], fits.projection, everyone)),
        "own": _table(held_out, head_points(base, held_out, fits.components, fits.projection, chosen)),
    }
    component = _majority(held_out.face, chosen)

    def difference(a: str, b: str, rows: NDArray[np.bool_]) -> Interval:
        """Returns the interval of ``a`` minus ``b``."""
        columns = (tables[name][DECIDES][rows] for name in (b, a))
        return metrics.paired_bootstrap(*columns, resamples=resamples, seed=seed)

    def beats(a: str, b: str, rows: NDArray[np.bool_]) -> bool:
        high = difference(a, b, rows)["high"]
        gains = (sign * (tables[a][name][rows] - tables[b][name][rows]) for name, sign in _FIGURES.items())
        worse = any(np.nanmean(gain) < 0 for gain in gains if np.isfinite(gain).any())
        return high is not None and high < 0 and not worse and int(rows.sum()) >= _LEAST_FACES

    def verdict(kept: str, own: str, faces: int, rows: NDArray[np.bool_]) -> Verdict:
        errors = [
            float(tables[name][DECIDES][rows].mean()) if rows.any() else None for name in ("base", "control", own)
        ]
        base, control = (difference(own, other, rows) for other in ("base", "control"))
        return Verdict(kept, faces, int(rows.sum()), *errors, minus_base=base, minus_control=control)

    all_faces = np.ones(len(component), np.bool_)
    control_wins = beats("control", "base", all_faces)
    control = verdict("control" if control_wins else "base", "control", int(fits.faces.sum()), all_faces)
    arrays = {"control": fits.control, "base": nothing(*fits.control["fc5.kernel"].shape)}
    heads, verdicts = [], []
    for k, head in enumerate(fits.components):
        rows = component == k
        low = difference("control", "base", rows)["low"]
        if len(fits.components) > 1 and beats("own", "base", rows) and beats("own", "control", rows):
            kept = "own"
        else:
            kept = "control" if control_wins and (low is None or low <= 0) else "base"
        verdicts.append(verdict(kept, "own", int(fits.faces[k]), rows))
        heads.append(head if kept == "own" else arrays[kept])
    return Accepted({name: np.stack([head[name] for head in heads]) for name in fits.control}, verdicts, control)


def _table(held_out: FeatureSet, points_unit: NDArray[np.float32]) -> Table:
    """Returns the means over each face's views, (faces,) a figure, the faces in order."""
    truth, found = (_UNIT * points.astype(np.float64) for points in (held_out.points_unit, points_unit))
    table = metrics.per_face(truth, found, _UNIT * held_out.iod_unit.astype(np.float64))
    _, face = np.unique(held_out.face, return_inverse=True)
    means = {}
    for name in _FIGURES:
        judged = np.isfinite(table[name])
        count = np.bincount(face[judged], minlength=face.max(initial=-1) + 1)
        total = np.bincount(face[judged], table[name][judged], minlength=len(count))
        means[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def _majority(face: NDArray[np.intp], chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns (faces,) the component that most of a face's views have, the faces in order."""
    _, number = np.unique(face, return_inverse=True)
    votes = np.zeros((number.max(initial=-1) + 1, chosen.max(initial=0) + 1), np.intp)
    np.add.at(votes, (number, chosen), 1)
    return votes.argmax(1)
