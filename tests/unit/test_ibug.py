"""The reader of iBUG's layout, on files written by hand and on AFW where there is a copy."""

import os
from pathlib import Path

import numpy as np
import pytest

from lipseg import scheme
from lipseg.data.annotations import FaceSample, Unusable
from lipseg.data.annotations.ibug import read
from lipseg.errors import DataError


def points() -> np.ndarray:
    """(68, 2) pixels counted from 1."""
    return np.stack([np.arange(68.0) + 1, (np.arange(68.0) - 30) ** 2 / 10 + 1], axis=1)


def pts(rows: list[str] | None = None, head: str = "version: 1\nn_points: 68\n{\n", tail: str = "}\n") -> str:
    rows = [f"{x:.6f} {y:.6f}" for x, y in points()] if rows is None else rows
    return head + "\n".join(rows) + "\n" + tail


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("one", "lfpw/trainset/two", "lfpw/testset/three"):
        file = tmp_path / f"{name}.pts"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(pts())
        file.with_suffix(".jpg").touch()
    return tmp_path


def only_unusable(root: Path) -> Unusable:
    (found,) = [face for face in read(root) if isinstance(face, Unusable)]
    return found


def test_faces_of_all_folders_come_by_name_with_the_split_their_folder_says(root):
    faces = list(read(root))
    assert [(face.name, face.split) for face in faces] == [
        ("lfpw/testset/three", "test"),
        ("lfpw/trainset/two", "train"),
        ("one", None),
    ]
    assert [face.image for face in faces] == [root / f"{face.name}.jpg" for face in faces]


def test_pixels_count_from_one_in_the_file_and_from_zero_here(root):
    face = list(read(root))[2]
    np.testing.assert_allclose(face.points_px, scheme.from_68(points() - 1), atol=1e-5)
    # The corners are points of the file themselves: rows 48, 54, 60 and 64.
    np.testing.assert_allclose(face.points_px[[0, 13, 28, 42]], (points() - 1)[[48, 54, 60, 64]], atol=1e-5)
    assert face.inter_ocular_px == pytest.approx(scheme.inter_ocular(points()))


def test_the_folder_given_says_nothing_about_the_split(root):
    assert [face.split for face in read(root / "lfpw" / "trainset")] == [None]


def test_windows_line_endings_byte_order_mark_blanks_and_spacing_are_fine(root):
    text = pts(head="version:  1\nn_points:68 \n{ \n", tail="} \n\n\n").replace("\n", "\r\n")
    (root / "one.pts").write_bytes(b"\xef\xbb\xbf" + text.encode())
    faces = list(read(root))
    np.testing.assert_array_equal(faces[2].points_px, faces[0].points_px)


@pytest.mark.parametrize("row", ["1.0", "1 2 3", "x 2", "1,2", "nan 1", "1 inf", "1_0 2", "1 \u0662", "1e7 1"])
def test_a_malformed_line_makes_one_face_unusable_and_is_named(root, row):
    rows = ["1.0 2.0"] * 68
    rows[4] = row
    (root / "one.pts").write_text(pts(rows))
    found = only_unusable(root)
    assert (found.name, found.file, found.line) == ("one", root / "one.pts", 8)
    assert f"'{row}'" in found.reason


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (pts(["1 2"] * 67), 71, "expected 68 points, found 67"),
        (pts(["1 2"] * 69), 73, "expected 68 points, found 69"),
        (pts(head="version: 1\nn_points: 51\n{\n"), 2, "expected n_points: 68, found '51'"),
        (pts(tail=""), 71, "cut off"),
        ("1 2\n3 4\n", 0, "no line '{'"),
        ("", 0, "no line '{'"),
        ("{\n}\n", 2, "found 0"),
        (pts(["1 2"] * 68), 0, "both eyes"),
    ],
)
def test_a_malformed_file_is_unusable(root, text, line, said):
    (root / "one.pts").write_text(text)
    found = only_unusable(root)
    assert found.line == line
    assert said in found.reason


def test_a_file_that_is_no_text_is_unusable(root):
    (root / "one.pts").write_bytes(b"\xff\xfe\x00\x01")
    assert "text" in only_unusable(root).reason


@pytest.mark.parametrize("ending", [".png", ".JPG", ".jpeg"])
def test_other_picture_endings_are_found(root, ending):
    (root / "one.jpg").rename(root / f"one{ending}")
    assert list(read(root))[2].image == root / f"one{ending}"


def test_names_keep_their_dots(root):
    (root / "a.b.pts").write_text(pts())
    (root / "a.b.jpg").touch()
    face = next(read(root))
    assert (face.name, face.image) == ("a.b", root / "a.b.jpg")


def test_a_missing_picture_is_left_for_the_crop_stage_to_say(root):
    (root / "one.jpg").unlink()
    assert list(read(root))[2].image == root / "one.jpg"


def test_what_macos_leaves_in_archives_is_passed_over(root):
    (root / "._one.pts").write_bytes(b"\x00\x05")
    assert len(list(read(root))) == 3


def test_folders_without_faces_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder; set data\.root"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no \.pts file"):
        read(tmp_path)


@pytest.mark.skipif("LIPSEG_AFW" not in os.environ, reason="LIPSEG_AFW does not name a copy of AFW")
def test_the_real_dataset_is_read_whole():
    root = Path(os.environ["LIPSEG_AFW"])
    faces = [face for face in read(root) if isinstance(face, FaceSample)]
    assert len(faces) == len(list(root.glob("*.pts"))) > 0
    assert all(face.image.is_file() and face.split is None for face in faces)
    for face in faces:
        assert face.points_px[0, 0] < face.points_px[13, 0]
        assert face.points_px[7, 1] < face.points_px[20, 1]
        assert 0.4 < np.ptp(face.points_px[:, 0]) / face.inter_ocular_px < 2
