"""The reader of Helen's layout, on folders written by hand and on the real dataset where there is one."""

import os
from pathlib import Path

import numpy as np
import pytest

from lipseg.data.annotations import FaceSample, Unusable, helen
from lipseg.data.annotations.helen import read
from lipseg.errors import DataError


def points() -> np.ndarray:
    """(194, 2) points, each (its index, twice its index); the eyes' mean points are 20 and 40 apart."""
    return np.stack([np.arange(194.0), 2 * np.arange(194.0)], axis=1)


def annotation(name: str, rows: list[str] | None = None) -> str:
    rows = [f"{x:.2f} , {y:.2f}" for x, y in points()] if rows is None else rows
    return "\n".join([name, *rows]) + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three faces: b and a for training, c for testing; listed and numbered out of order."""
    for folder in ("image", "annotation"):
        (tmp_path / folder).mkdir()
    for number, name in enumerate(["c", "a", "b"], start=1):
        (tmp_path / "annotation" / f"{number}.txt").write_text(annotation(name))
        (tmp_path / "image" / f"{name}.jpg").touch()
    (tmp_path / "trainnames.txt").write_text("b\na\n")
    (tmp_path / "testnames.txt").write_text("c\n")
    return tmp_path


def only_unusable(root: Path) -> Unusable:
    """Returns the single face that cannot be used."""
    (found,) = [face for face in read(root) if isinstance(face, Unusable)]
    return found


def test_faces_come_by_name_with_their_points_and_splits(root):
    faces = list(read(root))
    assert all(isinstance(face, FaceSample) for face in faces)
    assert [(face.name, face.split) for face in faces] == [("a", "train"), ("b", "train"), ("c", "test")]
    assert faces[0].image == root / "image" / "a.jpg"
    assert faces[0].annotation == root / "annotation" / "2.txt"
    assert faces[0].state == ""
    np.testing.assert_array_equal(faces[0].points_px, points()[58:114])
    assert faces[0].inter_ocular_px == pytest.approx(np.hypot(20, 40))


def test_names_match_whole_and_never_in_part(root):
    (root / "trainnames.txt").write_text("b\naa\n")
    found = {face.name: face for face in read(root)}
    assert found["a"].reason == "in neither trainnames.txt nor testnames.txt"
    assert (found["a"].file.name, found["a"].line) == ("2.txt", 1)
    assert found["aa"].file.name == "trainnames.txt"
    assert "annotation/" in found["aa"].reason
    assert list(found) == ["a", "aa", "b", "c"]


def test_listed_names_without_an_annotation_are_unusable_wherever_they_sort(root):
    (root / "testnames.txt").write_text("c\nz\nA\n")
    found = list(read(root))
    assert [face.name for face in found] == ["A", "a", "b", "c", "z"]
    assert [(face.name, face.file.name) for face in found if isinstance(face, Unusable)] == [
        ("A", "testnames.txt"),
        ("z", "testnames.txt"),
    ]


def test_windows_line_endings_byte_order_marks_and_blank_ends_are_fine(root):
    for path in [*root.glob("*.txt"), *root.glob("annotation/*.txt")]:
        text = path.read_text().replace("\n", "\r\n") + "\r\n \r\n"
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    faces = list(read(root))
    assert [(face.name, face.split) for face in faces] == [("a", "train"), ("b", "train"), ("c", "test")]
    np.testing.assert_array_equal(faces[2].points_px, points()[58:114])


@pytest.mark.parametrize(
    "row",
    ["12.0", "1 , 2 , 3", "x , 2", "", "1 ; 2", "nan , 1", "1 , inf", "1 2", "1_0 , 2", "1 , \u0662", "1 , 1e7"],
)
def test_a_malformed_line_makes_one_face_unusable_and_is_named(root, row):
    rows = ["1.0 , 2.0"] * 194
    rows[6] = row
    (root / "annotation" / "2.txt").write_text(annotation("a", rows))
    found = only_unusable(root)
    assert (found.name, found.file.name, found.line) == ("a", "2.txt", 8)
    assert "x , y" in found.reason
    assert row in found.reason


@pytest.mark.parametrize("n", [0, 193, 195])
def test_a_wrong_number_of_points_is_unusable(root, n):
    (root / "annotation" / "2.txt").write_text(annotation("a", ["1.0 , 2.0"] * n))
    found = only_unusable(root)
    assert (found.name, found.line, found.reason) == ("a", n + 1, f"expected 194 points, found {n}")


def test_eyes_on_one_point_are_unusable(root):
    (root / "annotation" / "2.txt").write_text(annotation("a", ["1.0 , 2.0"] * 194))
    assert "eyes" in only_unusable(root).reason


def test_an_annotation_without_a_name_or_not_in_text_is_unusable(root):
    (root / "annotation" / "4.txt").write_text("")
    assert (only_unusable(root).file.name, only_unusable(root).line) == ("4.txt", 1)
    (root / "annotation" / "4.txt").write_bytes(b"\xff\xfe\x00")
    assert only_unusable(root).file.name == "4.txt"


def test_an_annotation_that_stops_being_text_is_unusable(root):
    # The first line reads well: buffered reading meets the bad byte only far behind it.
    (root / "annotation" / "2.txt").write_bytes(b"a\n" + b"1.0 , 2.0\n" * 2000 + b"\xff\xfe")
    found = only_unusable(root)
    assert (found.name, found.file.name) == ("a", "2.txt")
    assert "text" in found.reason


def test_a_second_annotation_of_a_name_is_unusable(root):
    (root / "annotation" / "10.txt").write_text(annotation("a"))
    found = only_unusable(root)
    assert found.file.name == "10.txt"
    assert "first in 2.txt" in found.reason
    assert len([face for face in read(root) if isinstance(face, FaceSample)]) == 3


@pytest.mark.parametrize("ending", [".jpeg", ".png", ".JPG"])
def test_other_picture_endings_are_found(root, ending):
    (root / "image" / "a.jpg").rename(root / "image" / f"a{ending}")
    assert next(read(root)).image == root / "image" / f"a{ending}"


def test_jpg_comes_before_other_endings(root):
    (root / "image" / "a.png").touch()
    (root / "image" / "a.bmp").touch()
    assert next(read(root)).image == root / "image" / "a.jpg"


def test_a_missing_picture_is_left_for_the_crop_stage_to_say(root):
    (root / "image" / "a.jpg").unlink()
    assert next(read(root)).image == root / "image" / "a.jpg"


def test_a_name_in_both_lists_is_an_error_that_names_both_lines(root):
    (root / "testnames.txt").write_text("c\n\na\n")
    with pytest.raises(DataError, match=r"testnames\.txt, line 3: 'a' is also in trainnames\.txt, line 2"):
        read(root)


@pytest.mark.parametrize("name", ["trainnames.txt", "testnames.txt"])
def test_a_missing_list_is_an_error_before_the_first_face(root, name):
    (root / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: no such file; Helen's layout is"):
        read(root)


def test_lists_that_are_empty_or_no_text_are_errors(root):
    (root / "testnames.txt").write_bytes(b"\xff\xfea\x00")
    with pytest.raises(DataError, match=r"testnames\.txt: cannot be read as text"):
        read(root)
    (root / "testnames.txt").write_text("\n")
    (root / "trainnames.txt").write_text("")
    with pytest.raises(DataError, match="lists no name"):
        read(root)


def test_missing_folders_are_errors(root):
    with pytest.raises(DataError, match=r"nowhere: no such folder; set data\.root"):
        read(root / "nowhere")
    for file in (root / "annotation").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"annotation: holds no \.txt file"):
        read(root)
    (root / "annotation").rmdir()
    with pytest.raises(DataError, match="annotation: no such folder"):
        read(root)


@pytest.mark.skipif("LIPSEG_HELEN" not in os.environ, reason="LIPSEG_HELEN does not name a copy of Helen")
def test_the_real_dataset_is_read_whole():
    root = Path(os.environ["LIPSEG_HELEN"])
    faces = [face for face in read(root) if isinstance(face, FaceSample)]
    listed = {split: (root / f"{split}names.txt").read_text().split() for split in ("train", "test")}
    assert [face.name for face in faces] == sorted(listed["train"] + listed["test"])
    for split, names in listed.items():
        assert {face.name for face in faces if face.split == split} == set(names)
    assert all(face.image.is_file() for face in faces)
    # The scheme's order: corner 0 lies left of corner 13 and the upper lip above the lower one, on nearly every face.
    lips = np.stack([face.points_px for face in faces])
    assert np.mean(lips[:, 0, 0] < lips[:, 13, 0]) > 0.99
    assert np.mean(lips[:, 7, 1] < lips[:, 20, 1]) > 0.99
    assert np.mean(lips[:, 28, 0] < lips[:, 42, 0]) > 0.99


def test_scales_of_pictures_that_were_made_smaller(root):
    (root / "scale.csv").write_text("\ufeffname,scale,mouth_px\r\na,0.5,80\r\nc,1,90\r\n", encoding="utf-8")
    assert {face.name: face.scale for face in read(root)} == {"a": 0.5, "b": 1.0, "c": 1.0}
    (root / "scale.csv").unlink()
    assert {face.scale for face in read(root)} == {1.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected the columns name and scale"),
        ("name,factor\na,1\n", "line 1: expected the columns name and scale"),
        ("name,scale\na,0.5\nb,0\n", "line 3: expected a name and a positive scale"),
        ("name,scale\na,inf\n", "line 2: expected a name and a positive scale"),
        ("name,scale\na,1e-320\n", "line 2: expected a name and a positive scale"),
        ("name,scale,scale\na,1,2\n", "line 1: the column name or scale comes twice"),
        ("name,scale\na,half\n", "line 2: expected a name and a positive scale"),
        ("name,scale\na\n", "line 2: expected a name and a positive scale"),
        ("name,scale\n,0.5\n", "line 2: expected a name and a positive scale"),
        ("name,scale\na,0.5\nb,1\na,0.5\n", "line 4: 'a' comes twice"),
        (b"\xff\xfe\x00", "cannot be read as a table"),
    ],
)
def test_a_malformed_table_of_scales_names_its_line_and_the_remedy(root, text, said):
    (root / "scale.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=rf"scale\.csv.*{said}.*; correct it, or remove the file"):
        read(root)


def test_faces_of_one_photo_are_a_group():
    photo = [helen.photo_of(name) for name in ("2205474871_2", "2205474871_13", "12_1", "face_1", "a", "12_1_3")]
    assert photo == ["2205474871", "2205474871", "12", "", "", ""]
