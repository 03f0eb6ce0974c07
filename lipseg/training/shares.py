"""How often the faces of each source are shown in an epoch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lipseg.data.crop_set import CropSet


def faces_shown(crops: CropSet, repeats: int, weights: Sequence[float], seed: int, epoch: int) -> NDArray[np.intp]:
    """Returns the training faces of an epoch, each as often as it is shown; as many in every epoch.

    Where a source's share is no whole number of its faces, epochs take turns: each goes on, in an order drawn from the
    seed, where the one before it ended.

    Args:
        crops: the wide crops.
        repeats: views of every face.
        weights: of every source, by how much more of its views; empty for all alike.
        seed: of the order.
        epoch: counts from 0.
    """
    faces = crops.indices("train")
    if all(weight == 1 for weight in weights):
        return np.repeat(faces, repeats)
    shown = []
    for k, (source, weight) in enumerate(zip(crops.sources, weights, strict=True)):
        own = np.random.default_rng((seed, 4, k)).permutation(faces[crops.source[faces] == crops.sources.index(source)])
        count = round(weight * repeats * len(own))
        shown.append(own[(epoch * count + np.arange(count)) % max(1, len(own))] if len(own) else own)
    return np.concatenate(shown)
