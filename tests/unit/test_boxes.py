"""The one box: its forms agree, wrong ones are refused by name, and doubles go."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipseg.boxes import Box, as_boxes, near, overlap, without_doubles
from lipseg.errors import DataError

COORDINATE = st.floats(-1e4, 1e4)
SIZE = st.floats(1e-2, 1e4)


@given(COORDINATE, COORDINATE, SIZE, SIZE, st.floats(-math.pi, math.pi))
def test_corners_and_arrays_are_the_same_box(cx: float, cy: float, width: float, height: float, roll: float) -> None:
    box = Box(cx, cy, width, height, roll)
    assert Box.from_array(box.as_array()) == box
    again = Box.from_corners(*box.corners, roll=roll)
    np.testing.assert_allclose(again.as_array(), box.as_array(), atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize(
    ("corners", "said"),
    [((1, 2, 1, 4), "must be smaller"), ((1, 4, 3, 2), "must be smaller"), ((0, 0, math.nan, 1), "not finite")],
)
def test_what_is_no_box_is_refused_with_its_origin(corners: tuple[float, ...], said: str) -> None:
    with pytest.raises(DataError, match=f"^boxes.csv, line 3: .*{said}"):
        Box.from_texts([str(value) for value in corners], "boxes.csv, line 3")


def test_boxes_come_as_numbers_or_boxes_or_both() -> None:
    box = Box.square(5, 5, 2)
    assert as_boxes(box) == [box]
    assert [b.corners for b in as_boxes([1, 2, 3, 4])] == [(1, 2, 3, 4)]
    assert [b.corners for b in as_boxes([box, [1, 2, 3, 4]])] == [(4, 4, 6, 6), (1, 2, 3, 4)]  # type: ignore[list-item]
    assert as_boxes([]) == []
    with pytest.raises(DataError, match="n x 4"):
        as_boxes([1, 2, 3])
    with pytest.raises(DataError, match=r"boxes\[1\]"):
        as_boxes([[1, 2, 3, 4], [3, 2, 1, 4]])


def test_a_box_around_landmarks_is_turned_as_the_mouth_is() -> None:
    angle = np.linspace(-np.pi, np.pi, 28, endpoint=False)
    ring = np.stack([20 * np.cos(angle), 8 * np.sin(angle)], 1)
    points = np.concatenate([ring, 0.7 * ring])
    points[[13, 42]] = [[20, 0], [14, 0]]  # the right corners
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    box = Box.around(points @ turn.T + [100, 50])
    np.testing.assert_allclose(box.as_array(), [100, 50, 40, 16, 0.3], atol=0.1)


def test_doubles_go_and_the_surest_stays() -> None:
    boxes = [Box(0, 0, 10, 5), Box(3, 0, 10, 5), Box(30, 0, 10, 5)]
    assert without_doubles(boxes, [0.2, 0.9, 0.5], near(0.4)) == [1, 2]
    assert without_doubles(boxes, [0.5, 0.5, 0.5], near(0.4)) == [0, 2]
    assert without_doubles([], [], near(0.4)) == []


def test_overlap_is_the_share_of_the_smaller() -> None:
    assert overlap(Box.square(0, 0, 10), Box.square(0, 0, 4)) == 1.0
    assert overlap(Box.square(0, 0, 10), Box.square(10, 0, 10)) == 0.0
    assert overlap(Box.square(0, 0, 10), Box.square(5, 0, 10)) == pytest.approx(0.5)
