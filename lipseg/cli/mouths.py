"""The options that say where the mouths are, picture by picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipseg.errors import DataError, UsageError

if TYPE_CHECKING:
    from lipseg.boxes import Box

MouthBoxOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mouth-box",
        "--box",
        metavar="X0,Y0,X1,Y1",
        help="Where a mouth is, in every picture given; once for each mouth.",
    ),
]
MouthBoxesOption = Annotated[
    Path | None,
    typer.Option(
        "--mouth-boxes",
        "--boxes",
        metavar="FILE.csv",
        help="Where the mouths are: columns image,x0,y0,x1,y1; a row a face.",
    ),
]

# For each picture: its mouth boxes, None where they are to be looked for, or why it cannot be used.
BoxesOf = dict[Path, "list[Box] | DataError | None"]


def parse_boxes(texts: Sequence[str] | None) -> "list[Box]":
    """Returns the boxes that ``--mouth-box`` gives.

    Raises:
        DataError: if one of the texts is no box.
    """
    from lipseg.boxes import Box

    return [Box.parse(text, "--mouth-box") for text in texts or ()]


def boxes_of(paths: list[Path], texts: Sequence[str] | None, file: Path | None) -> BoxesOf:
    """Returns the mouth boxes of each picture as ``--mouth-box`` and ``--mouth-boxes`` give them.

    Args:
        paths: of the pictures.
        texts: the boxes of every picture.
        file: CSV with boxes by the pictures' names.

    Raises:
        DataError: if a text is no box or the file no table of boxes.
        UsageError: if both are given, or the file holds no row of any of the pictures.
    """
    from lipseg.formats.boxes_csv import match_boxes, read_boxes

    if texts and file is not None:
        raise UsageError("--mouth-box and --mouth-boxes: give one of them")
    same = parse_boxes(texts)
    if file is None:
        return {path: same or None for path in paths}
    found = match_boxes(read_boxes(file), paths)
    if not found:
        raise UsageError(f"{file}: no row is of a picture given; the column image holds file names")
    return {path: found.get(path, DataError(f"no row for '{path.name}' in {file}")) for path in paths}
