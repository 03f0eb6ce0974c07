"""The score's numbers in an exported cascade: constants by name, which a calibration replaces. Needs onnx alone.

The score is sigmoid(a * logit + b), where (a, b) is ``joint`` and the logit ``weights``, the bias last, times the
evidence less ``centre``, over ``scale`` (``lipseg.model.confidence``).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from lipseg.errors import ModelError

NUMBERS = ("centre", "scale", "weights", "joint")


def named(number: str) -> str:
    """Returns the constant's name in the graph."""
    return f"score.{number}"


def uncalibrated(kinds: int) -> dict[str, NDArray[np.float32]]:
    """Returns numbers that stand in until there is a calibration: the score falls with the first kind of evidence.

    That is the deviance: the score is 1/2 for a face as likely as the median held-out one, and no probability.

    Args:
        kinds: E.
    """
    weights = np.zeros(kinds + 1, np.float32)
    weights[0] = -1
    one = np.ones(kinds, np.float32)
    return {"centre": 0 * one, "scale": one, "weights": weights, "joint": np.array([1, 0], np.float32)}


def numbers_of(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Returns the numbers of a graph: centre (E,), scale (E,), weights (E + 1,), joint (2,).

    Raises:
        ModelError: naming the number that the graph lacks.
    """
    return {name: numpy_helper.to_array(tensor) for name, tensor in _constants(model).items()}


def with_score(
    model: onnx.ModelProto | bytes,
    *,
    centre: NDArray[Any],
    scale: NDArray[Any],
    weights: NDArray[Any],
    joint: NDArray[Any],
) -> onnx.ModelProto:
    """Returns a copy of an exported cascade with other numbers in its score.

    Args:
        model: of ``graphs.cascade_graph``, or the bytes of its file.
        centre: (E,) subtracted from the evidence.
        scale: (E,) the rest is divided by.
        weights: (E + 1,) of the evidence, the bias last.
        joint: (2,) factor and summand of the logit.

    Raises:
        ModelError: naming the number that the graph lacks, that is of another shape there, or that is not finite.
    """
    copy = onnx.ModelProto()
    copy.ParseFromString(model if isinstance(model, bytes) else model.SerializeToString())
    new: Mapping[str, NDArray[Any]] = {"centre": centre, "scale": scale, "weights": weights, "joint": joint}
    for name, tensor in _constants(copy).items():
        array = np.asarray(new[name], np.float32)
        if array.shape != tuple(tensor.dims):
            raise ModelError(f"{named(name)}: the shape is {array.shape}, in the graph it is {tuple(tensor.dims)}")
        if not np.isfinite(array).all():
            raise ModelError(f"{named(name)}: not all numbers are finite: {array.tolist()}")
        tensor.CopyFrom(numpy_helper.from_array(array, named(name)))
    return copy


def _constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for name in NUMBERS:
        if named(name) not in found:
            raise ModelError(
                f"the graph '{model.graph.name}' lacks the constant '{named(name)}'; export the cascade again"
            )
    return {name: found[named(name)] for name in NUMBERS}
