"""CelebAMask-HQ in its own layout (Lee, Liu, Wu, Luo: "MaskGAN", CVPR 2020): a mask for every part of a face.

CelebA-HQ-img/N.jpg                           the pictures, 1024 pixels a side (or made smaller)
CelebAMask-HQ-mask-anno/*/NNNNN_u_lip.png     the upper lip, 512 pixels a side, NNNNN being N in five digits
                        NNNNN_l_lip.png       the lower lip
                        NNNNN_mouth.png       what shows between the lips; no file where the mouth is closed
                        NNNNN_{l,r}_eye.png   the eyes; no file for one that is covered
trainnames.txt, testnames.txt                 one N a line; the archive has none, both may be left out
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data import tracing
from lipseg.data.annotations import FaceSample, Listing, Split, Unread, Unusable, read_all
from lipseg.data.annotations.lists import TEST, TRAIN, optional_splits
from lipseg.errors import DataError
from lipseg.images import open_picture, picture_size
from lipseg.rendering.masks import INNER, LOWER, UPPER

PICTURES, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
LAYOUT = f"CelebAMask-HQ's layout is {PICTURES}/N.jpg, {MASKS}/*/NNNNN_u_lip.png and so on"

_LIPS = {"u_lip": UPPER, "l_lip": LOWER, "mouth": INNER}
_EYES = ("l_eye", "r_eye")
_PARTS = (*_LIPS, *_EYES)
# Of each part of a face that has a mask, the folder of that.
_Folders = tuple[tuple[str, str], ...]


def read(root: Path) -> Iterator[FaceSample | Unusable]:
    """Returns the faces of a folder in CelebAMask-HQ's layout, in the order of their numbers.

    The landmarks are traced along the masks (``tracing.trace``) and scaled to the picture, corner to corner. Where an
    eye has no mask, the inter-ocular distance is estimated from the mouth's width. The split is that of
    ``trainnames.txt`` and ``testnames.txt``; without them faces have none.

    Args:
        root: folder that holds ``CelebA-HQ-img/`` and ``CelebAMask-HQ-mask-anno/``.

    Raises:
        DataError: if a folder is missing or empty, or the lists are contradictory or only one of them is there.
    """
    return read_all(unread(root))


def unread(root: Path) -> Listing:
    """Returns what ``read`` returns and raises what it raises, but no mask is decoded yet."""
    for folder in (root, root / PICTURES, root / MASKS):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; {LAYOUT}")
    split_of = optional_splits(root, f"put both lists there or none; {LAYOUT}")
    pictures = {file.stem for file in (root / PICTURES).glob("*.jpg") if file.stem.isdecimal()}
    if not pictures:
        raise DataError(f"{root / PICTURES}: holds no N.jpg; {LAYOUT}")
    # One walk: looking for each of five files in each of fifteen folders would take longer than the tracing. What is
    # found is the same for most faces of a folder, and held once.
    parts: dict[str, _Folders] = {}
    same: dict[_Folders, _Folders] = {}
    none = True
    for file in (root / MASKS).glob("*/*.png"):
        none = False
        number, _, part = file.stem.partition("_")
        if part in _PARTS:
            found = tuple(sorted({**dict(parts.get(number, ())), part: file.parent.name}.items()))
            parts[number] = same.setdefault(found, found)
    if none:
        raise DataError(f"{root / MASKS}: holds no */NNNNN_u_lip.png; {LAYOUT}")
    names = sorted({*pictures, *(split_of or ())}, key=lambda name: (len(name), name))
    return Listing(_faces(root, names, pictures, parts, split_of), len(names))


def _faces(
    root: Path, names: list[str], pictures: set[str], parts: dict[str, _Folders], split_of: dict[str, Split] | None
) -> Iterator[Unread | Unusable]:
    """Yields every face that has a picture or is listed."""
    for name in names:
        picture = root / PICTURES / f"{name}.jpg"
        if name not in pictures:
            yield Unusable(name, root / f"{(split_of or {})[name]}names.txt", 0, f"listed, but not in {PICTURES}/")
        elif split_of is not None and name not in split_of:
            yield Unusable(name, picture, 0, f"in neither {TRAIN} nor {TEST}")
        else:
            folders = parts.get(f"{int(name):05d}", ())
            split = split_of[name] if split_of else None
            yield Unread(name, picture, partial(_face, root / MASKS, name, picture, folders, split))


def _face(root: Path, name: str, picture: Path, folders: _Folders, split: Split | None) -> FaceSample | Unusable:
    """Returns the face of one picture.

    Args:
        root: the folder of the masks.
        name: the picture's number.
        picture: its file.
        folders: of each part that has a mask the folder below ``root``.
        split: of the face.
    """
    there = dict(folders)
    files = {part: root / there[part] / f"{int(name):05d}_{part}.png" for part in _PARTS if part in there}
    lip = files.get("u_lip") or files.get("l_lip") or root / f"{int(name):05d}_u_lip.png"
    masks: dict[str, NDArray[np.bool_]] = {}
    for part, file in files.items():
        try:
            masks[part] = _mask(file)
        except Exception as error:  # decoders of damaged files raise whatever they like
            return Unusable(name, file, 0, f"mask broken: {str(error).splitlines()[0] if str(error) else error!r}")
        first = next(iter(masks.values())).shape
        if masks[part].shape != first:
            return Unusable(name, file, 0, f"the masks differ in size: {_size(masks[part].shape)}, not {_size(first)}")
    try:
        labels = _labelled(masks)
        points = tracing.trace(labels)
    except DataError as error:
        return Unusable(name, lip, 0, str(error))
    # Masks and picture cover the same square, however many pixels each has; the halves are the first pixels' corners.
    height, width = picture_size(picture) or labels.shape
    scale = np.array([width / labels.shape[1], height / labels.shape[0]])
    points = (points + 0.5) * scale - 0.5
    eyes = [_middle(masks[eye]) * scale for eye in _EYES if eye in masks and masks[eye].any()]
    distance = float(np.hypot(*(eyes[1] - eyes[0]))) if len(eyes) == 2 else tracing.inter_ocular_estimate(points)
    return FaceSample(name, picture, points, distance, split, annotation=lip, labels=tracing.held(labels))


def _labelled(masks: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.uint8]:
    """Returns the label map of these masks, of one pixel where there is none."""
    labels = np.zeros(next(iter(masks.values())).shape if masks else (1, 1), np.uint8)
    for part, label in _LIPS.items():
        if part in masks:
            there = tracing.bounds(masks[part])
            labels[there][masks[part][there]] = label
    return labels


def _mask(file: Path) -> NDArray[np.bool_]:
    """Returns (height, width) where a part is: the lighter half of the greys; three equal channels are one."""
    with open_picture(file) as image:
        return np.asarray(image.convert("L")) > 127


def _middle(mask: NDArray[np.bool_]) -> scheme.Points:
    """Returns the middle (x, y) of a mask's pixels."""
    there = tracing.bounds(mask)
    rows, columns = np.nonzero(mask[there])
    return np.array([(columns + there[1].start).mean(), (rows + there[0].start).mean()])


def _size(shape: tuple[Any, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"
