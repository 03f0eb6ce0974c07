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
        (lambda: indexed(np.zeros((HEIGHT, WIDTH), np.uint8)), "the mouth has 0 pixels"),
    ],
    ids=["size", "black and white", "label", "colours", "16 bits", "1 bit", "lip", "empty"],
)
def test_other_masks_are_unusable(root, picture, said):
    picture().save(root / "one.mask.png")
    assert said in only_unusable(root).reason


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
