"""``lipseg predict``: what it takes, what it writes, and how it goes on after it was stopped."""

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import test_predict
from known_model import UNIT
from PIL import Image
from test_predict import FACE_KEYS, expected, files, rows, save

from lipseg import scheme
from lipseg.boxes import Box
from lipseg.cli.exit_codes import ExitCode
from lipseg.formats.record import PictureRecord
from lipseg.inference.lips import Lips
from lipseg.inference.segmenter import LipSegmenter, MouthViews
from lipseg.rendering.masks import label_map
from lipseg.rendering.matte import matte

model, lips = test_predict.model, test_predict.lips

BOX = (20, 10, 60, 30)
GATHERED = ("coco.json", "landmarks.csv")


@pytest.fixture
def standard_input(monkeypatch):
    """Puts bytes on standard input."""

    def put(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    return put


@pytest.fixture
def no_faces(monkeypatch):
    """Lets the segmenter find no mouth in pictures whose name holds "empty"."""
    cut = LipSegmenter.cut

    def without(self, image, boxes=None):
        views = cut(self, image, boxes)
        if "empty" not in str(image):
            return views
        reason = "no face found, only a cat"
        return MouthViews([], [], views.pixels[:0], views.picture_size, found=True, reason=reason)

    monkeypatch.setattr(LipSegmenter, "cut", without)


def two_faces(tmp_path: Path) -> list[str]:
    """Writes a picture with two boxes, the second reaching beyond its edge; returns the arguments for it."""
    save(tmp_path / "in/sub/a.png")
    (tmp_path / "boxes.csv").write_text("image,x0,y0,x1,y1\na.png,20,10,60,30\na.png,75,20,115,40\n")
    return ["predict", "in", "--boxes", "boxes.csv", "-o", "out", "--format"]


def test_patterns(lips, model):
    for name in (
        "a.png",
        "sub/b.png",
        "sub/deep/c.jpg",
        "sub/.d.png",
        "sub/a.mask.png",
        "sub/a.makeup.png",
        "sub/notes.png.txt",
        "[1].png",
    ):
        save(f"in/{name}", format="PNG")
    found = {
        "in/**/*": ["[1].json", "a.json", "sub/b.json", "sub/deep/c.json"],
        "in/**/*.png": ["[1].json", "a.json", "sub/b.json"],
        "in/s*/?.png": ["sub/b.json"],
        "i*/sub/*/*": ["in/sub/deep/c.json"],
        "in/[1].png": ["[1].json"],  # a file of that very name, no pattern
    }
    for number, (pattern, names) in enumerate(found.items()):
        assert lips("predict", pattern, "-o", f"out{number}", "--format", "json")[0] == 0
        assert files(f"out{number}") == names
    code, _, err = lips("predict", "in/*.tif")
    assert (code, err) == (ExitCode.USAGE, "error: in/*.tif: no picture fits this pattern\n")


def test_results_of_a_pattern_that_climbs_stay_in_the_folder(lips, model):
    save("in/deep/a.png")
    save("b.png")
    assert lips("predict", "in/d*/../../*.png", "-o", "out", "--format", "json")[0] == 0
    assert files("out") == ["b.json"]


def test_a_picture_on_standard_input(lips, model, standard_input, tmp_path):
    content = save("a.png").read_bytes()
    standard_input(content)
    code, out, _ = lips("predict", "-", "--box", "20,10,60,30")
    assert (code, rows(out)[0]["image"], rows(out)[0]["width"]) == (0, "-", 100)
    np.testing.assert_allclose(rows(out)[0]["faces"][0]["outer"], expected(BOX)[:28], atol=0.006)

    standard_input(content)
    names = "json,mask,matte,overlay,svg,labelme,coco,csv"
    assert lips("predict", "-", "-", "a.png", "-o", "out", "--format", names)[0] == 0
    mine = [name for name in files("out") if name.startswith("stdin")]
    assert mine == ["stdin." + end for end in ("json", "labelme.json", "mask.png", "matte.png", "overlay.jpg", "svg")]
    for name in ("mask.png", "overlay.jpg"):
        assert Path("out", f"stdin.{name}").read_bytes() == Path("out", f"a.{name}").read_bytes()
    assert [image["file_name"] for image in json.loads(Path("out/coco.json").read_text())["images"]] == [
        "stdin",
        "a.png",
    ]

    standard_input(b"no picture")
    code, out, err = lips("predict", "-")
    assert code == ExitCode.SOME_FAILED
    assert rows(out)[0]["error"].startswith("-: not a picture that can be read")
    assert err.count("-: not a picture") == 1


def test_a_picture_without_a_face_gives_its_reason_and_is_no_failure(lips, model, no_faces):
    save("in/a.png")
    save("in/empty.png")
    code, out, err = lips("predict", "in", "-o", "out", "--json", "--format", "json,mask,matte,labelme,coco,csv")
    assert code == ExitCode.OK
    row = {"image": str(Path("in/empty.png")), "width": 100, "height": 60, "faces": []}
    assert rows(out)[1] == row | {"reason": "no face found, only a cat"}
    assert "reason" not in rows(out)[0]
    assert json.loads(Path("out/empty.json").read_text()) == rows(out)[1]
    assert not np.asarray(Image.open("out/empty.mask.png")).any()
    assert not np.asarray(Image.open("out/empty.matte.png")).any()
    assert json.loads(Path("out/empty.labelme.json").read_text())["shapes"] == []
    coco = json.loads(Path("out/coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["a.png", "empty.png"]
    assert {annotation["image_id"] for annotation in coco["annotations"]} == {1}
    table = Path("out/landmarks.csv").read_text().splitlines()
    assert table[2] == "empty.png" + "," * 115
    assert "1 of 2 pictures without a face" in err
    # Done is done: a face is not looked for again.
    code, out, err = lips("predict", "in", "-o", "out", "--resume", "--format", "json,coco")
    assert (code, out, err) == (0, "", "nothing to do: 2 of 2 pictures were written to out before\n")


def test_coco(lips, model, tmp_path):
    assert lips(*two_faces(tmp_path), "coco")[0] == 0
    coco = json.loads(Path("out/coco.json").read_text())
    assert files("out") == ["coco.json"]
    assert coco["images"] == [{"id": 1, "file_name": "sub/a.png", "width": 100, "height": 60}]
    categories = {category["name"]: category for category in coco["categories"]}
    assert list(categories) == ["upper_lip", "lower_lip", "inner_mouth", "lips"]
    assert categories["lips"]["keypoints"] == list(scheme.POINT_NAMES)
    skeleton = np.array(categories["lips"]["skeleton"])
    assert skeleton.shape == (56, 2)
    assert set(skeleton.ravel()) == set(range(1, 57))
    assert [annotation["id"] for annotation in coco["annotations"]] == list(range(1, 9))
    for index, annotation in enumerate(coco["annotations"]):
        assert annotation["category_id"] == categories[list(categories)[index % 4]]["id"]
        assert (annotation["image_id"], annotation["iscrowd"], annotation["score"]) == (1, 0, 0.625)
        assert annotation["attributes"] == {"face": index // 4, "component": 2}
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in annotation["segmentation"]])
        assert points.min() >= 0
        assert (points <= (100, 60)).all()
        low, size = points.min(0), np.ptp(points, axis=0)
        np.testing.assert_allclose(annotation["bbox"], [*low, *size], atol=0.011)

    # COCO counts from the first pixel's corner, the landmarks from its centre.
    first, second = expected(BOX), expected((75, 20, 115, 40))
    upper, lower, inner, both = coco["annotations"][:4]
    np.testing.assert_allclose(np.reshape(inner["segmentation"][0], (-1, 2)), first[28:] + 0.5, atol=0.006)
    assert both["segmentation"] == upper["segmentation"] + lower["segmentation"]
    labels = label_map(first, 60, 100)
    for annotation, label in ((upper, 1), (lower, 2), (inner, 3)):
        assert annotation["area"] == pytest.approx((labels == label).sum(), rel=0.04)
    keypoints = np.reshape(both["keypoints"], (56, 3))
    np.testing.assert_allclose(keypoints[:, :2], first + 0.5, atol=0.006)
    assert (keypoints[:, 2] == 2).all()
    assert both["num_keypoints"] == 56

    # Of the second face a part lies beyond the right edge, at 100 from the corner.
    keypoints = np.reshape(coco["annotations"][7]["keypoints"], (56, 3))
    outside = second[:, 0] + 0.5 > 100
    assert 0 < outside.sum() < 56
    assert (keypoints[outside] == 0).all()
    assert (keypoints[~outside, 2] == 2).all()
    assert coco["annotations"][7]["num_keypoints"] == (~outside).sum()
    labels = label_map(second, 60, 100)
    for annotation, label in zip(coco["annotations"][4:7], (1, 2, 3), strict=True):
        assert annotation["area"] == pytest.approx((labels == label).sum(), rel=0.06)


def test_labelme(lips, model, tmp_path):
    assert lips(*two_faces(tmp_path), "labelme")[0] == 0
    (file,) = Path("out").rglob("*.labelme.json")
    content = json.loads(file.read_text())
    assert list(content) == ["version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"]
    assert file == Path("out/sub/a.labelme.json")
    assert (file.parent / content["imagePath"]).samefile("in/sub/a.png")
    assert "\\" not in content["imagePath"]
    assert (content["imageData"], content["imageHeight"], content["imageWidth"]) == (None, 60, 100)
    assert [(shape["label"], shape["group_id"]) for shape in content["shapes"]] == [
        (name, face) for face in (0, 1) for name in ("upper_lip", "lower_lip", "inner_mouth")
    ]
    assert {shape["shape_type"] for shape in content["shapes"]} == {"polygon"}
    # labelme counts from the first pixel's corner, the landmarks from its centre.
    np.testing.assert_allclose(content["shapes"][2]["points"], expected(BOX)[28:] + 0.5, atol=0.006)
    assert np.concatenate([shape["points"] for shape in content["shapes"]]).max() <= 100


def test_matte(lips, model, tmp_path):
    assert lips(*two_faces(tmp_path), "matte")[0] == 0
    picture = Image.open("out/sub/a.matte.png")
    assert (picture.mode, picture.size) == ("L", (100, 60))
    first, second = (matte(expected(box), 60, 100) for box in (BOX, (75, 20, 115, 40)))
    assert first.max() == second.max() == 1
    np.testing.assert_allclose(np.asarray(picture), 255 * np.maximum(first, second), atol=4)  # float32 landmarks
    assert np.count_nonzero((first > 0) & (first < 1)) > 0


def test_csv(lips, model, tmp_path):
    assert lips(*two_faces(tmp_path), "csv")[0] == 0
    with Path("out/landmarks.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["image"], row["face"], row["score"], row["component"]) for row in table] == [
        ("sub/a.png", "0", "0.625", "2"),
        ("sub/a.png", "1", "0.625", "2"),
    ]
    found = np.array([[float(table[0][f"{axis}{i}"]) for axis in "xy"] for i in range(56)])
    np.testing.assert_allclose(found, expected(BOX), atol=0.006)


def test_a_turned_box_gives_its_roll_in_degrees():
    box = Box.from_corners(0, 0, 9, 5, roll=np.pi / 8)
    lips = Lips(box, 0.5, 3, np.ones(1, np.float32), UNIT.astype(np.float32), (3, 4))
    (face,) = PictureRecord(Path("a.png"), (3, 4), [lips]).as_json()["faces"]
    assert list(face) == ["box", "roll", *FACE_KEYS[1:]]
    assert (face["roll"], face["component"]) == (22.5, 3)


def test_resume_keeps_what_is_there_and_writes_what_is_missing(lips, model):
    for name in "abc":
        save(f"in/{name}.png")
    Path("out").mkdir()
    for name in ("a.json", "a.mask.png", "b.json"):
        Path("out", name).write_text("mine")
    arguments = ("predict", "in", "-o", "out", "--format", "json,mask", "--json", "--resume")
    code, out, err = lips(*arguments)
    assert code == 0
    assert [row["image"] for row in rows(out)] == [str(Path("in", name)) for name in ("b.png", "c.png")]
    assert "1 of 3 pictures skipped: their files are there already" in err
    assert [Path("out", f"{name}.json").read_text() == "mine" for name in "abc"] == [True, True, False]
    assert Image.open("out/b.mask.png").size == (100, 60)
    assert files("out") == sorted(f"{name}.{end}" for name in "abc" for end in ("json", "mask.png"))

    # With nothing left to do, not even the model is looked for.
    model.batches.clear()
    code, out, err = lips(*arguments)
    assert (code, out, model.batches) == (0, "", [])
    assert err == "nothing to do: 3 of 3 pictures were written to out before\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "-o", "out", "--force"], "--resume and --force: give one of them"),
        (["--resume"], "--resume: give the folder to go on in with -o DIR"),
    ],
)
def test_resume_that_makes_no_sense(lips, model, arguments, message):
    save("a.png")
    code, _, err = lips("predict", "a.png", *arguments)
    assert code == ExitCode.USAGE
    assert err.startswith(f"error: {message}")


def test_a_run_that_was_stopped_ends_with_the_same_files(lips, model, monkeypatch):
    for index in range(7):
        save(f"in/{index}.png", 40 + index, 80)
    (Path("in") / "3.png").write_bytes(b"broken")
    arguments = ("predict", "in", "--format", "json,coco,csv", "--batch-size", 2, "-o")
    assert lips(*arguments, "whole")[0] == ExitCode.SOME_FAILED

    def stop(views):
        if len(model.batches) == 2:
            raise KeyboardInterrupt
        return type(model).__call__(model, views)

    model.batches.clear()
    with monkeypatch.context() as patch:
        patch.setattr(
            test_predict.segmenter, "load_predictor", lambda folder, threads=1: SimpleModel(model.runtime, stop)
        )
        assert lips(*arguments, "out")[0] == ExitCode.INTERRUPTED
    journals = [".coco.partial.jsonl", ".landmarks.partial.jsonl"]
    assert files("out") == [*journals, "0.json", "1.json", "2.json"]
    # What a power cut leaves: half a line, and a file that was written before its row was.
    with Path("out/.coco.partial.jsonl").open("a") as file:
        file.write('{"image": "4.pn')
    Path("out/4.json").write_bytes(Path("whole/4.json").read_bytes())

    code, _, err = lips(*arguments, "out")
    assert (code, "--resume" in err) == (ExitCode.USAGE, True)
    code, _, err = lips(*arguments, "out", "--resume")
    assert code == ExitCode.SOME_FAILED
    assert "3 of 7 pictures skipped" in err
    assert "3 of 4 pictures written" in err
    assert files("out") == files("whole")
    for name in files("whole"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes(), name


class SimpleModel:
    """A model with another's constants that answers by a function."""

    locator = None

    def __init__(self, runtime, answer):
        self.runtime, self.answer = runtime, answer

    def __call__(self, views):
        return self.answer(views)


def test_a_journal_without_its_files_is_not_lost_by_mistake(lips, model):
    save("a.png")
    Path("out").mkdir()
    Path("out/.coco.partial.jsonl").write_text("")
    code, _, err = lips("predict", "a.png", "-o", "out", "--format", "coco")
    assert code == ExitCode.USAGE
    assert err.startswith(f"error: {Path('out/.coco.partial.jsonl')}: left by a run that did not finish; give --resume")
    assert lips("predict", "a.png", "-o", "out", "--format", "coco", "--force")[0] == 0
    assert files("out") == ["coco.json"]


def test_finished_files_of_a_run_take_more_pictures(lips, model):
    save("in/b.png")
    more = ("predict", "in", "-o", "out", "--format", "coco,csv")
    assert lips(*more)[0] == 0
    before = [Path("out", name).read_text() for name in GATHERED]
    assert lips(*more)[0] == ExitCode.USAGE
    assert lips(*more, "--resume")[0] == 0
    assert [Path("out", name).read_text() for name in GATHERED] == before

    save("in/a.png", 50, 50)
    assert lips(*more, "--resume")[0] == 0
    assert lips(*(word if word != "out" else "anew" for word in more))[0] == 0
    assert [Path("out", name).read_text() for name in GATHERED] == [Path("anew", name).read_text() for name in GATHERED]

    save("in/sub/c.png", 50, 50)
    assert lips("predict", "in/sub", "-o", "out", "--format", "coco", "--resume")[0] == 0
    coco = json.loads(Path("out/coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["a.png", "b.png", "c.png"]
    assert [annotation["image_id"] for annotation in coco["annotations"]] == [1] * 4 + [2] * 4 + [3] * 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("coco.json", "{"),
        ("coco.json", '{"info": {"description": "mine"}, "categories": [], "images": []}'),
        ("coco.json", "[]"),
        ("landmarks.csv", "image,x0\na.png,3\n"),
        (".coco.partial.jsonl", "nonsense\n"),
    ],
)
def test_a_file_of_somebody_else_is_not_gone_on_with(lips, model, name, content):
    save("a.png")
    Path("out").mkdir()
    Path("out", name).write_text(content)
    code, _, err = lips("predict", "a.png", "-o", "out", "--format", "coco,csv", "--resume")
    assert code == ExitCode.USAGE
    assert "was not written by lipseg and cannot be gone on with" in err
    assert Path("out", name).read_text() == content


def test_only_a_terminal_gets_a_bar(lips, model):
    save("a.png")
    _, _, err = lips("predict", "a.png", "-o", "out", "--format", "json")
    assert err == "1 of 1 pictures written to out\n"
