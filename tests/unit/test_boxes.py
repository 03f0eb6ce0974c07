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
    assert Box(*box.as_array().tolist()) == box
    again = Box.from_corners(*box.corners, roll=roll)
    np.testing.assert_allclose(again.as_array(), box.as_array(), atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize(
    ("corners", "said"),
    [((1, 2, 1, 4), "must be smaller"), ((1, 4, 3, 2), "must be smaller"), ((0, 0, math.nan, 1), "four numbers")],
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
    with pytest.raises(DataError, match=r"shape \(1, 3\)"):
        as_boxes([[1, 2, 3]])


def test_among_boxes_wrong_numbers_are_named_by_their_place() -> None:
    box = Box.square(5, 5, 2)
    with pytest.raises(DataError, match=r"boxes\[2\]: x0 must be smaller"):
        as_boxes([box, [1, 2, 3, 4], [5, 6, 5, 8]])  # type: ignore[list-item]
    for numbers in ([], [1, 2, 3], [[1, 2, 3, 4]]):
        with pytest.raises(DataError, match=r"boxes\[1\] must be four numbers"):
            as_boxes([box, numbers])  # type: ignore[list-item]


def test_parse() -> None:
    box = Box.parse(" -1.5, 2,30 ,4e1")
    assert box.corners == (-1.5, 2.0, 30.0, 40.0)
    np.testing.assert_array_equal(box.as_array(), [14.25, 21, 31.5, 38, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "--mouth-box: expected four numbers x0,y0,x1,y1, not '1,2,3'"),
        ("1,2,3,4,5", "expected four numbers"),
        ("", "expected four numbers"),
        ("a,2,3,4", "expected four numbers x0,y0,x1,y1, not 'a,2,3,4'"),
        ("5,2,5,4", "x0 must be smaller than x1, not 5,2,5,4"),
        ("1,9,3,4", "y0 must be smaller than y1, not 1,9,3,4"),
        ("nan,2,3,4", "expected four numbers"),
        ("1,2,inf,4", "expected four numbers"),
        # float() would take both: as 10, and as 12.
        ("1_0,2,30,40", "expected four numbers"),
        ("\u0661\u0662,2,30,40", "expected four numbers"),
    ],
)
def test_parse_names_the_culprit(text: str, message: str) -> None:
    with pytest.raises(DataError, match=r"^--mouth-box: ") as caught:
        Box.parse(text, "--mouth-box")
    assert message in str(caught.value)


@pytest.mark.parametrize("corners", [(-9, 0, -0.5, 5), (19.5, 0, 30, 5), (0, -9, 5, -0.5), (0, 9.5, 5, 30)])
def test_a_box_outside_the_picture_is_refused(corners: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="lies outside the picture of 20 x 10 pixels"):
        Box.from_corners(*corners).check_inside(10, 20)


def test_a_box_partly_inside_is_taken() -> None:
    Box.from_corners(-5, -5, 0, 0).check_inside(10, 20)
    Box.from_corners(19, 9, 40, 40).check_inside(10, 20)


def test_an_absurdly_large_box_is_refused() -> None:
    with pytest.raises(DataError, match="far larger than the picture"):
        Box.from_corners(0, 0, 1e9, 5).check_inside(10, 20)


def turned(points: np.ndarray, roll: float, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Points turned about a centre; positive lowers what lies to the image's right."""
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return (points - centre) @ turn.T + centre


def ellipse_mouth(x: float = 50.0, y: float = 40.0) -> np.ndarray:
    """An upright mouth whose corners lie level, 40 wide and 16 high, as (56, 2) landmarks."""

    def ring(upper: int, width: float, height: float) -> np.ndarray:
        """28 points, the first ``upper`` of them from corner to corner over the upper lip."""
        angle = np.concatenate([np.linspace(0, np.pi, upper), np.linspace(np.pi, 2 * np.pi, 30 - upper)[1:-1]])
        return np.stack([x - width / 2 * np.cos(angle), y - height / 2 * np.sin(angle)], 1)

    return np.concatenate([ring(14, 40, 16), ring(15, 24, 4)])


@pytest.mark.parametrize("roll", [0.0, 0.3, -0.8, 1.5, -3.0, 3.1])
def test_the_box_around_a_turned_mouth_is_the_upright_one_turned(roll: float) -> None:
    points = ellipse_mouth()
    upright, box = Box.around(points), Box.around(turned(points, roll, (50, 40)), "frame 7")
    assert box.roll == pytest.approx(upright.roll + roll, abs=1e-9)
    np.testing.assert_allclose(box.centre, turned(upright.centre, roll, (50, 40)), atol=1e-9)
    np.testing.assert_allclose((box.width, box.height), (upright.width, upright.height))
    assert box.origin == "frame 7"


def test_the_box_around_an_upright_mouth_is_its_bounding_box() -> None:
    box = Box.around(ellipse_mouth())
    assert box.roll == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(box.corners, [30, 32, 70, 48], atol=0.1)


def test_the_turned_box_holds_all_landmarks_and_touches_four_sides() -> None:
    points = turned(ellipse_mouth() + np.random.default_rng(2).normal(0, 1.5, (56, 2)), 0.5)
    box = Box.around(points)
    low, high = np.reshape(box.corners, (2, 2))
    own = turned(points, -box.roll, (box.cx, box.cy))
    np.testing.assert_allclose(own.min(0), low, atol=1e-9)
    np.testing.assert_allclose(own.max(0), high, atol=1e-9)


def test_a_box_with_no_finite_roll_or_score_is_refused() -> None:
    with pytest.raises(DataError, match=r"^frame 3: the roll nan or the score 1 is not finite"):
        Box(1, 2, 3, 4, roll=math.nan, origin="frame 3")
    with pytest.raises(DataError, match=r"^frame 3: the roll 0 or the score inf is not finite"):
        Box(1, 2, 3, 4, score=math.inf, origin="frame 3")


def test_landmarks_without_extent_have_no_box() -> None:
    with pytest.raises(DataError, match=r"frame 3: .*must be smaller"):
        Box.around(np.full((56, 2), 7.0), "frame 3")
    with pytest.raises(DataError, match=r"frame 3: .*finite"):
        Box.around(np.full((56, 2), np.nan), "frame 3")


def test_doubles_go_and_the_surest_stays() -> None:
    boxes = [Box(0, 0, 10, 5), Box(3, 0, 10, 5), Box(30, 0, 10, 5)]
    assert without_doubles(boxes, [0.2, 0.9, 0.5], near(0.4)) == [1, 2]
    assert without_doubles(boxes, [0.5, 0.5, 0.5], near(0.4)) == [0, 2]
    assert without_doubles([], [], near(0.4)) == []


def test_what_is_dropped_drops_nothing_itself() -> None:
    # The middle one is the same as both its neighbours, which are not the same as each other.
    boxes = [Box(0, 0, 10, 5), Box(4, 0, 10, 5), Box(8, 0, 10, 5)]
    assert without_doubles(boxes, [0.9, 0.5, 0.1], near(0.5)) == [0, 2]
    assert without_doubles(boxes, [0.5, 0.9, 0.1], near(0.5)) == [1]


SCORES = st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 1)), max_size=12)


@given(SCORES)
def test_of_those_that_are_left_no_two_are_the_same_and_every_other_is_the_same_as_a_surer_one(
    found: list[tuple[float, float]],
) -> None:
    places, scores = [place for place, _ in found], [score for _, score in found]
    kept = without_doubles(places, scores, lambda a, b: abs(a - b) < 5)
    assert [scores[at] for at in kept] == sorted((scores[at] for at in kept), reverse=True)
    for at in range(len(found)):
        surer = [k for k in kept if k != at and abs(places[at] - places[k]) < 5 and scores[k] >= scores[at]]
        assert (at in kept) or surer
        assert not (at in kept and any(abs(places[at] - places[k]) < 5 for k in kept if k != at))


def test_how_near_two_mouths_are_counts_in_widths_of_the_wider_one() -> None:
    same = near(0.5)
    assert same(Box(0, 0, 10, 5), Box(5, 0, 2, 5))
    assert same(Box(0, 0, 2, 5), Box(3, 4, 10, 5))
    assert not same(Box(0, 0, 10, 5), Box(5.1, 0, 10, 50))


def test_a_box_moves_and_holds_points() -> None:
    box = Box(5, 5, 4, 2, 0.3, 0.5, "a test")
    assert box.moved(1, -2) == Box(6, 3, 4, 2, 0.3, 0.5, "a test")
    assert box.holds(7, 6)
    assert not box.holds(7.1, 5)
    assert not box.holds(5, 6.1)
    assert (box.longer, box.side) == (4, pytest.approx(8**0.5))


def test_overlap_is_the_share_of_the_smaller() -> None:
    assert overlap(Box.square(0, 0, 10), Box.square(0, 0, 4)) == 1.0
    assert overlap(Box.square(0, 0, 10), Box.square(10, 0, 10)) == 0.0
    assert overlap(Box.square(0, 0, 10), Box.square(5, 0, 10)) == pytest.approx(0.5)


@pytest.mark.parametrize("boxes", ["1,2,3,4", [[1, 2, 3, 4], [1, 2]], [Box(1, 1, 1, 1), "face"]])
def test_what_holds_no_numbers_is_refused(boxes: object) -> None:
    with pytest.raises(DataError, match="expected numbers x0, y0, x1, y1"):
        as_boxes(boxes)  # type: ignore[arg-type]
