"""Mouth boxes: parsing, checking, the CSV file, and pictures that are mouth crops."""

from pathlib import Path

import numpy as np
import pytest

from lipseg.errors import DataError
from lipseg.geometry import View
from lipseg.inference import locate
from lipseg.inference.locate import MouthBox


def test_parse():
    box = MouthBox.parse(" -1.5, 2,30 ,4e1")
    assert box.corners == (-1.5, 2.0, 30.0, 40.0)
    np.testing.assert_array_equal(box.as_array(), [-1.5, 2, 30, 40])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "--mouth-box: expected four numbers x0,y0,x1,y1, not '1,2,3'"),
        ("1,2,3,4,5", "expected four numbers"),
        ("", "expected four numbers"),
        ("a,2,3,4", "expected four numbers x0,y0,x1,y1, not 'a,2,3,4'"),
        ("5,2,5,4", "x0 must be smaller than x1, not 5,2,5,4"),
        ("1,9,3,4", "y0 must be smaller than y1, not 1,9,3,4"),
        ("nan,2,3,4", "is not finite"),
        ("1,2,inf,4", "is not finite"),
    ],
)
def test_parse_names_the_culprit(text, message):
    with pytest.raises(DataError, match=r"^--mouth-box: ") as caught:
        MouthBox.parse(text, "--mouth-box")
    assert message in str(caught.value)


@pytest.mark.parametrize("corners", [(-9, 0, -0.5, 5), (19.5, 0, 30, 5), (0, -9, 5, -0.5), (0, 9.5, 5, 30)])
def test_a_box_outside_the_picture_is_refused(corners):
    with pytest.raises(DataError, match="lies outside the picture of 20 x 10 pixels"):
        MouthBox(*corners).check_inside(10, 20)


def test_a_box_partly_inside_is_taken():
    MouthBox(-5, -5, 0, 0).check_inside(10, 20)
    MouthBox(19, 9, 40, 40).check_inside(10, 20)


def test_an_absurdly_large_box_is_refused():
    with pytest.raises(DataError, match="far larger than the picture"):
        MouthBox(0, 0, 1e9, 5).check_inside(10, 20)


def test_as_boxes():
    assert [box.corners for box in locate.as_boxes([1, 2, 3, 4])] == [(1, 2, 3, 4)]
    assert [box.corners for box in locate.as_boxes(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]))] == [
        (1, 2, 3, 4),
        (5, 6, 7, 8),
    ]
    assert locate.as_boxes([]) == []
    with pytest.raises(DataError, match="shape"):
        locate.as_boxes([[1, 2, 3]])
    with pytest.raises(DataError, match=r"boxes\[1\]: x0 must be smaller"):
        locate.as_boxes([[1, 2, 3, 4], [5, 6, 5, 8]])


@pytest.mark.parametrize(("height", "width"), [(60, 60), (40, 80), (90, 30)])
def test_the_view_of_a_mouth_crop_is_the_picture(height, width):
    view = View(32, "square", 1.6)
    to_image = view.to_image(locate.whole_picture(height, width, view).as_array())
    edges = to_image(np.array([[-0.5, -0.5], [31.5, 31.5]]))
    middle, half = np.array([(width - 1) / 2, (height - 1) / 2]), max(height, width) / 2
    np.testing.assert_allclose(edges, [middle - half, middle + half])


def test_the_stretched_view_of_a_mouth_crop_is_exactly_the_picture():
    view = View(40, "stretch", 7.0)
    to_image = view.to_image(locate.whole_picture(50, 90, view).as_array())
    np.testing.assert_allclose(to_image(np.array([[-0.5, -0.5], [39.5, 39.5]])), [[-0.5, -0.5], [89.5, 49.5]])


def test_a_picture_too_flat_for_the_margins_still_gives_a_box():
    box = locate.whole_picture(4, 100, View(40, "stretch", 50.0))
    assert box.y0 < 1.5 < box.y1


def write(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "boxes.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_read_boxes(tmp_path):
    text = "image,x0,y0,x1,y1\r\na.jpg,1,2,3,4\r\n\r\nb c.png,5,6,7,8\r\na.jpg,9,9,10,10\r\n"
    boxes = locate.read_boxes(write(tmp_path, text))
    assert {name: [box.corners for box in its] for name, its in boxes.items()} == {
        "a.jpg": [(1, 2, 3, 4), (9, 9, 10, 10)],
        "b c.png": [(5, 6, 7, 8)],
    }
    assert boxes["a.jpg"][1].origin.endswith("boxes.csv, line 5")


def test_read_boxes_by_the_names_of_the_columns_and_with_a_byte_order_mark(tmp_path):
    text = "image,score,y0,x0,y1,x1\na.jpg,0.5,2,1,4,3\n"
    assert locate.read_boxes(write(tmp_path, text, "utf-8-sig"))["a.jpg"][0].corners == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "boxes.csv, line 1: the header must be image,x0,y0,x1,y1"),
        ("a.jpg,1,2,3,4\n", "boxes.csv, line 1: the header must be"),
        ("image;x0;y0;x1;y1\n", "boxes.csv, line 1: the header must be"),
        ("image,x0,y0,x1,y1\n", "boxes.csv: holds no boxes"),
        ("image,x0,y0,x1,y1\na.jpg,1,2,3\n", "boxes.csv, line 2: expected 5 fields, found 4"),
        ("image,x0,y0,x1,y1\na.jpg,1,2,3,4\nb.jpg,1,2,x,4\n", "boxes.csv, line 3: expected four numbers"),
        ("image,x0,y0,x1,y1\na.jpg,4,2,3,4\n", "boxes.csv, line 2: x0 must be smaller than x1"),
        ("image,x0,y0,x1,y1\n,1,2,3,4\n", "boxes.csv, line 2: the column image is empty"),
    ],
)
def test_read_boxes_names_file_and_line(tmp_path, text, message):
    with pytest.raises(DataError) as caught:
        locate.read_boxes(write(tmp_path, text))
    assert message in str(caught.value)


def test_read_boxes_of_another_encoding_or_no_file(tmp_path):
    path = write(tmp_path, "image,x0,y0,x1,y1\nü.jpg,1,2,3,4\n", "latin-1")
    with pytest.raises(DataError, match=r"boxes\.csv: not a CSV file in UTF-8"):
        locate.read_boxes(path)
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        locate.read_boxes(tmp_path / "none.csv")


def test_match_boxes():
    one, two = [MouthBox(1, 2, 3, 4)], [MouthBox(5, 6, 7, 8)]
    paths = [Path("p/day 1/a.jpg"), Path("p/day 2/a.jpg"), Path("p/b.jpg")]
    table = {"day 1/a.jpg": one, "p/day 2/a.jpg": two, "c.jpg": one}
    assert locate.match_boxes(table, paths) == {paths[0]: one, paths[1]: two}


def test_a_name_that_stands_for_two_pictures_is_refused():
    table = {"a.jpg": [MouthBox(1, 2, 3, 4, "boxes.csv, line 2")]}
    with pytest.raises(DataError, match=r"boxes\.csv, line 2: 'a\.jpg' could be p/a\.jpg or q/a\.jpg"):
        locate.match_boxes(table, [Path("p/a.jpg"), Path("q/a.jpg")])


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
def test_the_box_around_a_turned_mouth_is_the_upright_one_turned(roll):
    points = ellipse_mouth()
    upright, box = MouthBox.around(points), MouthBox.around(turned(points, roll, (50, 40)), "frame 7")
    assert box.roll == pytest.approx(upright.roll + roll, abs=1e-9)
    centre = (upright.as_array()[:2] + upright.as_array()[2:]) / 2
    expected = turned(centre, roll, (50, 40))
    np.testing.assert_allclose((box.as_array()[:2] + box.as_array()[2:]) / 2, expected, atol=1e-9)
    np.testing.assert_allclose((box.x1 - box.x0, box.y1 - box.y0), (upright.x1 - upright.x0, upright.y1 - upright.y0))
    assert box.origin == "frame 7"


def test_the_box_around_an_upright_mouth_is_its_bounding_box():
    box = MouthBox.around(ellipse_mouth())
    assert box.roll == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(box.as_array(), [30, 32, 70, 48], atol=0.1)


def test_the_turned_box_holds_all_landmarks_and_touches_four_sides():
    points = turned(ellipse_mouth() + np.random.default_rng(2).normal(0, 1.5, (56, 2)), 0.5)
    box = MouthBox.around(points)
    low, high = box.as_array()[:2], box.as_array()[2:]
    own = turned(points, -box.roll, tuple((low + high) / 2))
    np.testing.assert_allclose(own.min(0), low, atol=1e-9)
    np.testing.assert_allclose(own.max(0), high, atol=1e-9)


def test_a_box_with_no_finite_roll_is_refused():
    with pytest.raises(DataError, match="frame 3: the roll nan is not finite"):
        MouthBox(1, 2, 3, 4, "frame 3", roll=float("nan"))


def test_landmarks_without_extent_have_no_box():
    with pytest.raises(DataError, match="frame 3: x0 must be smaller"):
        MouthBox.around(np.full((56, 2), 7.0), "frame 3")
    with pytest.raises(DataError, match=r"frame 3: .*finite"):
        MouthBox.around(np.full((56, 2), np.nan), "frame 3")
