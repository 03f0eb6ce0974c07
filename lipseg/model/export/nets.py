"""The networks as ONNX nodes: the base networks up to the input of FC5, and the locator.

The structure is that of ``nets`` and ``locator``, layer by layer. Letters in shapes: N views, S their side, F features,
M side of maps, P landmarks.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from lipseg import scheme
from lipseg.data.statistics import Normaliser
from lipseg.inference.locator import POINTS
from lipseg.model.export.frame import Frame, normalised
from lipseg.model.export.graph import Graph, Tensor
from lipseg.model.export.layers import (
    channels_first,
    convolve,
    convolve_blocks,
    linear,
    middles,
    pooled,
    probabilities,
    sampled,
    twice_as_large,
)
from lipseg.model.locator import LEAST_CONTRAST, LocatorNet
from lipseg.model.nets import BaseNet, Hourglass, Tcnn


class Maps(NamedTuple):
    """What the evidence reads off a decoder.

    Attributes:
        side: M.
        guess: (N, P, 2) the landmark maps' expectations, unit coordinates.
        deviation: (N, P) their standard deviations, unit coordinates.
        regions: (N, 3, M, M) logits of upper lip, lower lip and inner mouth.
    """

    side: int
    guess: Tensor
    deviation: Tensor
    regions: Tensor


class Encoded(NamedTuple):
    """As ``nets.Encoded``: (N, F) features, (N, C, P) sampled channels, their frame, and the maps.

    A network without a decoder has no sampled channels and no maps.
    """

    features: Tensor
    sampled: Tensor | None
    frame: Frame
    maps: Maps | None


def encode(g: Graph, net: BaseNet, normaliser: Normaliser, views: Tensor, size: int) -> Encoded:
    """Returns what the convolutions say of (N, S, S, 3) uint8 views; S is ``size``."""
    # (3,) or (S, S, 3) to (3, 1, 1) or (3, S, S).
    mean, deviation = (np.moveaxis(np.array(a, ndmin=3), 2, 0) for a in (normaliser.mean, normaliser.deviation))
    x = g("Div", g("Sub", channels_first(g, views), mean), deviation)
    return _hourglass(g, net, x, size // 2) if isinstance(net, Hourglass) else _tcnn(g, net, x)


def _tcnn(g: Graph, net: Tcnn, x: Tensor) -> Encoded:
    for i, conv in enumerate(net.convs):
        x = g("Tanh", convolve(g, x, conv))
        if i < 3:
            pad = "SAME_UPPER" if i == 2 else "VALID"
            x = g("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), auto_pad=pad)
    # FC5 wants its features place by place.
    features = g.reshape(g("Transpose", x, perm=(0, 2, 3, 1)), 0, net.features)
    return Encoded(features, None, Frame(g.constant(np.full((1, 1, 2), 0.5)), None), None)


def _hourglass(g: Graph, net: Hourglass, x: Tensor, side: int) -> Encoded:
    active = partial(_active, g)

    def residual(x: Tensor, block: Any) -> Tensor:
        second = convolve(g, active(x, block.first), block.second.conv, block.second.norm)
        return g("Relu", g("Add", x, second))

    x = g("Relu", convolve_blocks(g, x, net.stem.conv, net.stem.norm))
    skips = [x]
    for down, block in zip(net.down, net.encoder, strict=True):
        x = residual(active(x, down), block)
        skips.append(x)
    context = pooled(g, active(x, net.squeeze), "Average")
    for skip, up, block in reversed(list(zip(skips[:-1], net.up, net.decoder, strict=True))):
        x = twice_as_large(g, convolve(g, x, up.conv, up.norm))
        x = residual(g("Relu", g("Add", skip, x)), block)
    guess, deviation = _read(g, convolve(g, x, net.maps), side)
    frame, relative = normalised(g, guess)
    maps = Maps(side, guess, deviation, convolve(g, x, net.masks))
    return Encoded(g("Concat", relative, context, axis=1), sampled(g, x, guess), frame, maps)


def _active(g: Graph, x: Tensor, layer: Any) -> Tensor:
    """Returns convolution, batch normalisation and rectification of (N, C, height, width)."""
    return g("Relu", convolve(g, x, layer.conv, layer.norm))


def _read(g: Graph, maps: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Returns expectations (N, P, 2) and deviations (N, P) of (N, P, M, M) logits.

    As ``layers.soft_argmax`` and ``evidence.map_spread``.
    """
    p = scheme.N_POINTS
    # About the middle, and first the columns and then the rows: float32 would lose a narrow map's deviation otherwise.
    at = middles(side) - 0.5
    columns = np.stack([np.ones(side), at, at**2], axis=1)
    rows = np.zeros((side, 3, 3))  # from mass, x and x^2 of a row to x, y and x^2 + y^2 of the map
    rows[:, 1, 0], rows[:, 0, 1], rows[:, 2, 2], rows[:, 0, 2] = 1, at, 1, at**2
    moments = g("MatMul", g.reshape(probabilities(g, maps, p), 0, p * side, side), columns)
    moments = g("MatMul", g.reshape(moments, 0, p, 3 * side), rows.reshape(3 * side, 3))
    mean = g.columns(moments, 0, 2, axis=2)
    second = g("Squeeze", g.columns(moments, 2, 3, axis=2), np.array([2]))
    variance = g("Sub", second, g("ReduceSumSquare", mean, axes=[2], keepdims=0))
    return g("Add", mean, 0.5), g("Sqrt", g("Max", variance, 1e-8))


def locate(g: Graph, net: LocatorNet, views: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Returns points (N, 4, 2) and presence logits (N,) of (N, S, S, 3) uint8 views, as ``LocatorNet`` does."""
    active = partial(_active, g)
    x = channels_first(g, views)
    x = g("Sub", x, g("ReduceMean", x, axes=[1, 2, 3], keepdims=1))
    power = g("Div", g("ReduceSumSquare", x, axes=[1, 2, 3], keepdims=1), 3.0 * size**2)
    x = g("Div", x, g("Max", g("Sqrt", power), LEAST_CONTRAST))
    x = g("Relu", convolve_blocks(g, x, net.stem.conv, net.stem.norm))
    x = active(active(x, net.down), net.local)
    deep = active(active(x, net.deep), net.context)
    c, b = net.scene.out_features, net.up.out_features
    scene = g.reshape(linear(g, pooled(g, deep, "Average"), net.scene), 0, c, 1, 1)
    deep = g("Relu", g("Add", deep, scene))
    fine = active(g("Relu", g("Add", x, twice_as_large(g, convolve(g, deep, net.up)))), net.merge)
    where = probabilities(g, convolve(g, fine, net.maps), POINTS)
    at = middles(size // 4)
    points = g("MatMul", where, np.stack([np.tile(at, len(at)), np.repeat(at, len(at))], axis=1))
    anywhere = g.reshape(g("ReduceMean", where, axes=[1], keepdims=0), 0, -1, 1)
    there = g("Flatten", g("MatMul", g.reshape(fine, 0, b, -1), anywhere))
    seen = g("Relu", linear(g, g("Concat", there, pooled(g, deep, "Max"), axis=1), net.judge))
    return points, g("Squeeze", linear(g, seen, net.presence), np.array([1]))
