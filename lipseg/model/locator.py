"""The locator: from a face box to the mouth's box and whether a mouth is visible (Flax NNX). Letters: B batch, S side.

A mouth box is four points, the middles of its left, right, top and bottom sides, each read off a map of its own as
the map's mean position (integral regression, Sun et al., ECCV 2018).
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lipseg.errors import ModelError
from lipseg.inference.locator import POINTS, Look
from lipseg.inference.relation import Relation
from lipseg.inference.runtime import LocatorConstants, LocatorView
from lipseg.model.buckets import in_buckets
from lipseg.model.layers import ConvNorm, initialise, middles, space_to_depth, upsample
from lipseg.model.shapes import shapes_of
from lipseg.model.weights import load_arrays, module_arrays, restore, save_arrays

Array = jax.Array

_BUCKETS = (1, 4, 16)
# Grey levels: keeps the contrast of a flat picture finite.
LEAST_CONTRAST = 4.0


class Located(NamedTuple):
    """The network's outputs: (B, 4, 2) side middles in unit coordinates of the view, (B,) logit of a visible mouth.

    ``maps`` are the (B, S / 4, S / 4, 4) logits that the points were read off.
    """

    points: Array
    presence: Array
    maps: Array


class LocatorNet(nnx.Module):
    """Seven small convolutions over views of S pixels a side, S % 8 == 0; maps of S / 4."""

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        a, b, c = width, 2 * width, 3 * width
        self.stem = ConvNorm(12, a, 3, rngs=rngs)
        self.down = ConvNorm(a, b, 3, stride=2, rngs=rngs)
        self.local = ConvNorm(b, b, 3, rngs=rngs)
        self.deep = ConvNorm(b, c, 3, stride=2, rngs=rngs)
        self.context = ConvNorm(c, c, 3, rngs=rngs)
        self.scene = nnx.Linear(c, c, rngs=rngs)
        self.up = nnx.Conv(c, b, (1, 1), rngs=rngs)
        self.merge = ConvNorm(b, b, 3, rngs=rngs)
        self.maps = nnx.Conv(b, POINTS, (1, 1), rngs=rngs)
        self.judge = nnx.Linear(c + b, b, rngs=rngs)
        self.presence = nnx.Linear(b, 1, rngs=rngs)

    def __call__(self, views: Array, *, train: bool) -> Located:
        """Returns what (B, S, S, 3) views in grey levels show; each is brought to unit contrast first."""
        x = views.astype(jnp.float32)
        x = x - x.mean((1, 2, 3), keepdims=True)
        x = x / jnp.maximum(jnp.sqrt((x**2).mean((1, 2, 3), keepdims=True)), LEAST_CONTRAST)

        def active(x: Array, layer: ConvNorm) -> Array:
            return jax.nn.relu(layer(x, train))

        x = active(active(active(space_to_depth(x), self.stem), self.down), self.local)
        deep = active(active(x, self.deep), self.context)
        # Global context at every position: where the face as a whole lies tells which dark line is the mouth.
        deep = jax.nn.relu(deep + self.scene(deep.mean((1, 2)))[:, None, None])
        fine = active(jax.nn.relu(x + upsample(self.up(deep))), self.merge)
        maps = self.maps(fine)
        n, m, _, p = maps.shape
        # Not ``soft_argmax``: its gradient is summed in another order, and the rounding would change trained weights.
        maps = maps.reshape(n, m * m, p)
        where, at = jax.nn.softmax(maps, axis=1), middles(m, maps.dtype)
        grid = where.reshape(n, m, m, p)
        points = jnp.stack([jnp.einsum("byxp,x->bp", grid, at), jnp.einsum("byxp,y->bp", grid, at)], axis=-1)
        # Presence is judged by the features where the points lie, and by the strongest ones of the whole view.
        there = jnp.einsum("bqp,bqc->bc", where, fine.reshape(n, m * m, -1)) / p
        seen = jax.nn.relu(self.judge(jnp.concatenate([there, deep.max((1, 2))], axis=1)))
        return Located(points, self.presence(seen)[:, 0], maps.reshape(grid.shape))


def empty_locator(width: int) -> LocatorNet:
    """Returns a network of shapes alone, to be filled."""
    return shapes_of(LocatorNet, width)


def build_locator(width: int, seed: int) -> LocatorNet:
    """Returns a freshly initialised network (normal kernels of He et al., ICCV 2015)."""
    net = empty_locator(width)
    initialise(net, np.random.default_rng((seed, 20)), lambda fan_in: np.sqrt(2.0 / fan_in))
    return net


def look_of(net: LocatorNet) -> Look:
    """Returns the network as ``inference.locator.Locator`` takes it, compiled for a few batch sizes only."""
    graph, state = nnx.split(net)

    @jax.jit
    def run(views: jax.Array) -> tuple[jax.Array, jax.Array]:
        located = nnx.merge(graph, state)(views, train=False)
        return located.points, located.presence

    def look(views: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        points, presence = in_buckets(run, views, _BUCKETS)
        return points, presence

    return look


def save_locator(path: Path, net: LocatorNet, constants: LocatorConstants) -> None:
    """Writes a locator with what is needed to build it again."""
    save_arrays(path, module_arrays(net), {"width": net.maps.in_features // 2, **dataclasses.asdict(constants)})


def load_locator(path: Path) -> tuple[LocatorNet, LocatorConstants]:
    """Returns what ``save_locator`` wrote.

    Raises:
        ModelError: naming the file and what in it does not fit.
    """
    arrays, facts = load_arrays(path)
    try:
        net = empty_locator(int(facts["width"]))
        view, relation = LocatorView(**facts["view"]), Relation(**facts["relation"])
        constants = LocatorConstants(view, relation, int(facts["passes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: wrong description of the locator ({error}); write the file again") from error
    restore(net, arrays, path)
    return net, constants
