"""Fine-tuning of the heads on cached features, in closed form: the convolutions are frozen because they are not run.

Partial pooling (Gelman and Hill, 2007, chapter 12): one head for all, the control, is fitted first, held towards the
base; every component's head is the control plus a deviation that is held towards nothing. Where a component has little
to say of its own, its head stays the control.

Letters in shapes: N views, R readings, U units, K heads (see ``lipseg.model.heads``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.augment import fixed_batches
from lipseg.data.feature_set import FeatureSet
from lipseg.model.heads import OUTPUTS, change, readings
from lipseg.model.mixture import Mixture
from lipseg.model.nets import Head, normalise, place
from lipseg.model.weights import Arrays
from lipseg.params import Finetune
from lipseg.progress import progress
from lipseg.training.losses import nme
from lipseg.training.outlines import outline_error

Array = NDArray[np.float64]
# Of one head for all, or of a head for each component: views and their readings to what is added to the base's answer.
Fit = list[Arrays]

# Views whose answers or errors are computed at once.
_BATCH = 512
# What a unit reads has this deviation before its tanh: nearly linear where most faces lie, and bounded beyond.
_DEVIATION = 0.3


@dataclass(frozen=True)
class Trial:
    """One strength of a pull, and what came of it.

    Attributes:
        head: "control", or "components" for all of them together.
        pull: the strength.
        train_error: mean over the training views, see ``HeadFits``.
        validation_error: mean over the validation views; NaN without any.
    """

    head: str
    pull: float
    train_error: float
    validation_error: float


@dataclass(frozen=True)
class HeadFits:
    """A head a component and the control, before it is judged which of them are accepted.

    Errors are the NME where the loss weighs errors along the contours in full (``tangential`` 1), and else the distance
    between the outlines: a head that is better only in where its points sit along them is no better there.

    Attributes:
        components: the K heads' own units, see ``lipseg.model.heads``.
        control: the control's.
        projection: of the sampled channels.
        trials: every strength that was tried.
        pulls: the control's and the components' that were chosen on the validation views.
        base_error: of the base's head on the validation views; NaN without any.
        faces: (K,) training faces of the components.
    """

    components: Fit
    control: Arrays
    projection: Arrays
    trials: list[Trial]
    pulls: tuple[float, float]
    base_error: float
    faces: NDArray[np.intp]


def fit_heads(
    base: Head, features: FeatureSet, mixture: Mixture, params: Finetune, *, tangential: float = 1.0
) -> HeadFits:
    """Returns the K heads and the control.

    Both are least squares of what the base's head is wrong by, in the mouth's frame. A view counts by one over the size
    of that error: views that show next to nothing do not decide what the others learn. The strengths of the pulls are
    those with the least error on the validation views.

    Args:
        base: the base network's head.
        features: of the training and validation views.
        mixture: assigns the views.
        params: the section ``finetune``.
        tangential: weight of the error along the contour in the base's loss; it decides the error, see ``HeadFits``.
    """
    train, held_out = features.select(split="train"), validation_of(features)
    projection = fit_projection(train.sampled, params.sampled)
    answers = [base_answers(base, part) for part in (train, held_out)]
    seen = [np.asarray(readings(part.features, part.sampled, projection), np.float32) for part in (train, held_out)]
    shares = [mixture.assign(part.features)[0] for part in (train, held_out)]
    chosen = [share.argmax(1) for share in shares]
    weights = shares[0] if params.assignment == "soft" else np.eye(mixture.components)[chosen[0]]
    wanted = normalise(jnp.asarray(train.points_unit), jnp.asarray(train.frame))
    missing = np.asarray(wanted, np.float64) - answers[0]
    size = np.sqrt((missing**2).mean(1))
    counts = 1 / np.maximum(size, np.median(size) / 2 + 1e-9)
    counts = counts / counts.mean()
    bar = progress(total=len(params.control_pull) + len(params.pull), desc="heads", unit="strengths")
    trials: list[Trial] = []

    def best(head: str, pulls: tuple[float, ...], fit: Callable[[float], Fit]) -> tuple[float, Fit]:
        """Returns the strength with the least validation error, and what it gives; the strongest without faces."""
        found = []
        for pull in sorted(pulls, reverse=True):
            heads = fit(pull)
            errors = [
                float(_errors(part, answer + _picked(heads, read, pick), tangential).mean()) if len(part) else np.nan
                for part, answer, read, pick in zip((train, held_out), answers, seen, chosen, strict=True)
            ]
            trials.append(Trial(head, pull, *errors))
            found.append((errors[1], pull, heads))
            bar.update(1)
        _, pull, heads = min(found, key=lambda one: np.nan_to_num(one[0], nan=np.inf))
        return pull, heads

    whole = Regression(seen[0], missing, counts)
    control_pull, (control,) = best(
        "control", params.control_pull, lambda pull: [whole.units(whole.slopes(pull * len(train)), params.units)]
    )
    common = whole.slopes(control_pull * len(train))
    rest = missing - whole.answers(common)
    own = [
        Regression(seen[0], rest, counts * weight, whole.scale) if weight.sum() > 1 else None for weight in weights.T
    ]

    def components(pull: float) -> Fit:
        # One component is everything: its head is the control.
        if len(own) == 1:
            return [control]
        return [
            control if part is None else whole.units(_sum(common, part.slopes(pull * len(train))), params.units)
            for part in own
        ]

    pull, heads = best("components", params.pull, components)
    bar.close()
    faces = [len(np.unique(train.face[weight > 0.5])) for weight in weights.T]
    base_error = float(_errors(held_out, answers[1], tangential).mean()) if len(held_out) else float("nan")
    return HeadFits(heads, control, projection, trials, (control_pull, pull), base_error, np.array(faces))


def validation_of(features: FeatureSet) -> FeatureSet:
    """Returns the validation views that heads are judged on: on boxes of the kind that they learn from."""
    jittered = (features.select(split="train").boxes == "jittered").any()
    return features.select(split="validation", boxes="jittered" if jittered else "exact")


def fit_projection(sampled: NDArray[np.floating[Any]], kept: int) -> Arrays:
    """Returns ``centre`` (C,) and ``basis`` (C, D) of the first principal components, of unit variance.

    Args:
        sampled: (N, 56, C) channels at the landmarks.
        kept: D, at most; none of more than C.
    """
    channels = sampled.shape[-1]
    points = sampled.reshape(len(sampled) * scheme.N_POINTS, channels).astype(np.float64)
    centre = points.mean(0)
    _, sizes, ways = np.linalg.svd(np.cov(points - centre, rowvar=False, bias=True).reshape(channels, channels))
    basis = (ways / np.sqrt(np.maximum(sizes, 1e-12))[:, None])[:kept].T
    return {"centre": centre.astype(np.float32), "basis": basis.astype(np.float32)}


class Regression:
    """Ridge regression of (N, 112) outputs on (N, R) readings, for any strength.

    Hoerl and Kennard, "Ridge regression", Technometrics 1970.

    Args:
        seen: (N, R) readings.
        wanted: (N, 112) outputs.
        weights: (N,) of the views.
        scale: (R,) units in which the readings' slopes are held to nothing; None for their deviations.

    Attributes:
        scale: likewise; infinite for a reading that never changes.
    """

    def __init__(self, seen: NDArray[np.float32], wanted: Array, weights: Array, scale: Array | None = None) -> None:
        total = weights.sum()
        self._seen = seen
        self._centre = (weights @ seen) / total
        if scale is None:
            squares = (weights @ seen.astype(np.float64) ** 2) / total
            variance = squares - self._centre**2
            # What never changes says nothing.
            scale = np.where(variance > 1e-9 * squares, np.sqrt(np.maximum(variance, 0)), np.inf)
        self.scale = scale
        self._mean = (weights @ wanted) / total
        z = ((seen - self._centre) / scale).astype(np.float32)
        weighted = z * weights.astype(np.float32)[:, None]
        self._gram = (weighted.T @ z).astype(np.float64)
        self._values, self._ways = np.linalg.eigh(self._gram)
        self._turned = self._ways.T @ (weighted.T @ (wanted - self._mean).astype(np.float32))
        self._total = total

    def slopes(self, strength: float) -> tuple[Array, Array]:
        """Returns (R, 112) slopes and (112,) constants."""
        slopes = self._ways @ (self._turned / (np.maximum(self._values, 0) + strength)[:, None])
        slopes = slopes / self.scale[:, None]
        return slopes, self._mean - self._centre @ slopes

    def answers(self, line: tuple[Array, Array]) -> Array:
        """Returns (N, 112) what slopes and constants say of the views."""
        return self._seen @ line[0] + line[1]

    def units(self, line: tuple[Array, Array], count: int) -> Arrays:
        """Returns the own units of a head that says, nearly, what slopes and constants say.

        They are the directions in which the answers differ most between the views (reduced rank; Izenman, 1975).

        Args:
            line: slopes (R, 112) and constants (112,).
            count: U; 112 say all of it.
        """
        slopes, constants = line
        scaled = slopes * np.where(np.isfinite(self.scale), self.scale, 0)[:, None]
        variances, ways = np.linalg.eigh(scaled.T @ self._gram @ scaled / self._total)
        ways, variances = ways[:, ::-1][:, :count], variances[::-1][:count]
        deviations = np.sqrt(np.maximum(variances, 1e-16))
        kernel = slopes @ ways * (_DEVIATION / deviations)
        arrays = {
            "fc5.kernel": kernel,
            "fc5.bias": -self._centre @ kernel,
            "fc6.kernel": (ways * (deviations / _DEVIATION)).T,
            "fc6.bias": self._centre @ slopes + constants,
        }
        return {name: array.astype(np.float32) for name, array in arrays.items()}


def _sum(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    return a[0] + b[0], a[1] + b[1]


def base_answers(base: Head, part: FeatureSet) -> NDArray[np.float32]:
    """Returns (N, 112) what the base's head says of the views, in the mouth's frame."""
    graph, state = nnx.split(base)
    run = jax.jit(lambda features: nnx.merge(graph, state)(features))
    return _in_batches(run, len(part), part.features)


def head_points(base: Head, part: FeatureSet, heads: Fit, projection: Arrays, pick: NDArray[np.intp]) -> Any:
    """Returns (N, 56, 2) landmarks, unit coordinates, of the heads that are picked.

    Args:
        base: the base network's head.
        part: the views.
        heads: their own units.
        projection: of the sampled channels.
        pick: (N,) which of the heads; -1 for the base's.
    """
    seen = np.asarray(readings(part.features, part.sampled, projection), np.float32)
    added = np.where(pick[:, None] < 0, 0, _picked(heads, seen, pick)).astype(np.float32)
    return np.asarray(place(jnp.asarray(part.frame), jnp.asarray(base_answers(base, part) + added)))


def _picked(heads: Fit, seen: NDArray[np.float32], pick: NDArray[np.intp]) -> NDArray[np.float32]:
    """Returns (N, 112) what the picked one of some heads, or the only one, adds."""
    added = np.zeros((len(seen), OUTPUTS), np.float32)
    for k, head in enumerate(heads):
        mine = np.flatnonzero((pick == k) | (len(heads) == 1))
        added[mine] = change(seen[mine], {name: array[None] for name, array in head.items()})[:, 0]
    return added


def _errors(part: FeatureSet, answers: NDArray[np.float32], tangential: float) -> NDArray[np.float32]:
    """Returns (N,) errors of (N, 112) answers in the mouth's frame."""
    run = _point_errors if tangential == 1.0 else _outline_errors
    return _in_batches(run, len(part), answers, part.frame, part.points_unit, part.iod_unit)


@jax.jit
def _point_errors(answer: Any, frame: Any, truth: Any, iod: Any) -> jax.Array:
    return nme(place(frame, answer), truth, iod)


@jax.jit
def _outline_errors(answer: Any, frame: Any, truth: Any, iod: Any) -> jax.Array:
    return outline_error(place(frame, answer), truth, iod)


def _in_batches(run: Callable[..., Any], n: int, *columns: NDArray[Any]) -> NDArray[np.float32]:
    if n == 0:
        return np.zeros((0, OUTPUTS), np.float32)
    found = [np.asarray(run(*(column[rows] for column in columns))) for rows in fixed_batches(n, _BATCH)]
    return np.concatenate(found)[:n]
