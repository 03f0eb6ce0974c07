"""The wide crops: what is skipped and why, how faces are split, and that a folder is written whole or not at all."""

import csv
import json
import shutil
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from lipseg.data import annotations
from lipseg.data.annotations import FaceSample, helen
from lipseg.data.crop_set import SPLITS, load_crops
from lipseg.data.crops import crop_sheet, list_sources, make_crops
from lipseg.data.splits import assign_split
from lipseg.errors import DataError
from lipseg.images import read_image
from lipseg.training.faces import photos


@pytest.fixture
def copy(drawn, tmp_path):
    """A copy of the drawn faces, to be spoilt."""
    return shutil.copytree(drawn, tmp_path / "faces" / "synthetic")


def made(out, data, crop, root=None, **changes):
    return make_crops(out, replace(data, **({"root": str(root)} if root else {}), **changes), crop, seed=0)


def skipped_rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_face_is_cut_out_where_its_mouth_is(crops):
    assert len(crops) == 24
    assert crops.images.shape == (24, 64, 64, 3)
    assert crops.skipped == {}
    assert all(crops.state)
    for i in range(len(crops)):
        points = crops.to_image(i).inverse()(crops.points_px[i])
        box = points.min(0), points.max(0)
        np.testing.assert_allclose((box[0] + box[1]) / 2, 31.5, atol=1e-9)  # in the middle
        assert (box[1] - box[0]).max() == pytest.approx(64 / 2.8)  # its longer side 1 / context of the crop
    np.testing.assert_allclose(crops.boxes_px[:, :2], crops.points_px.min(1))


def test_a_crop_shows_the_image_s_own_colours(crops, drawn):
    """The crop's middle half has the mean colour of the box that it shows."""
    for i in (0, 7, 15):
        image = read_image(drawn / "image" / f"{str(crops.names[i]).split('/')[1]}.jpg").astype(float)
        low, high = crops.to_image(i)(np.array([[16, 16], [47, 47]], float)).round().astype(int)
        expected = image[low[1] : high[1] + 1, low[0] : high[0] + 1].mean((0, 1))
        np.testing.assert_allclose(crops.images[i][16:48, 16:48].mean((0, 1)), expected, atol=4)


def test_splits_keep_the_dataset_s_own_and_set_some_training_faces_aside(crops, drawn):
    listed = {name: (drawn / f"{name}names.txt").read_text().split() for name in ("train", "test")}
    names = np.array([name.split("/")[1] for name in crops.names])
    assert sorted(names[crops.indices("test")]) == sorted(listed["test"])
    assert sorted(names[crops.indices("train", "validation")]) == sorted(listed["train"])
    assert 0 < len(crops.indices("validation")) < 12


def test_a_face_s_split_depends_on_no_other_face(data_params):
    def face(name, split=None):
        return FaceSample(name, None, None, 1.0, split)

    splits = [assign_split("mine", face(f"{i}"), data_params, 3) for i in range(3000)]
    share = {split: count / 3000 for split, count in Counter(splits).items()}
    assert share["test"] == pytest.approx(0.3, abs=0.03)
    assert share["validation"] == pytest.approx(0.7 * 0.3, abs=0.03)
    assert splits == [assign_split("mine", face(f"{i}"), data_params, 3) for i in range(3000)]
    assert splits != [assign_split("mine", face(f"{i}"), data_params, 4) for i in range(3000)]
    assert splits != [assign_split("other", face(f"{i}"), data_params, 3) for i in range(3000)]
    assert {assign_split("mine", face(f"{i}", "test"), data_params, 3) for i in range(50)} == {"test"}
    assert {assign_split("mine", face(f"{i}", "train"), data_params, 3) for i in range(50)} == {"train", "validation"}
    with pytest.raises(DataError, match="'a' into 'val'"):
        assign_split("mine", face("a", "val"), data_params, 3)


def test_a_face_that_is_taken_away_moves_no_other(crops, copy, data_params, crop_params, tmp_path):
    gone = (copy / "trainnames.txt").read_text().split()[3]
    for name in ("trainnames.txt", "states.csv"):
        lines = (copy / name).read_text().splitlines(keepends=True)
        (copy / name).write_text("".join(line for line in lines if line.strip().split(",")[0] != gone))
    for file in (copy / "annotation").iterdir():
        if file.read_text().split()[0] == gone:
            file.unlink()
    fewer = made(tmp_path / "crops", data_params, crop_params, copy)
    before = dict(zip(crops.names, crops.split, strict=True))
    assert dict(zip(fewer.names, fewer.split, strict=True)) == {
        name: split for name, split in before.items() if name != f"synthetic/{gone}"
    }
    assert fewer.sha256 != crops.sha256


def annotation_of(root, name):
    return next(file for file in (root / "annotation").iterdir() if file.read_text().split()[0] == name)


def edited(file, change):
    lines = file.read_text().splitlines()
    change(lines)
    file.write_text("\n".join(lines) + "\n")


def test_unusable_faces_are_listed_with_file_line_and_reason(copy, data_params, crop_params, tmp_path):
    names = sorted((copy / "trainnames.txt").read_text().split())
    files = {name: annotation_of(copy, name) for name in names}
    (copy / "image" / f"{names[0]}.jpg").unlink()
    broken = copy / "image" / f"{names[1]}.jpg"
    broken.write_bytes(broken.read_bytes()[:700])

    def garbled(lines):
        lines[40] = "12.5 ; 3"

    def outside(lines):
        lines[59] = "-40.0 , 60.0"  # a lip point: the lips are 58 to 113, after the line of the name

    def tiny(lines):
        points = np.array([[float(x) for x in line.split(",")] for line in lines[1:]])
        lips = points[58:114]
        points[58:114] = lips.mean(0) + 0.2 * (lips - lips.mean(0))
        lines[1:] = [f"{x} , {y}" for x, y in points]

    for name, change in zip(names[2:], (garbled, outside, tiny), strict=False):
        edited(files[name], change)
    crops = made(tmp_path / "crops", data_params, replace(crop_params, max_skipped_share=0.3), copy)

    assert len(crops) == 24 - 5
    rows = {row["name"]: row for row in skipped_rows(tmp_path / "crops" / "skipped.csv")}
    assert sorted(rows) == names[:5]
    assert {row["source"] for row in rows.values()} == {"synthetic"}
    missing, jpeg, malformed, out, narrow = (rows[name] for name in names[:5])
    assert (missing["reason"], missing["file"]) == ("image missing", str(copy / "image" / f"{names[0]}.jpg"))
    assert jpeg["reason"].startswith("image broken: ")
    assert jpeg["file"] == str(broken)
    assert (malformed["file"], malformed["line"]) == (str(files[names[2]]), "41")
    assert "12.5 ; 3" in malformed["reason"]
    assert (out["reason"], out["file"]) == ("lip points outside the image", str(files[names[3]]))
    assert (narrow["reason"], narrow["file"]) == ("mouth narrower than 8 pixels", str(files[names[4]]))
    assert [row["line"] for row in (missing, jpeg, out, narrow)] == [""] * 4
    assert sum(crops.skipped.values()) == 5
    assert crops.skipped["image broken"] == 1
    summary = json.loads((tmp_path / "crops" / "summary.json").read_text())
    assert summary["faces"] == sum(summary[split] for split in SPLITS) == 19


def test_too_many_unusable_faces_fail_and_leave_only_their_list(copy, data_params, crop_params, tmp_path):
    for name in (copy / "trainnames.txt").read_text().split()[:3]:
        (copy / "image" / f"{name}.jpg").unlink()
    out = tmp_path / "out" / "crops"
    with pytest.raises(DataError, match=r"3 of 24 .*image missing.*max_skipped_share 0\.1 .*skipped\.csv") as caught:
        made(out, data_params, replace(crop_params, max_skipped_share=0.1), copy)
    assert "\n" not in str(caught.value)
    assert [path.name for path in out.parent.iterdir()] == ["skipped.csv"]
    assert len(skipped_rows(out.parent / "skipped.csv")) == 3
    assert len(made(out, data_params, replace(crop_params, max_skipped_share=0.2), copy)) == 21


def test_a_failure_leaves_the_old_crops_and_no_half_written_folder(copy, data_params, crop_params, tmp_path):
    out = tmp_path / "out" / "crops"
    before = made(out, data_params, crop_params, copy).sha256
    (copy / "testnames.txt").write_text("")
    for root, said in ((copy, "unusable"), (tmp_path / "nowhere", "nowhere is not a folder")):
        with pytest.raises(DataError, match=said):
            made(out, data_params, crop_params, root)
        assert load_crops(out).sha256 == before
        assert {path.name for path in out.parent.iterdir()} <= {"crops", "skipped.csv"}


def reader(root):
    """A reader of one's own: two places each of some pictures."""
    images = sorted((root / "image").glob("*.jpg"))
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1) * [20, 10]
    points = np.concatenate([ring, 0.5 * ring]) + 60.0
    places = points, points + 30
    for i in range(40):
        yield FaceSample(f"f{i:02d}", images[i % 20], places[i // 20], 40.0)


def thrice(root):
    """Enough faces for two workers."""
    for times in range(3):
        for face in reader(root):
            yield replace(face, name=f"{times}{face.name}")


@pytest.fixture
def own(monkeypatch):
    """Registers readers that go away with the test."""
    monkeypatch.setattr(annotations, "_READERS", dict(annotations._READERS))
    return annotations.register


def test_a_registered_reader_is_split_by_name(own, drawn, data_params, crop_params, tmp_path):
    own("mine", reader)
    crops = made(tmp_path / "crops", data_params, crop_params, source="mine")
    assert len(crops) == 40
    assert all(len(crops.indices(split)) for split in SPLITS)
    assert crops.names[0] == "mine/f00"
    assert set(crops.state) == {""}


def test_a_reader_in_a_module_of_one_s_own(drawn, data_params, tmp_path, monkeypatch):
    (tmp_path / "my_faces").mkdir()
    (tmp_path / "my_faces" / "__init__.py").touch()
    (tmp_path / "my_faces" / "reader.py").write_text(
        "from lipseg.data.annotations import Unusable\n\n\ndef read(root):\n    yield Unusable('a', root, 0, 'no')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert [source for source, _ in list_sources(replace(data_params, source="my_faces.reader"))] == ["my_faces.reader"]
    sys.modules.pop("my_faces.reader")
    with pytest.raises(DataError, match=r"'my_faces\.none'"):
        list(list_sources(replace(data_params, source="my_faces.none")))


def test_several_sources_each_in_its_folder(own, copy, data_params, crop_params, tmp_path):
    own("mine", reader)
    shutil.copytree(copy, copy.parent / "mine")
    crops = made(tmp_path / "crops", data_params, crop_params, copy.parent, source="synthetic+mine")
    assert Counter(name.split("/")[0] for name in crops.names) == {"synthetic": 24, "mine": 40}
    with pytest.raises(DataError, match=r"mine is not a folder \(several sources: "):
        made(tmp_path / "crops", data_params, crop_params, tmp_path, source="mine+synthetic")


def spoilt(change):
    """A reader whose first face is changed."""

    def read(root):
        faces = list(reader(root))
        yield replace(faces[0], **change(faces[0]))
        yield from faces[1:]

    return read


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda face: {"points_px": face.points_px[:20]}, "not 56 finite lip points"),
        (lambda face: {"points_px": face.points_px * np.nan}, "not 56 finite lip points"),
        (lambda face: {"inter_ocular_px": 0.0}, "the eyes lie on one point or infinitely far apart"),
        (lambda face: {"inter_ocular_px": float("nan")}, "the eyes lie on one point or infinitely far apart"),
        (lambda face: {"inter_ocular_px": float("inf")}, "the eyes lie on one point or infinitely far apart"),
        (lambda face: {"points_px": face.points_px + np.array([200, 0])}, "lip points outside the image"),
    ],
)
def test_what_a_reader_gets_wrong_is_skipped(own, data_params, crop_params, tmp_path, change, reason):
    own("mine", spoilt(change))
    crops = made(tmp_path / "c", data_params, replace(crop_params, max_skipped_share=0.1), source="mine")
    assert crops.skipped == {reason: 1}


def test_two_faces_of_one_name_are_refused(own, data_params, crop_params, tmp_path):
    own("mine", spoilt(lambda face: {"name": "f07"}))
    with pytest.raises(DataError, match="two faces are named 'mine/f07'"):
        made(tmp_path / "out" / "crops", data_params, crop_params, source="mine")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_split_without_a_face_is_named(own, data_params, crop_params, tmp_path):
    own("mine", lambda root: (replace(face, split="train") for face in reader(root)))
    with pytest.raises(DataError, match="leaves no test face"):
        made(tmp_path / "out" / "crops", data_params, crop_params, source="mine")
    own("none", lambda root: iter(()))
    with pytest.raises(DataError, match="holds no none faces"):
        made(tmp_path / "out" / "crops", data_params, crop_params, source="none")
    assert list((tmp_path / "out").iterdir()) == []


def test_two_workers_cut_the_same_bytes(own, data_params, crop_params, tmp_path):
    own("mine", thrice)
    one = made(tmp_path / "one", data_params, crop_params, source="mine")
    two = made(tmp_path / "two", data_params, replace(crop_params, workers=2), source="mine")
    assert len(one) == 120
    assert two.sha256 == one.sha256
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()} == files
    assert sorted(files) == ["faces.npz", "images.npy", "skipped.csv", "summary.json"]


def test_the_photos_are_found_without_reading_an_annotation(crops, data_params, monkeypatch):
    monkeypatch.setattr(helen, "_face", lambda *_: pytest.fail("an annotation was read"))
    assert [(i, path.stem) for i, path in photos(crops, data_params)] == [
        (i, name.split("/")[1]) for i, name in enumerate(crops.names.tolist())
    ]


@pytest.mark.parametrize("name", ["images.npy", "faces.npz", "summary.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", "half"])
def test_damaged_crops_are_named(crops, data_params, crop_params, tmp_path, name, content):
    folder = crops.images.filename
    copied = shutil.copytree(type(tmp_path)(folder).parent, tmp_path / "crops")
    whole = (copied / name).read_bytes()
    (copied / name).unlink()
    if content is not None:
        (copied / name).write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(DataError, match=r"run the (crop )?stage.* again"):
        load_crops(copied)


def test_crops_of_different_length_are_refused(crops, tmp_path):
    copied = shutil.copytree(type(tmp_path)(crops.images.filename).parent, tmp_path / "crops")
    np.save(copied / "images.npy", crops.images[:5])
    with pytest.raises(DataError, match="different numbers of faces"):
        load_crops(copied)


def test_the_sheet_shows_the_faces_asked_for(crops):
    assert crop_sheet(crops, 6).shape[1] < crop_sheet(crops, 24).shape[1]
    assert crop_sheet(crops).shape == crop_sheet(crops, 24).shape


def twins(split_of):
    """A reader of faces 0 to 19, of which 2, 5 and 8 are the same: their splits are given, None for the others."""

    def read(root):
        for i, face in enumerate(list(reader(root))[:20]):
            again = replace(face, image=(root / "image" / "face_00002.jpg")) if i in split_of else face
            yield replace(again, split=split_of.get(i, ("train", "test")[i % 2]))

    return read


def test_faces_that_look_the_same_share_a_split(own, data_params, crop_params, tmp_path):
    own("mine", twins({2: "train", 5: "test", 8: "train"}))
    for seed in range(6):
        data = replace(data_params, source="mine", validation_share=0.5)
        crops = make_crops(tmp_path / f"{seed}", data, crop_params, seed)
        assert crops.split[2] == crops.split[8]
        assert crops.split[5] == "test"  # the dataset's own test faces stay
        summary = json.loads((tmp_path / f"{seed}" / "summary.json").read_text())
        assert (summary["groups"], summary["alike"], summary["alike_across_test"]) == (1, 3, 2)


def test_a_group_of_the_dataset_shares_a_split(own, data_params, crop_params, tmp_path):
    def read(root):
        for i, face in enumerate(reader(root)):
            yield replace(face, group="one" if i % 2 else "")

    own("mine", read)
    crops = made(tmp_path / "crops", data_params, crop_params, source="mine")
    assert len(set(crops.split[1::2])) == 1
    assert len(set(crops.split[::2])) == 3
