"""The stage train_base with a toy of a network in double precision, in the current folder.

Usage: python -m tests.pipeline.toy DEVICES... trains once on each number of devices, of those that JAX sees, and writes
to toy/DEVICES. In double precision the order of sums makes no difference worth the name: curves that differ are of
other steps.
"""

import sys
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import stages
from lipseg.model.layers import ConvNorm
from lipseg.model.nets import Encoded, Head
from lipseg.training import devices, fit
from stages import train_base


class Toy(nnx.Module):
    """A base network of next to nothing, but with batch statistics."""

    def __init__(self, *_: Any) -> None:
        rngs = nnx.Rngs(0)
        self.layer, self.head = ConvNorm(3, 4, 3, rngs=rngs), Head(64, 8, residual=False, rngs=rngs)
        doubled = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), nnx.state(self, (nnx.Param, nnx.BatchStat)))
        nnx.update(self, doubled)

    def encode(self, views: Any, *, train: bool) -> Encoded:
        small = views.astype(jnp.float64).reshape(len(views), 4, 8, 4, 8, 3).mean((2, 4))
        features = jax.nn.relu(self.layer(small, train)).reshape(len(views), -1)
        frame = jnp.broadcast_to(jnp.array([0.5, 0.5, 1.0, 0.0]), (len(views), 4))
        return Encoded(features, jnp.zeros((len(views), 56, 0)), frame, None, None)


def arguments(folder: str) -> list[str]:
    inputs = {"crops": "crops", "statistics": "statistics/normaliser.npz", "teach": "teach/landmarks.npz"}
    outputs = {"out": "base.safetensors", "offsets": "offsets.safetensors", "history": "history.csv"}
    paths = {name: f"data/{path}" for name, path in inputs.items()}
    paths |= {name: f"{folder}/{path}" for name, path in outputs.items()}
    return [word for name, path in paths.items() for word in (f"--{name}", path)]


def main(counts: list[int]) -> None:
    jax.config.update("jax_enable_x64", True)
    fit.build_net = Toy
    for count in counts:
        devices.jax = SimpleNamespace(**{**vars(jax), "devices": lambda count=count: jax.devices()[:count]})
        sys.argv[1:] = arguments(f"toy/{count}")
        stages.run(train_base.main)


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]])
