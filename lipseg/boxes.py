"""Boxes of faces and mouths, and non-maximum suppression.

A box has a centre, a size along its own axes and a roll. In pixels of the picture, (x, y), pixel centres at integers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lipseg import scheme
from lipseg.errors import DataError, shown
from lipseg.numbers import plain_number

T = TypeVar("T")

# A box may reach beyond the picture, but one this many times larger than it is a mistake of units.
_LARGEST = 20.0
# Beyond this, products of coordinates would be infinite.
_FARTHEST_PX = 1e12


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that may be turned about its own centre.

    Attributes:
        cx: centre, to the right.
        cy: centre, down.
        width: along the box's own x axis, greater than 0.
        height: along its own y axis, greater than 0.
        roll: angle in radians of the box's x axis against the picture's (positive: its right side lower).
        score: the confidence of the detector that found it, on its own scale; larger is surer.
        origin: where the box comes from, for messages: every error about it begins with this.
    """

    cx: float
    cy: float
    width: float
    height: float
    roll: float = 0.0
    score: float = 1.0
    origin: str = "box"

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.cx, self.cy, self.width, self.height))):
            raise DataError(f"{self.origin}: {self.text} is not finite")
        if not (math.isfinite(self.roll) and math.isfinite(self.score)):
            raise DataError(f"{self.origin}: the roll {self.roll:g} or the score {self.score:g} is not finite")
        if max(map(abs, (self.cx, self.cy, self.width, self.height))) > _FARTHEST_PX:
            raise DataError(f"{self.origin}: {self.text} lies farther away than any picture reaches")
        for low, high, extent in (("x0", "x1", self.width), ("y0", "y1", self.height)):
            if not extent > 0:
                raise DataError(f"{self.origin}: {low} must be smaller than {high}, not {self.text}")

    @classmethod
    def from_corners(
        cls, x0: float, y0: float, x1: float, y1: float, *, roll: float = 0.0, score: float = 1.0, origin: str = "box"
    ) -> "Box":
        """Returns the box with these sides; with a roll they are meant in the frame turned about the box's centre.

        Raises:
            DataError: if they are not finite or not in order.
        """
        if not all(map(math.isfinite, (x0, y0, x1, y1))):
            raise DataError(f"{origin}: {x0:g},{y0:g},{x1:g},{y1:g} is not finite")
        return cls((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, roll, score, origin)

    @classmethod
    def square(cls, cx: float, cy: float, side: float, roll: float = 0.0, origin: str = "box") -> "Box":
        """Returns the square box of this centre and side."""
        return cls(cx, cy, side, side, roll, origin=origin)

    @classmethod
    def around(cls, points: NDArray[Any], origin: str = "landmarks") -> "Box":
        """Returns the box about a mouth's landmarks, turned as the line between its corners is.

        Args:
            points: (56, 2) landmarks.
            origin: of the box.

        Raises:
            DataError: if the landmarks are not finite or have no extent.
        """
        points = points.astype(np.float64)
        (ol, orr), (il, ir) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
        along = points[orr] - points[ol] + points[ir] - points[il]
        roll = math.atan2(along[1], along[0])
        cos, sin = math.cos(roll), math.sin(roll)
        turned = points @ np.array([[cos, -sin], [sin, cos]])
        low, high = turned.min(0), turned.max(0)
        x, y = ((low + high) / 2).tolist()
        width, height = (high - low).tolist()
        return cls(cos * x - sin * y, sin * x + cos * y, width, height, roll, origin=origin)

    @classmethod
    def parse(cls, text: str, origin: str = "mouth box") -> "Box":
        """Returns the box written as ``x0,y0,x1,y1``.

        Raises:
            DataError: if it is not four numbers or not a box.
        """
        return cls.from_texts(text.split(","), origin)

    @classmethod
    def from_texts(cls, fields: list[str], origin: str) -> "Box":
        """Returns the box of four fields that each hold a number: x0, y0, x1, y1.

        Raises:
            DataError: if they are not four numbers or not a box.
        """
        x0, y0, x1, y1 = map(plain_number, fields) if len(fields) == 4 else (None,) * 4
        if x0 is None or y0 is None or x1 is None or y1 is None:
            raise DataError(f"{origin}: expected four numbers x0,y0,x1,y1, not {shown(','.join(fields))}")
        return cls.from_corners(x0, y0, x1, y1, origin=origin)

    @property
    def centre(self) -> NDArray[np.float64]:
        """(2,) x, y."""
        return np.array([self.cx, self.cy])

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in the frame turned about the box's centre."""
        half_width, half_height = self.width / 2, self.height / 2
        return self.cx - half_width, self.cy - half_height, self.cx + half_width, self.cy + half_height

    @property
    def side(self) -> float:
        """Geometric mean of width and height."""
        return math.sqrt(self.width * self.height)

    @property
    def longer(self) -> float:
        """The longer of width and height."""
        return max(self.width, self.height)

    @property
    def text(self) -> str:
        """The box as a user writes it."""
        return ",".join(f"{value:g}" for value in self.corners)

    def as_array(self) -> NDArray[np.float64]:
        """Returns (5,) centre x, y, width, height and roll."""
        return np.array([self.cx, self.cy, self.width, self.height, self.roll])

    def moved(self, dx: float, dy: float) -> "Box":
        """Returns the box shifted by so many pixels."""
        return replace(self, cx=self.cx + dx, cy=self.cy + dy)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in the box as if it were not turned."""
        return abs(x - self.cx) <= self.width / 2 and abs(y - self.cy) <= self.height / 2

    def check_inside(self, height: int, width: int) -> None:
        """Refuses a box that shows nothing of a picture of this size in pixels, or is absurdly larger than it.

        Raises:
            DataError: naming the box's origin.
        """
        x0, y0, x1, y1 = self.corners
        if x0 >= width - 0.5 or y0 >= height - 0.5 or x1 <= -0.5 or y1 <= -0.5:
            raise DataError(f"{self.origin}: {self.text} lies outside the picture of {width} x {height} pixels")
        if self.longer > _LARGEST * max(height, width):
            raise DataError(f"{self.origin}: {self.text} is far larger than the picture of {width} x {height} pixels")


def as_boxes(boxes: "ArrayLike | Box | Sequence[Box]") -> list[Box]:
    """Returns boxes given as ``Box`` objects or as numbers x0, y0, x1, y1: one (4,) or several (n, 4), n >= 0.

    Raises:
        DataError: if the shape is another or one is not a box; names its position.
    """
    if isinstance(boxes, Box):
        return [boxes]
    if isinstance(boxes, Sequence) and any(isinstance(box, Box) for box in boxes):
        return [box if isinstance(box, Box) else _one_box(box, index) for index, box in enumerate(boxes)]
    array = _as_numbers(boxes, "boxes")
    if array.size == 0:
        return []
    array = np.atleast_2d(array)
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError(f"boxes must be n x 4 numbers x0, y0, x1, y1, not an array of shape {array.shape}")
    return [_one_box(row, index) for index, row in enumerate(array)]


def _as_numbers(values: Any, origin: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):  # text, None, or rows of different lengths
        raise DataError(f"{origin}: expected numbers x0, y0, x1, y1, not {str(values)[:100]!r}") from None


def _one_box(corners: ArrayLike, index: int) -> Box:
    array = _as_numbers(corners, f"boxes[{index}]")
    if array.shape != (4,):
        raise DataError(f"boxes[{index}] must be four numbers x0, y0, x1, y1, not an array of shape {array.shape}")
    return Box.from_corners(*map(float, array), origin=f"boxes[{index}]")


def without_doubles(items: Sequence[T], scores: Sequence[float], same: Callable[[T, T], bool]) -> list[int]:
    """Returns the positions, surest first, of the items that are left after greedy non-maximum suppression.

    An item is dropped if it is the same as a kept one with a higher score.

    Args:
        items: n of anything.
        scores: n, larger is surer; of equal ones the first counts.
        same: whether two items stand for one thing.
    """
    kept: list[int] = []
    for position in np.argsort(-np.asarray(scores, np.float64), kind="stable").tolist():
        if not any(same(items[position], items[other]) for other in kept):
            kept.append(position)
    return kept


def near(share: float) -> Callable[[Box, Box], bool]:
    """Returns the test for ``without_doubles`` whether two mouths are one.

    Args:
        share: mouths whose centres are no farther apart than this share of the wider one's width are the same.
    """
    return lambda a, b: math.hypot(a.cx - b.cx, a.cy - b.cy) <= share * max(a.width, b.width)


def overlap(a: Box, b: Box) -> float:
    """Returns the share of the smaller box that two boxes have in common, each taken as its upright square.

    Exact up to the difference of their rolls, which squares about a centre hardly feel.
    """
    smaller, reach = min(a.side, b.side), (a.side + b.side) / 2
    common = [min(max(reach - abs(off), 0.0), smaller) for off in (a.cx - b.cx, a.cy - b.cy)]
    return common[0] * common[1] / smaller**2
