"""The base networks (Flax NNX) and the fully connected head that every mixture component gets a copy of.

A base network turns views into the features at the input of FC5 and, with them, the similarity frame in which the
head's output is meant. Letters in shapes: B batch, S view side, F features, M side of the landmark maps.
"""

from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lipseg import scheme
from lipseg.model.layers import ConvNorm, bilinear, initialise, soft_argmax, space_to_depth, upsample
from lipseg.model.shapes import shapes_of
from lipseg.params import Net

Array = jax.Array

# Least RMS radius of a mouth, unit coordinates: keeps the frame defined before the maps have learnt anything.
MIN_RADIUS = 0.02


class Encoded(NamedTuple):
    """The outputs of the convolutions for a batch.

    Attributes:
        features: (B, F) the input of FC5.
        sampled: (B, 56, C) the decoder's last channels at the landmark maps' expectations, which the heads of the
            components see beside the features; C is 0 for a network without a decoder.
        frame: (B, 4) cx, cy, a, b: the head's output q stands for the point (cx, cy) + [[a, -b], [b, a]] q in unit
            coordinates of the view.
        logits: (B, M, M, 3) of upper lip, lower lip and inner mouth; None for a network without a decoder.
        maps: (B, M, M, 56) logits of the landmark maps; None likewise.
    """

    features: Array
    sampled: Array
    frame: Array
    logits: Array | None
    maps: Array | None


def place(frame: Array, relative: Array) -> Array:
    """Returns landmarks (B, 56, 2) in unit coordinates of the view.

    Args:
        frame: (B, 4) as in ``Encoded``.
        relative: (B, 112) a head's output.
    """
    q = relative.reshape(len(relative), scheme.N_POINTS, 2)
    a, b = frame[:, 2, None], frame[:, 3, None]
    x = frame[:, 0, None] + a * q[..., 0] - b * q[..., 1]
    y = frame[:, 1, None] + b * q[..., 0] + a * q[..., 1]
    return jnp.stack([x, y], axis=-1)


class Head(nnx.Module):
    """FC5 and FC6: features (B, F) to 112 coordinates (TCNN, Wu et al., arXiv 1511.04031, section 3).

    With ``residual`` the first 112 features are a first guess of the output, and FC6 adds to them.
    """

    def __init__(self, features: int, units: int, *, residual: bool, rngs: nnx.Rngs) -> None:
        self.residual = residual
        self.fc5 = nnx.Linear(features, units, rngs=rngs)
        self.fc6 = nnx.Linear(units, 2 * scheme.N_POINTS, rngs=rngs)

    def __call__(self, features: Array) -> Array:
        """Returns (B, 112) coordinates in the frame that came with the features."""
        change = self.fc6(jnp.tanh(self.fc5(features)))
        return features[:, : 2 * scheme.N_POINTS] + change if self.residual else change


class Tcnn(nnx.Module):
    """The vanilla network of the tweaked CNN: 40x40x3, four convolutions with tanh, pooling after the first three.

    Wu et al., arXiv 1511.04031, after Zhang et al., ECCV 2014: conv 5x5x16, 3x3x48, 3x3x64, 2x2x64. The first
    convolution and the last pooling are padded, which gives 3x3x64 = 576 features at the input of FC5.
    """

    features = 576
    channels = 0

    def __init__(self, net: Net, *, rngs: nnx.Rngs) -> None:
        shapes = ((5, 3, 16), (3, 16, 48), (3, 48, 64), (2, 64, 64))
        self.convs = nnx.List(
            [nnx.Conv(i, o, (k, k), padding="SAME" if k == 5 else "VALID", rngs=rngs) for k, i, o in shapes]
        )
        self.head = Head(self.features, net.fc5, residual=False, rngs=rngs)

    def encode(self, views: Array, *, train: bool) -> Encoded:
        """Returns features and frame of normalised views (B, 40, 40, 3)."""
        del train
        x = views
        for i, conv in enumerate(self.convs):
            x = jnp.tanh(conv(x))
            if i < 3:
                x = nnx.max_pool(x, window_shape=(2, 2), strides=(2, 2), padding="SAME" if i == 2 else "VALID")
        frame = jnp.broadcast_to(jnp.array([0.5, 0.5, 1.0, 0.0], x.dtype), (len(x), 4))
        none = jnp.zeros((len(x), scheme.N_POINTS, 0), x.dtype)
        return Encoded(x.reshape(len(x), -1), none, frame, None, None)


class _Residual(nnx.Module):
    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.first = ConvNorm(width, width, 3, rngs=rngs)
        self.second = ConvNorm(width, width, 3, rngs=rngs)

    def __call__(self, x: Array, train: bool) -> Array:
        return jax.nn.relu(x + self.second(jax.nn.relu(self.first(x, train)), train))


class Hourglass(nnx.Module):
    """A residual encoder and decoder (U-Net) whose landmark maps are read by their expectation.

    The views enter as 2x2 blocks (space to depth), so no convolution runs at full resolution. The decoder's output at
    half the view's resolution carries three region masks (an auxiliary task) and 56 landmark maps; each map's
    expectation (integral regression, Sun et al., ECCV 2018) is a first guess of its landmark. FC5 sees the guess
    normalised by a similarity (centred, upright, of unit size), and 96 channels of the innermost layer: so neither
    the heads nor the mixture depend on where in the view the mouth lies.
    """

    levels = (1.0, 2.0, 4.0, 8.0)
    context = 96

    def __init__(self, net: Net, *, rngs: nnx.Rngs) -> None:
        w = [round(net.width * level) for level in self.levels]
        self.stem = ConvNorm(12, w[0], 3, rngs=rngs)
        # None at the highest resolution, where it costs a fifth of the whole network and gains 1 % of the error.
        self.encoder = nnx.List([_Residual(c, rngs=rngs) for c in w[1:]])
        self.down = nnx.List([ConvNorm(a, b, 3, stride=2, rngs=rngs) for a, b in pairwise(w)])
        self.up = nnx.List([ConvNorm(b, a, 1, rngs=rngs) for a, b in pairwise(w)])
        self.decoder = nnx.List([_Residual(c, rngs=rngs) for c in w[:-1]])
        self.squeeze = ConvNorm(w[-1], self.context, 1, rngs=rngs)
        self.masks = nnx.Conv(w[0], 3, (1, 1), rngs=rngs)
        self.maps = nnx.Conv(w[0], scheme.N_POINTS, (1, 1), rngs=rngs)
        self.features = 2 * scheme.N_POINTS + self.context
        self.channels = w[0]
        self.head = Head(self.features, net.fc5, residual=True, rngs=rngs)

    def encode(self, views: Array, *, train: bool) -> Encoded:
        """Returns features, frame and dense outputs (M = S / 2) of normalised views (B, S, S, 3), S % 16 == 0."""
        x = jax.nn.relu(self.stem(space_to_depth(views), train))
        skips = [x]
        for down, block in zip(self.down, self.encoder, strict=True):
            x = block(jax.nn.relu(down(x, train)), train)
            skips.append(x)
        context = jax.nn.relu(self.squeeze(x, train)).mean((1, 2))
        for i in reversed(range(len(self.up))):
            x = self.decoder[i](jax.nn.relu(skips[i] + upsample(self.up[i](x, train))), train)
        maps = self.maps(x)
        guess = soft_argmax(maps)
        frame = similarity_frame(jax.lax.stop_gradient(guess))
        features = jnp.concatenate([normalise(guess, frame), context], axis=1)
        return Encoded(features, bilinear(x, guess), frame, self.masks(x), maps)


def similarity_frame(points: Array) -> Array:
    """Returns (B, 4) frames, as in ``Encoded``, in which the landmarks are centred, upright and of unit RMS radius.

    Upright means that the mean line from the image-left to the image-right mouth corners is horizontal.
    """
    centre = points.mean(1)
    radius = jnp.sqrt(((points - centre[:, None]) ** 2).sum(-1).mean(1))
    (ol, orr), (il, ir) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
    along = points[:, orr] - points[:, ol] + points[:, ir] - points[:, il]
    # Before the maps have learnt anything the corners coincide: the frame is then the upright one.
    along = along + jnp.array([MIN_RADIUS, 0.0], points.dtype)
    along = along / jnp.sqrt((along**2).sum(-1, keepdims=True))
    return jnp.concatenate([centre, along * jnp.maximum(radius, MIN_RADIUS)[:, None]], axis=1)


def normalise(points: Array, frame: Array) -> Array:
    """Returns (B, 112): landmarks (B, 56, 2), unit coordinates, in the frame; the inverse of ``place``."""
    offset = points - frame[:, None, :2]
    a, b = frame[:, 2, None], frame[:, 3, None]
    norm = a**2 + b**2
    x = (a * offset[..., 0] + b * offset[..., 1]) / norm
    y = (a * offset[..., 1] - b * offset[..., 0]) / norm
    return jnp.stack([x, y], axis=-1).reshape(len(points), -1)


BaseNet = Tcnn | Hourglass


def build_net(net: Net, seed: int) -> BaseNet:
    """Returns a freshly initialised base network: LeCun normal kernels, and an FC6 of zeros where it adds to a guess.

    LeCun, Bottou, Orr, Mueller, "Efficient BackProp", 1998, section 4.6.
    """
    module = empty_net(net)
    adds = module.head.residual
    initialise(
        module,
        np.random.default_rng((seed, 0)),
        lambda fan_in: 1.0 / np.sqrt(fan_in),
        zero=lambda path: adds and path[-2:] == ("fc6", "kernel"),
    )
    return module


def empty_net(net: Net) -> BaseNet:
    """Returns a base network of shapes alone, to be filled."""
    return shapes_of(Tcnn, net) if net.kind == "tcnn" else shapes_of(Hourglass, net)
