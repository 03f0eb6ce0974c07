"""The Helen dataset in its own layout (Le et al., "Interactive facial feature localization", ECCV 2012).

image/NAME.jpg        the pictures
annotation/N.txt      first line NAME, then 194 lines "x , y" in pixels
trainnames.txt        one NAME a line
testnames.txt         likewise
scale.csv             where there is one: columns name and scale (and any others), of pictures that were made smaller
                      since they were annotated: pixels over pixels of then; of names without a row it is 1

Names are Flickr's number of the photo and a number in it: faces of one photo are a group.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from lipseg import scheme
from lipseg.data.annotations import FaceSample, Listing, Split, Unread, Unusable, coordinate, read_all
from lipseg.data.annotations.lists import splits
from lipseg.errors import DataError, shown
from lipseg.images import IMAGE_SUFFIXES
from lipseg.numbers import plain_number

# What points are written in where nothing is wrong with them, and how far away none is, in pixels.
_DECIMAL = b"0123456789.-, \t"
_FAR = 1e6

LAYOUT = "image/, annotation/, trainnames.txt, testnames.txt"


def read(root: Path) -> Iterator[FaceSample | Unusable]:
    """Returns the faces of a folder in Helen's layout, sorted by name; the lists and folders are checked at once.

    Faces that the lists and the annotations disagree about, and annotations that cannot be parsed, come as
    ``Unusable`` in the same order.

    Args:
        root: folder that holds ``image/``, ``annotation/``, ``trainnames.txt`` and ``testnames.txt``.

    Raises:
        DataError: if a list or a folder is missing, empty or contradictory, or ``scale.csv`` malformed.
    """
    return read_all(unread(root))


def unread(root: Path) -> Listing:
    """Returns what ``read`` returns and raises what it raises, but no points are parsed yet."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; set data.root to a folder with {LAYOUT}")
    split_of = splits(root, f"Helen's layout is {LAYOUT}")
    for folder in ("image", "annotation"):
        if not (root / folder).is_dir():
            raise DataError(f"{root / folder}: no such folder; Helen's layout is {LAYOUT}")
    files = sorted((file.name for file in (root / "annotation").glob("*.txt")), key=_file_order)
    if not files:
        raise DataError(f"{root / 'annotation'}: holds no .txt file; unpack Helen's annotation archive there")
    scales = _scales(root / "scale.csv")
    # Only the names are held for the whole dataset.
    named: list[tuple[str, str | None]] = [(_first_line(root / "annotation" / file), file) for file in files]
    named += [(name, None) for name in set(split_of) - {name for name, _ in named}]
    named.sort(key=lambda pair: pair[0])
    return Listing(_faces(root, named, split_of, scales), len(named))


def _faces(
    root: Path, named: list[tuple[str, str | None]], split_of: dict[str, Split], scales: dict[str, float]
) -> Iterator[Unread | Unusable]:
    """Yields every annotated or listed face in the order of the names.

    Args:
        root: folder in Helen's layout.
        named: of each its name and its file in ``annotation/``, None where there is none; sorted by name.
        split_of: split of every listed name.
        scales: of the pictures that were made smaller.
    """
    images = _images_by_stem(root / "image")
    first, first_file = "", ""
    for name, found in named:
        if found is None:
            listed = root / f"{split_of[name]}names.txt"
            yield Unusable(name, listed, 0, "listed, but no file in annotation/ begins with this name")
            continue
        file = root / "annotation" / found
        if not name:
            yield Unusable("", file, 1, "the first line must be the image's name without its ending")
        elif name == first:
            yield Unusable(name, file, 1, f"annotated a second time, first in {first_file}")
        elif name not in split_of:
            yield Unusable(name, file, 1, "in neither trainnames.txt nor testnames.txt")
        else:
            first, first_file = name, found
            image = root / "image" / images.get(name, f"{name}.jpg")
            yield Unread(name, image, partial(_face, name, file, image, split_of[name], scales.get(name, 1.0)))


def _face(name: str, file: Path, image: Path, split: Split, scale: float) -> FaceSample | Unusable:
    """Returns the face that one annotation file describes."""
    try:
        lines = _text(file).rstrip().splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        return Unusable(name, file, 0, f"cannot be read as text ({error})")
    points = _points(lines)
    if isinstance(points, int):
        said = f"expected 'x , y' in pixels, found '{lines[points].strip()[:40]}'"
        return Unusable(name, file, points + 2, said)
    if len(points) != scheme.HELEN_POINTS:
        return Unusable(name, file, len(lines) + 1, f"expected {scheme.HELEN_POINTS} points, found {len(points)}")
    inter_ocular = scheme.inter_ocular(points)
    if inter_ocular <= 0:
        return Unusable(name, file, 0, "both eyes lie on the same point")
    return FaceSample(
        name,
        image,
        points[scheme.HELEN_LIPS],
        inter_ocular,
        split,
        annotation=file,
        scale=scale,
        group=photo_of(name),
    )


def photo_of(name: str) -> str:
    """Returns Flickr's number of the photo that a face is from, "" where the name is of another kind."""
    match = re.fullmatch(r"(\d+)_\d+", name)
    return match[1] if match else ""


def _scales(path: Path) -> dict[str, float]:
    """Returns the scale of every name in the table; nothing where there is no table.

    Raises:
        DataError: if it cannot be read, lacks a column, or has a line without a name of its own and a positive number.
    """
    remedy = "correct it, or remove the file where no picture was made smaller"
    scales: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"name", "scale"} <= set(rows.fieldnames or ()):
                raise DataError(f"{path}, line 1: expected the columns name and scale; {remedy}")
            if {"name", "scale"} & {column for column, count in Counter(rows.fieldnames or ()).items() if count > 1}:
                raise DataError(f"{path}, line 1: the column name or scale comes twice; {remedy}")
            for row in rows:
                name, scale = (row["name"] or "").strip(), _positive(row["scale"])
                if not name or scale is None:
                    raise DataError(f"{path}, line {rows.line_num}: expected a name and a positive scale; {remedy}")
                if name in scales:
                    raise DataError(f"{path}, line {rows.line_num}: {shown(name)} comes twice; {remedy}")
                scales[name] = scale
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error}); {remedy}") from error
    return scales


def _positive(text: str | None) -> float | None:
    """Returns the positive number that a cell holds, whose inverse is finite too, or None."""
    number = plain_number(text or "")
    return number if number is not None and 1e-6 < number < 1e6 else None


def _points(lines: list[str]) -> scheme.Points | int:
    """Returns (n, 2) points of lines "x , y", or which line is the first that is anything else or not finite."""
    plain = _plain(lines)
    if plain is not None:
        return plain
    points = np.empty((len(lines), 2))
    for i, line in enumerate(lines):
        point = _point(line)
        if point is None:
            return i
        points[i] = point
    return points


def _plain(lines: list[str]) -> scheme.Points | None:
    """Returns the points of lines that hold nothing but decimal numbers as pixels are, as those of nearly all files.

    None for any others. All are parsed at once, which takes less time than to look at each number.
    """
    text = ",".join(lines)
    if not text.isascii() or text.encode().translate(None, _DECIMAL) or any(line.count(",") != 1 for line in lines):
        return None
    try:
        points = np.array([float(cell) for cell in text.split(",")]).reshape(-1, 2)
    except ValueError:
        return None
    return points if (np.abs(points) < _FAR).all() else None


def _point(line: str) -> tuple[float, float] | None:
    """Returns (x, y) of a line "x , y", or None where it is anything else."""
    cells = line.split(",")
    if len(cells) != 2:
        return None
    x, y = map(coordinate, cells)
    return None if x is None or y is None else (x, y)


def _text(path: Path) -> str:
    """Returns the text of a file, whatever its line endings and with or without a byte order mark."""
    return path.read_text(encoding="utf-8-sig")


def _first_line(path: Path) -> str:
    """Returns the name in an annotation's first line, "" where there is none or it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.readline().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _images_by_stem(folder: Path) -> dict[str, str]:
    """Returns the picture of every name; of several that differ in the ending only, .jpg before the others."""
    found = ((file.suffix.lower() != ".jpg", file.name, file.stem) for file in folder.iterdir() if _is_image(file))
    return {stem: name for _, name, stem in sorted(found, reverse=True)}


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES


def _file_order(name: str) -> tuple[int, str]:
    """Returns the key by which 2.txt comes before 10.txt."""
    stem = name.removesuffix(".txt")
    return (int(stem) if re.fullmatch(r"\d+", stem) else -1, name)
