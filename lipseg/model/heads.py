"""The heads of the mixture's components: FC5 and FC6 of the base network, and units of their own beside its.

A head's FC5 has the base's units and U of its own, its FC6 adds up both. The base's units are the same in every head
and are not repeated. A head's own units read more than the base's: beside the F features, C channels of the decoder
sampled at the 56 landmarks of the first answer, of which one projection, shared by all landmarks and heads, keeps D
each. So a head is the base with something added: heads can be compared, held towards each other, and given up.

Letters in shapes: N views, F features, C channels, D of them kept, R = F + 56 D readings, U units, K heads.
"""

from typing import Any

import numpy as np

from lipseg import scheme
from lipseg.model.weights import Arrays

OUTPUTS = 2 * scheme.N_POINTS


def readings(features: Any, sampled: Any, projection: Arrays, xp: Any = np) -> Any:
    """Returns (N, R) what a head's own units see: the features, then channel by channel the landmarks.

    Args:
        features: (N, F), see ``nets.Encoded``.
        sampled: (N, 56, C) likewise.
        projection: ``centre`` (C,) and ``basis`` (C, D) of the sampled channels.
        xp: numpy or jax.numpy.
    """
    kept = xp.einsum("npc,cd->ndp", sampled - projection["centre"], projection["basis"])
    return xp.concatenate([features, kept.reshape(len(kept), -1)], axis=1)


def change(seen: Any, heads: Arrays, xp: Any = np) -> Any:
    """Returns (N, K, 112) what the own units of K stacked heads add to the base's answer.

    Args:
        seen: (N, R) of ``readings``.
        heads: arrays by the names of ``shapes``.
        xp: numpy or jax.numpy.
    """
    hidden = xp.tanh(xp.einsum("nr,kru->nku", seen, heads["fc5.kernel"]) + heads["fc5.bias"])
    return xp.einsum("nku,kuo->nko", hidden, heads["fc6.kernel"]) + heads["fc6.bias"]


def nothing(count: int, units: int) -> Arrays:
    """Returns the own units of a head that is the base's: they add nothing.

    Args:
        count: R.
        units: U.
    """
    return {name: np.zeros(shape, np.float32) for name, shape in shapes(count, units).items()}


def shapes(count: int, units: int) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of one head's arrays by name: R inputs, U units."""
    return {
        "fc5.kernel": (count, units),
        "fc5.bias": (units,),
        "fc6.kernel": (units, OUTPUTS),
        "fc6.bias": (OUTPUTS,),
    }
