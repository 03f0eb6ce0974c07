"""The locator: from a face box to the mouth's box and whether a mouth is visible (Flax NNX). Letters: B batch, S side.

A mouth box is four points, the middles of its left, right, top and bottom sides, each read off a map of its own as
the map's mean position (integral regression, Sun et al., ECCV 2018).
"""

from collections.abc import Mapping
from copy import copy
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lipseg.errors import ModelError
from lipseg.geometry import Affine, from_unit, view_to_image, warp
from lipseg.inference.predictor import LocatorView, Sighting
from lipseg.inference.relation import Relation
from lipseg.model.shapes import shapes_of
from lipseg.model.weights import Arrays, module_arrays, restore

Array = jax.Array

POINTS = 4  # middles of the sides: left, right, top, bottom
_BUCKETS = (1, 4, 16)
# Grey levels: keeps the contrast of a flat picture finite.
_LEAST_CONTRAST = 4.0


class Located(NamedTuple):
    """What the network says: (B, 4, 2) side middles in unit coordinates of the view, (B,) logit of a visible mouth.

    ``maps`` are the (B, S / 4, S / 4, 4) logits that the points were read off.
    """

    points: Array
    presence: Array
    maps: Array


class _Block(nnx.Module):
    def __init__(self, i: int, o: int, *, stride: int = 1, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(i, o, (3, 3), strides=stride, padding="SAME", use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(o, momentum=0.95, rngs=rngs)

    def __call__(self, x: Array, train: bool) -> Array:
        return jax.nn.relu(self.norm(self.conv(x), use_running_average=not train))


class LocatorNet(nnx.Module):
    """Seven small convolutions over views of S pixels a side, S % 8 == 0; maps of S / 4."""

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        a, b, c = width, 2 * width, 3 * width
        self.stem = _Block(12, a, rngs=rngs)
        self.down = _Block(a, b, stride=2, rngs=rngs)
        self.local = _Block(b, b, rngs=rngs)
        self.deep = _Block(b, c, stride=2, rngs=rngs)
        self.context = _Block(c, c, rngs=rngs)
        self.scene = nnx.Linear(c, c, rngs=rngs)
        self.up = nnx.Conv(c, b, (1, 1), rngs=rngs)
        self.merge = _Block(b, b, rngs=rngs)
        self.maps = nnx.Conv(b, POINTS, (1, 1), rngs=rngs)
        self.judge = nnx.Linear(c + b, b, rngs=rngs)
        self.presence = nnx.Linear(b, 1, rngs=rngs)

    def __call__(self, views: Array, *, train: bool) -> Located:
        """Returns what (B, S, S, 3) views in grey levels show; each is brought to unit contrast first."""
        x = views.astype(jnp.float32)
        x = x - x.mean((1, 2, 3), keepdims=True)
        x = x / jnp.maximum(jnp.sqrt((x**2).mean((1, 2, 3), keepdims=True)), _LEAST_CONTRAST)
        n, s = x.shape[:2]
        x = x.reshape(n, s // 2, 2, s // 2, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, s // 2, s // 2, 12)
        x = self.local(self.down(self.stem(x, train), train), train)
        deep = self.context(self.deep(x, train), train)
        # Every place knows the whole view: where the face as a whole lies tells which dark line is the mouth.
        deep = jax.nn.relu(deep + self.scene(deep.mean((1, 2)))[:, None, None])
        up = self.up(deep)
        up = jnp.broadcast_to(up[:, :, None, :, None], (n, s // 8, 2, s // 8, 2, up.shape[-1])).reshape(x.shape)
        fine = self.merge(jax.nn.relu(x + up), train)
        maps = self.maps(fine).reshape(n, -1, POINTS)
        where = jax.nn.softmax(maps, axis=1)
        at = (jnp.arange(s // 4, dtype=jnp.float32) + 0.5) / (s // 4)
        grid = where.reshape(n, s // 4, s // 4, POINTS)
        points = jnp.stack([jnp.einsum("byxp,x->bp", grid, at), jnp.einsum("byxp,y->bp", grid, at)], axis=-1)
        # What is seen where the mouth would be, and what the whole view looks like.
        there = jnp.einsum("bqp,bqc->bc", where, fine.reshape(n, -1, fine.shape[-1])) / POINTS
        seen = jax.nn.relu(self.judge(jnp.concatenate([there, deep.max((1, 2))], axis=1)))
        return Located(points, self.presence(seen)[:, 0], maps.reshape(grid.shape))


def empty_locator(width: int) -> LocatorNet:
    """Returns a network of shapes alone, to be filled."""
    return shapes_of(LocatorNet, width)


def build_locator(width: int, seed: int) -> LocatorNet:
    """Returns a freshly initialised network (He et al., ICCV 2015); drawn by NumPy, which compiles nothing."""
    net = empty_locator(width)
    rng = np.random.default_rng((seed, 20))
    state = nnx.state(net, (nnx.Param, nnx.BatchStat))
    for path, leaf in nnx.to_flat_state(state):
        name, shape = str(path[-1]), leaf.get_value().shape
        if name == "kernel":
            array = rng.normal(0.0, np.sqrt(2.0 / np.prod(shape[:-1])), shape)
        else:
            array = np.full(shape, 1.0 if name in ("scale", "var") else 0.0)
        leaf.set_value(jnp.asarray(array, jnp.float32))
    nnx.update(net, state)
    return net


def face_to_image(view: LocatorView, face: NDArray[np.float64], mirrored: bool = False) -> Affine:
    """Returns the map from the pixels of the locator's view of a face to the image's.

    Args:
        view: the geometry.
        face: (4,) centre x, y, side and roll in radians of the square face box, image pixels.
        mirrored: whether the view shows the image mirrored left to right.
    """
    return view_to_image(face[:2], np.full(2, view.margin * face[2]), view.size, face[3], mirrored)


def mouth_of(points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Returns (5,) centre x, y, width, height, roll of the box whose side middles are (4, 2) points."""
    left, right, top, bottom = points.astype(np.float64)
    along = right - left
    roll = float(np.arctan2(along[1], along[0]))
    across = np.array([-np.sin(roll), np.cos(roll)])
    width = float(np.hypot(*along))
    height = max(float((bottom - top) @ across), 0.1 * width)
    return np.array([*points.astype(np.float64).mean(0), width, height, roll])


class Locator:
    """A trained locator, ready to run. Implements ``lipseg.inference.predictor.MouthLocator``.

    Args:
        net: with its weights.
        view: what it looks at.
        relation: of faces and mouths in its training data.
        passes: how often it looks; each further look is at the face box that the mouth found last would have.
    """

    def __init__(self, net: LocatorNet, view: LocatorView, relation: Relation, passes: int = 2) -> None:
        self.net, self.view, self.relation, self.passes = net, view, relation, passes
        graph, state = nnx.split(net)

        @jax.jit
        def run(views: jax.Array) -> tuple[jax.Array, jax.Array]:
            located = nnx.merge(graph, state)(views, train=False)
            return located.points, located.presence

        self._run = run

    def with_passes(self, passes: int) -> "Locator":
        """Returns the same locator looking another number of times; what is compiled is shared."""
        other = copy(self)
        other.passes = passes
        return other

    def look(self, views: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns the points (N, 4, 2), unit coordinates, and logits (N,) of (N, S, S, 3) uint8 RGB views."""
        found = []
        for start in range(0, len(views), _BUCKETS[-1]):
            chunk = views[start : start + _BUCKETS[-1]]
            # A few batch sizes only, so that a new number of faces does not compile the network again.
            bucket = next(b for b in _BUCKETS if b >= len(chunk))
            padded = np.concatenate([chunk, np.repeat(chunk[-1:], bucket - len(chunk), axis=0)])
            found.append([np.asarray(part)[: len(chunk)] for part in self._run(padded)])
        points, presence = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return points, presence

    def __call__(self, image: NDArray[np.uint8], faces: NDArray[np.float64]) -> Sighting:
        """Returns the mouths of (N, 4) face boxes, N >= 1, in a picture; see ``MouthLocator``."""
        at, mouths, presence = faces, np.zeros((len(faces), 5)), np.zeros(len(faces), np.float32)
        for _ in range(self.passes):
            maps = [face_to_image(self.view, face) for face in at]
            views = np.stack([warp(image, to_image, self.view.size) for to_image in maps])
            points, presence = self.look(views)
            points_px = from_unit(points.astype(np.float64), self.view.size)
            mouths = np.stack([mouth_of(to_image(p)) for to_image, p in zip(maps, points_px, strict=True)])
            # A look at nothing may leave a mouth of no size: the next look stays within a factor of the first box.
            at = np.stack([self.relation.face(mouth) for mouth in mouths])
            at[:, 2] = np.clip(at[:, 2], 0.5 * faces[:, 2], 2 * faces[:, 2])
        return Sighting(mouths, presence)

    def arrays(self) -> Arrays:
        """Returns the weights by name."""
        return module_arrays(self.net)

    def facts(self) -> dict[str, Any]:
        """Returns what ``locator_from`` needs beside the weights, JSON-able."""
        relation = {name: getattr(self.relation, name) for name in ("right", "down", "width", "height")}
        view = {"size": self.view.size, "margin": self.view.margin}
        return {"width": self.net.maps.in_features // 2, "view": view, "relation": relation, "passes": self.passes}


def locator_from(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], origin: Any) -> Locator:
    """Returns the locator of ``Locator.arrays`` and ``Locator.facts``.

    Raises:
        ModelError: naming the origin and what does not fit.
    """
    try:
        net = empty_locator(int(facts["width"]))
        view, relation = LocatorView(**facts["view"]), Relation(**facts["relation"])
        passes = int(facts["passes"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{origin}: wrong description of the locator ({error}); write the file again") from error
    restore(net, arrays, origin)
    return Locator(net, view, relation, passes)
