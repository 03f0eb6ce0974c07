"""The similarity frame, the heads and the mixture as ONNX nodes: the sums of ``nets``, ``cascade`` and ``mixture``.

What is linear in the landmarks is one product with a constant matrix: at batch 1 a node costs more than its
arithmetic. Letters in shapes: N views, F features, C channels, R readings, U units, K heads or components, P landmarks.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.model.export.graph import Graph, Tensor
from lipseg.model.export.layers import linear
from lipseg.model.mixture import SCORE_POINTS, Mixture
from lipseg.model.nets import MIN_RADIUS, Head

_P = scheme.N_POINTS


class Frame(NamedTuple):
    """A similarity: a row of the frame times ``turn`` (N, 2, 2), or as it is, plus ``centre`` (N, 1, 2) is the view's.

    Both in unit coordinates.
    """

    centre: Tensor
    turn: Tensor | None


def normalised(g: Graph, points: Tensor) -> tuple[Frame, Tensor]:
    """Returns the frame of (N, P, 2) landmarks, see ``nets.similarity_frame``, and (N, 2 P) the landmarks in it."""
    (ol, orr), (il, ir) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
    sums = np.zeros((2, _P))
    sums[0], sums[1, [orr, ir]], sums[1, [ol, il]] = 1 / _P, 1, -1
    found = g("MatMul", sums, points)
    centre, along = g.columns(found, 0, 1), g.columns(found, 1, 2)
    offset = g("Sub", points, centre)
    radius = g("Sqrt", g("Div", g("ReduceSumSquare", offset, axes=[1, 2], keepdims=1), float(_P)))
    along = g("Add", along, np.array([MIN_RADIUS, 0.0]))
    along = g("Div", along, g("ReduceL2", along, axes=[2], keepdims=1))
    along = g("Mul", along, g("Max", radius, MIN_RADIUS))  # (N, 1, 2) a, b
    turn = g.reshape(g("MatMul", along, np.array([[1.0, 0, 0, 1], [0, 1, -1, 0]])), 0, 2, 2)  # [[a, b], [-b, a]]
    back = g("Div", g("Transpose", turn, perm=(0, 2, 1)), g("ReduceSumSquare", along, axes=[2], keepdims=1))
    return Frame(centre, turn), g.reshape(g("MatMul", offset, back), 0, 2 * _P)


def base_answer(g: Graph, features: Tensor, head: Head) -> Tensor:
    """Returns (N, 2 P) what the base's head says of (N, F) features, in the mouth's frame."""
    hidden = g("Tanh", linear(g, features, head.fc5))
    answer = linear(g, hidden, head.fc6)
    return g("Add", g.columns(features, 0, 2 * _P), answer) if head.residual else answer


def readings(g: Graph, features: Tensor, sampled: Tensor | None, projection: dict[str, NDArray[Any]]) -> Tensor:
    """Returns (N, R), see ``heads.readings``, of (N, F) features and (N, C, P) sampled channels."""
    if sampled is None:
        return features
    basis = projection["basis"].astype(np.float64)
    kept = g("MatMul", basis.T, sampled)
    kept = g("Sub", kept, (projection["centre"] @ basis)[:, None])
    return g("Concat", features, g("Flatten", kept), axis=1)


def with_own_units(
    g: Graph, relative: Tensor, seen: Tensor, heads: dict[str, NDArray[Any]], component: Tensor | None = None
) -> Tensor:
    """Returns (N, 2 P) the base's answer with what the own units of the heads that were picked add to it.

    Args:
        g: the graph.
        relative: (N, 2 P) of ``base_answer``.
        seen: (N, R) of ``readings``.
        heads: K heads' arrays, stacked.
        component: (N,) int64, each view's head; may be missing where K is 1.
    """
    heads, places = _distinct(heads)
    k, r, u = heads["fc5.kernel"].shape
    # The hidden layers of all heads are one product. Then all but the picked one's become 0: no weights are moved.
    kernel = heads["fc5.kernel"].transpose(1, 0, 2).reshape(r, k * u)
    hidden = g("Tanh", g("Gemm", seen, kernel, heads["fc5.bias"].ravel()))
    if component is None or k == 1:
        bias = g.constant(heads["fc6.bias"][0])
    else:
        component = component if len(places) == k else g("Gather", places, component)
        picked = g("OneHot", component, np.array(k), np.array([0.0, 1.0]))
        bias = g("MatMul", picked, heads["fc6.bias"])
        hidden = g("Mul", g.reshape(hidden, 0, k, u), g("Unsqueeze", picked, np.array([2])))
        hidden = g.reshape(hidden, 0, k * u)
    return g("Add", relative, g("Gemm", hidden, heads["fc6.kernel"].reshape(k * u, 2 * _P), bias))


def _distinct(heads: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Returns stacked heads without repetitions (components whose head did not win share one), and each one's place."""
    content = [b"".join(array[k].tobytes() for array in heads.values()) for k in range(len(heads["fc5.bias"]))]
    first = list(dict.fromkeys(content))
    rows = [content.index(one) for one in first]
    return {name: array[rows] for name, array in heads.items()}, np.array([first.index(one) for one in content])


def placed(g: Graph, relative: Tensor, frame: Frame) -> Tensor:
    """Returns landmarks (N, P, 2), unit coordinates, of (N, 2 P) in the mouth's frame, see ``nets.place``."""
    relative = g.reshape(relative, 0, _P, 2)
    return g("Add", relative if frame.turn is None else g("MatMul", relative, frame.turn), frame.centre)


def assign(g: Graph, mixture: Mixture, features: Tensor) -> tuple[Tensor, Tensor]:
    """Returns responsibilities (N, K) and ``Mixture.deviance`` (N, 1) of (N, F) features."""
    k, d = mixture.means.shape
    precisions = mixture.precisions.astype(np.float64)
    # Basis and precisions are one product for all components; the centre goes first, or float32 would lose digits.
    whiten = np.einsum("fd,kde->fke", mixture.basis, precisions).reshape(-1, k * d)
    shift = np.einsum("kd,kde->ke", mixture.means, precisions).ravel()
    white = g.reshape(g("Gemm", g("Sub", features, mixture.centre), whiten, -shift), 0, k, d)
    volume = np.log(np.diagonal(precisions, axis1=1, axis2=2)).sum(1)
    constant = mixture.log_weights + volume - 0.5 * d * np.log(2 * np.pi)
    joint = g("Add", g("Mul", g("ReduceSumSquare", white, axes=[2], keepdims=0), -0.5), constant)
    quarter = SCORE_POINTS // 4
    low, median, high = (mixture.likelihoods[i * quarter] for i in (1, 2, 3))
    likelihood = g("ReduceLogSumExp", joint, axes=[1], keepdims=1)
    return g("Softmax", joint, axis=1), g("Div", g("Sub", median, likelihood), high - low + 1e-6)
