"""The layers of the networks as ONNX nodes: channels first, batch normalisation folded into the convolutions.

Letters in shapes: N views, S their side, C channels, M side of maps, P maps.
"""

from typing import Any

import numpy as np
from flax import nnx
from numpy.typing import NDArray
from onnx import TensorProto

from lipseg.model.export.graph import Graph, Tensor

Array = NDArray[Any]


def channels_first(g: Graph, views: Tensor) -> Tensor:
    """Returns (N, S, S, 3) uint8 views as (N, 3, S, S) float32."""
    return g("Cast", g("Transpose", views, perm=(0, 3, 1, 2)), to=TensorProto.FLOAT)


def convolve(g: Graph, x: Tensor, conv: nnx.Conv, norm: nnx.BatchNorm | None = None) -> Tensor:
    """Returns what a convolution, and the batch normalisation behind it, make of (N, C, height, width)."""
    kernel, bias = _folded(conv, norm)
    strides = conv.strides if isinstance(conv.strides, tuple) else (conv.strides or 1,) * 2
    pad = "SAME_UPPER" if conv.padding == "SAME" else "VALID"  # an odd one is more at the end, as in JAX
    shape = kernel.shape[:2]
    return g("Conv", x, kernel.transpose(3, 2, 0, 1), bias, strides=strides, auto_pad=pad, kernel_shape=shape)


def convolve_blocks(g: Graph, x: Tensor, conv: nnx.Conv, norm: nnx.BatchNorm) -> Tensor:
    """Returns a 3x3 convolution over the 2x2 blocks (space to depth) of (N, 3, S, S), without making the blocks.

    A 3x3 kernel over blocks has the weights of a 6x6 kernel over pixels of stride 2.
    """
    kernel, bias = _folded(conv, norm)
    pixels = kernel.reshape(3, 3, 2, 2, 3, -1).transpose(5, 4, 0, 2, 1, 3).reshape(-1, 3, 6, 6)
    return g("Conv", x, pixels, bias, strides=(2, 2), pads=(2, 2, 2, 2), kernel_shape=(6, 6))


def _folded(conv: nnx.Conv, norm: nnx.BatchNorm | None) -> tuple[Array, Array]:
    """Returns the kernel (height, width, in, out) and bias (out,), float64, of a convolution and what follows it."""
    kernel = _array(conv.kernel)
    bias = np.zeros(kernel.shape[-1]) if conv.bias is None else _array(conv.bias)
    if norm is None:
        return kernel, bias
    mean, var, scale, shift = map(_array, (norm.mean, norm.var, norm.scale, norm.bias))
    factor = scale / np.sqrt(var + norm.epsilon)
    return kernel * factor, (bias - mean) * factor + shift


def _array(weights: Any) -> Array:
    return np.asarray(weights[...], np.float64)


def linear(g: Graph, x: Tensor, layer: nnx.Linear) -> Tensor:
    """Returns a fully connected layer of (N, C)."""
    return g("Gemm", x, _array(layer.kernel), _array(layer.bias))


def pooled(g: Graph, x: Tensor, how: str) -> Tensor:
    """Returns (N, C) the "Average" or "Max" of (N, C, M, M) over the places."""
    return g("Flatten", g(f"Global{how}Pool", x))


def sampled(g: Graph, x: Tensor, points: Tensor) -> Tensor:
    """Returns (N, C, P) the values of (N, C, M, M) at points (N, P, 2), unit coordinates, see ``layers.bilinear``."""
    # Its grid runs from -1 to 1 over the outer edges of the cells.
    grid = g("Unsqueeze", g("Sub", g("Mul", points, 2.0), 1.0), np.array([1]))
    how = {"mode": "bilinear", "padding_mode": "border", "align_corners": 0}
    return g("Squeeze", g("GridSample", x, grid, **how), np.array([2]))


def twice_as_large(g: Graph, x: Tensor) -> Tensor:
    """Returns (N, C, 2 M, 2 M): every value of (N, C, M, M) becomes a 2x2 block."""
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return g("Resize", x, "", np.array([1, 1, 2, 2], np.float32), **how)


def probabilities(g: Graph, maps: Tensor, count: int) -> Tensor:
    """Returns (N, P, M * M) softmax over the places of (N, P, M, M) logits; P is ``count``."""
    return g("Softmax", g.reshape(maps, 0, count, -1), axis=-1)


def middles(side: int) -> Array:
    """Returns (M,) the middles of M cells of the unit interval, float64."""
    return (np.arange(side) + 0.5) / side
