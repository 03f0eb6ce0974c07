"""Where the mouth is: a box given by the caller, rows of a CSV file, or a picture that is a mouth crop itself."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lipseg import scheme
from lipseg.errors import DataError
from lipseg.geometry import View, bounding_box

COLUMNS = ("image", "x0", "y0", "x1", "y1")
# A box may reach beyond the picture, but one this many times larger than it is a mistake of units.
_LARGEST = 20.0
# A mouth is at least this high against its width; for pictures too flat to hold the view's margins.
_FLATTEST = 0.25


@dataclass(frozen=True, slots=True)
class MouthBox:
    """A mouth's bounding box in pixels of the picture (after EXIF rotation), pixel centres at integers.

    Attributes:
        x0: left.
        y0: top.
        x1: right, greater than ``x0``.
        y1: bottom, greater than ``y0``.
        origin: where the box comes from, the beginning of every error about it.
        roll: angle in radians by which the mouth is turned against the picture (positive: its image-right corner
            lower). The box is meant in the frame turned by it about the box's own centre.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    origin: str = "mouth box"
    roll: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.corners):
            raise DataError(f"{self.origin}: {self.text} is not finite")
        if not math.isfinite(self.roll):
            raise DataError(f"{self.origin}: the roll {self.roll} is not finite")
        for low, high in (("x0", "x1"), ("y0", "y1")):
            if not getattr(self, low) < getattr(self, high):
                raise DataError(f"{self.origin}: {low} must be smaller than {high}, not {self.text}")

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def text(self) -> str:
        """The box as a user writes it."""
        return ",".join(f"{value:g}" for value in self.corners)

    def as_array(self) -> NDArray[np.float64]:
        """Returns (4,) x0, y0, x1, y1."""
        return np.array(self.corners)

    def check_inside(self, height: int, width: int) -> None:
        """Refuses a box that shows nothing of a picture of this size in pixels, or is absurdly larger than it.

        Raises:
            DataError: naming the box's origin.
        """
        if self.x0 >= width - 0.5 or self.y0 >= height - 0.5 or self.x1 <= -0.5 or self.y1 <= -0.5:
            raise DataError(f"{self.origin}: {self.text} lies outside the picture of {width} x {height} pixels")
        if max(self.x1 - self.x0, self.y1 - self.y0) > _LARGEST * max(height, width):
            raise DataError(f"{self.origin}: {self.text} is far larger than the picture of {width} x {height} pixels")

    @classmethod
    def around(cls, points: NDArray[Any], origin: str = "landmarks") -> "MouthBox":
        """Returns the upright box about a mouth's landmarks: turned as the line between its corners is.

        Args:
            points: (56, 2) landmarks in pixels of the picture.
            origin: of the box.

        Raises:
            DataError: if the landmarks are not finite or have no extent.
        """
        points = points.astype(np.float64)
        (ol, orr), (il, ir) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
        along = points[orr] - points[ol] + points[ir] - points[il]
        roll = float(np.arctan2(along[1], along[0]))
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        box = bounding_box(points @ turn)
        centre, half = turn @ ((box[:2] + box[2:]) / 2), (box[2:] - box[:2]) / 2
        return cls(*map(float, (*(centre - half), *(centre + half))), origin=origin, roll=roll)

    @classmethod
    def parse(cls, text: str, origin: str = "mouth box") -> "MouthBox":
        """Returns the box written as ``x0,y0,x1,y1``.

        Raises:
            DataError: if it is not four numbers or not a box.
        """
        return cls.from_texts(text.split(","), origin)

    @classmethod
    def from_texts(cls, fields: list[str], origin: str) -> "MouthBox":
        """Returns the box of four fields that each hold a number.

        Raises:
            DataError: if they are not four numbers or not a box.
        """
        try:
            x0, y0, x1, y1 = (float(field) for field in fields)
        except ValueError:
            raise DataError(f"{origin}: expected four numbers x0,y0,x1,y1, not {','.join(fields)!r}") from None
        return cls(x0, y0, x1, y1, origin)


def as_boxes(boxes: ArrayLike) -> list[MouthBox]:
    """Returns boxes given as numbers, one (4,) or several (n, 4), n >= 0.

    Raises:
        DataError: if the shape is another or one is not a box; names its position.
    """
    array = np.asarray(boxes, np.float64)
    if array.size == 0:
        return []
    array = np.atleast_2d(array)
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError(f"boxes must be n x 4 numbers x0, y0, x1, y1, not an array of shape {array.shape}")
    return [MouthBox(*map(float, row), origin=f"boxes[{index}]") for index, row in enumerate(array)]


def whole_picture(height: int, width: int, view: View) -> MouthBox:
    """Returns the mouth box of a picture that is a mouth crop: the one whose view shows the whole picture.

    A mouth crop is taken to be framed as the model's own views are, the mouth in the middle with the view's margin
    around it. A picture that is not square lies in the middle of a square view, its edge pixels repeated beyond it.
    A picture cut tightly at the lips is no such crop: give its extent as the mouth box instead.

    Args:
        height: pixels of the picture.
        width: pixels of the picture.
        view: what the model looks at.
    """
    if view.shape == "square":
        box_width, box_height = width / view.margin, height / view.margin
    else:
        box_width = max(width - 2 * view.margin, _FLATTEST * width)
        box_height = max(height - 2 * view.margin, _FLATTEST * box_width)
    x, y = (width - 1) / 2, (height - 1) / 2
    return MouthBox(x - box_width / 2, y - box_height / 2, x + box_width / 2, y + box_height / 2, "whole picture")


def read_boxes(path: Path) -> dict[str, list[MouthBox]]:
    """Returns the boxes of each picture in a CSV file with the columns image, x0, y0, x1, y1; a row is a face.

    The columns may come in any order and among others. A box's origin is the file and its line.

    Args:
        path: the CSV file, UTF-8.

    Returns:
        The boxes by the column ``image``, which holds the picture's file name.

    Raises:
        DataError: naming the file and the line.
    """
    boxes: dict[str, list[MouthBox]] = {}
    try:
        # "utf-8-sig" also reads the byte order mark that spreadsheets write.
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            if not set(COLUMNS) <= set(header):
                raise DataError(f"{path}, line 1: the header must be {','.join(COLUMNS)}, not {','.join(header)!r}")
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
                boxes.setdefault(image, []).append(MouthBox.from_texts(fields, origin))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    if not boxes:
        raise DataError(f"{path}: holds no boxes, only the header")
    return boxes


def match_boxes(boxes: dict[str, list[MouthBox]], paths: list[Path]) -> dict[Path, list[MouthBox]]:
    """Returns the boxes of each path that has any, found by its file name.

    Where the column ``image`` holds folders too ("day 1/a.jpg"), the path's end must equal them; the longest match
    counts.

    Raises:
        DataError: if one name stands for two of the paths.
    """
    found: dict[Path, list[MouthBox]] = {}
    taken: dict[str, Path] = {}
    for path in paths:
        parts: tuple[Any, ...] = path.parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        name = next((end for end in (path.as_posix(), *ends) if end in boxes), None)
        if name is None:
            continue
        if name in taken:
            raise DataError(
                f"{boxes[name][0].origin}: {name!r} could be {taken[name]} or {path}; write the folder into the "
                "column image too, or predict one folder at a time"
            )
        taken[name] = path
        found[path] = boxes[name]
    return found
