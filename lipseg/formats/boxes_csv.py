"""Mouth boxes in a CSV file: the columns image, x0, y0, x1, y1; a row is a mouth."""

import csv
from pathlib import Path
from typing import Any

from lipseg.boxes import Box
from lipseg.errors import DataError, shown

COLUMNS = ("image", "x0", "y0", "x1", "y1")


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Returns the boxes of each picture in a CSV file with the columns image, x0, y0, x1, y1; a row is a face.

    The columns may come in any order and among others. A box's origin is the file and its line.

    Args:
        path: the CSV file, UTF-8.

    Returns:
        The boxes by the column ``image``, which holds the picture's file name.

    Raises:
        DataError: naming the file and the line.
    """
    boxes: dict[str, list[Box]] = {}
    try:
        # "utf-8-sig" also reads the byte order mark that spreadsheets write.
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            if not set(COLUMNS) <= set(header):
                found = shown(",".join(header))
                raise DataError(f"{path}, line 1: the header must be {','.join(COLUMNS)}, not {found}")
            if twice := [name for name in COLUMNS if header.count(name) > 1]:
                raise DataError(f"{path}, line 1: the column {twice[0]} comes twice")
            places = [header.index(name) for name in COLUMNS]
            for row in rows:
                if not any(field.strip() for field in row):
                    continue
                origin = f"{path}, line {rows.line_num}"
                if len(row) != len(header):
                    raise DataError(f"{origin}: expected {len(header)} fields, found {len(row)}")
                image, *fields = (row[place].strip() for place in places)
                if not image:
                    raise DataError(f"{origin}: the column image is empty")
                boxes.setdefault(image, []).append(Box.from_texts(fields, origin))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    if not boxes:
        raise DataError(f"{path}: holds no boxes, only the header")
    return boxes


def match_boxes(boxes: dict[str, list[Box]], paths: list[Path]) -> dict[Path, list[Box]]:
    """Returns the boxes of each path that has any, found by its file name.

    Where the column ``image`` holds folders too ("day 1/a.jpg"), the path's end must equal them; the longest match
    counts.

    Raises:
        DataError: if one name stands for two of the paths.
    """
    found: dict[Path, list[Box]] = {}
    taken: dict[str, Path] = {}
    for path in paths:
        parts: tuple[Any, ...] = path.parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        name = next((end for end in (path.as_posix(), *ends) if end in boxes), None)
        if name is None:
            continue
        if name in taken:
            raise DataError(
                f"{boxes[name][0].origin}: {shown(name)} could be {taken[name]} or {path}; write the folder into the "
                "column image too, or predict one folder at a time"
            )
        taken[name] = path
        found[path] = boxes[name]
    return found
