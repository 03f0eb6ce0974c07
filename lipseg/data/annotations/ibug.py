"""Faces in iBUG's layout (AFW, LFPW, 300-W): ``NAME.pts`` with 68 points beside ``NAME.jpg``.

    version: 1
    n_points: 68
    {
    91.866335 126.009351
    ...
    }

Pixels count from 1 (Sagonas et al., "300 Faces in-the-Wild Challenge", 2013).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from lipseg import scheme
from lipseg.data.annotations import FaceSample, Listing, Split, Unread, Unusable, coordinate, read_all
from lipseg.errors import DataError, shown
from lipseg.images import IMAGE_SUFFIXES


def read(root: Path) -> Iterator[FaceSample | Unusable]:
    """Returns the faces of a folder and all folders below it, sorted by name.

    A face's name is the path of its .pts file below ``root`` without the ending. Its split is "train" below a folder
    called ``trainset`` (as LFPW and 300-W's Helen have it), "test" below ``testset`` and None elsewhere.

    Args:
        root: folder with .pts files and pictures.

    Raises:
        DataError: if the folder is missing or holds no .pts file.
    """
    return read_all(unread(root))


def unread(root: Path) -> Listing:
    """Returns what ``read`` returns and raises what it raises, but no annotation is parsed yet."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; set data.root to a folder with NAME.pts beside NAME.jpg")
    # macOS leaves "._NAME.pts" files in archives that hold no points.
    names = sorted(
        (file.relative_to(root).with_suffix("").as_posix(), file.suffix)
        for file in root.rglob("*.[pP][tT][sS]")
        if not file.name.startswith(".")
    )
    if not names:
        raise DataError(f"{root}: holds no .pts file; iBUG's layout is NAME.pts beside NAME.jpg, in any folder below")
    return Listing((_unread(name, root / f"{name}{suffix}") for name, suffix in names), len(names))


def _unread(name: str, file: Path) -> Unread:
    picture = _picture(file)
    return Unread(name, picture, partial(_face, name, file, picture))


def _face(name: str, file: Path, picture: Path) -> FaceSample | Unusable:
    """Returns the face that one .pts file describes."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        return Unusable(name, file, 0, f"cannot be read as text ({error})")
    try:
        points = _parse(lines)
    except _MalformedError as error:
        return Unusable(name, file, error.line, error.reason)
    inter_ocular = scheme.inter_ocular(points)
    if inter_ocular <= 0:
        return Unusable(name, file, 0, "both eyes lie on the same point")
    return FaceSample(name, picture, scheme.from_68(points), inter_ocular, _split(name), annotation=file)


class _MalformedError(Exception):
    """A line of a .pts file that cannot be read."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def _parse(lines: list[str]) -> scheme.Points:
    """Returns the (68, 2) points of a .pts file's stripped lines, in pixels that count from 0."""
    if "{" not in lines:
        raise _MalformedError(0, "no line '{' before the points")
    start = lines.index("{")
    for number, line in enumerate(lines[:start], start=1):
        key, _, value = line.partition(":")
        if key.strip().lower() == "n_points" and value.strip() != str(scheme.IBUG_POINTS):
            raise _MalformedError(number, f"expected n_points: {scheme.IBUG_POINTS}, found {shown(value.strip())}")
    if "}" not in lines[start:]:
        raise _MalformedError(len(lines), "the file ends before '}'; it may be cut off")
    end = lines.index("}", start)
    rows = [(number, line) for number, line in enumerate(lines[start + 1 : end], start=start + 2) if line]
    points = np.array([_point(number, line) for number, line in rows]).reshape(-1, 2)
    if len(points) != scheme.IBUG_POINTS:
        raise _MalformedError(end + 1, f"expected {scheme.IBUG_POINTS} points, found {len(points)}")
    return points - 1


def _point(number: int, line: str) -> tuple[float, float]:
    """Returns (x, y) of a line "x y"."""
    cells = line.split()
    x, y = map(coordinate, cells) if len(cells) == 2 else (None, None)
    if x is None or y is None:
        raise _MalformedError(number, f"expected 'x y' in pixels, found '{line[:40]}'")
    return x, y


def _picture(file: Path) -> Path:
    """Returns the picture beside a .pts file: .jpg before other endings, NAME.jpg where there is none."""
    for suffix in (".jpg", *sorted(IMAGE_SUFFIXES - {".jpg"})):
        for candidate in (suffix, suffix.upper()):
            if (picture := file.with_suffix(candidate)).is_file():
                return picture
    return file.with_suffix(".jpg")


def _split(name: str) -> Split | None:
    """Returns the split that the folders of a face's name say."""
    folders = {folder.lower() for folder in PurePosixPath(name).parts[:-1]}
    if "trainset" in folders:
        return "train"
    return "test" if "testset" in folders else None
