"""Training of the locator: jittered face boxes, and half as many pictures without a mouth.

Python drives one jitted step. Everything random is drawn from (seed, epoch), so a resumed training is the same as one
that was never interrupted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from lipseg.boxes import Box
from lipseg.data.crop_set import CropSet
from lipseg.data.face_set import FaceSet
from lipseg.errors import LipsegError
from lipseg.geometry import Affine
from lipseg.inference.locator import Locator
from lipseg.inference.runtime import LocatorConstants
from lipseg.model.locator import LocatorNet, build_locator, look_of
from lipseg.params import Locate
from lipseg.progress import progress
from lipseg.training import devices
from lipseg.training.checkpoint import Checkpoint, pack, unpack
from lipseg.training.faces import learnt_relation
from lipseg.training.locator_batches import LocatorBatch, Sampler, varied
from lipseg.training.optim import ema, locator_optimiser

_AVERAGE = 0.995  # decay of the moving average of the weights
# Error of a side's middle, unit coordinates, where the loss turns from square to straight.
_KNEE = 0.02
_POINT_WEIGHT = 20.0
_MAP_WEIGHT = 0.25
_MAP_SIGMA = 0.8  # cells
_VALIDATION_DRAWS = 3


@dataclass(frozen=True)
class FittedLocator:
    """A trained locator's network and constants, its history (a row an epoch) and its figures by split, JSON-able."""

    net: LocatorNet
    constants: LocatorConstants
    history: list[dict[str, float]]
    figures: dict[str, Any]


def fit_locator(faces: FaceSet, crops: CropSet, params: Locate, seed: int, *, checkpoint: Checkpoint) -> FittedLocator:
    """Returns the locator trained on the training faces, and its figures on validation and test faces.

    The work is saved after every epoch and goes on from there when it is called again with the same checkpoint.

    Raises:
        LipsegError: if the loss is no longer finite.
    """
    net = build_locator(params.width, seed)
    graph, weights, stats = nnx.split(net, nnx.Param, nnx.BatchStat)
    train = Sampler(faces, crops, "train", params, seed)
    steps = max(1, len(train.rows) // params.batch_size)
    total = steps * params.epochs
    optimiser = locator_optimiser(params.learning_rate, total)
    state = (weights, stats, optimiser.init(weights))
    mean = (weights, stats)
    spread = devices.Spread(params.batch_size + _others(params), "locate.batch_size and half of it")

    def objective(weights: Any, stats: Any, batch: LocatorBatch) -> Any:
        model = nnx.merge(graph, weights, stats, copy=True)
        found = model(batch.images, train=True)
        off = jnp.sqrt(((found.points - batch.points) ** 2).sum(-1) + 1e-12)
        # Smooth L1 (Girshick, "Fast R-CNN", 2015), on the views that have a mouth.
        smooth = jnp.where(off < _KNEE, off**2 / (2 * _KNEE), off - _KNEE / 2)
        points = (smooth.mean(1) * batch.presence).sum() / jnp.maximum(batch.presence.sum(), 1)
        maps = (_map_loss(found.maps, batch.points) * batch.presence).sum() / jnp.maximum(batch.presence.sum(), 1)
        presence = optax.sigmoid_binary_cross_entropy(found.presence, batch.presence).mean()
        loss = _POINT_WEIGHT * points + _MAP_WEIGHT * maps + presence
        return loss, (nnx.state(model, nnx.BatchStat), jnp.stack([loss, points, maps, presence]))

    @spread.compiled
    def step(state: Any, mean: Any, batch: LocatorBatch, count: jax.Array) -> Any:
        weights, stats, inner = state
        grads, (stats, figures) = jax.grad(objective, has_aux=True)(weights, stats, batch)
        updates, inner = optimiser.update(grads, inner, weights)
        weights = optax.apply_updates(weights, updates)
        return (weights, stats, inner), ema(mean, (weights, stats), _AVERAGE, count), figures

    history: list[dict[str, float]] = []
    if (saved := checkpoint.load()) is not None:
        (state, mean), history = unpack(saved[0], (state, mean)), saved[1]["history"]
    state, mean = spread.everywhere((state, mean))
    bar = progress(total=total, desc="locate", unit="steps", quiet=not devices.leads())
    bar.update(len(history) * steps)
    for epoch in range(len(history), params.epochs):
        figures = np.zeros(4)
        for k, batch in enumerate(_epoch(train, params, steps, np.random.default_rng((seed, 23, epoch)), spread)):
            state, mean, found = step(state, mean, batch, np.float32(epoch * steps + k))
            figures += np.asarray(found) / steps
            bar.update(1)
        if not np.isfinite(figures).all():
            raise LipsegError(f"locate: the loss is not finite in epoch {epoch}; lower locate.learning_rate")
        history.append(
            {"epoch": epoch, **dict(zip(("loss", "points", "maps", "presence"), map(float, figures), strict=True))}
        )
        checkpoint.save(pack((state, mean)), {"history": history})
    bar.close()
    nnx.update(net, *spread.here(mean))
    own = faces.found & ~faces.background
    own &= crops.split[faces.face] == "train"
    squares = [Box.square(*square) for square in faces.face_boxes[own]]
    relation = learnt_relation(squares, [train.mouths[at] for at in faces.face[own]])
    constants = LocatorConstants(train.view, relation, params.passes)
    locator = Locator(look_of(net), constants)
    # The last average is kept: nothing is chosen on the validation faces, so their figures are as honest as the test's.
    return FittedLocator(net, constants, history, locator_figures(locator, faces, crops, params, seed))


def _map_loss(maps: jax.Array, points: jax.Array) -> jax.Array:
    """Returns (N,) cross-entropies between softmax(maps) and Gaussians about the points.

    An expectation alone can be right with a map that is not, and learns slowly from it (Nibali et al., "Numerical
    coordinate regression with convolutional neural networks", 2018).
    """
    n, m, _, p = maps.shape
    cell = jnp.arange(m, dtype=maps.dtype)
    at = points * m - 0.5
    x, y = (jnp.exp(-((cell[None, :, None] - at[:, None, :, k]) ** 2) / (2 * _MAP_SIGMA**2)) for k in (0, 1))
    target = y[:, :, None] * x[:, None]
    target = target / (target.sum((1, 2), keepdims=True) + 1e-6)
    logs = jax.nn.log_softmax(maps.reshape(n, m * m, p), axis=1).reshape(maps.shape)
    return -(target * logs).sum((1, 2)).mean(-1)


def locator_figures(
    locator: Locator, faces: FaceSet, crops: CropSet, params: Locate, seed: int
) -> dict[str, dict[str, Any]]:
    """Returns the errors on validation and test faces, each on the detector's own boxes and on jittered ones.

    Centre and width errors are in mouth widths, the roll's in degrees; ``fixed`` is the relation alone without the
    network; ``presence`` the share of views judged rightly by the sign of the logit; ``passes`` the errors by batch.
    """
    figures: dict[str, dict[str, Any]] = {}
    for split in ("validation", "test"):
        sampler = Sampler(faces, crops, split, params, seed)
        rng = np.random.default_rng((seed, 24))
        figures[split] = {"faces": len(sampler.rows), "found_by_detector": float(faces.found[sampler.rows].mean())}
        for boxes, draws in (("detected", 1), ("jittered", _VALIDATION_DRAWS)):
            rows = np.repeat(sampler.rows, draws)
            given = [_given(faces, int(row), params, rng, boxes == "jittered") for row in rows]
            truth = [sampler.mouths[at] for at in faces.face[rows]]
            fixed = [locator.constants.relation.mouth(face) for face in given]
            figures[split][boxes] = {"fixed": mouth_errors(fixed, truth)}
            for passes in range(1, locator.constants.passes + 1):
                several = locator.with_passes(passes)
                sighted = [
                    several(faces.patches[row], [_in_patch(faces, row, face)])
                    for row, face in zip(rows.tolist(), given, strict=True)
                ]
                mouths = [_in_image(faces, row, s.mouths[0]) for row, s in zip(rows.tolist(), sighted, strict=True)]
                presence = np.array([s.presence[0] for s in sighted])
                figures[split][boxes][f"passes_{passes}"] = {
                    **mouth_errors(mouths, truth),
                    "presence": float((presence > 0).mean()),
                }
        others = np.stack([varied(sampler.other(rng), rng) for _ in range(4 * len(sampler.rows))])
        figures[split]["without_mouth"] = {"presence": float((locator.look(others)[1] <= 0).mean())}
    return figures


def mouth_errors(found_boxes: list[Box], true_boxes: list[Box]) -> dict[str, float]:
    """Returns mean and 95th percentile errors of n mouths: centre and log width in mouth widths, roll in degrees.

    ``height`` is the mean error of the height, in mouth widths too.
    """
    found, truth = (np.stack([box.as_array() for box in boxes]) for boxes in (found_boxes, true_boxes))
    centre = np.hypot(*(found[:, :2] - truth[:, :2]).T) / truth[:, 2]
    width = np.abs(np.log(found[:, 2] / truth[:, 2]))
    height = np.abs(found[:, 3] - truth[:, 3]) / truth[:, 2]
    turned = np.angle(np.exp(1j * (found[:, 4] - truth[:, 4])))
    figures = {"centre": centre, "width": width, "roll": np.abs(np.degrees(turned))}
    errors = {f"{name}_{kind}": float(f(error)) for name, error in figures.items() for kind, f in _SUMMARIES}
    return {**errors, "height_mean": float(height.mean())}


_SUMMARIES = (("mean", np.mean), ("p95", lambda error: np.percentile(error, 95)))


def _given(faces: FaceSet, row: int, params: Locate, rng: np.random.Generator, jittered: bool) -> Box:
    """Returns the face box of a row, image pixels; jittered by half of the training's jitter."""
    x, y, side = faces.face_boxes[row]
    if not jittered:
        return Box.square(x, y, side)
    shift = rng.uniform(-params.shift, params.shift, 2) * side / 2
    scale = np.exp(rng.uniform(-params.scale, params.scale) / 2)
    roll = np.deg2rad(rng.uniform(-params.roll, params.roll) / 2)
    return Box.square(x + shift[0], y + shift[1], side * scale, roll)


def _in_patch(faces: FaceSet, row: int, face: Box) -> Box:
    return _mapped(face, Affine(faces.to_image[row]).inverse())


def _in_image(faces: FaceSet, row: int, mouth: Box) -> Box:
    return _mapped(mouth, Affine(faces.to_image[row]))


def _mapped(box: Box, to: Affine) -> Box:
    """Returns a box in another frame that is not turned against its own."""
    x, y = to(box.centre)
    return Box(x, y, box.width * to.scale, box.height * to.scale, box.roll)


def _others(params: Locate) -> int:
    """Returns how many pictures without a mouth come into every batch."""
    return max(1, params.batch_size // 2)


def _epoch(
    sampler: Sampler, params: Locate, steps: int, rng: np.random.Generator, spread: devices.Spread
) -> Iterator[LocatorBatch]:
    """Returns one epoch of batches, prefetched in a thread of its own."""
    order = np.resize(rng.permutation(sampler.rows), steps * params.batch_size).reshape(steps, -1)
    seeds = rng.integers(0, 2**63, steps)

    def make(k: int) -> LocatorBatch:
        return sampler.batch(order[k], _others(params), np.random.default_rng(seeds[k]))

    return spread.batches(make, steps)
