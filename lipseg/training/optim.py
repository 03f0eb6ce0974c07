"""Optimisers, their schedules, and the moving average of what they change."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, muon

from lipseg.params import TrainBase

_WARM_UP = 0.05  # share of the steps
_CLIP = 5.0  # global norm of the gradient
_LOCATOR_DECAY = 1e-4

_Tree = TypeVar("_Tree")


def base_optimiser(train: TrainBase, steps: int) -> optax.GradientTransformation:
    """Returns AdamW (Adam where the weight decay is 0) or Muon, of the clipped gradient.

    Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon; Bernstein and Newhouse, arXiv 2409.20325)
    takes the step that is steepest in the spectral norm: each kernel's momentum, as a matrix of inputs by outputs, made
    nearly orthogonal. It trains the kernels; scales and biases are left to Adam.

    Args:
        train: the section of the parameters.
        steps: how many steps the whole schedule has.
    """
    rate = _schedule(train, train.learning_rate, steps)
    if train.optimiser == "muon":
        inner = muon(
            _schedule(train, train.kernel_rate, steps),
            weight_decay=train.weight_decay,
            adam_learning_rate=rate,
            muon_weight_dimension_numbers=lambda tree: jax.tree.map(_matrix_axes, tree),
        )
    else:
        # Scales and biases are not decayed: only kernels have more than one axis.
        inner = optax.adamw(
            rate, weight_decay=train.weight_decay, mask=lambda tree: jax.tree.map(lambda leaf: leaf.ndim > 1, tree)
        )
    return optax.chain(optax.clip_by_global_norm(_CLIP), inner)


def _schedule(train: TrainBase, peak: float, steps: int) -> optax.Schedule:
    return optax.constant_schedule(peak) if train.schedule == "constant" else _cosine(peak, steps)


def _cosine(peak: float, steps: int) -> optax.Schedule:
    warm_up = max(1, round(_WARM_UP * steps))
    return optax.warmup_cosine_decay_schedule(0.0, peak, warm_up, max(steps, warm_up + 1))


def _matrix_axes(leaf: jax.Array) -> MuonDimensionNumbers | None:
    """Which axes of a kernel (..., inputs, outputs) are its matrix's rows; None for what is no kernel."""
    if leaf.ndim < 2:
        return None
    return MuonDimensionNumbers(reduction_axis=tuple(range(leaf.ndim - 1)), output_axis=(leaf.ndim - 1,))


def locator_optimiser(learning_rate: float, steps: int) -> optax.GradientTransformation:
    """Returns AdamW of the clipped gradient, its rate rising to ``learning_rate`` and falling to 0 over the steps."""
    return optax.chain(
        optax.clip_by_global_norm(_CLIP), optax.adamw(_cosine(learning_rate, steps), weight_decay=_LOCATOR_DECAY)
    )


def head_optimiser(learning_rate: float) -> optax.GradientTransformation:
    """Returns Adam, for a head."""
    return optax.adam(learning_rate)


def ema(means: _Tree, values: _Tree, decay: float, step: jax.Array) -> _Tree:
    """Returns the moving averages of weights or statistics after a step.

    The averages forget their start quickly: with a decay of 0 they are the values themselves.

    Args:
        means: the averages before, any tree of arrays.
        values: what the step made of the arrays, a tree of the same kind.
        decay: the share of the averages that stays, once there have been many steps.
        step: () how many steps there were before.
    """
    kept = jnp.minimum(decay, (1.0 + step) / (10.0 + step))
    return jax.tree.map(lambda old, new: kept * old + (1 - kept) * new, means, values)
