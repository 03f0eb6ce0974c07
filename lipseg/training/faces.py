"""The annotated faces as the detector finds them, and parts of their photos without a mouth."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.data.annotations import Unusable
from lipseg.data.crop_set import CropSet
from lipseg.data.crops import list_sources
from lipseg.data.face_set import FaceSet
from lipseg.geometry import Array, view_to_image, warp
from lipseg.images import read_image
from lipseg.inference.detector import FaceDetector, attempts_of
from lipseg.inference.relation import AVERAGE_FACE, Relation
from lipseg.params import Data
from lipseg.progress import progress

# A patch is this many face boxes wide, and this many pixels: room for every jittered view of the locator.
REACH = 3.2
_PATCH = 144
_BACKGROUNDS = 2  # of a photo
_DRAWS = 30  # for each of them
# A detection is of the annotated face where the mouth lies so in it, in units of its side: far beyond what any
# true face shows.
_MOUTH_AT = (AVERAGE_FACE.right, AVERAGE_FACE.down)
_MOUTH_NEAR = 0.27
_MOUTH_WIDTH = (0.16, 0.67)
# Fewer faces than this teach no relation between faces and mouths.
_FEWEST = 20


def photos(crops: CropSet, data: Data) -> Iterator[tuple[int, Path]]:
    """Yields (position in ``crops``, file) of the photo of every face that the crops hold."""
    # Their annotations are not read again: of masks, that would trace every mouth anew.
    listed = {
        f"{source}/{face.name}": face.image for source, face in list_sources(data) if not isinstance(face, Unusable)
    }
    for i, name in enumerate(map(str, crops.names)):
        # The second face of an annotation is not listed on its own.
        image = listed.get(name) or listed.get(name.rpartition("#")[0])
        if image is not None:
            yield i, image


def mouths_of(crops: CropSet) -> list[Box]:
    """Returns the true upright mouth boxes of the N faces, image pixels."""
    return [Box.around(points) for points in crops.points_px]


def find_faces(crops: CropSet, data: Data, seed: int, detector: FaceDetector) -> FaceSet:
    """Returns every face of the crops with its face box, and up to two patches without a mouth of each photo.

    Where the detector does not find the face, the box is simulated: from the landmarks, by the mean relation of
    boxes and mouths on the training faces that it did find (on Helen's where it found too few).

    Args:
        crops: the wide crops.
        data: where the photos are.
        seed: of the background patches.
        detector: whose boxes the locator is to be trained on.
    """
    mouths = mouths_of(crops)
    paths = dict(photos(crops, data))
    boxes: dict[int, Box] = {}
    others: dict[int, list[Box]] = {}
    for i, path in progress(sorted(paths.items()), total=len(paths), desc="detect", unit="faces"):
        image = read_image(path)
        found: list[Box] = []
        for faces in attempts_of(detector, image):
            found += faces
            if (box := _match(faces, mouths[i])) is not None:
                boxes[i] = box
                break
        others[i] = found
    train = [i for i in boxes if crops.split[i] == "train"]
    relation = learnt_relation([boxes[i] for i in train], [mouths[i] for i in train])
    rows: list[tuple[NDArray[np.uint8], Array, Array, int, bool, bool]] = []
    for i, path in progress(sorted(paths.items()), total=len(paths), desc="cut faces", unit="faces"):
        image = read_image(path)
        box = boxes[i] if i in boxes else relation.face(mouths[i])
        rows.append((*_patch(image, box), _stored(box), i, False, i in boxes))
        rng = np.random.default_rng((seed, 21, i))
        for square in _backgrounds(rng, image, box, mouths[i], others[i]):
            rows.append((*_patch(image, square), _stored(square), i, True, False))
    patches, matrices, squares, face, background, detected = zip(*rows, strict=True)
    return FaceSet(
        patches=np.stack(patches),
        to_image=np.stack(matrices),
        face_boxes=np.stack(squares),
        face=np.array(face, np.int64),
        background=np.array(background, bool),
        found=np.array(detected, bool),
    )


def learnt_relation(faces: list[Box], mouths: list[Box]) -> Relation:
    """Returns the mean relation of the detector's boxes and the upright mouths of training faces; n of each."""
    if len(faces) < _FEWEST:
        return AVERAGE_FACE
    related = [_related(face, mouth, mouth.roll) for face, mouth in zip(faces, mouths, strict=True)]
    return Relation(*map(float, np.mean(related, axis=0)))


def _related(face: Box, mouth: Box, roll: float) -> Array:
    """Returns (4,) the mouth's centre, in a frame of that roll, and its size, in units of the face box's side."""
    x, y = (mouth.centre - face.centre) / face.side
    cos, sin = np.cos(roll), np.sin(roll)
    return np.array([cos * x + sin * y, cos * y - sin * x, mouth.width / face.side, mouth.height / face.side])


def _match(faces: list[Box], mouth: Box) -> Box | None:
    """Returns the detection that the mouth belongs to, the nearest; None without one."""
    best: tuple[float, Box] | None = None
    for face in faces:
        # In the detection's own frame: heads found on a turned copy are turned.
        x, y, width, _ = _related(face, mouth, face.roll)
        off = float(np.hypot(x - _MOUTH_AT[0], y - _MOUTH_AT[1]))
        fits = off < _MOUTH_NEAR and _MOUTH_WIDTH[0] < width < _MOUTH_WIDTH[1]
        if fits and (best is None or off < best[0]):
            best = off, face
    return None if best is None else best[1]


def _stored(square: Box) -> Array:
    """Returns (3,) centre x, y and side, as ``FaceSet`` holds them."""
    return np.array([square.cx, square.cy, square.side])


def _patch(image: NDArray[np.uint8], square: Box) -> tuple[NDArray[np.uint8], Array]:
    to_image = view_to_image(square.centre, np.full(2, REACH * square.side), _PATCH)
    return warp(image, to_image, _PATCH), to_image.matrix


def _backgrounds(
    rng: np.random.Generator, image: NDArray[np.uint8], box: Box, mouth: Box, others: list[Box]
) -> Iterator[Box]:
    """Yields squares inside the photo whose views by the locator show neither the mouth nor another face."""
    height, width = image.shape[:2]
    taken = [(mouth.centre, 0.8 * mouth.width), *((face.centre, 0.5 * face.side) for face in others)]
    left = _BACKGROUNDS
    for _ in range(_DRAWS):
        side = box.side * np.exp(rng.uniform(-1.2, 0.2))
        reach = 0.8 * side
        if 2 * reach >= min(height, width):
            continue
        centre = np.array([rng.uniform(reach, width - reach), rng.uniform(reach, height - reach)])
        own = box.centre
        clear = all((np.abs(centre - at) > reach + half).any() for at, half in taken if not _is_own(at, own))
        if clear and (np.abs(centre - mouth.centre) > reach + 0.8 * mouth.width).any():
            yield Box.square(centre[0], centre[1], side)
            left -= 1
            if left == 0:
                return


def _is_own(at: Array, own: Array) -> bool:
    """Whether a detection is the annotated face's: its forehead and hair are valid negatives."""
    return bool(np.allclose(at, own))
