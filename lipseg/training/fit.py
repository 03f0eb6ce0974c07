"""Training of the base network: Python drives one jitted step (a scan over steps is many times slower on a CPU).

Everything random is drawn from (seed, epoch), so a resumed training is the same as one that was never interrupted.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from numpy.typing import NDArray

from lipseg.data.augment import Views, fixed_batches, sample_views, validation_views
from lipseg.data.crop_set import CropSet
from lipseg.data.regions import region_targets
from lipseg.data.statistics import Normaliser
from lipseg.errors import LipsegError
from lipseg.geometry import View
from lipseg.model.nets import BaseNet, build_net, place, similarity_frame
from lipseg.model.offsets import SourceOffsets, Tree, annotated_radius, without_offset
from lipseg.params import Augment, Net, TrainBase
from lipseg.progress import progress
from lipseg.training import devices
from lipseg.training.checkpoint import Checkpoint, pack, unpack
from lipseg.training.losses import contour_error, dense_losses, landmark_loss, nme
from lipseg.training.optim import base_optimiser, ema
from lipseg.training.shares import faces_shown


class Batch(NamedTuple):
    """One batch of B views: see ``Views``; source (B,) and radius_px (B,) as ``SourceOffsets.of`` wants them; regions
    (B, M, M, 3) as ``region_targets`` gives them.

    NumPy arrays on the host, which the jitted step takes as they are.
    """

    images: Any
    points_unit: Any
    iod_unit: Any
    mirrored: Any
    source: Any
    radius_px: Any
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
        net: with the weights of the best epoch.
        offsets: of the sources, likewise, see ``SourceOffsets``.
        history: one row an epoch: epoch, loss, landmark, mask, map, train_nme, validation_nme, validation_error (which
            epochs are chosen on, see ``losses.contour_error``), best (the lowest so far), seconds.
    """

    net: BaseNet
    offsets: Tree
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
    name: str = "train_base",
) -> Fitted:
    """Returns the base network trained on the training faces, at its best epoch on the validation faces.

    The work is saved after every epoch and goes on from there when it is called again with the same checkpoint.

    Raises:
        LipsegError: if the loss is no longer finite.
    """
    net = build_net(net_params, seed)
    graph, weights, stats = nnx.split(net, nnx.Param, nnx.BatchStat)
    offsets = SourceOffsets(crops.sources)
    params = {"net": weights, "offsets": offsets.start()}
    radius = annotated_radius(crops)
    steps = max(1, len(faces_shown(crops, train.repeats, train.source_weights, seed, 0)) // train.batch_size)
    optimiser = base_optimiser(train, steps * train.epochs)
    spread = devices.Spread(train.batch_size, "train_base.batch_size")
    step, evaluate = _make_steps(graph, optimiser, train, normaliser, offsets, spread)
    shown = validation_views(crops, view, train.validate_on, seed)
    validation = shown, crops.source[shown.face].astype(np.int32), radius[shown.face]

    start = TrainState(params, stats, optimiser.init(params), params, stats, jnp.zeros((), jnp.int32))
    history: list[dict[str, float]] = []
    state, best = start, (params, stats)
    if (saved := checkpoint.load()) is not None:
        (state, best), history = unpack(saved[0], (state, best)), saved[1]["history"]
    state, best = spread.everywhere((state, best))

    bar = progress(total=train.epochs * steps, desc=name, unit="steps", quiet=not devices.leads())
    bar.update(len(history) * steps)
    while not _finished(history, train):
        started, epoch = time.perf_counter(), len(history)
        rng = np.random.default_rng((seed, 1, epoch))
        maps = view.size // 2 if net_params.kind == "hourglass" else 1
        totals = np.zeros(5)
        pending = None
        too_much = _offsets_of_all(offsets, spread.here(state.mean_params["offsets"]), crops.source, radius)
        faces = faces_shown(crops, train.repeats, train.source_weights, seed, epoch)
        for batch in _batches(crops, faces, view, augment, train, maps, radius, too_much, rng, spread):
            state, metrics = step(state, batch)
            # Fetch the previous step's figures while this one runs.
            totals += 0 if pending is None else np.asarray(pending)
            pending = metrics
            bar.update(1)
        totals += np.asarray(pending)
        means = totals / steps
        if not np.isfinite(means).all():
            raise LipsegError(
                f"{name}: the loss is not finite in epoch {epoch}; lower train_base.learning_rate "
                f"({train.learning_rate:g})"
            )
        error, found_nme = evaluate(state.mean_params, state.mean_stats, *validation)
        lowest = min((row["validation_error"] for row in history), default=np.inf)
        if error < lowest:
            best = (state.mean_params, state.mean_stats)
        names = ("loss", "landmark", "mask", "map", "train_nme")
        history.append(
            {
                "epoch": epoch,
                **dict(zip(names, (float(x) for x in means), strict=True)),
                "validation_nme": found_nme,
                "validation_error": error,
                "best": min(lowest, error),
                "seconds": round(time.perf_counter() - started, 3),
            }
        )
        bar.set_postfix_str(f"val error {100 * error:.2f}% (best {100 * min(lowest, error):.2f}%)")
        checkpoint.save(pack((state, best)), {"history": history})
    bar.close()
    params, stats = spread.here(best)
    nnx.update(net, params["net"], stats)
    return Fitted(net, jax.tree.map(np.asarray, params["offsets"]), history)


def _finished(history: list[dict[str, float]], train: TrainBase) -> bool:
    """Whether no further epoch is to be trained."""
    values = [row["validation_error"] for row in history]
    exhausted = 0 < train.patience < len(values) and int(np.argmin(values)) < len(values) - train.patience
    return exhausted or len(values) >= train.epochs


def _offsets_of_all(offsets: SourceOffsets, tree: Tree, source: NDArray[np.intp], radius: Any) -> NDArray[np.float32]:
    """Returns (N, 2, 112) the offsets of every face, shown as it is and mirrored."""
    ways = [offsets.of(tree, source, np.full(len(source), mirrored), radius) for mirrored in (False, True)]
    return np.stack([np.asarray(way, np.float32) for way in ways], axis=1)


@jax.jit
def _in_place(points: jax.Array, offset: jax.Array) -> jax.Array:
    """Returns landmarks (B, 56, 2) without their offset, in the frame of their own."""
    return without_offset(points, offset, similarity_frame(points))


def _make_steps(
    graph: Any,
    optimiser: optax.GradientTransformation,
    train: TrainBase,
    normaliser: Normaliser,
    offsets: SourceOffsets,
    spread: devices.Spread,
) -> Any:
    def forward(params: Any, stats: Any, images: jax.Array, *, training: bool) -> Any:
        net = nnx.merge(graph, params, stats, copy=True)
        encoded = net.encode(normaliser(images), train=training)
        points = place(encoded.frame, net.head(encoded.features))
        return net, encoded, points

    def objective(params: Any, stats: Any, batch: Batch) -> Any:
        net, encoded, points = forward(params["net"], stats, batch.images, training=True)
        too_much = offsets.of(params["offsets"], batch.source, batch.mirrored, batch.radius_px)
        truth, iod = without_offset(batch.points_unit, too_much, encoded.frame), batch.iod_unit
        landmark = landmark_loss(train.loss, points, truth, iod, train.tangential).mean()
        mask, spread = (loss.mean() for loss in dense_losses(encoded, batch.regions, truth, iod))
        loss = landmark + train.mask_weight * mask + train.map_weight * spread
        if encoded.maps is not None:  # the first guess is taught as well as the answer
            guess = place(encoded.frame, encoded.features[:, : points[0].size])
            loss = loss + landmark_loss(train.loss, guess, truth, iod, train.tangential).mean()
        figures = jnp.stack([loss, landmark, mask, spread, nme(points, truth, iod).mean()])
        return loss, (nnx.state(net, nnx.BatchStat), figures)

    @spread.compiled
    def step(state: TrainState, batch: Batch) -> tuple[TrainState, jax.Array]:
        gradient = jax.grad(objective, has_aux=True)
        grads, (stats, figures) = gradient(state.params, state.stats, batch)
        updates, inner = optimiser.update(grads, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        means = ema((state.mean_params, state.mean_stats), (params, stats), train.average, state.step)
        return TrainState(params, stats, inner, *means, state.step + 1), figures

    @spread.compiled
    def errors(params: Any, stats: Any, images: Any, points: Any, iod: Any, source: Any, radius: Any) -> jax.Array:
        _, encoded, found = forward(params["net"], stats, images, training=False)
        too_much = offsets.of(params["offsets"], source, jnp.zeros(len(source), bool), radius)
        truth = without_offset(points, too_much, encoded.frame)
        return jnp.stack([contour_error(found, truth, iod, train.tangential), nme(found, truth, iod)], axis=1)

    def evaluate(params: Any, stats: Any, views: Views, source: Any, radius: Any) -> tuple[float, float]:
        columns = (views.images, views.points_unit, views.iod_unit, source, radius)
        found = []
        for rows in fixed_batches(len(views), train.batch_size):
            found.append(errors(params, stats, *spread.split(tuple(column[rows] for column in columns))))
        error, found_nme = np.concatenate(found)[: len(views)].mean(0)
        return float(error), float(found_nme)

    return step, evaluate


def _batches(
    crops: CropSet,
    faces: NDArray[np.intp],
    view: View,
    augment: Augment,
    train: TrainBase,
    map_size: int,
    radius: NDArray[np.float32],
    too_much: NDArray[np.float32],
    rng: np.random.Generator,
    spread: devices.Spread,
) -> Iterator[Batch]:
    """Returns one epoch of shuffled, augmented batches, prefetched in a thread of its own.

    The region masks are those without the offsets learnt so far (N, 2, 112), ``too_much``.
    """
    order = rng.permutation(faces)
    if len(order) < train.batch_size:
        order = np.resize(order, train.batch_size)
    chunks = [order[i : i + train.batch_size] for i in range(0, len(order) - train.batch_size + 1, train.batch_size)]
    seeds = rng.integers(0, 2**63, len(chunks))

    def make(k: int) -> Batch:
        views = sample_views(crops, chunks[k], view, augment, np.random.default_rng(seeds[k]))
        with devices.on_host():
            shown = np.asarray(_in_place(views.points_unit, too_much[views.face, views.mirrored.astype(int)]))
        return Batch(
            views.images,
            views.points_unit,
            views.iod_unit,
            views.mirrored,
            crops.source[views.face].astype(np.int32),
            radius[views.face],
            region_targets(crops, views, shown, map_size),
        )

    return spread.batches(make, len(chunks))
