"""The benchmarks: outlines keep their shape, every system is judged alike, a missed face counts 0."""

import csv
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import answers, crop, footprint, judging, lipseg_speed, outlines, peers, prompt, speed
from lipseg import scheme
from lipseg.boxes import Box
from lipseg.data.annotations import celebamask, synthetic
from lipseg.data.face_shape import sample_shape
from lipseg.errors import DataError, UsageError
from lipseg.geometry import View
from lipseg.images import read_image, write_image
from lipseg.inference.conventions import Convention
from lipseg.inference.lips import Lips
from lipseg.inference.locator import Sighting
from lipseg.inference.predictor import Prediction
from lipseg.inference.relation import AVERAGE_FACE
from lipseg.inference.runtime import Runtime
from lipseg.rendering.masks import label_map

_SPEC = importlib.util.spec_from_file_location("lipeval", Path(__file__).parents[1] / "reference" / "lipeval.py")
lipeval = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(lipeval)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(2, 14), st.integers(0, 2**32 - 1))
def test_a_chain_is_filled_up_along_itself(count, seed):
    chain = np.random.default_rng(seed).normal(0, 50, (count, 2))
    full = outlines.fill_up(chain, 14)
    assert full.shape == (14, 2)
    # Every vertex is there in its order, and the way along is as long as it was.
    places = [int(np.flatnonzero((np.abs(full - vertex) < 1e-9).all(1))[0]) for vertex in chain]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == 13
    assert np.hypot(*np.diff(full, axis=0).T).sum() == pytest.approx(np.hypot(*np.diff(chain, axis=0).T).sum())


def test_a_chain_with_too_many_points_is_refused():
    with pytest.raises(ValueError, match="15 points cannot be filled up to 14"):
        outlines.fill_up(np.zeros((15, 2)), 14)


def test_the_face_mesh_s_outlines_are_closed_rings_of_twenty():
    for upper, lower in (outlines.MESH_OUTER, outlines.MESH_INNER):
        assert upper[0] == lower[-1]
        assert upper[-1] == lower[0]
        assert len({*upper, *lower}) == 20


def area(polygon):
    x, y = polygon.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_other_schemes_keep_their_corners_and_areas():
    angle = np.linspace(np.pi, -np.pi, 12, endpoint=False)  # from the image-left corner over the top, y down
    points = np.zeros((68, 2))
    points[48:60] = np.stack([60 * np.cos(angle), -25 * np.sin(angle)], 1)
    points[60:68] = np.stack(
        [40 * np.cos(angle[[0, 2, 3, 4, 6, 8, 9, 10]]), -9 * np.sin(angle[[0, 2, 3, 4, 6, 8, 9, 10]])], 1
    )
    found = outlines.to_56(points, outlines.IBUG_OUTER, outlines.IBUG_INNER)
    assert found.shape == (56, 2)
    for corners, (left, right) in ((scheme.OUTER_CORNERS, (48, 54)), (scheme.INNER_CORNERS, (60, 64))):
        np.testing.assert_allclose(found[list(corners)], points[[left, right]])
    assert area(found[scheme.OUTER]) == pytest.approx(area(points[48:60]))
    assert area(found[scheme.INNER]) == pytest.approx(area(points[60:68]))
    # The package's own conversion takes equal steps and loses a little at the vertices.
    near = scheme.from_68(points)
    assert lipeval.outline_distance(found[scheme.OUTER], near[scheme.OUTER]) < 0.5


@pytest.fixture(scope="module")
def faces(drawn):
    return answers.read_faces(drawn, "test")


def test_faces_are_those_of_the_split(faces, drawn):
    assert faces.names == sorted((drawn / "testnames.txt").read_text().split())
    assert faces.truth.shape == (8, 56, 2)
    with pytest.raises(DataError, match="no such folder"):
        answers.read_faces(drawn / "none", "test")


def test_a_system_is_judged_as_the_independent_judge_does(faces, drawn, tmp_path):
    rng = np.random.default_rng(0)
    said = [points + rng.normal(0, 2, (56, 2)) for points in faces.truth]
    said[3] = None
    row = judging.row_of("helen", "lipseg, somehow", judging.judged(faces, said), 100)
    peers.write_answers(tmp_path / "answers.json", faces, said)
    theirs = lipeval.judge(lipeval.read_helen(drawn, faces.names), json.loads((tmp_path / "answers.json").read_text()))
    assert (row["faces"], row["missed"]) == (theirs["faces"], theirs["missed"]) == (8, 1)
    for region in ("mouth", "lips", "inner"):
        assert row[f"{region}_f1"] == pytest.approx(theirs[region]["f1_mean"], abs=0.005)
        assert row[f"{region}_f1_pooled"] == pytest.approx(theirs[region]["f1_pooled"], abs=0.005)
        assert row[f"{region}_f1_low"] < row[f"{region}_f1"] < row[f"{region}_f1_high"]
    assert row["contour_mean"] == pytest.approx(theirs["contour"]["mean"], abs=1e-4)
    assert row["nme"] == pytest.approx(theirs["nme"]["mean"], abs=1e-4)


def test_tables_are_printed(faces):
    perfect, blind = (judging.judged(faces, said) for said in (list(faces.truth), [None] * 8))
    rows = [judging.row_of("helen", name, found, 100) for name, found in (("lipseg, x", perfect), ("blind", blind))]
    heads, _, ours, theirs = judging.markdown(rows).splitlines()
    assert ours.startswith("| lipseg, x | 0.0% | 1.000 [1.000, 1.000] | ")
    assert " | +0.0% | +0.0% | 1.000 [1.000, 1.000] | " in ours
    assert ours.endswith(" | 0.00% / 0.00% / 0.00% | 0.00% |")
    assert theirs.startswith("| blind | 100.0% | .000 [.000, .000] |")
    assert " | - | - | .000 [.000, .000] |" in theirs
    assert theirs.endswith(" | - / - / - | - |")
    assert heads.count("|") == ours.count("|") == theirs.count("|")
    (line,) = judging.differences(perfect, {"blind": blind}, 100).splitlines()[2:]
    assert line.startswith("| blind | +1.000 [+1.000, +1.000] |")
    assert line.count("+1.000 [") == 6
    (line,) = judging.differences(blind, {"lipseg, x": perfect}, 100).splitlines()[2:]
    assert line.startswith("| lipseg, x | -1.000 [-1.000, -1.000] |")


def test_the_inner_mouth_is_told_by_how_open_the_mouth_is(faces):
    truth = faces.truth
    shut = np.array(
        [scale_inner(points, share) for points, share in zip(truth, np.linspace(0.35, 0.7, 8), strict=True)]
    )
    there = answers.Faces(faces.names, faces.images, shut, faces.inter_ocular)
    perfect, blind = (judging.judged(there, said) for said in (list(shut), [None] * 8))
    heads, _, first, second = judging.openings({"x": perfect, "blind": blind}).splitlines()
    opening, seen = perfect.annotated["opening"], np.isfinite(perfect.annotated["inner_f1"])
    counts = [np.count_nonzero(seen & (low <= opening) & (opening < high)) for low, high in judging.OPENINGS]
    assert sum(count > 0 for count in counts) >= 2
    for extent, count in zip(("below 5% open", "5% to 15% open", "from 15% open"), counts, strict=True):
        assert f"| {extent}, {count} faces " in heads
    assert first == "| x | " + " | ".join("1.000 / 1.000" if count else "-" for count in counts) + " |"
    assert second == "| blind | " + " | ".join(".000 / .000" if count else "-" for count in counts) + " |"


def scale_inner(points, share):
    """Returns landmarks whose inner contour covers that share of the outer one's extent either way."""
    outer, inner = points[scheme.OUTER], points[scheme.INNER]
    size = share * np.ptp(outer, axis=0) / np.maximum(np.ptp(inner, axis=0), 1e-9)
    return np.concatenate([outer, middle(outer) + (inner - middle(inner)) * size])


def middle(contour):
    return (contour.min(0) + contour.max(0)) / 2


def test_how_far_off_the_mouths_lie_whatever_their_size(faces):
    widths = np.ptp(faces.truth[:, scheme.OUTER, 0], axis=1)
    shifted = [points + np.array([0.03, -0.01]) * width for points, width in zip(faces.truth, widths, strict=True)]
    shifted[2] = None
    row = judging.row_of("helen", "x", judging.judged(faces, shifted), 100)
    assert (row["right"], row["down"]) == pytest.approx((0.03, -0.01), abs=0.002)
    assert row["lips_f1"] < row["lips_f1_aligned"] == pytest.approx(7 / 8, abs=0.03)


def test_faces_labelled_by_masks_are_judged_by_these(tmp_path):
    from PIL import Image

    labels = np.zeros((40, 60), np.uint8)
    labels[10:16, 15:45], labels[16:20, 20:40], labels[20:28, 15:45] = 1, 3, 2
    for name, at in (("a", 0), ("b", 3)):
        Image.fromarray(np.roll(labels, at, axis=1)).save(tmp_path / f"{name}.mask.png")
        write_image(tmp_path / f"{name}.jpg", np.zeros((40, 60, 3), np.uint8))
    found = answers.read_faces(tmp_path, "test", "masks")
    assert found.painted is not None
    np.testing.assert_array_equal(found.painted[1].labels, np.roll(labels, 3, axis=1))
    low, high = found.painted[0].extent_px()
    assert (*low, *high) == pytest.approx((14.5, 9.5, 44.5, 27.5))
    # Landmarks that were traced along a mask are near it, and no more.
    table = judging.judged(found, list(found.truth)).annotated
    assert (table["nme"] == 0).all()
    assert 0.8 < table["lips_f1"].mean() < 1


def test_answers_in_another_convention_are_moved_where_there_are_any(faces):
    moved = answers.in_convention([faces.truth[0], None], Convention((0.0,) * 112, (2.0, -1.0)))
    np.testing.assert_allclose(moved[0], faces.truth[0] + [2, -1], atol=1e-4)
    assert moved[1] is None


def test_data_sets_are_named_by_their_readers():
    found = peers.sources_of(["/where/helen", "ibug=/where/afw", "mine.faces=a=b"])
    assert found == [("helen", Path("/where/helen")), ("ibug", Path("/where/afw")), ("mine.faces", Path("a=b"))]
    with pytest.raises(UsageError, match="comes twice in helen, helen"):
        peers.sources_of(["a", "helen=b"])


def test_the_mouth_nearest_to_the_annotated_one_counts_and_none_far_away(faces):
    truth = faces.truth[0]
    width = np.ptp(truth[:, 0])
    near, far = (truth + np.array([shift * width, 0]) for shift in (0.2, 1.5))
    assert answers.nearest(truth, [far, near]) is near
    assert answers.nearest(truth, [far]) is None
    assert answers.nearest(truth, []) is None


def test_a_second_human_is_read_from_pts_files(faces, tmp_path):
    points = np.arange(136).reshape(68, 2) + 0.5
    rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    (tmp_path / "below").mkdir()
    path = tmp_path / "below" / f"{faces.names[2]}.pts"
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    said = answers.second_human_system(tmp_path, faces)(faces)
    assert [answer is None for answer in said] == [i != 2 for i in range(8)]
    np.testing.assert_allclose(said[2][0], points[48])
    path.write_text("version: 1\n{\n1 2\n}\n")
    with pytest.raises(UsageError, match=r"\.pts: 1 points, not 68"):
        answers.second_human_system(tmp_path, faces)
    path.unlink()
    assert answers.second_human_system(tmp_path, faces) is None


MESH = """
import json, sys
import numpy as np
if len(sys.argv) > 2:  # one photo
    sys.exit()
for line in sys.stdin:
    job = json.loads(line)
    faces = [[[[x + at, y] for x, y in {points}] for at in (500, 0)] for _ in job.get("images", ())]
    print(json.dumps({{
        "version": {{"version": "9.8"}}, "points": {{"faces": faces}},
        "times": {{"photo": [4.0] * len(faces), "tracked": [2.0] * len(faces)}},
    }}[job["task"]]), flush=True)
"""


@pytest.fixture
def other_python(tmp_path):
    """A function: makes an interpreter that runs this instead of the file that it is given."""

    def make(text, points=()):
        path, program = tmp_path / "python", tmp_path / "program.py"
        program.write_text(text.format(points=list(points)))
        # By way of the shell: the path of an interpreter behind #! may hold no space.
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
        path.chmod(0o755)
        return path

    return make


class Segmenter:
    """Answers as a ``LipSegmenter`` would: one mouth where the box is, or at the picture's middle."""

    def __init__(self, model):
        moved = Convention((0.0,) * 112, (3.0, 0.0))
        self.predictor = SimpleNamespace(runtime=SimpleNamespace(conventions={"synthetic": moved}))

    def __call__(self, path, boxes=None):
        x0, y0, x1, y1 = (40, 80, 90, 100) if boxes is None else boxes[0]
        mouth = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + np.array([x1 - x0, y1 - y0]) * RING
        return [Lips((x0, y0, x1, y1), 1.0, 0, np.ones(1, np.float32), mouth.astype(np.float32), (128, 128))]


ANGLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
RING = np.concatenate([size * np.stack([-np.cos(ANGLE), -np.sin(ANGLE)], 1) for size in (0.5, 0.25)])


def command(monkeypatch, module, *words):
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    module.main()


def test_every_system_is_judged_on_any_source(drawn, other_python, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers, "LipSegmenter", Segmenter)
    mesh = other_python(MESH, np.random.default_rng(0).uniform((50, 85), (80, 115), (478, 2)).tolist())
    words = (f"synthetic={drawn}", drawn, "--mediapipe", mesh, "--boxes", "--resamples", 20)
    command(monkeypatch, peers, *words, "--csv", tmp_path / "peers.csv", "--answers", tmp_path / "said")
    printed = capsys.readouterr().out
    ours = ("lipseg, jittered boxes", "lipseg, true boxes", "lipseg, finds the face itself")
    both = (*ours, "MediaPipe FaceMesh 9.8, refined lips")
    first, second = printed.split("## ")[1:]
    assert first.startswith("synthetic: 8 faces, judged against their landmarks")
    assert second.startswith("helen: 8 faces")
    for system in (*both, *(f"{name}, --convention synthetic" for name in ours)):
        # Its figures and by opening; a peer is twice what is taken away.
        assert first.count(f"\n| {system} | ") == (2 if system.startswith("lipseg") else 4)
    assert "minus each peer on the same faces" in second
    assert "--convention" not in second
    with (tmp_path / "peers.csv").open(newline="") as file:
        rows = {(row["source"], row["system"]): row for row in csv.DictReader(file)}
    assert len(rows) == (5 + 3) + 5
    # Of the two faces that it reports, the first lies far beyond the pictures.
    assert int(rows["helen", "MediaPipe FaceMesh 9.8, plain"]["missed"]) < 4
    plain, moved = (
        float(rows["synthetic", f"lipseg, true boxes{way}"]["right"]) for way in ("", ", --convention synthetic")
    )
    assert moved - plain > 0.02
    assert (tmp_path / "said" / "synthetic" / "lipseg_true_boxes_convention_synthetic.json").is_file()


def test_lipseg_looks_at_the_photo_alone_unless_boxes_are_asked_for(drawn, monkeypatch, capsys):
    monkeypatch.setattr(peers, "LipSegmenter", Segmenter)
    command(monkeypatch, peers, drawn, "--resamples", 20)
    printed = capsys.readouterr().out
    assert "\n| lipseg, finds the face itself | " in printed
    for text in ("boxes", "minus each peer", "--convention"):
        assert text not in printed


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--mediapipe", None, "cannot run MediaPipe (No such file or directory)"),
        (
            "--mediapipe",
            "raise ModuleNotFoundError('no mediapipe')\n",
            "(ModuleNotFoundError: no mediapipe)",
        ),
        ("--mediapipe", "print('hello')\n", "cannot run MediaPipe (it ended without a word)"),
        ("--mediapipe", "print('[]')\n", "cannot run MediaPipe (it does not answer as a Python does)"),
        ("--second-human", None, "holds no NAME.pts of any of the 8 faces"),
        ("--dlib", None, "--dlib: "),
    ],
)
def test_an_option_that_cannot_be_used_is_told_in_one_line(
    option, text, message, drawn, other_python, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "none" if text is None else other_python(text)
    with pytest.raises(SystemExit) as left:
        command(monkeypatch, peers, f"synthetic={drawn}", option, path)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {option}: ")
    assert message in line


class Model:
    """A model that sees the same mouth everywhere, with a locator that lets time pass."""

    def __init__(self, locator=None):
        self.runtime, self.locator = Runtime(View(16, "square", 1.6), 1), locator

    def __call__(self, views):
        points = np.broadcast_to(np.float32(0.5 + 0.3 * RING), (len(views), 56, 2))
        ones = np.ones((len(views), 1), np.float32)
        return Prediction(points, np.zeros(len(views), np.int64), ones, ones[:, 0])


def locate(image, faces):
    began = time.process_time()
    while time.process_time() < began + 0.01:
        pass
    return Sighting([AVERAGE_FACE.mouth(face) for face in faces], np.full(len(faces), 5, np.float32))


def test_every_part_is_timed(tmp_path):
    for i in range(3):
        write_image(tmp_path / f"{i}.png", np.zeros((80, 100, 3), np.uint8))
    timed = lipseg_speed.LipsegSpeed(Model(locate), lambda image: [Box.square(50, 40, 60)])
    paths = sorted(tmp_path.iterdir())
    timed.warm_up(paths[:1])
    timed.measure(paths)
    assert {part: len(times) for part, times in timed.parts.parts.items()} == {
        **dict.fromkeys(lipseg_speed.PARTS, 3),
        lipseg_speed.TRACKED: 18,
    }
    assert {call: len(times) for call, times in timed.calls.parts.items()} == {
        lipseg_speed.PHOTO: 3,
        lipseg_speed.LOCATED: 12,
        lipseg_speed.TRACKED: 18,
    }
    find, locating, cut, cascade, together = (timed.parts.parts[part] for part in lipseg_speed.PARTS[1:])
    np.testing.assert_allclose(np.sum([find, locating, cut, cascade], axis=0), together)
    assert min(locating) >= 10 > max(cut)
    assert timed.parts.table().count("\n") == 1 + 7


def test_a_picture_without_a_mouth_is_a_photo_all_the_same(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((80, 100, 3), np.uint8))
    timed = lipseg_speed.LipsegSpeed(Model(), lambda image: [])
    timed.measure([tmp_path / "a.png"])
    assert list(timed.calls.parts) == [lipseg_speed.PHOTO]
    assert timed.calls.median(lipseg_speed.TRACKED) is None


def test_pictures_are_spread_over_the_folder_and_shrunk(tmp_path):
    for i in range(5):
        write_image(tmp_path / "day" / f"{i}.jpg", np.zeros((20, 30 if i else 2000, 3), np.uint8))
    paths = speed.photographs(tmp_path, 3)
    assert [path.name for path in paths] == ["0.jpg", "1.jpg", "3.jpg"]
    (tmp_path / "copies").mkdir()
    large, small = (speed.shrunk(path, tmp_path / "copies") for path in paths[:2])
    assert read_image(large).shape == (5, 512, 3)
    assert small == paths[1]
    with pytest.raises(DataError, match="holds no picture"):
        speed.photographs(tmp_path / "day" / "none", 3)


def test_both_are_timed_on_the_same_pictures(other_python, tmp_path, monkeypatch, capsys):
    photos = tmp_path / "photos"
    for i in range(12):
        write_image(photos / f"{i:02}.jpg", np.zeros((80, 100, 3), np.uint8))
    ours = lipseg_speed.LipsegSpeed(Model(), lambda image: [Box.square(50, 40, 60)])
    monkeypatch.setattr(speed, "LipsegSpeed", lambda model: ours)
    monkeypatch.setattr(speed, "LIPSEG", (sys.executable, "-c", ""))
    out = tmp_path / "speed.json"
    command(monkeypatch, speed, photos, "--mediapipe", other_python(MESH), "--starts", 1, "--json", out)
    found = json.loads(out.read_text())
    assert (found["pictures"], found["mediapipe_version"]) == (12, "9.8")
    assert (found["mediapipe"]["a photo"], found["mediapipe"]["a tracked frame of a video"]) == (4, 2)
    assert found["lipseg"]["prompt to first result, second run"] > 0
    printed = capsys.readouterr().out
    assert "| lipseg | MediaPipe FaceMesh 9.8, refined lips | ratio |" in printed
    assert f"| a photo | CPU ms | {found['lipseg']['a photo']:.2f} | 4.00 |" in printed
    assert "| locate the mouths | " in printed


def test_a_wrong_interpreter_is_told_before_anything_is_timed(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as left:
        command(monkeypatch, speed, tmp_path, "--mediapipe", tmp_path / "none")
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_program_that_fails_gives_no_time():
    with pytest.raises(DataError, match=r"ended with exit code 1: oh no"):
        prompt.medians({"bad": [sys.executable, "-c", "raise SystemExit('oh no')"]}, 1)


def test_a_footprint_counts_what_packages_say_is_theirs(tmp_path):
    for name, size in (("small", 1_000_000), ("large", 2_500_000), ("pip", 9_000_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_bytes(b"#" * size)
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
        (tmp_path / f"{name}-1.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        (tmp_path / f"{name}-1.0.dist-info" / "RECORD").write_text(f"{name}/__init__.py,,\n")
    found = footprint.sizes(tmp_path)
    assert found == {"large": 2.5, "small": 1.0}
    assert footprint.table(found, 1).splitlines()[2:] == ["| large | 2.5 |", "| 1 others | 1.0 |", "| **all** | 3.5 |"]
    assert footprint.present(tmp_path, ("small", "jax")) == ["small"]


def test_faces_that_are_laid_out_again_come_under_other_names(drawn, tmp_path):
    crop.LAYOUTS["synthetic"](drawn, tmp_path / "synthetic", 2)
    once, twice = list(synthetic.read(drawn)), list(synthetic.read(tmp_path / "synthetic"))
    assert [face.name for face in twice] == [f"000{time}{face.name}" for time in (0, 1) for face in once]
    for again, face in zip(twice, [*once, *once], strict=True):
        np.testing.assert_array_equal(again.points_px, face.points_px)
        assert (again.state, again.split, again.image.resolve()) == (face.state, face.split, face.image.resolve())


def test_masks_that_are_laid_out_again_keep_their_parts(tmp_path):
    lips = sample_shape(np.random.default_rng(1), "laugh").lips
    labels = label_map((lips - lips.mean(0)) * 0.8 + [64, 64], 128, 128)
    (tmp_path / "celebamask/CelebA-HQ-img").mkdir(parents=True)
    (tmp_path / "celebamask/CelebAMask-HQ-mask-anno/0").mkdir(parents=True)
    write_image(tmp_path / "celebamask/CelebA-HQ-img/7.jpg", np.zeros((128, 128, 3), np.uint8))
    for part, label in (("u_lip", 1), ("l_lip", 2), ("mouth", 3)):
        mask = (labels == label).astype(np.uint8) * 255
        write_image(tmp_path / f"celebamask/CelebAMask-HQ-mask-anno/0/00007_{part}.png", mask)
    crop.LAYOUTS["celebamask"](tmp_path / "celebamask", tmp_path / "again", 3)
    faces = list(celebamask.read(tmp_path / "again"))
    assert [face.name for face in faces] == ["7", "100007", "200007"]
    for face in faces:
        np.testing.assert_array_equal(face.labels(), labels)
