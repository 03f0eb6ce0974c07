"""The reader of masks beside pictures, on drawn masks and on what ``lipseg predict`` writes."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lipseg.boxes import Box
from lipseg.data.annotations import FaceSample, Unusable
from lipseg.data.annotations.masks import read
from lipseg.data.face_shape import sample_shape
from lipseg.data.tracing import inter_ocular_estimate, trace
from lipseg.errors import DataError
from lipseg.formats.mask import MaskWriter
from lipseg.formats.record import PictureRecord
from lipseg.inference.lips import Lips
from lipseg.rendering import palette
from lipseg.rendering.masks import label_map

HEIGHT, WIDTH = 120, 150
COLOURS = np.array(palette.LABELS, np.uint8)


def labels() -> np.ndarray:
    lips = sample_shape(np.random.default_rng(1), "laugh").lips
    return label_map((lips - lips.mean(0)) + [70, 60], HEIGHT, WIDTH)


def indexed(values: np.ndarray, colours: np.ndarray = COLOURS) -> Image.Image:
    image = Image.fromarray(values).convert("P")
    image.putpalette(colours.ravel().tolist())
    return image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, ending in (("one", ".jpg"), ("below/a.b", ".png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / f"{name}{ending}")
        indexed(labels()).save(tmp_path / f"{name}.mask.png")
    return tmp_path


def only_unusable(root: Path) -> Unusable:
    (found,) = [face for face in read(root) if isinstance(face, Unusable)]
    assert (found.name, found.file, found.line) == ("one", root / "one.mask.png", 0)
    return found


def test_faces_of_all_folders_come_by_name(root):
    faces = list(read(root))
    assert [face.name for face in faces] == ["below/a.b", "one"]
    assert [face.image for face in faces] == [root / "below/a.b.png", root / "one.jpg"]
    for face in faces:
        assert isinstance(face, FaceSample)
        np.testing.assert_array_equal(face.points_px, trace(labels()))
        assert face.inter_ocular_px == inter_ocular_estimate(face.points_px)
        assert face.split is None
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(face)).labels(), labels())  # in another process


def test_what_predict_writes_is_read(root):
    points = trace(labels()).astype(np.float32)
    lips = Lips(Box(70, 60, 80, 50), 1.0, 0, np.ones(1, np.float32), points, (HEIGHT, WIDTH))
    record = PictureRecord(root / "one.jpg", (HEIGHT, WIDTH), [lips])
    target = root / f"one{MaskWriter.ending}"
    target.unlink()
    MaskWriter().write(target, record)
    face = list(read(root))[1]
    assert isinstance(face, FaceSample)
    assert np.hypot(*(face.points_px - points).T).mean() < 1


@pytest.mark.parametrize(
    "picture",
    [
        lambda: Image.fromarray(labels()),
        lambda: Image.fromarray(COLOURS[labels()]),
        lambda: Image.fromarray(COLOURS[labels()]).convert("RGBA"),
        lambda: indexed(np.array([2, 0, 3, 1], np.uint8)[labels()], COLOURS[[1, 3, 0, 2]]),
        lambda: indexed(labels(), np.array([[9, 9, 9], [250, 0, 0], [0, 250, 0], [0, 0, 250]], np.uint8)),
    ],
    ids=["grey", "colours", "with alpha", "sorted anew", "another palette"],
)
def test_what_paint_programs_make_of_it_is_read(root, picture):
    picture().save(root / "one.mask.png")
    face = list(read(root))[1]
    np.testing.assert_array_equal(face.points_px, trace(labels()))


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (lambda: indexed(labels()[:, 1:]), "the mask has 149 x 120 pixels, its picture 150 x 120"),
        (lambda: Image.fromarray((labels() > 0).astype(np.uint8) * 255), "holds the label 255; there are 0 background"),
        (lambda: Image.fromarray(labels() + np.uint8(1)), "holds the label 4"),
        (lambda: Image.fromarray(COLOURS[labels()] // 2), "in colours that are not lipseg's four"),
        (lambda: Image.fromarray(labels().astype(np.uint16)), "not an 8-bit picture"),
        (lambda: Image.fromarray(labels() > 0), "not an 8-bit picture"),
        (lambda: indexed(np.where(labels() == 1, 0, labels()).astype(np.uint8)), "no upper lip"),
        (lambda: indexed(labels() * (np.arange(WIDTH) < np.flatnonzero(labels().any(0))[0] + 4)), "fewer than 60"),
    ],
    ids=["size", "black and white", "label", "colours", "16 bits", "1 bit", "lip", "tiny"],
)
def test_other_masks_are_unusable(root, picture, said):
    picture().save(root / "one.mask.png")
    assert said in only_unusable(root).reason


def people(gap: float, *scales: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns the label map of mouths side by side, so many of the widest one's widths apart, and their landmarks."""
    lips = sample_shape(np.random.default_rng(1), "laugh").lips
    lips = (lips - lips.min(0)) / np.ptp(lips[:, 0]) * 60
    left, mouths = 10.0, []
    for scale in scales:
        mouths.append(lips * scale + [left, 20])
        left += 60 * scale + gap * 60 * max(scales)
    size = (120, int(left) + 10)
    every = [label_map(points, *size) for points in mouths]
    assert (np.array(every) > 0).sum(0).max() == 1
    return np.sum(every, axis=0).astype(np.uint8), mouths


def write_people(root: Path, values: np.ndarray) -> list[FaceSample | Unusable]:
    Image.new("RGB", values.shape[::-1]).save(root / "one.jpg")
    indexed(values).save(root / "one.mask.png")
    return [face for face in read(root) if face.name.startswith("one")]


def test_the_mouths_of_a_group_photo_are_faces_of_one_group(root):
    values, mouths = people(1.0, 1.0, 0.4, 0.7)
    faces = write_people(root, values)
    assert [face.name for face in faces] == ["one", "one#2", "one#3"]
    for face, points in zip(faces, mouths, strict=True):
        assert isinstance(face, FaceSample)
        assert (face.group, face.image) == ("one", root / "one.jpg")
        assert np.hypot(*(face.points_px - points).T).mean() < 1
        assert face.inter_ocular_px == inter_ocular_estimate(face.points_px)
        own = label_map(points, *values.shape)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(face)).labels(), own)


def test_what_predict_writes_of_a_group_photo_is_read(root):
    values, mouths = people(1.0, 1.0, 0.5)
    lips = [
        Lips(Box(70, 60, 80, 50), 1.0, 0, np.ones(1, np.float32), points.astype(np.float32), values.shape)
        for points in mouths
    ]
    write_people(root, values)
    (root / "one.mask.png").unlink()
    MaskWriter().write(root / "one.mask.png", PictureRecord(root / "one.jpg", values.shape, lips))
    faces = [face for face in read(root) if face.group == "one"]
    assert len(faces) == 2


def test_a_mouth_that_a_finger_divides_is_not_two(root):
    values, _ = people(1.0, 1.0)
    middle = int(np.argwhere(values.any(0)).mean())
    values[:, middle - 8 : middle + 8] = 0
    (face,) = write_people(root, values)
    assert isinstance(face, Unusable)
    assert "in several pieces" in face.reason


def test_one_mouth_of_a_group_photo_may_be_unusable(root):
    values, mouths = people(1.0, 1.0, 1.0)
    right = np.arange(values.shape[1]) > mouths[1][:, 0].min() - 5
    first, second = write_people(root, np.where(right & (values == 2), 0, values).astype(np.uint8))
    assert isinstance(first, FaceSample)
    assert (second.name, second.reason) == ("one#2", "no lower lip")


def test_slips_of_the_brush_are_no_mouths(root):
    values, _ = people(1.5, 1.0, 1.0)
    between = np.argwhere(values.any(0))[:, 0].mean().astype(int)
    values[:3, between : between + 30] = 1  # 90 pixels of one lip
    values[90:95, 5:10] = 2
    assert [face.name for face in write_people(root, values)] == ["one", "one#2"]


def test_a_mask_in_very_many_pieces_is_unusable(root):
    values = np.kron(np.indices((80, 80)).sum(0) % 2 * (np.arange(80) % 2), np.ones((8, 8))).astype(np.uint8)
    (face,) = write_people(root, values)
    assert face.reason == "the mask is in 1600 pieces, more than 1000"


def test_an_empty_mask_is_of_a_picture_without_a_face(root):
    indexed(np.zeros((HEIGHT, WIDTH), np.uint8)).save(root / "one.mask.png")
    assert [face.name for face in read(root)] == ["below/a.b"]
    (root / "trainnames.txt").write_text("below/a.b\none\n")
    (root / "testnames.txt").write_text("")
    assert "the mouth has 0 pixels" in only_unusable(root).reason


def test_a_damaged_mask_is_unusable(root):
    (root / "one.mask.png").write_bytes((root / "one.mask.png").read_bytes()[:80])
    assert only_unusable(root).reason.startswith("mask broken: ")
    (root / "one.mask.png").write_bytes(b"")
    assert only_unusable(root).reason.startswith("mask broken: ")


def test_a_picture_turned_by_its_exif_orientation_is_as_large_as_it_is_seen(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (HEIGHT, WIDTH)).save(root / "one.jpg", exif=exif)
    assert isinstance(list(read(root))[1], FaceSample)


def test_a_missing_picture_is_left_for_the_crop_stage_to_say(root):
    (root / "one.jpg").unlink()
    assert list(read(root))[1].image == root / "one.jpg"


def test_lists_say_the_split(root):
    (root / "trainnames.txt").write_text("below/a.b\n")
    (root / "testnames.txt").write_text("two\n")
    faces = list(read(root))
    assert [face.name for face in faces] == ["below/a.b", "one", "two"]
    assert faces[0].split == "train"
    assert faces[1].reason == "in neither trainnames.txt nor testnames.txt"
    assert (faces[2].file.name, faces[2].reason) == ("testnames.txt", "listed, but has no .mask.png")


def test_folders_without_masks_are_errors(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no \.mask\.png file"):
        read(tmp_path)
