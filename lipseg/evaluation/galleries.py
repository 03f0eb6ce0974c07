"""Galleries of the mixture's components and pictures of predictions."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.data.crop_set import CropSet
from lipseg.data.feature_set import FeatureSet
from lipseg.data.sheets import tile
from lipseg.data.tables import write_json
from lipseg.evaluation.draw import close_up, mean_picture
from lipseg.files import whole_folder
from lipseg.geometry import Array, View, bounding_box, warp
from lipseg.images import write_image
from lipseg.model.mixture import Mixture

_GALLERY_FACES = 16
_PICTURE = 96  # pixels a side of a face in a gallery
_CLOSE = View(_PICTURE, "square", 1.5)


def mouth(crops: CropSet, i: int) -> NDArray[np.uint8]:
    """Returns a small picture (96, 96, 3) of face ``i``'s mouth, without landmarks."""
    to_image = _CLOSE.to_image(bounding_box(crops.points_px[i]))
    return warp(crops.images[i], crops.to_image(i).inverse().after(to_image), _PICTURE)


def prediction(crops: CropSet, i: int, predicted_px: Array) -> NDArray[np.uint8]:
    """Returns a close-up of face ``i`` with truth and prediction.

    Args:
        crops: the wide crops.
        i: the face.
        predicted_px: (56, 2) landmarks in image pixels.
    """
    to_crop = crops.to_image(i).inverse()
    return close_up(np.asarray(crops.images[i]), to_crop(crops.points_px[i]), to_crop(predicted_px))


def write_galleries(folder: Path, crops: CropSet, features: FeatureSet, mixture: Mixture) -> None:
    """Writes for every component its mean face, a gallery and its counts, whole or not at all.

    The folder holds mean_K.png and gallery_K.jpg (the training faces that fit the component best) and
    components.json (faces by split, known states).

    Args:
        folder: replaced where it exists.
        crops: the wide crops.
        features: their features; those on true boxes are assigned.
        mixture: the chosen one.
    """
    exact = features.boxes == "exact"
    joint = mixture.log_joint(features.features[exact])
    component, face, split = joint.argmax(1), features.face[exact], features.split[exact]
    with whole_folder(folder) as partial:
        facts = []
        for k in range(mixture.components):
            mine = component == k
            counts = {name: int((split[mine] == name).sum()) for name in ("train", "validation", "test")}
            states = crops.state[face[mine]]
            known, numbers = np.unique(states[states != ""], return_counts=True)
            facts.append({"faces": counts, "states": {str(s): int(n) for s, n in zip(known, numbers, strict=True)}})
            learnt = np.flatnonzero(mine & (split == "train"))
            if len(learnt) == 0:
                continue
            typical = learnt[np.argsort(-joint[learnt, k], kind="stable")]
            write_image(partial / f"mean_{k}.png", mean_picture(np.stack([mouth(crops, int(face[i])) for i in learnt])))
            # Evenly spread from the most to the least typical: a gallery of the best alone flatters the mixture.
            shown = typical[np.unique(np.linspace(0, len(typical) - 1, _GALLERY_FACES).round().astype(int))]
            write_image(partial / f"gallery_{k}.jpg", tile([mouth(crops, int(face[i])) for i in shown], 8))
        write_json(partial / "components.json", facts)
