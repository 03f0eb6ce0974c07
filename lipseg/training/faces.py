"""The annotated faces as the detector finds them, and parts of their photos without a mouth."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.data.annotations import FaceSample
from lipseg.data.crop_set import CropSet
from lipseg.data.crops import read_sources
from lipseg.data.face_set import FaceSet
from lipseg.data.frames import Array, view_to_image, warp
from lipseg.data.images import read_image
from lipseg.inference.detect import FaceBox, FaceDetector, attempts_of
from lipseg.inference.locate import MouthBox
from lipseg.inference.yunet import YuNetDetector
from lipseg.model.relation import FACE_RELATION, Relation
from lipseg.params import Data
from lipseg.progress import progress

# A patch is this many face boxes wide, and this many pixels: room for every jittered view of the locator.
REACH = 3.2
_PATCH = 144
_BACKGROUNDS = 2  # of a photo
_DRAWS = 30  # for each of them
# A detection is of the annotated face where the mouth lies so in it, in units of its side: far beyond what any
# true face shows.
_MOUTH_AT = (FACE_RELATION.right, FACE_RELATION.down)
_MOUTH_NEAR = 0.27
_MOUTH_WIDTH = (0.16, 0.67)
# Fewer faces than this teach no relation between faces and mouths.
_FEWEST = 20


def photos(crops: CropSet, data: Data) -> Iterator[tuple[int, Path]]:
    """Yields (position in ``crops``, file) of the photo of every face that the crops hold."""
    where = {str(name): i for i, name in enumerate(crops.names)}
    for source, face in read_sources(data):
        name = f"{source}/{face.name}"
        if isinstance(face, FaceSample) and name in where:
            yield where[name], face.image


def mouths_of(crops: CropSet) -> Array:
    """Returns (N, 5) centre x, y, width, height, roll of the true upright mouth boxes, image pixels."""
    return np.stack([as_mouth(MouthBox.around(points)) for points in crops.points_px])


def as_mouth(box: MouthBox) -> Array:
    """Returns (5,) centre x, y, width, height, roll of a mouth box."""
    return np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, box.x1 - box.x0, box.y1 - box.y0, box.roll])


def find_faces(crops: CropSet, data: Data, seed: int, detector: FaceDetector | None = None) -> FaceSet:
    """Returns every face of the crops with its face box, and up to two patches without a mouth of each photo.

    Where the detector does not find the face, the box is simulated: from the landmarks, by the mean relation of
    boxes and mouths on the training faces that it did find (on Helen's where it found too few).

    Args:
        crops: the wide crops.
        data: where the photos are.
        seed: of the background patches.
        detector: None for YuNet.
    """
    detector = YuNetDetector() if detector is None else detector
    mouths = mouths_of(crops)
    paths = dict(photos(crops, data))
    boxes: dict[int, Array] = {}
    others: dict[int, list[FaceBox]] = {}
    for i, path in progress(sorted(paths.items()), total=len(paths), desc="detect", unit="faces"):
        image = read_image(path)
        found: list[FaceBox] = []
        for faces in attempts_of(detector, image):
            found += faces
            if (box := _match(faces, mouths[i])) is not None:
                boxes[i] = box
                break
        others[i] = found
    relation = learnt_relation(np.array([boxes[i] for i in boxes]), mouths[list(boxes)], crops.split[list(boxes)])
    rows: list[tuple[NDArray[np.uint8], Array, Array, int, bool, bool]] = []
    for i, path in progress(sorted(paths.items()), total=len(paths), desc="cut faces", unit="faces"):
        image = read_image(path)
        box = boxes[i] if i in boxes else relation.face(mouths[i])[:3]
        rows.append((*_patch(image, box), box, i, False, i in boxes))
        rng = np.random.default_rng((seed, 21, i))
        for square in _backgrounds(rng, image, box, mouths[i], others[i]):
            rows.append((*_patch(image, square), square, i, True, False))
    patches, matrices, squares, face, background, detected = zip(*rows, strict=True)
    return FaceSet(
        patches=np.stack(patches),
        to_image=np.stack(matrices),
        face_boxes=np.stack(squares),
        face=np.array(face, np.int64),
        background=np.array(background, bool),
        found=np.array(detected, bool),
    )


def learnt_relation(boxes: Array, mouths: Array, split: NDArray[np.str_]) -> Relation:
    """Returns the mean relation of the detector's boxes (n, 3) and upright mouths (n, 5) on the training faces."""
    train = split == "train"
    if train.sum() < _FEWEST:
        return FACE_RELATION
    offset, size = _related(boxes[train], mouths[train])
    return Relation(*map(float, (*offset.mean(0), *size.mean(0))))


def _related(boxes: Array, mouths: Array) -> tuple[Array, Array]:
    """Returns the mouths' centres (n, 2), in the mouths' upright frames, and sizes (n, 2), in units of the boxes."""
    offset = (mouths[:, :2] - boxes[:, :2]) / boxes[:, 2:3]
    cos, sin = np.cos(mouths[:, 4]), np.sin(mouths[:, 4])
    upright = np.stack([cos * offset[:, 0] + sin * offset[:, 1], cos * offset[:, 1] - sin * offset[:, 0]], axis=1)
    return upright, mouths[:, 2:4] / boxes[:, 2:3]


def _match(faces: list[FaceBox], mouth: Array) -> Array | None:
    """Returns (3,) centre x, y, side of the detection that the mouth belongs to, the nearest; None without one."""
    best: tuple[float, Array] | None = None
    for face in faces:
        box = np.array([*face.centre, face.side])
        offset = (mouth[:2] - box[:2]) / box[2]
        # In the detection's own frame: heads found on a turned copy are turned.
        cos, sin = np.cos(face.roll), np.sin(face.roll)
        upright = np.array([cos * offset[0] + sin * offset[1], cos * offset[1] - sin * offset[0]])
        off = float(np.hypot(*(upright - _MOUTH_AT)))
        fits = off < _MOUTH_NEAR and _MOUTH_WIDTH[0] < mouth[2] / box[2] < _MOUTH_WIDTH[1]
        if fits and (best is None or off < best[0]):
            best = off, box
    return None if best is None else best[1]


def _patch(image: NDArray[np.uint8], square: Array) -> tuple[NDArray[np.uint8], Array]:
    to_image = view_to_image(square[:2], np.full(2, REACH * square[2]), _PATCH)
    return warp(image, to_image, _PATCH), to_image.matrix


def _backgrounds(
    rng: np.random.Generator, image: NDArray[np.uint8], box: Array, mouth: Array, others: list[FaceBox]
) -> Iterator[Array]:
    """Yields squares (3,) inside the photo whose views by the locator show neither the mouth nor another face."""
    height, width = image.shape[:2]
    taken = [(mouth[:2], 0.8 * mouth[2]), *((face.centre, 0.5 * face.side) for face in others)]
    left = _BACKGROUNDS
    for _ in range(_DRAWS):
        side = box[2] * np.exp(rng.uniform(-1.2, 0.2))
        reach = 0.8 * side
        if 2 * reach >= min(height, width):
            continue
        centre = np.array([rng.uniform(reach, width - reach), rng.uniform(reach, height - reach)])
        own = box[:2]
        clear = all((np.abs(centre - at) > reach + half).any() for at, half in taken if not _is_own(at, own))
        if clear and (np.abs(centre - mouth[:2]) > reach + 0.8 * mouth[2]).any():
            yield np.array([*centre, side])
            left -= 1
            if left == 0:
                return


def _is_own(at: Array, own: Array) -> bool:
    """Whether a detection is the annotated face's: its forehead and hair are fair examples of no mouth."""
    return bool(np.allclose(at, own))
