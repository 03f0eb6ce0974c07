"""Faces labelled as masks: ``NAME.mask.png`` beside ``NAME.jpg`` or ``NAME.png``.

The mask is of its picture's size and holds 0 for the background, 1 for the upper lip, 2 for the lower lip and 3 for
the inner mouth, as ``lipseg predict --format mask`` writes it: answers corrected in a paint program can be learnt from.
A mask may hold the mouths of several people.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.data import tracing
from lipseg.data.annotations import FaceSample, Listing, Split, Unread, Unusable, read_all
from lipseg.data.annotations.lists import TEST, TRAIN, optional_splits
from lipseg.errors import DataError
from lipseg.images import IMAGE_SUFFIXES, open_picture, picture_size
from lipseg.rendering.masks import BACKGROUND, INNER, LOWER, UPPER
from lipseg.rendering.palette import LABELS

ENDING = ".mask.png"
# Pieces nearer to each other than this share of the wider one's width are of one mouth, with something before it: in
# AFW's photos, at least .85 of it lies between the mouths of two people.
_APART = 0.75
# Where there are several mouths, a piece without both lips that is smaller than this share of the largest, or has fewer
# pixels than a mouth that can be traced, is a slip of the brush.
_SLIP_SHARE, _SLIP_PIXELS = 0.05, 60
# More pieces than that are no mask of lips, and would take long to compare.
_MOST_PIECES = 1000
LAYOUT = f"the layout is NAME{ENDING} beside NAME.jpg or NAME.png, in any folder below"


def read(root: Path) -> Iterator[FaceSample | Unusable]:
    """Returns the faces of a folder and all folders below it, sorted by name.

    A face's name is the path of its mask below ``root`` without ``.mask.png``. Where a mask holds several mouths
    (``number_mouths``), the names of all but the leftmost end in ``#2``, ``#3`` and so on, from left to right, and they
    are one group. A mask without a mouth is of a picture without a face, unless the lists name it. The landmarks are
    traced along the mask (``tracing.trace``). The eyes are unknown: the inter-ocular distance is taken to be the
    mouth's width over .87, the mean ratio of Helen's training faces, so that errors in inter-ocular distances are off
    by a sixth on a single face. The split is that of ``trainnames.txt`` and ``testnames.txt``; without them faces have
    none.

    Args:
        root: folder with masks and pictures.

    Raises:
        DataError: if the folder is missing or holds no mask, or the lists are contradictory or only one is there.
    """
    return read_all(unread(root))


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
            yield Unread(name, picture, partial(_faces_of, name, file, picture, split_of[name] if split_of else None))


def _faces_of(name: str, file: Path, picture: Path, split: Split | None) -> list[FaceSample | Unusable]:
    """Returns the faces whose mouths one mask holds, from left to right."""
    try:
        labels = _labels(file)
        size = picture_size(picture)
        if size is not None and size != labels.shape:
            own = f"{labels.shape[1]} x {labels.shape[0]}"
            raise DataError(f"the mask has {own} pixels, its picture {size[1]} x {size[0]}")
        if split is None and not labels.any():
            return []
        numbers, count = number_mouths(labels)
    except DataError as error:
        return [Unusable(name, file, 0, str(error))]
    faces: list[FaceSample | Unusable] = []
    for number in range(1, count + 1):
        own_name = f"{name}#{number}" if number > 1 else name
        try:
            own_labels = _one_of(labels, numbers, number)
            points = tracing.trace(own_labels)
        except DataError as error:
            faces.append(Unusable(own_name, file, 0, str(error)))
            continue
        distance, group = tracing.inter_ocular_estimate(points), name if count > 1 else ""
        faces.append(
            FaceSample(
                own_name,
                picture,
                points,
                distance,
                split,
                annotation=file,
                group=group,
                labels=tracing.held(own_labels),
            )
        )
    return faces


def number_mouths(labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint16], int]:
    """Returns to which mouth of a label map each pixel belongs, and how many mouths it holds, at least one.

    Pieces of the map are of one mouth where they lie nearer to each other than three quarters of the wider one's width.
    Of several mouths, those too small to be traced count for none, and neither do small pieces that lack a lip.

    Args:
        labels: (height, width) uint8: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth.

    Returns:
        (height, width) uint16: from left to right 1, 2 and so on, and 0 for no mouth; the number of mouths.

    Raises:
        DataError: if there are more pieces than mouths could be.
    """
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((labels != BACKGROUND).astype(np.uint8), connectivity=8)
    large = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _SLIP_PIXELS)
    if len(large) > _MOST_PIECES:
        raise DataError(f"the mask is in {len(large)} pieces, more than {_MOST_PIECES}")
    low, size = stats[large, :2].astype(float), stats[large, 2:4].astype(float)
    mouth_of = np.arange(len(large))
    for piece in range(len(large)):
        gap = np.maximum(low - (low[piece] + size[piece]), low[piece] - (low + size)).clip(0)
        near = np.hypot(*gap.T) < _APART * np.maximum(size[:, 0], size[piece, 0])
        mouth_of[np.isin(mouth_of, mouth_of[near])] = mouth_of[piece]

    lips = [np.isin(large, pieces[labels == lip]) for lip in (UPPER, LOWER)]
    areas = np.bincount(mouth_of, stats[large, cv2.CC_STAT_AREA])
    whole = [
        mouth
        for mouth in np.unique(mouth_of)
        if areas[mouth] >= _SLIP_SHARE * areas.max() or all(lip[mouth_of == mouth].any() for lip in lips)
    ]
    if len(whole) < 2:
        return np.ones(labels.shape, np.uint16), 1
    whole.sort(key=lambda mouth: low[mouth_of == mouth].min(0).tolist())
    number_of = np.zeros(count, np.uint16)
    for number, mouth in enumerate(whole, 1):
        number_of[large[mouth_of == mouth]] = number
    return number_of[pieces], len(whole)


def _one_of(labels: NDArray[np.uint8], numbers: NDArray[np.uint16], number: int) -> NDArray[np.uint8]:
    """Returns a label map of one mouth alone."""
    return np.where(numbers == number, labels, np.uint8(BACKGROUND))


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
