"""Optimisers and their schedules."""

import jax
import optax

from lipseg.params import TrainBase

_WARM_UP = 0.05  # share of the steps
_CLIP = 5.0  # global norm of the gradient


def base_optimiser(train: TrainBase, steps: int) -> optax.GradientTransformation:
    """Returns AdamW with a clipped gradient (Adam where the weight decay is 0).

    Args:
        train: the section of the parameters.
        steps: how many steps the whole schedule has.
    """
    if train.schedule == "cosine":
        warm_up = max(1, round(_WARM_UP * steps))
        rate = optax.warmup_cosine_decay_schedule(0.0, train.learning_rate, warm_up, max(steps, warm_up + 1))
    else:
        rate = optax.constant_schedule(train.learning_rate)
    # Scales and biases are not decayed: only kernels have more than one axis.
    adamw = optax.adamw(
        rate, weight_decay=train.weight_decay, mask=lambda tree: jax.tree.map(lambda leaf: leaf.ndim > 1, tree)
    )
    return optax.chain(optax.clip_by_global_norm(_CLIP), adamw)


def head_optimiser(learning_rate: float) -> optax.GradientTransformation:
    """Returns Adam, for a head."""
    return optax.adam(learning_rate)
