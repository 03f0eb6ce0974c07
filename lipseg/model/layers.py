"""What the networks are built of. Letters in shapes: B batch, M side of the maps, P maps."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

Array = jax.Array


class ConvNorm(nnx.Module):
    """A convolution of odd kernel and the batch normalisation behind it."""

    def __init__(self, i: int, o: int, kernel: int, *, stride: int = 1, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(i, o, (kernel, kernel), strides=stride, padding="SAME", use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(o, momentum=0.95, rngs=rngs)

    def __call__(self, x: Array, train: bool) -> Array:
        """Returns (B, height / stride, width / stride, o) of (B, height, width, i)."""
        return self.norm(self.conv(x), use_running_average=not train)


def space_to_depth(x: Array) -> Array:
    """Returns (B, height / 2, width / 2, 4 c): the 2x2 blocks of (B, height, width, c), row by row."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h // 2, w // 2, 4 * c)


def upsample(x: Array) -> Array:
    """Returns (B, 2 height, 2 width, c): every value of (B, height, width, c) becomes a 2x2 block."""
    b, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None, :], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)


def spatial_softmax(maps: Array) -> Array:
    """Returns the probabilities (B, M, M, P), each map's sum 1, of (B, M, M, P) logits."""
    b, m, _, p = maps.shape
    return jax.nn.softmax(maps.reshape(b, m * m, p), axis=1).reshape(maps.shape)


def middles(side: int, dtype: jnp.dtype) -> Array:
    """Returns (M,) the middles of M cells of the unit interval."""
    return (jnp.arange(side, dtype=dtype) + 0.5) / side


def soft_argmax(maps: Array) -> Array:
    """Returns the expected positions (B, P, 2), unit coordinates, of softmax(maps) over (B, M, M, P) logits.

    Sun et al., "Integral human pose regression", ECCV 2018.
    """
    probability, at = spatial_softmax(maps), middles(maps.shape[1], maps.dtype)
    x = jnp.einsum("bxp,x->bp", probability.sum(1), at)
    y = jnp.einsum("byp,y->bp", probability.sum(2), at)
    return jnp.stack([x, y], axis=-1)


def bilinear(maps: Array, points: Array) -> Array:
    """Returns (B, P, C) the values of (B, M, M, C) maps at points (B, P, 2), unit coordinates.

    Linear between the middles of four cells; beyond the outermost middles as on them.
    """
    b, m, _, c = maps.shape
    at = jnp.clip(points * m - 0.5, 0, m - 1)
    low = jnp.clip(jnp.floor(at), 0, m - 2)
    cell, flat = low.astype(jnp.int32), maps.reshape(b, m * m, c)

    def corner(right: int, down: int) -> Array:
        index = (cell[..., 1] + down) * m + cell[..., 0] + right
        return jnp.take_along_axis(flat, index[..., None], axis=1)

    x, y = (at - low)[..., :1], (at - low)[..., 1:]
    upper = (1 - x) * corner(0, 0) + x * corner(1, 0)
    lower = (1 - x) * corner(0, 1) + x * corner(1, 1)
    return (1 - y) * upper + y * lower


def initialise(
    module: nnx.Module,
    rng: np.random.Generator,
    deviation: Callable[[int], float],
    zero: Callable[[tuple[str, ...]], bool] = lambda path: False,
) -> None:
    """Fills a network: kernels are normal, scales and variances 1, everything else 0.

    Drawn by NumPy: to compile the random initialisers of some sixty arrays takes JAX a quarter of a minute.

    Args:
        module: of shapes alone, see ``shapes_of``; changed.
        rng: of the kernels.
        deviation: from a kernel's fan-in to the standard deviation of its weights.
        zero: whether the kernel at a path is 0 instead.
    """
    state = nnx.state(module, (nnx.Param, nnx.BatchStat))
    for path, leaf in nnx.to_flat_state(state):
        names, shape = tuple(map(str, path)), leaf.get_value().shape
        if names[-1] == "kernel" and not zero(names):
            array = rng.normal(0.0, deviation(int(np.prod(shape[:-1]))), shape)
        else:
            array = np.full(shape, 1.0 if names[-1] in ("scale", "var") else 0.0)
        leaf.set_value(jnp.asarray(array, jnp.float32))
    nnx.update(module, state)
