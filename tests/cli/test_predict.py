"""``lipseg predict`` as a user runs it, with a known model behind it.

Most tests call the entry point in this process, with ``load_predictor`` replaced; those about signals, pipes and
streams start a process.
"""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from known_model import ELSEWHERE, UNIT, Ellipses
from PIL import Image

import lipseg
from lipseg.boxes import Box
from lipseg.cli.app import main
from lipseg.cli.exit_codes import ExitCode
from lipseg.errors import ModelError, OutputError
from lipseg.formats.json_lines import JsonWriter
from lipseg.formats.record import PictureRecord
from lipseg.inference import segmenter
from lipseg.inference.card import FORMAT
from lipseg.rendering import palette

MARGIN = Ellipses.runtime.view.margin
# Of a face whose box is upright.
FACE_KEYS = ("box", "score", "component", "opening", "opening_px", "width", "areas", "outer", "inner")


@pytest.fixture
def model(monkeypatch):
    """Puts the known model in the place of whatever ``--model`` names."""
    fake = Ellipses()
    monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads=1: fake)
    return fake


@pytest.fixture
def lips(capsys, tmp_path, monkeypatch):
    """Runs ``lipseg`` in the test's folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        if "predict" in arguments and "--detector" not in arguments:
            arguments = (*arguments, "--detector", "none")  # the pictures here are mouth crops
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        code = caught.value.code
        captured = capsys.readouterr()
        return int(code or 0), captured.out, captured.err

    return run


def save(path: str | Path, height: int = 60, width: int = 100, **options) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = np.add.outer(np.arange(height), np.arange(width)).astype(np.uint8)
    Image.fromarray(np.stack([shade, shade, shade], 2)).save(path, **options)
    return path


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def files(folder: str | Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def expected(box: tuple[float, float, float, float]) -> np.ndarray:
    """The landmarks that the model must give for a box."""
    x0, y0, x1, y1 = box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + (UNIT - 0.5) * MARGIN * max(x1 - x0, y1 - y0)


def test_json_lines_of_mouth_crops(lips, model):
    save("b.png")
    save("a.jpg", 30, 30)
    code, out, _ = lips("predict", "b.png", "a.jpg")
    assert code == ExitCode.OK
    first, second = rows(out)
    assert list(first) == ["image", "width", "height", "faces"]
    assert (first["width"], first["height"]) == (100, 60)
    assert (first["image"], second["image"]) == ("b.png", "a.jpg")
    (face,) = first["faces"]
    assert list(face) == list(FACE_KEYS)
    assert (face["score"], face["component"]) == (0.625, 2)
    # The known mouth: the ellipses' axes are 60 x 30 and 40 x 20 of the view's 100 pixels.
    assert (face["width"], face["opening_px"]) == pytest.approx((60, 20), abs=1)
    assert face["opening"] == pytest.approx(face["opening_px"] / face["width"], abs=1e-3)
    assert list(face["areas"]) == ["upper", "lower", "inner"]
    assert face["areas"]["inner"] == pytest.approx(np.pi * 20 * 10, rel=0.02)
    assert sum(face["areas"].values()) == pytest.approx(np.pi * 30 * 15, rel=0.02)
    assert np.shape(face["outer"]) == np.shape(face["inner"]) == (28, 2)
    # The view covers the long side: 100 pixels about the middle.
    points = np.array([49.5, 29.5]) + (UNIT - 0.5) * 100
    np.testing.assert_allclose(face["outer"] + face["inner"], points, atol=0.006)
    assert model.batches == [2]


def test_one_box_for_every_picture(lips, model):
    save("a.png")
    save("b.png", 200, 90)
    code, out, _ = lips("predict", "a.png", "b.png", "--mouth-box", "-3,10,41.5,30", "--json")
    assert code == 0
    for row in rows(out):
        assert row["faces"][0]["box"] == [-3, 10, 41.5, 30]
        points = row["faces"][0]["outer"] + row["faces"][0]["inner"]
        np.testing.assert_allclose(points, expected((-3, 10, 41.5, 30)), atol=0.006)


@pytest.mark.parametrize("box", [(), ("--mouth-box", "20,20,80,50")], ids=["whole picture", "box"])
def test_the_convention_of_a_source_comes_on_demand(lips, model, box):
    save("a.png")
    model.runtime = replace(model.runtime, reference="mine", conventions=ELSEWHERE)
    plain, mine, there = (
        rows(lips("predict", "a.png", *box, *more)[1])[0]["faces"][0]
        for more in ((), ("--convention", "mine"), ("--convention", "elsewhere"))
    )
    assert mine == plain
    np.testing.assert_allclose(np.subtract(there["outer"], plain["outer"]), np.tile([7, -3], (28, 1)), atol=0.011)
    np.testing.assert_allclose(np.subtract(there["inner"], plain["inner"]), np.tile([7, -3], (28, 1)), atol=0.011)
    assert there["box"] == plain["box"]


@pytest.mark.parametrize("command", ["predict", "video"])
def test_an_unknown_convention_is_wrong_usage_and_lists_the_known_ones(lips, model, command):
    save("a.png")
    model.runtime = replace(model.runtime, reference="mine", conventions=ELSEWHERE)
    code, out, err = lips(command, "a.png", "--convention", "helen")
    assert (code, out) == (ExitCode.USAGE, "")
    assert err == "error: --convention: this model has no convention 'helen'; it knows mine, elsewhere\n"


def test_boxes_from_a_file_several_faces_a_picture(lips, model):
    for name in ("a.png", "b.png", "c.png"):
        save(f"in/{name}")
    Path("boxes.csv").write_text("image,x0,y0,x1,y1\nb.png,10,10,30,20\na.png,1,2,33,14\nb.png,50,20,70,32\n")
    code, out, err = lips("predict", "in", "--mouth-boxes", "boxes.csv")
    assert code == ExitCode.SOME_FAILED
    a, b, c = rows(out)
    assert [face["box"] for face in a["faces"]] == [[1, 2, 33, 14]]
    assert [face["box"] for face in b["faces"]] == [[10, 10, 30, 20], [50, 20, 70, 32]]
    np.testing.assert_allclose(b["faces"][1]["outer"], expected((50, 20, 70, 32))[:28], atol=0.006)
    assert c == {"image": str(Path("in/c.png")), "faces": [], "error": "no row for 'c.png' in boxes.csv"}
    assert "1 of 3 pictures failed" in err


def test_coordinates_are_those_after_exif_rotation(lips, model):
    exif = Image.Exif()
    exif[0x0112] = 6
    save("turned.jpg", height=60, width=100, exif=exif)
    _, out, _ = lips("predict", "turned.jpg", "-o", "out", "--format", "mask", "--json")
    # Upright, the picture is 60 wide and 100 high.
    x0, y0, x1, y1 = rows(out)[0]["faces"][0]["box"]
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((29.5, 49.5), abs=0.01)
    assert Image.open("out/turned.mask.png").size == (60, 100)


def test_a_broken_picture_fails_alone(lips, model):
    for name in ("a.png", "c.png", "d.png"):
        save(f"in/{name}")
    Path("in/b.jpg").write_bytes(b"not a picture")
    code, out, err = lips("predict", "in", "-o", "out", "--json", "--batch-size", 2)
    assert code == ExitCode.SOME_FAILED
    assert [row["image"] for row in rows(out)] == [
        str(Path("in", name)) for name in ("a.png", "b.jpg", "c.png", "d.png")
    ]
    assert [len(row["faces"]) for row in rows(out)] == [1, 0, 1, 1]
    assert rows(out)[1]["error"].startswith(str(Path("in/b.jpg")))
    assert [line for line in err.splitlines() if "b.jpg: not a picture" in line]
    assert "3 of 4 pictures written to out" in err
    assert files("out") == sorted(f"{name}{end}" for name in "acd" for end in (".json", ".mask.png", ".overlay.jpg"))
    # Pictures, not views, fill a batch: the broken one leaves a gap.
    assert model.batches == [1, 2]


def test_a_box_outside_a_picture_fails_that_picture(lips, model):
    save("a.png")
    save("b.png", 300, 300)
    Path("boxes.csv").write_text("image,x0,y0,x1,y1\na.png,200,200,220,220\nb.png,200,200,220,220\n")
    code, out, _ = lips("predict", "a.png", "b.png", "--mouth-boxes", "boxes.csv")
    assert code == ExitCode.SOME_FAILED
    assert rows(out)[0]["faces"] == []
    assert "boxes.csv, line 2: 200,200,220,220 lies outside the picture of 100 x 60" in rows(out)[0]["error"]
    assert len(rows(out)[1]["faces"]) == 1


def test_files_mirror_the_folder(lips, model):
    for name in ("x.png", "sub/x.png", "sub/deep er/Y.JPG", "sub/.hidden.png", ".git/z.png"):
        save(f"in/{name}")
    Path("in/notes.txt").write_text("no picture")
    code, out, err = lips("predict", "in", "-o", "out", "--format", "json")
    assert (code, out) == (0, "")
    assert files("out") == ["sub/deep er/Y.json", "sub/x.json", "x.json"]
    assert json.loads(Path("out/sub/x.json").read_text())["image"] == str(Path("in/sub/x.png"))
    assert "3 of 3 pictures written to out" in err


def test_every_format(lips, model):
    save("in/a.png")
    box = (20, 10, 60, 30)
    code, out, _ = lips(
        "predict", "in/a.png", "--mouth-box", "20,10,60,30", "-o", "out", "--format", "svg,json,mask,overlay"
    )
    assert (code, out) == (0, "")
    assert files("out") == ["a.json", "a.mask.png", "a.overlay.jpg", "a.svg"]

    mask = Image.open("out/a.mask.png")
    assert (mask.mode, mask.size) == ("P", (100, 60))
    labels = np.asarray(mask)
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert labels[20, 40] == 3
    assert (labels[13, 40], labels[27, 40]) == (1, 2)
    assert tuple(mask.getpalette()[:12]) == tuple(np.ravel(palette.LABELS))  # type: ignore[index]

    overlay = np.asarray(Image.open("out/a.overlay.jpg")).astype(int)
    original = np.asarray(Image.open("in/a.png")).astype(int)
    assert overlay.shape == original.shape
    change = np.abs(overlay - original).max(2)
    assert change[labels > 0].mean() > 20
    assert change[:, :15].max() < 12

    svg = ElementTree.parse("out/a.svg").getroot()
    assert svg.attrib["viewBox"] == "0 0 100 60"
    (outer,) = (node for node in svg.iter() if node.attrib.get("class") == "outer")
    start = [float(value) for value in re.findall(r"[-\d.]+", outer.attrib["d"])[:2]]
    np.testing.assert_allclose(start, expected(box)[0], atol=0.006)


def test_pictures_that_differ_only_in_their_ending_keep_it(lips, model):
    save("in/a.png")
    save("in/a.jpg")
    save("in/b.jpg")
    assert lips("predict", "in", "-o", "out", "--format", "json")[0] == 0
    assert files("out") == ["a.jpg.json", "a.png.json", "b.json"]


def test_two_pictures_for_one_file_are_refused(lips, model):
    save("one/a.png")
    save("two/a.png")
    code, _, err = lips("predict", "one", "two", "-o", "out")
    assert code == ExitCode.USAGE
    assert "two of the pictures" in err
    assert not Path("out").exists()


def test_a_picture_given_twice_counts_once(lips, model):
    save("in/a.png")
    _, out, _ = lips("predict", "in", "in/a.png", "./in/a.png")
    assert len(rows(out)) == 1


def test_results_beside_the_pictures_are_no_inputs(lips, model):
    save("in/a.png")
    assert lips("predict", "in", "-o", "in")[0] == 0
    assert lips("predict", "in", "-o", "in", "--force")[0] == 0
    assert files("in") == ["a.json", "a.mask.png", "a.overlay.jpg", "a.png"]


def test_nothing_is_overwritten_without_force(lips, model):
    save("in/a.png")
    save("in/b.png")
    Path("out").mkdir()
    Path("out/b.json").write_text("mine")
    code, out, err = lips("predict", "in", "-o", "out", "--json")
    assert (code, out) == (ExitCode.USAGE, "")
    assert err == (
        f"error: {Path('out/b.json')}: exists already; give --force to overwrite, --resume to write what is missing, "
        "or another folder with -o\n"
    )
    assert files("out") == ["b.json"]
    assert Path("out/b.json").read_text() == "mine"
    assert model.batches == []

    assert lips("predict", "in", "-o", "out", "--force")[0] == 0
    assert json.loads(Path("out/b.json").read_text())["faces"]


def test_a_batch_is_as_large_as_asked_for(lips, model):
    for index in range(5):
        save(f"in/{index}.png")
    assert lips("predict", "in", "--batch-size", 2)[0] == 0
    assert model.batches == [2, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png"], "none.png: no such file or folder"),
        (["https://example.org/a.jpg"], "https://example.org/a.jpg: no such file or folder; a URL is not opened"),
        (["empty"], "empty: no pictures in this folder or below it"),
        (["a.png", "--format", "mask"], "--format: give the folder to write to with -o DIR"),
        (
            ["a.png", "-o", "out", "--format", "json,gif"],
            "--format: expected any of json,mask,matte,overlay,svg,labelme,coco,csv, not '",
        ),
        (["a.png", "-o", "out", "--format", ","], "--format: expected any of"),
        (["a.png", "--mouth-box", "1,2,3"], "--mouth-box: expected four numbers x0,y0,x1,y1, not '1,2,3'"),
        (["a.png", "--mouth-box", "9,2,3,4"], "--mouth-box: x0 must be smaller than x1, not 9,2,3,4"),
        (["a.png", "--mouth-box", "1,2,3,4", "--mouth-boxes", "b.csv"], "--mouth-box and --mouth-boxes: give one"),
        (["a.png", "--mouth-boxes", "none.csv"], "none.csv: cannot be read"),
        (["a.png", "--mouth-boxes", "bad.csv"], "bad.csv, line 3: expected four numbers x0,y0,x1,y1"),
        (["a.png", "--mouth-boxes", "other.csv"], "other.csv: no row is of a picture given"),
        (["a.png", "-o", "a.png"], "a.png: -o must name a folder"),
        (["a.png", "-o", "lips.json"], "lips.json: -o must name a folder, and this is the name of a file"),
    ],
)
def test_wrong_usage_does_nothing_and_says_so_in_one_line(lips, model, arguments, message):
    save("a.png")
    Path("empty").mkdir()
    Path("bad.csv").write_text("image,x0,y0,x1,y1\na.png,1,2,3,4\na.png,1,2,3,four\n")
    Path("other.csv").write_text("image,x0,y0,x1,y1\nz.png,1,2,3,4\n")
    code, out, err = lips("predict", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert not Path("out").exists()
    assert model.batches == []


@pytest.mark.parametrize(
    "arguments", [["predict"], ["predict", "a.png", "--batch-size", "0"], ["predict", "--no"], ["x"]]
)
def test_wrong_options_are_wrong_usage(lips, arguments):
    code, out, err = lips(*arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert "Error: " in err


def test_a_file_in_a_command_s_place(lips):
    save("a b.png")
    code, out, err = lips("a b.png", "-o", "out")
    assert (code, out) == (ExitCode.USAGE, "")
    assert err == "error: a b.png: say what to do with it, such as: lipseg predict 'a b.png'\n"


@pytest.mark.parametrize("words", [("predict", ""), ("predict", "a.png", "-o", "")])
def test_a_variable_that_is_not_set_is_not_the_current_folder(lips, words):
    save("a.png")
    code, out, err = lips(*words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert err == f"error: the argument after {words[-2]} is empty; is a variable not set?\n"
    assert files(Path()) == ["a.png"]


def test_an_unknown_detector_is_wrong_usage(lips, model):
    save("a.png")
    for name, said in (("haar", "unknown face detector 'haar'"), ("yunet:", "unknown face detector")):
        code, out, err = lips("predict", "a.png", "--detector", name)
        assert (code, out) == (ExitCode.USAGE, "")
        assert err.startswith(f"error: --detector: {said}")
    code, _, err = lips("predict", "a.png", "--detector", "yunet:none.onnx")
    assert code == ExitCode.MODEL
    assert "none.onnx: no such file" in err


def test_an_extra_that_is_missing_is_wrong_usage(lips, monkeypatch):
    save("a.png")
    monkeypatch.setitem(sys.modules, "dlib", None)
    code, out, err = lips("predict", "a.png", "--detector", "dlib")
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith("error: --detector dlib: dlib cannot be loaded")
    assert "pip install 'lipseg[dlib]'" in err


def test_a_picture_without_a_face_has_no_lips(lips, model):
    save("a.png")
    code, out, _ = lips("predict", "a.png", "--detector", "dlib")
    assert code == ExitCode.OK
    assert rows(out)[0]["faces"] == []


def test_no_model(lips):
    save("a.png")
    code, out, err = lips("predict", "a.png", "-o", "out", "--model", "models/lipseg")
    assert (code, out) == (ExitCode.MODEL, "")
    assert err.startswith(f"error: {Path('models/lipseg')}: no model folder there; train one with `make repro`")
    assert not Path("out").exists()


def test_the_model_that_comes_along_is_the_default(lips, monkeypatch):
    asked = []
    monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads=1: asked.append(folder) or Ellipses())
    Path("models/lipseg").mkdir(parents=True)  # what lies in the current folder is not asked
    save("a.png")
    assert lips("predict", "a.png")[0] == 0
    lipseg.LipSegmenter()
    assert asked == [Path(lipseg.__file__).parent / "shipped"] * 2


def test_an_unusable_model(lips, monkeypatch):
    def refuse(folder, threads):
        raise ModelError(f"{folder / 'cascade.onnx'}: has no output 'score'\nand more")

    monkeypatch.setattr(segmenter, "load_predictor", refuse)
    save("a.png")
    code, _, err = lips("predict", "a.png", "--model", "m")
    assert code == ExitCode.MODEL
    assert err == f"error: {Path('m/cascade.onnx')}: has no output 'score' and more\n"


def test_a_folder_that_cannot_be_written_to(lips, model):
    save("a.png")
    Path("file").write_text("")
    code, _, err = lips("predict", "a.png", "-o", "file/out")
    assert code == ExitCode.UNEXPECTED
    assert err.startswith(f"error: {Path('file/out')}: cannot be written")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "a.json"
    target.write_text("old")

    def fail(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match=r"a\.json: cannot be written \(No space left on device\)"):
        JsonWriter().write(target, PictureRecord(Path("a.png"), (3, 4)))
    assert files(tmp_path) == ["a.json"]
    assert target.read_text() == "old"


def test_a_score_that_is_no_number_is_null():
    lips = segmenter.Lips(
        Box.from_corners(0, 0, 1, 1), float("nan"), 0, np.ones(1, np.float32), UNIT.astype(np.float32), (3, 4)
    )
    row = json.loads(PictureRecord(Path("a.png"), (3, 4), [lips]).as_json_line())
    assert row["faces"][0]["score"] is None


FILES = {"cascade.onnx": {"bytes": 1, "sha256": "50e721e49c013f00c62cf59f2163542a9d8df02464efeb615d31051b0fddc326"}}


@pytest.fixture
def write_model(tmp_path):
    """Writes the folder "m" with a card and a network of the byte "w"."""

    def write(**card):
        folder = tmp_path / "m"
        folder.mkdir(exist_ok=True)
        whole = {"format": FORMAT, "name": "lipseg", **card, "files": FILES | card.get("files", {})}
        (folder / "card.json").write_text(json.dumps(whole))
        (folder / "cascade.onnx").write_bytes(b"w")
        return folder

    return write


def test_info(lips, write_model):
    card = {"view": {"size": 64, "margin": 1.6}, "metrics": {"nme": 0.034567891, "ced": [0.0] * 40}}
    folder = write_model(**card)
    code, out, err = lips("info", "m", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"format": FORMAT, "name": "lipseg", **card, "files": FILES}
    code, out, _ = lips("info", "m", "--full")
    assert out.splitlines() == [
        *["model: m", f"format: {FORMAT}", "name: lipseg", "", "view:", "  size: 64", "  margin: 1.6"],
        *["", "metrics:", "  nme: 0.034568", "  ced: (40 values)", "", "lipseg info --json also shows: files"],
    ]
    assert lips("info", "m")[1].splitlines()[:2] == ["model: m", "name: lipseg"]
    (folder / "card.json").write_text("{")
    code, out, err = lips("info", "m")
    assert (code, out) == (ExitCode.MODEL, "")
    assert "card.json: not a readable model card" in err


def test_info_is_for_readers(lips, write_model):
    figures = {"nme": 0.0344, "contour": 0.0144, "mouth_f1": 0.92, "lips_f1": 0.843, "inner_f1": None}
    boxes = {"cascade": figures, "cascade_minus_base": {"nme": {"low": 0}}}
    long = (
        "A sentence that is longer than a line of a hundred characters, so that it must be folded somewhere, as is due."
    )
    write_model(
        figures={
            "jittered": boxes,
            "exact": boxes,
            "sources": {name: {"faces": 9, "cascade": figures} for name in ("celebamask", "helen")},
            "mixture": {"components": 4},
        },
        out_of_scope=["One thing.", long],
        params={"seed": 0},
        data={"skipped": {}},
    )
    code, out, _ = lips("info", "m", "--full")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100
    assert "  jittered boxes, cascade        3.44%     1.44%    0.9200    0.8430         -\n" in out
    assert "  celebamask (9), cascade        3.44%     1.44%    0.9200    0.8430         -\n" in out
    assert "cascade_minus_base" not in out
    assert "out of scope:\n  - One thing.\n  - A sentence" in out
    assert "mixture: components 4" in out
    assert "skipped: none" in out
    assert "seed" not in out
    assert out.endswith("--json also shows: params, files\n")


def test_info_names_the_conventions(lips, write_model):
    write_model(runtime=replace(Ellipses.runtime, reference="mine", conventions=ELSEWHERE).as_json())
    whole = lips("info", "m", "--full")[1]
    assert whole.splitlines()[:2] == ["model: m", "conventions, the reference first: mine, elsewhere"]
    assert "conventions (--convention), the default first: mine, elsewhere\n" in lips("info", "m")[1]


def test_info_tells_first_what_a_user_should_know(lips, write_model):
    figures = {"contour": 0.0144, "lips_f1": 0.843, "lips_f1_own": 0.9, "inner_f1": None}
    card = {
        "description": "A model.",
        "licence": ["Not to be sold."],
        "data": {"what": ["Faces: many"], "train": 1383},
        "figures": {"jittered": {"cascade": figures}, "exact": {}},
        "weaknesses": ["Beards.", "Hands."],
        "intended_use": ["Fun."],
        "libraries": {"jax": "1"},
    }
    write_model(**card)
    code, out, _ = lips("info", "m")
    assert code == 0
    assert out.splitlines()[:12] == [
        *["model: m", "name: lipseg", "A model.", "", "terms of the weights:", "  - Not to be sold."],
        *["", "learnt from 1383 faces:", "  - Faces: many", "", "accuracy on test faces:"],
        "       faces          lips F1  by --convention   inner mouth F1    contour error",
    ]
    assert "all 0.843 0.900 - 1.44%" in " ".join(out.split())
    assert "limits:\n  - Beards.\n  - Hands.\n" in out
    assert "Fun." not in out
    assert "jax" not in out

    card["figures"]["sources"] = {name: {"faces": 120, "cascade": figures} for name in ("celebamask", "helen")}
    write_model(**card)
    assert "  helen         120            0.843            0.900                -            1.44%" in (
        lips("info", "m")[1].splitlines()
    )


@pytest.mark.parametrize(
    "odd",
    [
        None,
        3,
        "x",
        [1, None],
        {"a": []},
        {"sources": {"a": 3}},
        {"jittered": {"cascade": 4}},
        {"sources": {"a" * 200: {"faces": 1, "cascade": {}}}},
    ],
)
def test_info_of_a_stranger_s_card(lips, write_model, odd):
    write_model(**dict.fromkeys(("name", "description", "licence", "data", "figures", "weaknesses"), odd))
    assert lips("info", "m")[0] == 0


def test_info_refuses_networks_of_another_model(lips, write_model):
    write_model()
    assert lips("info", "m")[0] == 0
    write_model(files={"cascade.onnx": {"bytes": 1, "sha256": "50e7"}})
    code, out, err = lips("info", "m", "--json")
    assert (code, out) == (ExitCode.MODEL, "")
    assert "cascade.onnx: not the file that card.json describes (another SHA-256)" in err


@pytest.mark.parametrize("runtime", [[], "x", None, 5])
def test_info_shows_a_card_whose_constants_are_damaged(lips, write_model, runtime):
    write_model(runtime=runtime)
    assert lips("info", "m")[0] == 0


# The command in a process of its own, with the known model behind it; "slow" lets a batch wait for its signal.
_SCRIPT = """
import sys, time
sys.path.insert(0, {folder!r})
import known_model
from lipseg.inference import segmenter
from lipseg.rendering import palette
class Model(known_model.Ellipses):
    def __call__(self, views):
        if sys.argv[1] == "slow":
            print("waiting", file=sys.stderr, flush=True)
            time.sleep(30)
        return super().__call__(views)
segmenter.load_predictor = lambda folder, threads=1: Model()
from lipseg.cli.app import main
main(sys.argv[2:])
"""


def start(mode: str, *arguments: object) -> "subprocess.Popen[str]":
    root = str(Path(lipseg.__file__).parents[1])
    arguments = (*arguments, "--detector", "none")
    script = _SCRIPT.format(folder=str(Path(__file__).parent))
    return subprocess.Popen(
        [sys.executable, "-c", script, mode, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
        # A shell starts what runs in its background deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_results_and_messages_go_to_their_own_streams(tmp_path):
    save(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").write_bytes(b"")
    process = start("fast", "predict", tmp_path / "in")
    out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.SOME_FAILED
    assert [len(row["faces"]) for row in rows(out)] == [1, 0]
    assert "1 of 2 pictures failed" in err
    assert "Traceback" not in err


def test_interrupted(tmp_path):
    save(tmp_path / "in/a.png")
    process = start("slow", "predict", tmp_path / "in", "-o", tmp_path / "out")
    assert process.stderr is not None
    seen = ""
    while "waiting" not in seen:
        line = process.stderr.readline()
        assert line, f"ended early: {seen}"
        seen += line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert out == ""
    assert "Traceback" not in seen + err
    assert files(tmp_path / "out") == []


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    # More rows than a pipe holds (64 KiB), so that the last of them cannot be written before the reader is gone.
    for index in range(150):
        save(tmp_path / f"in/{index:03}.png", 30, 30)
    process = start("fast", "predict", tmp_path / "in", "--batch-size", "1")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["faces"]
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=60) == ExitCode.PIPE_CLOSED
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
