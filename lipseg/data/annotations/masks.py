"""Faces labelled as masks: ``NAME.mask.png`` beside ``NAME.jpg`` or ``NAME.png``.

The mask is of its picture's size and holds 0 for the background, 1 for the upper lip, 2 for the lower lip and 3 for
the inner mouth, as ``lipseg predict --format mask`` writes it: answers corrected in a paint program can be learnt from.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.data import tracing
from lipseg.data.annotations import FaceSample, Listing, Split, Unread, Unusable, face_of
from lipseg.data.annotations.lists import TEST, TRAIN, optional_splits
from lipseg.errors import DataError
from lipseg.images import IMAGE_SUFFIXES, open_picture, picture_size
from lipseg.rendering.masks import BACKGROUND, INNER
from lipseg.rendering.palette import LABELS

ENDING = ".mask.png"
LAYOUT = f"the layout is NAME{ENDING} beside NAME.jpg or NAME.png, in any folder below"


def read(root: Path) -> Iterator[FaceSample | Unusable]:
    """Returns the faces of a folder and all folders below it, sorted by name; each picture must show one mouth.

    A face's name is the path of its mask below ``root`` without ``.mask.png``. The landmarks are traced along the mask
    (``tracing.trace``). The eyes are unknown: the inter-ocular distance is taken to be the mouth's width over .87, the
    mean ratio of Helen's training faces, so that errors in inter-ocular distances are off by a sixth on a single face.
    The split is that of ``trainnames.txt`` and ``testnames.txt``; without them faces have none.

    Args:
        root: folder with masks and pictures.

    Raises:
        DataError: if the folder is missing or holds no mask, or the lists are contradictory or only one is there.
    """
    return map(face_of, unread(root))


def unread(root: Path) -> Listing:
    """Returns what ``read`` returns and raises what it raises, but no mask is decoded yet."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; {LAYOUT}")
    # Hidden files are what macOS leaves in archives.
    masked = {
        file.relative_to(root).as_posix().removesuffix(ENDING)
        for file in root.rglob(f"*{ENDING}")
        if not file.name.startswith(".")
    }
    if not masked:
        raise DataError(f"{root}: holds no {ENDING} file; {LAYOUT}")
    split_of = optional_splits(root, f"put both lists there or none; {LAYOUT}")
    names = sorted({*masked, *(split_of or ())})
    return Listing(_faces(root, names, masked, split_of), len(names))


def _faces(
    root: Path, names: list[str], masked: set[str], split_of: dict[str, Split] | None
) -> Iterator[Unread | Unusable]:
    """Yields every face that has a mask or is listed."""
    for name in names:
        file = root / f"{name}{ENDING}"
        if name not in masked:
            yield Unusable(name, root / f"{(split_of or {})[name]}names.txt", 0, f"listed, but has no {ENDING}")
        elif split_of is not None and name not in split_of:
            yield Unusable(name, file, 0, f"in neither {TRAIN} nor {TEST}")
        else:
            picture = _picture(file)
            yield Unread(name, picture, partial(_face, name, file, picture, split_of[name] if split_of else None))


def _face(name: str, file: Path, picture: Path, split: Split | None) -> FaceSample | Unusable:
    """Returns the face that one mask describes."""
    try:
        labels = _labels(file)
        size = picture_size(picture)
        if size is not None and size != labels.shape:
            own = f"{labels.shape[1]} x {labels.shape[0]}"
            raise DataError(f"the mask has {own} pixels, its picture {size[1]} x {size[0]}")
        points = tracing.trace(labels)
    except DataError as error:
        return Unusable(name, file, 0, str(error))
    distance = tracing.inter_ocular_estimate(points)
    return FaceSample(name, picture, points, distance, split, annotation=file, labels=tracing.held(labels))


def _labels(file: Path) -> NDArray[np.uint8]:
    """Returns the labels in a mask file.

    Colours count where all are those that lipseg itself writes: paint programs sort palettes anew, or drop them.

    Raises:
        DataError: if it cannot be decoded or holds something else than the labels 0 to 3.
    """
    try:
        with open_picture(file) as image:
            image.load()
            mode = image.mode
            pixels = np.asarray(image if mode in ("P", "L") else image.convert("RGB"))
            colours = np.asarray(image.convert("RGB"), np.uint32) if mode in ("P", "RGB", "RGBA") else None
    except Exception as error:  # decoders of damaged files raise whatever they like
        raise DataError(f"mask broken: {str(error).splitlines()[0] if str(error) else repr(error)}") from error
    if mode not in ("P", "L", "RGB", "RGBA"):
        raise DataError(
            f"not an 8-bit picture of the labels 0 to 3: Pillow's mode is {mode}; save it as an indexed PNG"
        )
    if colours is not None:
        packed = colours @ np.array([65536, 256, 1], np.uint32)
        known = np.array([(red << 16) + (green << 8) + blue for red, green, blue in LABELS], np.uint32)
        if np.isin(packed, known).all():
            return np.stack([packed == colour for colour in known]).argmax(0).astype(np.uint8)
    if pixels.ndim == 3:
        raise DataError("in colours that are not lipseg's four; save it as an indexed PNG, without smoothed edges")
    if (highest := int(pixels.max(initial=BACKGROUND))) > INNER:
        raise DataError(f"holds the label {highest}; there are 0 background, 1 upper lip, 2 lower lip, 3 inner mouth")
    return pixels


def _picture(file: Path) -> Path:
    """Returns the picture beside a mask: .jpg before other endings, NAME.jpg where there is none."""
    stem = file.with_name(file.name.removesuffix(ENDING))
    for suffix in (".jpg", *sorted(IMAGE_SUFFIXES - {".jpg"})):
        for ending in (suffix, suffix.upper()):
            if (picture := stem.with_name(stem.name + ending)).is_file():
                return picture
    return stem.with_name(f"{stem.name}.jpg")
