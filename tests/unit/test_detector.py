"""Face boxes, what overlaps, and dlib on drawn faces."""

import numpy as np
import pytest
from PIL import Image

from lipseg.data.synthesize import draw_face
from lipseg.errors import DataError, ModelError
from lipseg.inference.detector import (
    DlibDetector,
    FaceBox,
    YuNetDetector,
    attempts_of,
    distinct,
    make_detector,
    overlap,
    shrunk,
)


@pytest.fixture(scope="module")
def dlib():
    return DlibDetector()


@pytest.fixture(scope="module")
def drawn_face():
    """A drawn face of 200 pixels in the middle of a grey picture, and the middle of its lips."""
    face, points = draw_face(np.random.default_rng([0, 1, 3]), "smile", 200)
    picture = np.full((320, 360, 3), 128, np.uint8)
    picture[60:260, 80:280] = face
    return picture, points[58:114].mean(0) + np.array([80.0, 60.0])


def test_a_face_box_must_be_one():
    with pytest.raises(DataError, match="x0 < x1"):
        FaceBox(3, 0, 3, 9)
    with pytest.raises(DataError, match="not finite"):
        FaceBox(0, 0, 3, np.nan)


def test_overlap_is_the_share_of_the_smaller_box():
    big = FaceBox(0, 0, 10, 10)
    assert overlap(big, FaceBox(2, 2, 4, 4)) == pytest.approx(1)
    assert overlap(big, FaceBox(5, 0, 15, 10)) == pytest.approx(0.5)
    assert overlap(big, FaceBox(20, 0, 30, 10)) == 0


def test_of_boxes_that_overlap_the_surest_stays():
    a, b, c = FaceBox(0, 0, 10, 10, score=1), FaceBox(1, 1, 11, 11, score=2), FaceBox(40, 0, 50, 10, score=0.5)
    assert distinct([a, b, c]) == [b, c]


def test_a_picture_is_shrunk_to_its_long_side():
    small, scale = shrunk(np.zeros((100, 400, 3), np.uint8), 200)
    assert (small.shape, scale) == ((50, 200, 3), 2.0)
    assert shrunk(small, 200)[1] == 1.0


def test_dlib_finds_a_drawn_face(dlib, drawn_face):
    picture, mouth = drawn_face
    (face,) = dlib(picture)
    assert (face.source, face.roll) == ("dlib", 0)
    down = (mouth - face.centre) / face.side
    assert abs(down[0]) < 0.2
    assert 0.05 < down[1] < 0.45


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_lying_face_is_found_with_its_roll(dlib, drawn_face, quarters):
    picture, mouth = drawn_face
    height, width = picture.shape[:2]
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    # Where the mouth goes when the picture is turned to the left.
    x, y = mouth
    for _ in range(quarters):
        x, y, width, height = y, width - 1 - x, height, width
    (face,) = dlib(turned)
    expected = -np.pi / 2 * quarters
    assert np.cos(face.roll - expected) > np.cos(np.deg2rad(35))
    along = np.array([-np.sin(face.roll), np.cos(face.roll)])  # from the face's middle to its mouth
    assert 0.05 < (np.array([x, y]) - face.centre) / face.side @ along < 0.5
    assert "turned" in face.source


def test_a_large_picture_gives_boxes_in_its_own_pixels(dlib, drawn_face):
    picture, _ = drawn_face
    (small,) = dlib(picture)
    (large,) = dlib(np.asarray(Image.fromarray(picture).resize((1440, 1280), Image.Resampling.BICUBIC)))
    np.testing.assert_allclose(large.centre, small.centre * 4 + 1.5, atol=0.1 * large.side)
    assert large.side == pytest.approx(4 * small.side, rel=0.25)


def test_nothing_is_found_in_nothing(dlib):
    assert dlib(np.full((90, 120, 3), 200, np.uint8)) == []
    assert dlib(np.zeros((1, 1, 3), np.uint8)) == []


def test_detectors_by_name(tmp_path):
    assert make_detector("none") is None
    assert isinstance(make_detector("dlib"), DlibDetector)
    for name in ("haar", "yunet", "yunet:"):
        with pytest.raises(DataError, match="there are dlib, none and yunet:FILE"):
            make_detector(name)
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        make_detector(f"yunet:{tmp_path / 'none.onnx'}")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"bad\.onnx: not a YuNet"):
        YuNetDetector(tmp_path / "bad.onnx")


def test_a_plain_callable_makes_one_attempt():
    face = FaceBox(0, 0, 5, 5)
    assert list(attempts_of(lambda image: [face], np.zeros((9, 9, 3), np.uint8))) == [[face]]
