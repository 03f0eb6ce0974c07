"""Distillation: annotations drawn towards the answers of teachers, which are larger networks or several of them.

A network learns more from the answers of others than from the annotations alone (Hinton, Vinyals, Dean, "Distilling the
knowledge in a neural network", arXiv 1503.02531; of one of its own shape: Furlanello et al., "Born-again neural
networks", ICML 2018, arXiv 1805.04770). Here the answers also settle what annotators left to chance: the error of one
face's annotation is not in those of the others, so a network smooths it away.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lipseg.data.augment import VALIDATION_JITTER, fixed_batches, sample_views, views_on_boxes
from lipseg.data.crop_set import CropSet
from lipseg.data.statistics import Normaliser, fit_normaliser
from lipseg.errors import DataError
from lipseg.geometry import Affine, Array, View, from_unit
from lipseg.model.nets import BaseNet, place, similarity_frame
from lipseg.model.offsets import SourceOffsets, annotated_radius
from lipseg.params import Augment, Net, Statistics, TrainBase, ViewParams
from lipseg.training.checkpoint import Checkpoint
from lipseg.training.fit import Fitted, fit_base

# Looks at every face, on boxes jittered as those of the validation: their mean is a teacher's answer.
_LOOKS = 4
_BATCH = 32
# A teacher's seeds are this far from the base network's.
_SEEDS = 1000


@dataclass(frozen=True)
class Taught:
    """What the teachers say.

    Attributes:
        points_px: (N, 56, 2) float64 landmarks of every face of the crops, image pixels, as its source's annotators
            would place them: the teachers' answers for the training faces, the annotations for the others.
        history: the rows of ``Fitted.history`` of every teacher, with ``teacher`` before them.
    """

    points_px: Array
    history: list[dict[str, float]]


def teach(
    crops: CropSet,
    count: int,
    *,
    view: ViewParams,
    augment: Augment,
    statistics: Statistics,
    net: Net,
    train: TrainBase,
    seed: int,
    checkpoints: Callable[[int], Checkpoint],
) -> Taught:
    """Returns the mean answers of the teachers; without teachers the annotations.

    Args:
        crops: the crops with the annotated landmarks.
        count: of the teachers, which differ in their seeds.
        view: what they see.
        augment: how that varies.
        statistics: how it is normalised.
        net: each of them.
        train: how they are trained.
        seed: of the base network; every teacher has one of its own.
        checkpoints: the checkpoint of each teacher.

    Raises:
        LipsegError: as ``fit_base``.
    """
    points, history, geometry = crops.points_px.copy(), [], view.geometry()
    faces = crops.indices("train")
    if count:
        points[faces] = 0.0
    for k in range(count):
        normaliser, _ = fit_normaliser(views_on_boxes(crops, faces, None, geometry).images, statistics.per)
        fitted = fit_base(
            crops,
            normaliser,
            net_params=net,
            view=geometry,
            augment=augment,
            train=train,
            seed=seed + _SEEDS * (k + 1),
            checkpoint=checkpoints(k),
            name="teach",
        )
        points[faces] += answers(fitted, normaliser, crops, geometry, (seed, 5, k)) / count
        history += [{"teacher": k, **row} for row in fitted.history]
    return Taught(points, history)


def answers(fitted: Fitted, normaliser: Normaliser, crops: CropSet, view: View, seed: tuple[int, ...]) -> Array:
    """Returns (T, 56, 2) a network's landmarks of the training faces, image pixels, as their sources would have them.

    Args:
        fitted: the network and the offsets that it learnt.
        normaliser: of its views.
        crops: the crops.
        view: the geometry of its views.
        seed: of the boxes' jitter.
    """
    answer, faces, rng = _compiled(fitted.net, normaliser), crops.indices("train"), np.random.default_rng(seed)
    found = np.zeros((len(faces), 56, 2))
    for _ in range(_LOOKS):
        views = sample_views(crops, faces, view, VALIDATION_JITTER, rng)
        unit = np.concatenate([np.asarray(answer(views.images[rows])) for rows in fixed_batches(len(views), _BATCH)])
        points_view = from_unit(unit[: len(views)].astype(np.float64), view.size)
        found += np.stack([Affine(m)(p) for m, p in zip(views.to_image, points_view, strict=True)]) / _LOOKS
    offsets = SourceOffsets(crops.sources)
    radius = annotated_radius(crops)[faces]
    too_much = offsets.of(fitted.offsets, crops.source[faces], np.zeros(len(faces), bool), radius)
    frame = similarity_frame(jnp.asarray(found, jnp.float32))
    return found + np.asarray(place(frame, too_much) - frame[:, None, :2], np.float64)


def taught_by(crops: CropSet, points_px: Array, share: float) -> CropSet:
    """Returns the crops with the landmarks of the training faces drawn towards those of the teachers.

    Args:
        crops: the crops with the annotated landmarks.
        points_px: (N, 56, 2) of ``Taught``.
        share: of the teachers' landmarks in the new ones, 0 to 1; the rest are the annotations.

    Raises:
        DataError: if the teachers were shown other faces.
    """
    if points_px.shape != crops.points_px.shape:
        raise DataError(
            f"the teachers answered for {len(points_px)} faces, the crops hold {len(crops)}; run `teach` again"
        )
    points, faces = crops.points_px.copy(), crops.indices("train")
    points[faces] = (1 - share) * points[faces] + share * points_px[faces]
    return replace(crops, points_px=points)


def _compiled(net: BaseNet, normaliser: Normaliser) -> Callable[[NDArray[np.uint8]], Any]:
    graph, state = nnx.split(net)

    @jax.jit
    def answer(images: jax.Array) -> jax.Array:
        model = nnx.merge(graph, state)
        encoded = model.encode(normaliser(images), train=False)
        return place(encoded.frame, model.head(encoded.features))

    return answer
