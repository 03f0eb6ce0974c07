"""The reader of CelebAMask-HQ's layout, on drawn masks and on the real dataset where there is a copy."""

import os
import pickle
from operator import length_hint
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lipseg.data.annotations import FaceSample, Unusable
from lipseg.data.annotations.celebamask import read, unread
from lipseg.data.face_shape import sample_shape
from lipseg.data.tracing import inter_ocular_estimate, trace
from lipseg.errors import DataError
from lipseg.rendering.masks import label_map

SIDE = 128
PARTS = {"u_lip": 1, "l_lip": 2, "mouth": 3}


def labels(state: str = "laugh") -> np.ndarray:
    lips = sample_shape(np.random.default_rng(1), state).lips
    return label_map((lips - lips.mean(0)) * 0.8 + [64, 90], SIDE, SIDE)


def save(root: Path, number: int, part: str, mask: np.ndarray) -> Path:
    file = root / f"CelebAMask-HQ-mask-anno/{number // 2000}/{number:05d}_{part}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(file)
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Faces 2, 10 and 2001; pictures of twice the masks' size; eyes 40 mask pixels apart."""
    (tmp_path / "CelebA-HQ-img").mkdir()
    for number in (2, 10, 2001):
        Image.new("RGB", (2 * SIDE, 2 * SIDE)).save(tmp_path / f"CelebA-HQ-img/{number}.jpg")
        for part, label in PARTS.items():
            save(tmp_path, number, part, labels() == label)
        for part, x in (("l_eye", 40), ("r_eye", 80)):
            eye = np.zeros((SIDE, SIDE), bool)
            eye[38:43, x - 4 : x + 5] = True
            save(tmp_path, number, part, eye)
    return tmp_path


def only_unusable(root: Path) -> Unusable:
    (found,) = [face for face in read(root) if isinstance(face, Unusable)]
    return found


def part(root: Path, name: str, number: int = 2) -> Path:
    return root / f"CelebAMask-HQ-mask-anno/{number // 2000}/{number:05d}_{name}.png"


def test_faces_come_by_number_with_points_in_the_picture_s_pixels(root):
    faces = list(read(root))
    assert [face.name for face in faces] == ["2", "10", "2001"]
    assert all(isinstance(face, FaceSample) and face.split is None for face in faces)
    assert faces[2].image == root / "CelebA-HQ-img/2001.jpg"
    assert faces[2].annotation == part(root, "u_lip", 2001)
    # A pixel's corner stays a corner: the mask's first pixel covers the picture's first two.
    np.testing.assert_allclose(faces[0].points_px, 2 * trace(labels()) + 0.5)
    assert faces[0].inter_ocular_px == pytest.approx(80)
    for name in PARTS:
        part(root, name).unlink()  # they are decoded once, with the landmarks
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(faces[0])).labels(), labels())  # in another process


def test_faces_are_listed_before_their_masks_are_decoded(root):
    part(root, "l_lip").write_bytes(b"no picture")
    listed = unread(root)
    assert length_hint(listed) == 3
    found = [pickle.loads(pickle.dumps(face)) for face in listed]  # to another process
    assert [(face.name, face.image) for face in found] == [
        (name, root / f"CelebA-HQ-img/{name}.jpg") for name in ("2", "10", "2001")
    ]
    assert found[0].read().reason.startswith("mask broken: ")
    np.testing.assert_array_equal(found[1].read().points_px, list(read(root))[1].points_px)


def test_a_closed_mouth_has_no_file_for_its_inside(root):
    for name, label in PARTS.items():
        save(root, 2, name, labels("pout") == label)
    part(root, "mouth").unlink()
    face = next(read(root))
    inner = face.points_px[28:]
    np.testing.assert_allclose(inner[15:], inner[1:14][::-1], atol=0.6)


@pytest.mark.parametrize("eye", ["l_eye", "r_eye"])
def test_without_an_eye_the_mouth_s_width_counts(root, eye):
    part(root, eye).unlink()
    face = next(read(root))
    assert face.inter_ocular_px == pytest.approx(inter_ocular_estimate(face.points_px))


@pytest.mark.parametrize(("name", "said"), [("u_lip", "no upper lip"), ("l_lip", "no lower lip")])
def test_a_face_without_a_lip_is_unusable(root, name, said):
    part(root, name).unlink()
    found = only_unusable(root)
    assert (found.name, found.line) == ("2", 0)
    assert found.reason == said
    assert found.file.name.startswith("00002_")


def test_a_face_without_masks_is_unusable(root):
    for file in (root / "CelebAMask-HQ-mask-anno").glob("0/00002_*"):
        file.unlink()
    assert "0 pixels" in only_unusable(root).reason


def test_broken_masks_and_masks_of_other_sizes_are_unusable(root):
    part(root, "l_lip").write_bytes(part(root, "l_lip").read_bytes()[:60])
    assert only_unusable(root).file == part(root, "l_lip")
    assert only_unusable(root).reason.startswith("mask broken: ")
    save(root, 2, "l_lip", np.ones((SIDE, SIDE - 1), bool))
    assert only_unusable(root).reason == "the masks differ in size: 127 x 128 pixels, not 128 x 128 pixels"


def test_masks_in_three_channels_or_16_bits_count_as_grey(root):
    plain = next(read(root)).points_px
    grey = np.asarray(Image.open(part(root, "u_lip")))
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(part(root, "u_lip"))
    grey = np.asarray(Image.open(part(root, "l_lip")))
    Image.fromarray(grey.astype(np.uint16) * 257).save(part(root, "l_lip"))
    np.testing.assert_array_equal(next(read(root)).points_px, plain)


def test_lists_say_the_split(root):
    (root / "trainnames.txt").write_text("10\n2\n")
    (root / "testnames.txt").write_text("77\n")
    found = {face.name: face for face in read(root)}
    assert (found["2"].split, found["10"].split) == ("train", "train")
    assert found["2001"].reason == "in neither trainnames.txt nor testnames.txt"
    assert found["77"].file.name == "testnames.txt"


def test_one_list_alone_is_an_error(root):
    (root / "trainnames.txt").write_text("10\n2\n")
    with pytest.raises(DataError, match=r"testnames\.txt: no such file; put both lists there or none"):
        read(root)


def test_a_picture_that_cannot_be_decoded_is_left_for_the_crop_stage_to_say(root):
    (root / "CelebA-HQ-img/2.jpg").write_bytes(b"no picture")
    assert isinstance(next(read(root)), FaceSample)


def test_missing_folders_are_errors(root):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        read(root / "nowhere")
    for file in (root / "CelebA-HQ-img").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"CelebA-HQ-img: holds no N\.jpg"):
        read(root)
    (root / "CelebA-HQ-img").rmdir()
    with pytest.raises(DataError, match="CelebA-HQ-img: no such folder"):
        read(root)


def test_a_folder_without_masks_is_an_error(root):
    for file in (root / "CelebAMask-HQ-mask-anno").glob("*/*.png"):
        file.unlink()
    with pytest.raises(DataError, match=r"mask-anno: holds no \*/NNNNN_u_lip\.png"):
        read(root)


@pytest.mark.slow  # reads a whole data set
@pytest.mark.skipif("LIPSEG_CELEBAMASK" not in os.environ, reason="LIPSEG_CELEBAMASK names no copy of CelebAMask-HQ")
def test_the_real_dataset_comes_back_from_its_points():
    root = Path(os.environ["LIPSEG_CELEBAMASK"])
    faces = list(read(root))
    usable = [face for face in faces if isinstance(face, FaceSample)]
    assert len(usable) >= 0.97 * len(faces) > 0
    ratios = [np.ptp(face.points_px[:28, 0]) / face.inter_ocular_px for face in usable]
    assert 0.6 < np.median(ratios) < 1.1
    f1: dict[str, list[float]] = {"mouth": [], "lips": [], "inner": []}
    for face in [face for face in usable if face.split != "test"][:: max(1, len(usable) // 60)]:
        truth = {}
        for name in PARTS:
            found = next(root.glob(f"CelebAMask-HQ-mask-anno/*/{int(face.name):05d}_{name}.png"), None)
            truth[name] = np.asarray(Image.open(found).convert("L")) > 127 if found else np.zeros((512, 512), bool)
        with Image.open(face.image) as picture:
            points = (face.points_px + 0.5) * (len(truth["u_lip"]) / picture.height) - 0.5
        drawn = label_map(points, *truth["u_lip"].shape)
        lips = truth["u_lip"] | truth["l_lip"]
        pairs = {
            "mouth": (lips | truth["mouth"], drawn > 0),
            "lips": (lips, (drawn == 1) | (drawn == 2)),
            "inner": (truth["mouth"], drawn == 3),
        }
        for name, (a, b) in pairs.items():
            if name != "inner" or a.sum() > 0.02 * np.prod(np.ptp(points, axis=0)):
                f1[name].append(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert np.mean(f1["mouth"]) > 0.985
    assert np.mean(f1["lips"]) > 0.967
    assert np.mean(f1["inner"]) > 0.942
