"""Mouth boxes in a CSV file, and which pictures they are of."""

from pathlib import Path

import pytest

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.formats.boxes_csv import match_boxes, read_boxes


def write(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "boxes.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_read_boxes(tmp_path):
    text = "image,x0,y0,x1,y1\r\na.jpg,1,2,3,4\r\n\r\nb c.png,5,6,7,8\r\na.jpg,9,9,10,10\r\n"
    boxes = read_boxes(write(tmp_path, text))
    assert {name: [box.corners for box in its] for name, its in boxes.items()} == {
        "a.jpg": [(1, 2, 3, 4), (9, 9, 10, 10)],
        "b c.png": [(5, 6, 7, 8)],
    }
    assert boxes["a.jpg"][1].origin.endswith("boxes.csv, line 5")


def test_read_boxes_by_the_names_of_the_columns_and_with_a_byte_order_mark(tmp_path):
    text = "image,score,y0,x0,y1,x1\na.jpg,0.5,2,1,4,3\n"
    assert read_boxes(write(tmp_path, text, "utf-8-sig"))["a.jpg"][0].corners == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "boxes.csv, line 1: the header must be image,x0,y0,x1,y1"),
        ("a.jpg,1,2,3,4\n", "boxes.csv, line 1: the header must be"),
        ("image;x0;y0;x1;y1\n", "boxes.csv, line 1: the header must be"),
        ("image,x0,y0,x1,y1,x0\n", "boxes.csv, line 1: the column x0 comes twice"),
        ("image,x0,y0,x1,y1\n", "boxes.csv: holds no boxes"),
        ("image,x0,y0,x1,y1\na.jpg,1,2,3\n", "boxes.csv, line 2: expected 5 fields, found 4"),
        ("image,x0,y0,x1,y1\na.jpg,1,2,3,4\nb.jpg,1,2,x,4\n", "boxes.csv, line 3: expected four numbers"),
        ("image,x0,y0,x1,y1\na.jpg,4,2,3,4\n", "boxes.csv, line 2: x0 must be smaller than x1"),
        ("image,x0,y0,x1,y1\n,1,2,3,4\n", "boxes.csv, line 2: the column image is empty"),
    ],
)
def test_read_boxes_names_file_and_line(tmp_path, text, message):
    with pytest.raises(DataError) as caught:
        read_boxes(write(tmp_path, text))
    assert message in str(caught.value)


def test_read_boxes_of_another_encoding_or_no_file(tmp_path):
    path = write(tmp_path, "image,x0,y0,x1,y1\nü.jpg,1,2,3,4\n", "latin-1")
    with pytest.raises(DataError, match=r"boxes\.csv: not a CSV file in UTF-8"):
        read_boxes(path)
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_boxes(tmp_path / "none.csv")


def test_match_boxes():
    one, two = [Box(1, 2, 3, 4)], [Box(5, 6, 7, 8)]
    paths = [Path("p/day 1/a.jpg"), Path("p/day 2/a.jpg"), Path("p/b.jpg")]
    table = {"day 1/a.jpg": one, "p/day 2/a.jpg": two, "c.jpg": one}
    assert match_boxes(table, paths) == {paths[0]: one, paths[1]: two}


def test_a_name_that_stands_for_two_pictures_is_refused():
    table = {"a.jpg": [Box(1, 2, 3, 4, origin="boxes.csv, line 2")]}
    with pytest.raises(DataError, match=r"boxes\.csv, line 2: 'a\.jpg' could be p/a\.jpg or q/a\.jpg"):
        match_boxes(table, [Path("p/a.jpg"), Path("q/a.jpg")])
