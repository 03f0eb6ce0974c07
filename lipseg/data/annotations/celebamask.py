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
from lipseg.data.annotations import FaceSample, Split, Unusable
from lipseg.data.annotations.lists import TEST, TRAIN, optional_splits
from lipseg.errors import DataError
from lipseg.images import open_picture, picture_size
from lipseg.rendering.masks import INNER, LOWER, UPPER

PICTURES, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
LAYOUT = f"CelebAMask-HQ's layout is {PICTURES}/N.jpg, {MASKS}/*/NNNNN_u_lip.png and so on"

_LIPS = {"u_lip": UPPER, "l_lip": LOWER, "mouth": INNER}
_EYES = ("l_eye", "r_eye")


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
    for folder in (root, root / PICTURES, root / MASKS):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; {LAYOUT}")
    split_of = optional_splits(root, f"put both lists there or none; {LAYOUT}")
    pictures = {file.stem: file for file in (root / PICTURES).glob("*.jpg") if file.stem.isdecimal()}
    if not pictures:
        raise DataError(f"{root / PICTURES}: holds no N.jpg; {LAYOUT}")
    # One walk: looking for each of five files in each of fifteen folders would take longer than the tracing.
    parts = {file.name: file for file in (root / MASKS).glob("*/*.png")}
    if not parts:
        raise DataError(f"{root / MASKS}: holds no */NNNNN_u_lip.png; {LAYOUT}")
    return _faces(root, pictures, parts, split_of)


def _faces(
    root: Path, pictures: dict[str, Path], parts: dict[str, Path], split_of: dict[str, Split] | None
) -> Iterator[FaceSample | Unusable]:
    """Yields every face that has a picture or is listed."""
    for name in sorted({*pictures, *(split_of or ())}, key=lambda name: (len(name), name)):
        if name not in pictures:
            yield Unusable(name, root / f"{(split_of or {})[name]}names.txt", 0, f"listed, but not in {PICTURES}/")
        elif split_of is not None and name not in split_of:
            yield Unusable(name, pictures[name], 0, f"in neither {TRAIN} nor {TEST}")
        else:
            yield _face(root, name, pictures[name], parts, split_of[name] if split_of else None)


def _face(root: Path, name: str, picture: Path, parts: dict[str, Path], split: Split | None) -> FaceSample | Unusable:
    """Returns the face of one picture."""
    files = {part: parts.get(f"{int(name):05d}_{part}.png") for part in (*_LIPS, *_EYES)}
    lip = files["u_lip"] or files["l_lip"] or root / MASKS / f"{int(name):05d}_u_lip.png"
    masks: dict[str, NDArray[np.bool_]] = {}
    for part, file in files.items():
        if file is None:
            continue
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
    lips = {part: file for part, file in files.items() if file is not None and part in _LIPS}
    return FaceSample(name, picture, points, distance, split, annotation=lip, labels=partial(_labels, lips))


def _labels(files: Mapping[str, Path]) -> NDArray[np.uint8]:
    """Returns the label map of the masks in these files."""
    return _labelled({part: _mask(file) for part, file in files.items()})


def _labelled(masks: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.uint8]:
    """Returns the label map of these masks, of one pixel where there is none."""
    labels = np.zeros(next(iter(masks.values())).shape if masks else (1, 1), np.uint8)
    for part, label in _LIPS.items():
        if part in masks:
            labels[masks[part]] = label
    return labels


def _mask(file: Path) -> NDArray[np.bool_]:
    """Returns (height, width) where a part is: the lighter half of the greys; three equal channels are one."""
    with open_picture(file) as image:
        return np.asarray(image.convert("L")) > 127


def _middle(mask: NDArray[np.bool_]) -> scheme.Points:
    """Returns the middle (x, y) of a mask's pixels."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


def _size(shape: tuple[Any, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"
