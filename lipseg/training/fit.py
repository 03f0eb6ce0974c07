"""Training of the base network: Python drives one jitted step (a scan over steps is many times slower on a CPU).

Everything random is drawn from (seed, epoch), so a resumed training is the same as one that was never interrupted.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from numpy.typing import NDArray

from lipseg.data.augment import Views, fixed_batches, region_maps, sample_views, validation_views
from lipseg.data.crop_set import CropSet
from lipseg.data.statistics import Normaliser
from lipseg.errors import LipsegError
from lipseg.geometry import View
from lipseg.model.nets import BaseNet, build_net, place
from lipseg.params import Augment, Net, TrainBase
from lipseg.prefetch import prefetch
from lipseg.progress import progress
from lipseg.training.checkpoint import Checkpoint, pack, unpack
from lipseg.training.losses import contour_error, dense_losses, landmark_loss, nme
from lipseg.training.optim import base_optimiser, ema
from lipseg.training.self_distillation import taught_by


class Batch(NamedTuple):
    """One batch of B views: see ``Views``; regions (B, M, M, 3) as ``region_maps`` gives them.

    NumPy arrays on the host, which the jitted step takes as they are.
    """

    images: Any
    points_unit: Any
    iod_unit: Any
    mirrored: Any
    regions: Any


class TrainState(NamedTuple):
    """What a step changes: weights, batch statistics, the optimiser's state and the moving averages of the two first.

    ``step`` counts from 0.
    """

    params: Any
    stats: Any
    optimiser: Any
    mean_params: Any
    mean_stats: Any
    step: jax.Array


@dataclass(frozen=True)
class Fitted:
    """A trained base network.

    Attributes:
        net: with the weights of the best epoch of all generations.
        history: one row an epoch: epoch (counted on through the generations), generation, loss, landmark, mask, map,
            train_nme, validation_nme, validation_error (which epochs are chosen on, see ``losses.contour_error``),
            best (the lowest so far), seconds.
    """

    net: BaseNet
    history: list[dict[str, float]]


def fit_base(
    crops: CropSet,
    normaliser: Normaliser,
    *,
    net_params: Net,
    view: View,
    augment: Augment,
    train: TrainBase,
    seed: int,
    checkpoint: Checkpoint,
) -> Fitted:
    """Returns the base network trained on the training faces, at its best epoch on the validation faces.

    Each generation after the first starts afresh and learns from the best network so far, see ``born_again``.

    The work is saved after every epoch and goes on from there when it is called again with the same checkpoint.

    Raises:
        LipsegError: if the loss is no longer finite.
    """
    net = build_net(net_params, seed)
    graph, params, stats = nnx.split(net, nnx.Param, nnx.BatchStat)
    faces = np.repeat(crops.indices("train"), train.repeats)
    steps = max(1, len(faces) // train.batch_size)
    optimiser = base_optimiser(train, steps * train.epochs)
    step, evaluate, answer = _make_steps(graph, optimiser, train, normaliser)
    validation = validation_views(crops, view, train.validate_on, seed)

    start = TrainState(params, stats, optimiser.init(params), params, stats, jnp.zeros((), jnp.int32))
    history: list[dict[str, float]] = []
    state, best, taught = start, (params, stats), crops
    if (saved := checkpoint.load()) is not None:
        (state, best), history = unpack(saved[0], (state, best)), saved[1]["history"]
        taught = replace(crops, points_px=saved[0]["taught"])

    bar = progress(total=train.generations * train.epochs * steps, desc="train base", unit="steps")
    bar.update(len(history) * steps)
    while (generation := _next_generation(history, train)) < train.generations:
        started, epoch = time.perf_counter(), len(history)
        if history and generation > history[-1]["generation"]:
            taught = taught_by(partial(answer, *best), crops, view, train.teacher, (seed, 5, generation))
            state = start
        rng = np.random.default_rng((seed, 1, epoch))
        maps = view.size // 2 if net_params.kind == "hourglass" else 1
        totals = np.zeros(5)
        pending = None
        for batch in _batches(taught, faces, view, augment, train, maps, rng):
            state, metrics = step(state, batch)
            # Fetch the previous step's figures while this one runs.
            totals += 0 if pending is None else np.asarray(pending)
            pending = metrics
            bar.update(1)
        totals += np.asarray(pending)
        means = totals / steps
        if not np.isfinite(means).all():
            raise LipsegError(
                f"train_base: the loss is not finite in epoch {epoch}; lower train_base.learning_rate "
                f"({train.learning_rate:g})"
            )
        error, found_nme = evaluate(state.mean_params, state.mean_stats, validation)
        lowest = min((row["validation_error"] for row in history), default=np.inf)
        if error < lowest:
            best = (state.mean_params, state.mean_stats)
        names = ("loss", "landmark", "mask", "map", "train_nme")
        history.append(
            {
                "epoch": epoch,
                "generation": generation,
                **dict(zip(names, (float(x) for x in means), strict=True)),
                "validation_nme": found_nme,
                "validation_error": error,
                "best": min(lowest, error),
                "seconds": round(time.perf_counter() - started, 3),
            }
        )
        bar.set_postfix_str(f"val error {100 * error:.2f}% (best {100 * min(lowest, error):.2f}%)")
        checkpoint.save(pack((state, best)) | {"taught": taught.points_px}, {"history": history})
    bar.close()
    nnx.update(net, best[0], best[1])
    return Fitted(net, history)


def _next_generation(history: list[dict[str, float]], train: TrainBase) -> int:
    """Returns the generation that the next epoch belongs to."""
    if not history:
        return 0
    last = int(history[-1]["generation"])
    values = [row["validation_error"] for row in history if row["generation"] == last]
    exhausted = 0 < train.patience < len(values) and int(np.argmin(values)) < len(values) - train.patience
    return last + 1 if exhausted or len(values) >= train.epochs else last


def _make_steps(graph: Any, optimiser: optax.GradientTransformation, train: TrainBase, normaliser: Normaliser) -> Any:
    def forward(params: Any, stats: Any, images: jax.Array, *, training: bool) -> Any:
        net = nnx.merge(graph, params, stats, copy=True)
        encoded = net.encode(normaliser(images), train=training)
        points = place(encoded.frame, net.head(encoded.features))
        return net, encoded, points

    def objective(params: Any, stats: Any, batch: Batch) -> Any:
        net, encoded, points = forward(params, stats, batch.images, training=True)
        truth, iod = net.as_unmirrored(batch.points_unit, batch.mirrored, encoded.frame), batch.iod_unit
        landmark = landmark_loss(train.loss, points, truth, iod, train.tangential).mean()
        mask, spread = (loss.mean() for loss in dense_losses(encoded, batch.regions, truth, iod))
        loss = landmark + train.mask_weight * mask + train.map_weight * spread
        if encoded.maps is not None:  # the first guess is taught as well as the answer
            guess = place(encoded.frame, encoded.features[:, : points[0].size])
            loss = loss + landmark_loss(train.loss, guess, truth, iod, train.tangential).mean()
        figures = jnp.stack([loss, landmark, mask, spread, nme(points, truth, iod).mean()])
        return loss, (nnx.state(net, nnx.BatchStat), figures)

    @jax.jit
    def step(state: TrainState, batch: Batch) -> tuple[TrainState, jax.Array]:
        gradient = jax.grad(objective, has_aux=True)
        grads, (stats, figures) = gradient(state.params, state.stats, batch)
        updates, inner = optimiser.update(grads, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        means = ema((state.mean_params, state.mean_stats), (params, stats), train.average, state.step)
        return TrainState(params, stats, inner, *means, state.step + 1), figures

    @jax.jit
    def answer(params: Any, stats: Any, images: jax.Array) -> jax.Array:
        return forward(params, stats, images, training=False)[2]

    @jax.jit
    def errors(params: Any, stats: Any, images: jax.Array, points: jax.Array, iod: jax.Array) -> jax.Array:
        found = forward(params, stats, images, training=False)[2]
        return jnp.stack([contour_error(found, points, iod, train.tangential), nme(found, points, iod)], axis=1)

    def evaluate(params: Any, stats: Any, views: Views) -> tuple[float, float]:
        found = []
        for rows in fixed_batches(len(views), train.batch_size):
            found.append(errors(params, stats, views.images[rows], views.points_unit[rows], views.iod_unit[rows]))
        error, found_nme = np.concatenate(found)[: len(views)].mean(0)
        return float(error), float(found_nme)

    return step, evaluate, answer


def _batches(
    crops: CropSet,
    faces: NDArray[np.intp],
    view: View,
    augment: Augment,
    train: TrainBase,
    map_size: int,
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """Returns one epoch of shuffled, augmented batches, prefetched in a thread of its own."""
    order = rng.permutation(faces)
    if len(order) < train.batch_size:
        order = np.resize(order, train.batch_size)
    chunks = [order[i : i + train.batch_size] for i in range(0, len(order) - train.batch_size + 1, train.batch_size)]
    seeds = rng.integers(0, 2**63, len(chunks))

    def make(k: int) -> Batch:
        views = sample_views(crops, chunks[k], view, augment, np.random.default_rng(seeds[k]))
        return Batch(
            views.images, views.points_unit, views.iod_unit, views.mirrored, region_maps(views.points_unit, map_size)
        )

    return prefetch(make, range(len(chunks)), 1)
