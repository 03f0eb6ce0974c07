"""Fine-tuning of the heads on cached features: the convolutions are frozen because they are not run at all."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lipseg.data.augment import fixed_batches
from lipseg.data.feature_set import FeatureSet
from lipseg.model.mixture import Mixture
from lipseg.model.nets import Head, place
from lipseg.model.weights import Arrays, module_arrays, state_arrays
from lipseg.params import Finetune
from lipseg.progress import progress
from lipseg.training.losses import landmark_loss, nme
from lipseg.training.optim import head_optimiser
from lipseg.training.outlines import outline_error

# Views whose errors are computed at once: every point is held against every side of an outline.
_ERRORS_BATCH = 512


@dataclass(frozen=True)
class HeadFit:
    """One fine-tuned head.

    Its errors are the NME where the loss weighs errors along the contours in full (``tangential`` 1), and else the
    distance between the outlines: a head that is better only in where its points sit along them is no better there.

    Attributes:
        arrays: the head's weights; the base's own where fine-tuning did not win on validation.
        won: whether fine-tuning won.
        history: one row an epoch: epoch, train_error, validation_error.
        base_error: of the base's head on the same validation views (NaN without any).
        tuned_error: of the best epoch on them.
        faces: training faces of the component.
        validation_faces: validation faces of the component.
    """

    arrays: Arrays
    won: bool
    history: list[dict[str, float]]
    base_error: float
    tuned_error: float
    faces: int
    validation_faces: int


@dataclass(frozen=True)
class Heads:
    """A head a component, and the control: one head tuned on everything with the same budget."""

    components: list[HeadFit]
    control: HeadFit

    def stacked(self) -> Arrays:
        """Returns the K heads' arrays with a leading axis over the heads."""
        return {name: np.stack([fit.arrays[name] for fit in self.components]) for name in self.control.arrays}

    def summary(self) -> dict[str, Any]:
        """Returns what became of every head, JSON-able."""

        def facts(fit: HeadFit) -> dict[str, Any]:
            errors = {"base_error": fit.base_error, "tuned_error": fit.tuned_error}
            finite = {name: value if np.isfinite(value) else None for name, value in errors.items()}
            return {"won": fit.won, "faces": fit.faces, "validation_faces": fit.validation_faces, **finite}

        return {"components": [facts(fit) for fit in self.components], "control": facts(self.control)}

    def curves(self) -> list[dict[str, Any]]:
        """Returns one row a head and epoch: head, epoch, train_error, validation_error."""
        named = [*((str(k), fit) for k, fit in enumerate(self.components)), ("control", self.control)]
        return [{"head": name, **row} for name, fit in named for row in fit.history]


def finetune_heads(
    base: Head,
    features: FeatureSet,
    mixture: Mixture,
    params: Finetune,
    loss: str,
    seed: int,
    *,
    tangential: float = 1.0,
) -> Heads:
    """Returns the K heads and the control.

    Each head starts from the base's, learns from its component's views, is held towards the base's weights, stops on
    its component's validation faces, and is given up for the base's head where it does not win there.

    Args:
        base: the base network's head.
        features: of the training and validation views.
        mixture: assigns the views.
        params: the section ``finetune``.
        loss: on landmarks, see ``landmark_loss``.
        seed: of the shuffling.
        tangential: weight of the error along the contour in the loss; it decides the error that epochs are chosen on,
            see ``HeadFit``.
    """
    train = features.select(split="train")
    # Heads stop on the kind of boxes that they learn from.
    boxes = "jittered" if (train.boxes == "jittered").any() else "exact"
    held_out = features.select(split="validation", boxes=boxes)
    on_train, on_held_out = (mixture.assign(part.features)[0] for part in (train, held_out))
    k = mixture.components
    bar = progress(total=(k + 1) * params.epochs, desc="heads", unit="epochs")

    def tune(weights: NDArray[np.float32], rows: NDArray[np.bool_], stream: int) -> HeadFit:
        rng = np.random.default_rng((seed, 4, stream))
        found = _tune(base, train, weights, held_out, rows, params, loss, tangential, rng, bar)
        return replace(found, faces=len(np.unique(train.face[weights > 0.5])))

    heads = []
    for component in range(k):
        share = on_train[:, component]
        weights = share if params.assignment == "soft" else (on_train.argmax(1) == component).astype(np.float32)
        heads.append(tune(weights, on_held_out.argmax(1) == component, component))
    control = tune(np.ones(len(train), np.float32), np.ones(len(held_out), bool), k)
    bar.close()
    return Heads(heads, control)


def _tune(
    base: Head,
    train: FeatureSet,
    weights: NDArray[np.float32],
    held_out: FeatureSet,
    rows: NDArray[np.bool_],
    params: Finetune,
    loss: str,
    tangential: float,
    rng: np.random.Generator,
    bar: Any,
) -> HeadFit:
    graph, start = nnx.split(base)
    optimiser = head_optimiser(params.learning_rate)
    mine = np.flatnonzero(weights > 1e-3)
    kept = module_arrays(base)
    validation_faces = len(np.unique(held_out.face[rows]))
    judged = np.flatnonzero(rows)

    def answer(head: Any, features: Any, frame: Any) -> Any:
        return place(frame, nnx.merge(graph, head)(features))

    def objective(head: Any, part: tuple[Any, ...]) -> jax.Array:
        features, frame, truth, iod, weight = part
        losses = landmark_loss(loss, answer(head, features, frame), truth, iod, tangential)
        away = sum(((a - b) ** 2).sum() for a, b in zip(jax.tree.leaves(head), jax.tree.leaves(start), strict=True))
        return (weight * losses).sum() / jnp.maximum(weight.sum(), 1e-6) + params.pull * away

    @jax.jit
    def step(head: Any, state: Any, part: tuple[Any, ...]) -> tuple[Any, Any]:
        updates, state = optimiser.update(jax.grad(objective)(head, part), state, head)
        return jax.tree.map(lambda leaf, change: leaf + change, head, updates), state

    @jax.jit
    def errors(head: Any, features: Any, frame: Any, truth: Any, iod: Any) -> jax.Array:
        found = answer(head, features, frame)
        return nme(found, truth, iod) if tangential == 1.0 else outline_error(found, truth, iod)

    def mean_error(head: Any, part: FeatureSet, chosen: NDArray[np.intp]) -> float:
        if len(chosen) == 0:
            return float("nan")
        found = []
        for at in fixed_batches(len(chosen), _ERRORS_BATCH):
            rows = chosen[at]
            found.append(
                errors(head, part.features[rows], part.frame[rows], part.points_unit[rows], part.iod_unit[rows])
            )
        return float(np.concatenate(found)[: len(chosen)].mean())

    base_error = mean_error(start, held_out, judged)
    nothing = HeadFit(kept, False, [], base_error, base_error, 0, validation_faces)
    if validation_faces == 0 or len(mine) == 0:
        bar.update(params.epochs)
        return nothing

    head, state = start, optimiser.init(start)
    best, best_error, best_epoch = start, base_error, -1
    history = [{"epoch": 0, "train_error": mean_error(start, train, mine), "validation_error": base_error}]
    for epoch in range(params.epochs):
        # One batch size for every head, however small its component: rows repeat to fill the last batch.
        order = np.resize(rng.permutation(mine), -(-len(mine) // params.batch_size) * params.batch_size)
        for part in order.reshape(-1, params.batch_size):
            batch = (train.features, train.frame, train.points_unit, train.iod_unit, weights)
            head, state = step(head, state, tuple(array[part] for array in batch))
        found = mean_error(head, held_out, judged)
        history.append({"epoch": epoch + 1, "train_error": mean_error(head, train, mine), "validation_error": found})
        bar.update(1)
        if found < best_error:
            best, best_error, best_epoch = head, found, epoch
        elif epoch - best_epoch >= params.patience:
            bar.update(params.epochs - epoch - 1)
            break
    arrays = state_arrays(best)
    return HeadFit(arrays, best_epoch >= 0, history, base_error, best_error, 0, validation_faces)
