"""Self-distillation: annotations drawn towards the predictions of the base network's previous generation.

A network that learns from the predictions of one of the same shape does better than that one (Furlanello et al.,
"Born-again neural networks", ICML 2018, arXiv 1805.04770). Here the predictions also settle what annotators left to
chance: the error of one face's annotation is not in those of the others, so a network smooths it away.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.augment import VALIDATION_JITTER, fixed_batches, sample_views
from lipseg.data.crop_set import CropSet
from lipseg.geometry import Affine, View, from_unit

# Looks at every face, on boxes jittered as those of the validation: their mean is the teacher's answer.
_LOOKS = 4
_BATCH = 32


def taught_by(
    answer: Callable[[NDArray[np.uint8]], Any], crops: CropSet, view: View, share: float, seed: tuple[int, ...]
) -> CropSet:
    """Returns the crops with the landmarks of the training faces drawn towards a teacher's predictions.

    Args:
        answer: the teacher: from (n, size, size, 3) uint8 RGB views to (n, 56, 2) landmarks in unit coordinates.
        crops: the crops with the annotated landmarks.
        view: the geometry of the teacher's views.
        share: of the predictions in the new landmarks, 0 to 1; the rest are the annotations.
        seed: of the boxes' jitter.
    """
    faces, rng = crops.indices("train"), np.random.default_rng(seed)
    predictions = np.zeros((len(faces), 56, 2))
    for _ in range(_LOOKS):
        views = sample_views(crops, faces, view, VALIDATION_JITTER, rng)
        found = [np.asarray(answer(views.images[rows])) for rows in fixed_batches(len(views), _BATCH)]
        points_crop = from_unit(np.concatenate(found)[: len(views)].astype(np.float64), view.size)
        predictions += np.stack([Affine(m)(p) for m, p in zip(views.to_image, points_crop, strict=True)]) / _LOOKS
    points = crops.points_px.copy()
    points[faces] = (1 - share) * points[faces] + share * predictions
    return replace(crops, points_px=points)
