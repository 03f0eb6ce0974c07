"""What an annotation file says, found a second time with patterns and none of lipseg's own code.

A reader that exchanges axes, drops a row or takes a damaged number for another one gives a result that looks sound.
"""

import contextlib
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

_DECIMAL = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_FARTHEST_PX = 1e6


class FuzzError(AssertionError):
    """A reader gave neither a result that makes sense nor a clear error."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise FuzzError(what)


def _text(content: bytes) -> str | None:
    """Returns the text of a file, its line ends "\n", or None where it is no UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(content: bytes) -> str | None:
    """Returns the text of a file of which every reader must make the same lines and words, or None."""
    text = _text(content)
    return text if text is not None and all(" " <= char <= "~" or char == "\n" for char in text) else None


def _plain_rows(content: bytes) -> list[list[str]] | None:
    """Returns the stripped cells of a table in which nothing is quoted, without its empty lines, or None."""
    text = _plain(content)
    if text is None or '"' in text or text.lstrip(" ,").startswith("\n"):
        return None
    return [[cell.strip() for cell in line.split(",")] for line in text.split("\n") if line]


def _numbers(text: str) -> np.ndarray:
    return np.array([float(number) for number in re.findall(_DECIMAL, text)])


def check_points(faces: list[Any], expected: np.ndarray | None, sound: bool, eyes: tuple[slice, slice]) -> None:
    """Compares a face's landmarks, and the distance between its eyes, with those found by a pattern.

    Args:
        faces: what the reader gave.
        expected: (n, 2) all points of the file, None where that number is not found.
        sound: whether the file holds nothing but these points, so that they must be taken.
        eyes: the rows of the two eyes.
    """
    from lipseg import scheme
    from lipseg.data.annotations import FaceSample

    found = [face for face in faces if isinstance(face, FaceSample)]
    middles = [] if expected is None else [expected[eye].mean(0) for eye in eyes]
    distance = math.dist(*middles) if middles else 0.0
    if not found:
        taken = expected is None or not sound or distance == 0 or bool((np.abs(expected) > _FARTHEST_PX).any())
        require(taken, f"a sound file is refused: {faces}")
        return
    require(expected is not None, "landmarks that the file does not hold")
    assert expected is not None
    lips = expected[scheme.HELEN_LIPS] if len(expected) == 194 else scheme.from_68(expected)
    require(bool((found[0].points_px == lips).all()), "other landmarks than the file's")
    require(math.isclose(found[0].inter_ocular_px, distance, rel_tol=1e-9), "another distance between the eyes")


def check_helen(content: bytes, faces: list[Any]) -> None:
    text = _text(content)
    name, _, rest = (text or "").partition("\n")
    numbers = _numbers(rest)
    expected = numbers.reshape(194, 2) if len(numbers) == 388 else None
    sound = name == "a_1" and all(re.fullmatch(f"{_DECIMAL} , {_DECIMAL}", line) for line in rest.rstrip().split("\n"))
    check_points(faces, expected, sound, (slice(114, 134), slice(134, 154)))


def check_ibug(content: bytes, faces: list[Any]) -> None:
    head, *rest = re.split(r"^[^\S\n]*\{[^\S\n]*$", _text(content) or "", maxsplit=1, flags=re.MULTILINE)
    body = re.split(r"^[^\S\n]*\}[^\S\n]*$", rest[0], maxsplit=1, flags=re.MULTILINE)[0] if rest else ""
    numbers = _numbers(body)
    expected = numbers.reshape(68, 2) - 1 if len(numbers) == 136 else None
    lines = body.strip("\n").split("\n")
    sound = head == "version: 1\nn_points: 68\n" and all(re.fullmatch(f"{_DECIMAL} {_DECIMAL}", line) for line in lines)
    check_points(faces, expected, sound and content.rstrip().endswith(b"\n}"), (slice(36, 42), slice(42, 48)))


def check_names(content: bytes, faces: list[Any]) -> None:
    text = _plain(content)
    if text is not None:
        listed = {name.strip() for name in text.split("\n")} - {""}
        require({face.name for face in faces} == listed | {"a_1"}, "other names than the list's")
        require(getattr(faces[[face.name for face in faces].index("a_1")], "split", None) in ("train", None), "split")


def check_cell(column: str, kind: Callable[[str], Any]) -> Callable[[bytes, list[Any]], None]:
    """Compares what a table says of the face a_1 with what a face has."""

    def check(content: bytes, faces: list[Any]) -> None:
        rows = _plain_rows(content)
        if rows:
            place = rows[0].index(column), rows[0].index("name")
            told = [row[place[0]] for row in rows[1:] if len(row) > max(place) and row[place[1]] == "a_1"]
            expected = kind(told[0]) if told else kind("1")
            found = getattr(faces[0], column)
            found = found.strip() if isinstance(found, str) else found
            require(found == expected, f"{column} {found}, not {expected}")

    return check


def check_labels(faces: list[Any]) -> None:
    """Compares the landmarks of a mask, in its own pixels, with where its lips are."""
    from lipseg.data.annotations import FaceSample

    for face in faces:
        if not isinstance(face, FaceSample):
            continue
        assert face.labels is not None
        labels = face.labels()
        rows, columns = np.nonzero(labels)
        with Image.open(face.image) if face.image.exists() else contextlib.nullcontext() as picture:
            width, height = picture.size if picture else labels.shape[::-1]
        places = (np.stack([columns, rows], 1) + 0.5) * (width / labels.shape[1], height / labels.shape[0]) - 0.5
        pixel = max(width / labels.shape[1], height / labels.shape[0])
        apart = np.sqrt(((face.points_px[:, None] - places) ** 2).sum(-1)).min(1).max()
        require(apart < 3 * pixel, f"a landmark {apart / pixel:.1f} pixels beside the mask")


def boxes_told(content: bytes) -> dict[str, list[list[float]]] | None:
    """Returns the corners in a table that nothing is wrong with, by the picture; None for any other."""
    rows = [row for row in _plain_rows(content) or [] if any(row)]
    columns = ["image", "x0", "y0", "x1", "y1"]
    if not rows or any(rows[0].count(column) != 1 for column in columns) or len(rows) == 1:
        return None
    found: dict[str, list[list[float]]] = {}
    for row in rows[1:]:
        if len(row) != len(rows[0]) or not row[rows[0].index("image")]:
            return None
        cells = [row[rows[0].index(column)] for column in columns[1:]]
        if not all(re.fullmatch(_DECIMAL, cell) for cell in cells):
            return None
        corners = [float(cell) for cell in cells]
        x0, y0, x1, y1 = corners
        if max(map(abs, corners)) > 1e8 or not (x1 - x0 > 1e-6 and y1 - y0 > 1e-6):
            return None
        found.setdefault(row[rows[0].index("image")], []).append(corners)
    return found
