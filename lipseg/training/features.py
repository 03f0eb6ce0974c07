"""Runs the base network once over every view that the mixture and the heads need."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lipseg.data.augment import Views, fixed_batches, sample_views, validation_views, views_on_boxes
from lipseg.data.crop_set import SPLITS, CropSet
from lipseg.data.feature_set import FeatureSet
from lipseg.data.statistics import Normaliser
from lipseg.geometry import View
from lipseg.model.nets import BaseNet
from lipseg.model.offsets import SourceOffsets, Tree, annotated_radius, without_offset
from lipseg.params import Augment
from lipseg.progress import progress
from lipseg.training import devices

_BATCH = 64


def extract_features(
    crops: CropSet,
    normaliser: Normaliser,
    net: BaseNet,
    offsets: Tree,
    *,
    view: View,
    augment: Augment,
    views: int,
    seed: int,
) -> FeatureSet:
    """Returns the features of every face on its true box, of ``views`` augmented views of each training face, and of
    the jittered validation views that the heads are chosen on. The landmarks are made what the first source's
    annotators would have given for pictures that are not mirrored (``SourceOffsets``)."""
    sources, radius = SourceOffsets(crops.sources), annotated_radius(crops)
    spread = devices.Spread(_BATCH, "extract")

    @spread.compiled
    def encode(images: Any, points: Any, mirrored: Any, source: Any, radius: Any) -> tuple[jax.Array, ...]:
        encoded = nnx.merge(*nnx.split(net)).encode(normaliser(images), train=False)
        too_much = sources.of(offsets, source, mirrored, radius)
        truth = without_offset(points, too_much, encoded.frame)
        return encoded.features, encoded.sampled.astype(jnp.float16), encoded.frame, truth

    parts: list[dict[str, Any]] = []
    jittered = validation_views(crops, view, "jittered", seed)
    total = len(crops) + len(jittered) + views * len(crops.indices("train"))
    bar = progress(total=total, desc="features", unit="views")

    def add(found: Views, split: str, boxes: str) -> None:
        columns: list[tuple[Any, ...]] = []
        for rows in fixed_batches(len(found), _BATCH):
            face = found.face[rows]
            known = crops.source[face].astype(np.int32), radius[face]
            batch = (found.images[rows], found.points_unit[rows], found.mirrored[rows], *known)
            encoded = encode(*spread.split(batch))
            columns.append(tuple(np.asarray(column) for column in encoded))
            bar.update(len(np.unique(rows)))
        n = len(found)
        features, sampled, frames, truth = (np.concatenate(column)[:n] for column in zip(*columns, strict=True))
        parts.append(
            {
                "features": features,
                "sampled": sampled,
                "frame": frames,
                "points_unit": truth,
                "iod_unit": found.iod_unit,
                "face": found.face,
                "split": np.full(n, split),
                "boxes": np.full(n, boxes),
            }
        )

    for split in SPLITS:
        add(views_on_boxes(crops, crops.indices(split), None, view), split, "exact")
    add(jittered, "validation", "jittered")
    for k in range(views):
        rng = np.random.default_rng((seed, 3, k))
        add(sample_views(crops, crops.indices("train"), view, augment, rng), "train", "jittered")
    bar.close()
    return FeatureSet(**{key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
