"""Training of the locator: jittered face boxes, and half as many pictures without a mouth.

Python drives one jitted step. Everything random is drawn from (seed, epoch).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from numpy.typing import NDArray

from lipseg.data.ahead import ahead
from lipseg.data.crop_set import CropSet
from lipseg.data.face_set import FaceSet
from lipseg.data.faceless import draw_faceless
from lipseg.data.frames import Affine, Array, to_unit, warp
from lipseg.errors import LipsegError
from lipseg.model.locator import POINTS, Locator, build_locator, face_to_image
from lipseg.model.predictor import LocatorView
from lipseg.params import Locate
from lipseg.progress import progress
from lipseg.training.faces import learnt_relation, mouths_of
from lipseg.training.optim import averaged, locator_optimiser

_DRAWN = 192  # faceless pictures that are drawn
_AVERAGE = 0.995  # decay of the moving average of the weights
# Error of a side's middle, unit coordinates, where the loss turns from square to straight.
_KNEE = 0.02
_POINT_WEIGHT = 20.0
_MAP_WEIGHT = 0.25
_MAP_SIGMA = 0.8  # cells
_VALIDATION_DRAWS = 3
_LYING = np.deg2rad(35)

Pixels = NDArray[np.uint8]


class Looks(NamedTuple):
    """What the locator is shown: N views with their truth.

    Attributes:
        images: (N, S, S, 3) uint8 RGB.
        points: (N, 4, 2) float32 middles of the mouth box's sides, unit coordinates; 0 without a mouth.
        presence: (N,) float32, 1 with a mouth and 0 without.
    """

    images: Any
    points: Any
    presence: Any


@dataclass(frozen=True)
class FittedLocator:
    """A trained locator, its history (a row an epoch) and its figures by split, JSON-able."""

    locator: Locator
    history: list[dict[str, float]]
    figures: dict[str, Any]


def side_middles(mouth: Array) -> Array:
    """Returns (4, 2) middles of the left, right, top and bottom side of a mouth (5,) centre, width, height, roll."""
    cos, sin = np.cos(mouth[4]), np.sin(mouth[4])
    along, across = np.array([cos, sin]) * mouth[2] / 2, np.array([-sin, cos]) * mouth[3] / 2
    return mouth[:2] + np.stack([-along, along, -across, across])


class Sampler:
    """Draws views of a split's faces and of what is no mouth.

    Args:
        faces: patches of all splits.
        crops: whose faces they are.
        split: of the faces.
        params: the section ``locate``.
        seed: of the drawn pictures.
    """

    def __init__(self, faces: FaceSet, crops: CropSet, split: str, params: Locate, seed: int) -> None:
        mine = np.isin(faces.face, crops.indices(split))
        self.rows = np.flatnonzero(mine & ~faces.background)
        self._backgrounds = np.flatnonzero(mine & faces.background)
        self._faces, self._params = faces, params
        self._mouths = mouths_of(crops)
        self.view = LocatorView(params.size, params.margin)
        rng = np.random.default_rng((seed, 22))
        self._drawn = [draw_faceless(rng, 96, 96) for _ in range(_DRAWN)]

    def face(self, row: int, rng: np.random.Generator, strength: float = 1.0) -> tuple[Pixels, Array]:
        """Returns a jittered view of a face and its (4, 2) points; the strength scales the jitter."""
        params = self._params
        x, y, side = self._faces.face_boxes[row]
        shift = rng.uniform(-params.shift, params.shift, 2) * side * strength
        scale = np.exp(rng.uniform(-params.scale, params.scale) * strength)
        # Half of the heads nearly upright, as most are.
        roll = rng.uniform(-1, 1) * params.roll if rng.random() < 0.5 else rng.normal(0, params.roll / 5)
        # A head that the detector found on a turned copy only is upright in the frame of that copy.
        own = self._mouths[self._faces.face[row]][4]
        upright = own if abs(own) > _LYING else 0.0
        box = np.array([x + shift[0], y + shift[1], side * scale, upright + np.deg2rad(roll) * strength])
        return self._view(row, box, bool(strength > 0 and rng.random() < 0.5))

    def _view(self, row: int, box: NDArray[np.float64], mirrored: bool) -> tuple[Pixels, Array]:
        to_image = face_to_image(self.view, box, mirrored)
        from_image = Affine(self._faces.to_image[row]).inverse()
        image = warp(self._faces.patches[row], from_image.after(to_image), self.view.size)
        points = to_image.inverse()(side_middles(self._mouths[self._faces.face[row]]))
        if mirrored:
            points = points[[1, 0, 2, 3]]
        return image, to_unit(points, self.view.size)

    def other(self, rng: np.random.Generator) -> Pixels:
        """Returns a view without a visible mouth."""
        row = int(rng.choice(self.rows))
        draw = rng.random()
        if draw < 0.3 and len(self._backgrounds):
            return self._part(int(rng.choice(self._backgrounds)), rng.uniform(0.5, 1.1), np.zeros(2), rng)
        if draw < 0.5:
            return self._covered(row, rng)
        if draw < 0.7:
            return self._beside(row, rng)
        if draw < 0.8:  # upside down, or lying
            own = self._mouths[self._faces.face[row]][4]
            box = np.array([*self._faces.face_boxes[row], own + np.deg2rad(rng.uniform(90, 270))])
            return self._view(row, box, False)[0]
        if draw < 0.85:
            return _shuffled(self.face(row, rng)[0], rng)
        picture = self._drawn[int(rng.integers(len(self._drawn)))]
        size = int(rng.integers(24, 97))
        x, y = rng.integers(0, 97 - size, 2)
        part = np.rot90(picture[y : y + size, x : x + size], int(rng.integers(4)))
        return cv2.resize(part, (self.view.size, self.view.size), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def _part(self, row: int, zoom: float, shift: Array, rng: np.random.Generator) -> Pixels:
        x, y, side = self._faces.face_boxes[row]
        box = np.array([x + shift[0], y + shift[1], side * zoom, rng.uniform(-np.pi, np.pi)])
        return self._view(row, box, False)[0]

    def _covered(self, row: int, rng: np.random.Generator) -> Pixels:
        """A face with something over the mouth: a hand, a mask, a cup."""
        image, points = self.face(row, rng)
        size = self.view.size
        centre = points.mean(0) * size - 0.5
        extent = np.array([np.hypot(*(points[1] - points[0])), np.hypot(*(points[3] - points[2]))]) * size
        # At least the whole mouth, at most the lower half of the face.
        extent = np.maximum(extent * rng.uniform(1.25, 2.2, 2), 0.6 * extent[0])
        along = points[1] - points[0]
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        mask = np.zeros((size, size), np.uint8)
        middle = (float(centre[0]), float(centre[1] + rng.uniform(-0.05, 0.1) * extent[1]))
        box = (middle, (float(extent[0]), float(extent[1])), angle + float(rng.normal(0, 6)))
        if rng.random() < 0.5:
            cv2.ellipse(mask, (box[0], (box[1][0] * 1.15, box[1][1] * 1.15), box[2]), 1, -1)
        else:
            cv2.fillPoly(mask, [np.round(cv2.boxPoints(box)).astype(np.int32)], 1)
        draw = rng.random()
        if draw < 0.4:  # the colour of a place of the face
            at = np.clip(np.round(points[rng.integers(POINTS)] * size + rng.normal(0, 6, 2)), 0, size - 1).astype(int)
            cover = np.full_like(image, image[at[1], at[0]])
            cover = np.clip(cover + rng.normal(0, rng.uniform(0, 12), image.shape), 0, 255).astype(np.uint8)
        elif draw < 0.7:
            cover = np.clip(rng.uniform(0, 255, 3) + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
        else:
            picture = self._drawn[int(rng.integers(len(self._drawn)))]
            cover = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        image = image.copy()
        image[mask > 0] = cover[mask > 0]
        return image

    def _beside(self, row: int, rng: np.random.Generator) -> Pixels:
        """A part of the face or of what is around it whose view ends before the mouth."""
        mouth = self._mouths[self._faces.face[row]]
        side = self._faces.face_boxes[row][2]
        zoom = rng.uniform(0.35, 1.0)
        # Away from the mouth in any direction, but mostly up: eyes and foreheads.
        angle = rng.normal(-np.pi / 2, 0.8)
        direction = np.array([np.cos(angle), np.sin(angle)])
        reach = 0.5 * self.view.margin * side * zoom / np.abs(direction).max() + 0.6 * mouth[2]
        roll = rng.normal(0, 0.3)
        box = np.array([*(mouth[:2] + direction * reach * rng.uniform(1.0, 1.3)), side * zoom, roll])
        return self._view(row, box, False)[0]

    def batch(self, rows: NDArray[np.intp], others: int, rng: np.random.Generator) -> Looks:
        """Returns varied views of the faces in ``rows``, then ``others`` views without a mouth."""
        views = [self.face(int(row), rng) for row in rows]
        images = [image for image, _ in views] + [self.other(rng) for _ in range(others)]
        points = np.zeros((len(images), POINTS, 2), np.float32)
        points[: len(rows)] = [p for _, p in views]
        presence = np.zeros(len(images), np.float32)
        presence[: len(rows)] = 1
        return Looks(np.stack([_varied(image, rng) for image in images]), points, presence)


def fit_locator(faces: FaceSet, crops: CropSet, params: Locate, seed: int) -> FittedLocator:
    """Returns the locator trained on the training faces, and its figures on validation and test faces.

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

    def objective(weights: Any, stats: Any, looks: Looks) -> Any:
        model = nnx.merge(graph, weights, stats, copy=True)
        found = model(looks.images, train=True)
        off = jnp.sqrt(((found.points - looks.points) ** 2).sum(-1) + 1e-12)
        # Smooth L1 (Girshick, "Fast R-CNN", 2015), on the views that have a mouth.
        smooth = jnp.where(off < _KNEE, off**2 / (2 * _KNEE), off - _KNEE / 2)
        points = (smooth.mean(1) * looks.presence).sum() / jnp.maximum(looks.presence.sum(), 1)
        maps = (_map_loss(found.maps, looks.points) * looks.presence).sum() / jnp.maximum(looks.presence.sum(), 1)
        presence = optax.sigmoid_binary_cross_entropy(found.presence, looks.presence).mean()
        loss = _POINT_WEIGHT * points + _MAP_WEIGHT * maps + presence
        return loss, (nnx.state(model, nnx.BatchStat), jnp.stack([loss, points, maps, presence]))

    @jax.jit
    def step(state: Any, mean: Any, looks: Looks, count: jax.Array) -> Any:
        weights, stats, inner = state
        grads, (stats, figures) = jax.grad(objective, has_aux=True)(weights, stats, looks)
        updates, inner = optimiser.update(grads, inner, weights)
        weights = optax.apply_updates(weights, updates)
        return (weights, stats, inner), averaged(mean, (weights, stats), _AVERAGE, count), figures

    history: list[dict[str, float]] = []
    bar = progress(total=total, desc="locate", unit="steps")
    for epoch in range(params.epochs):
        figures = np.zeros(4)
        for looks in _epoch(train, params, steps, np.random.default_rng((seed, 23, epoch))):
            state, mean, found = step(state, mean, looks, np.float32(bar.n))
            figures += np.asarray(found) / steps
            bar.update(1)
        if not np.isfinite(figures).all():
            raise LipsegError(f"locate: the loss is not finite in epoch {epoch}; lower locate.learning_rate")
        history.append(
            {"epoch": epoch, **dict(zip(("loss", "points", "maps", "presence"), map(float, figures), strict=True))}
        )
    bar.close()
    nnx.update(net, *mean)
    own = faces.found & ~faces.background
    at = faces.face[own]
    relation = learnt_relation(faces.face_boxes[own], train._mouths[at], crops.split[at])
    locator = Locator(net, train.view, relation, params.passes)
    # The last average is kept: nothing is chosen on the validation faces, so their figures are as honest as the test's.
    return FittedLocator(locator, history, locator_figures(locator, faces, crops, params, seed))


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
    network; ``presence`` the share of views judged rightly by the sign of the logit; ``passes`` the errors by looks.
    """
    figures: dict[str, dict[str, Any]] = {}
    for split in ("validation", "test"):
        sampler = Sampler(faces, crops, split, params, seed)
        rng = np.random.default_rng((seed, 24))
        figures[split] = {"faces": len(sampler.rows), "found_by_detector": float(faces.found[sampler.rows].mean())}
        for boxes, draws in (("detected", 1), ("jittered", _VALIDATION_DRAWS)):
            rows = np.repeat(sampler.rows, draws)
            given = np.stack([_given(faces, int(row), params, rng, boxes == "jittered") for row in rows])
            truth = sampler._mouths[faces.face[rows]]
            fixed = np.stack([locator.relation.mouth(face) for face in given])
            figures[split][boxes] = {"fixed": mouth_errors(fixed, truth)}
            for passes in range(1, locator.passes + 1):
                several = Locator(locator.net, locator.view, locator.relation, passes)
                sighted = [
                    several(faces.patches[row], _in_patch(faces, row, face)[None])
                    for row, face in zip(rows.tolist(), given, strict=True)
                ]
                mouths = np.stack(
                    [_in_image(faces, row, s.mouths[0]) for row, s in zip(rows.tolist(), sighted, strict=True)]
                )
                presence = np.array([s.presence[0] for s in sighted])
                figures[split][boxes][f"passes_{passes}"] = {
                    **mouth_errors(mouths, truth),
                    "presence": float((presence > 0).mean()),
                }
        others = np.stack([_varied(sampler.other(rng), rng) for _ in range(4 * len(sampler.rows))])
        figures[split]["without_mouth"] = {"presence": float((locator.look(others)[1] <= 0).mean())}
    return figures


def mouth_errors(found: Array, truth: Array) -> dict[str, float]:
    """Returns mean and 95th percentile errors of mouths (n, 5): centre and log width in mouth widths, roll in degrees.

    ``height`` is the mean error of the height, in mouth widths too.
    """
    centre = np.hypot(*(found[:, :2] - truth[:, :2]).T) / truth[:, 2]
    width = np.abs(np.log(found[:, 2] / truth[:, 2]))
    height = np.abs(found[:, 3] - truth[:, 3]) / truth[:, 2]
    turned = np.angle(np.exp(1j * (found[:, 4] - truth[:, 4])))
    figures = {"centre": centre, "width": width, "roll": np.abs(np.degrees(turned))}
    errors = {f"{name}_{kind}": float(f(error)) for name, error in figures.items() for kind, f in _SUMMARIES}
    return {**errors, "height_mean": float(height.mean())}


_SUMMARIES = (("mean", np.mean), ("p95", lambda error: np.percentile(error, 95)))


def _given(faces: FaceSet, row: int, params: Locate, rng: np.random.Generator, jittered: bool) -> Array:
    """Returns (4,) the face box of a row, image pixels; jittered by half of the training's jitter."""
    x, y, side = faces.face_boxes[row]
    if not jittered:
        return np.array([x, y, side, 0.0])
    shift = rng.uniform(-params.shift, params.shift, 2) * side / 2
    scale = np.exp(rng.uniform(-params.scale, params.scale) / 2)
    return np.array([x + shift[0], y + shift[1], side * scale, np.deg2rad(rng.uniform(-params.roll, params.roll) / 2)])


def _in_patch(faces: FaceSet, row: int, face: Array) -> NDArray[np.float64]:
    to_image = Affine(faces.to_image[row])
    return np.array([*to_image.inverse()(face[:2]), face[2] / to_image.scale, face[3]])


def _in_image(faces: FaceSet, row: int, mouth: Array) -> Array:
    to_image = Affine(faces.to_image[row])
    return np.array([*to_image(mouth[:2]), *(mouth[2:4] * to_image.scale), mouth[4]])


def _epoch(sampler: Sampler, params: Locate, steps: int, rng: np.random.Generator) -> Iterator[Looks]:
    """Returns one epoch of batches, made one ahead of the training in a thread of its own."""
    order = np.resize(rng.permutation(sampler.rows), steps * params.batch_size).reshape(steps, -1)
    seeds = rng.integers(0, 2**63, steps)

    def make(k: int) -> Looks:
        return sampler.batch(order[k], max(1, params.batch_size // 2), np.random.default_rng(seeds[k]))

    return ahead(make, range(steps), 1)


def _shuffled(image: Pixels, rng: np.random.Generator) -> Pixels:
    """The tiles of a picture in another order."""
    tiles = int(rng.choice([3, 4]))
    side = len(image) // tiles
    parts = [image[y * side : (y + 1) * side, x * side : (x + 1) * side] for y in range(tiles) for x in range(tiles)]
    order = rng.permutation(len(parts))
    rows = [np.concatenate([parts[k] for k in order[y * tiles : (y + 1) * tiles]], axis=1) for y in range(tiles)]
    return cv2.resize(np.concatenate(rows), image.shape[:2], interpolation=cv2.INTER_NEAREST)  # type: ignore[return-value]


def _varied(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture in another light, blurred or noisy, grey, or partly hidden."""
    x = image.astype(np.float32) / 255
    x = x ** np.float32(np.exp(rng.uniform(-0.5, 0.5))) * (1 + 0.1 * rng.uniform(-1, 1, 3)).astype(np.float32)
    if rng.random() < 0.15:
        x = np.repeat(x.mean(-1, keepdims=True), 3, axis=2)
    if rng.random() < 0.3:
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
        ramp = np.linspace(-1, 1, len(x), dtype=np.float32)
        light = 1 + depth * (np.cos(angle) * ramp[None, :, None] + np.sin(angle) * ramp[:, None, None])
        x = x * light.astype(np.float32)
    x = x * np.float32(255 * rng.uniform(0.5, 1.2))
    if rng.random() < 0.2:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.2:
        x = x + rng.normal(0, rng.uniform(1, 10), x.shape)
    out = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:  # a bar over a part of the face that is seldom the mouth
        size = len(out)
        high = int(rng.integers(0, int(0.35 * size)))
        out[high : high + int(rng.integers(2, 10))] = rng.integers(0, 256, 3, dtype=np.uint8)
    return out
