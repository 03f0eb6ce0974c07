"""The benchmarks: outlines keep their shape, every system is judged alike, a missed face counts 0."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import outlines, peers, speed
from lipseg import scheme
from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.images import write_image
from lipseg.inference.lips import Lips

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
    return peers.read_faces(drawn, "test")


def test_faces_are_those_of_the_split(faces, drawn):
    assert faces.names == sorted((drawn / "testnames.txt").read_text().split())
    assert faces.truth.shape == (8, 56, 2)
    with pytest.raises(DataError, match="no such folder"):
        peers.read_faces(drawn / "none", "test")


def test_a_system_is_judged_as_the_independent_judge_does(faces, drawn, tmp_path):
    rng = np.random.default_rng(0)
    answers = [points + rng.normal(0, 2, (56, 2)) for points in faces.truth]
    answers[3] = None
    row = peers.row_of("lipseg, somehow", peers.judged(faces, answers), 100, 0.0)
    peers._write_answers(tmp_path / "answers.json", faces, answers)
    theirs = lipeval.judge(lipeval.read_helen(drawn, faces.names), json.loads((tmp_path / "answers.json").read_text()))
    assert (row["faces"], row["missed"]) == (theirs["faces"], theirs["missed"]) == (8, 1)
    for region in ("mouth", "lips", "inner"):
        assert row[f"{region}_f1"] == pytest.approx(theirs[region]["f1_mean"], abs=0.005)
        assert row[f"{region}_f1_pooled"] == pytest.approx(theirs[region]["f1_pooled"], abs=0.005)
        assert row[f"{region}_f1_low"] < row[f"{region}_f1"] < row[f"{region}_f1_high"]
    assert row["contour_mean"] == pytest.approx(theirs["contour"]["mean"], abs=1e-4)
    assert row["nme"] == pytest.approx(theirs["nme"]["mean"], abs=1e-4)


def test_tables_are_printed(faces):
    perfect = peers.judged(faces, list(faces.truth))
    blind = peers.judged(faces, [None] * 8)
    nowhere = peers.sideways(faces, [None] * 8)
    rows = [peers.row_of("lipseg, x", perfect, 100, 0.012), peers.row_of("blind", blind, 100, nowhere)]
    ours, theirs = peers.markdown(rows).splitlines()[2:]
    assert ours.startswith("| lipseg, x | 0.0% | 1.000 [1.000, 1.000] / 1.000 |")
    assert ours.endswith("| 0.00% / 0.00% / 0.00% | 0.00% | 1.20% |")
    assert theirs.startswith("| blind | 100.0% | .000 [.000, .000] / .000 |")
    assert theirs.endswith("| - / - / - | - | - |")
    (line,) = peers.differences(perfect, {"blind": blind}, 100).splitlines()[2:]
    assert line.startswith("| blind | +1.000 [+1.000, +1.000] |")
    assert line.endswith("| - |")


def test_how_far_right_the_mouths_lie_whatever_their_size(faces):
    pairs = zip(faces.truth, faces.inter_ocular, strict=True)
    shifted = [points + np.array([0.03 * eyes, 0.2]) for points, eyes in pairs]
    shifted[2] = None
    assert peers.sideways(faces, shifted) == pytest.approx(0.03)
    grown = [2 * (points - peers._centroid(points)) + peers._centroid(points) for points in faces.truth]
    assert peers.sideways(faces, grown) == pytest.approx(0, abs=1e-9)


def test_a_second_human_is_read_from_pts_files(faces, tmp_path):
    points = np.arange(136).reshape(68, 2) + 0.5
    rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    (tmp_path / "below").mkdir()
    path = tmp_path / "below" / f"{faces.names[2]}.pts"
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    answers = peers.second_human_answers(tmp_path, faces)
    assert [answer is None for answer in answers] == [i != 2 for i in range(8)]
    np.testing.assert_allclose(answers[2][0], points[48])
    path.write_text("version: 1\n{\n1 2\n}\n")
    with pytest.raises(DataError, match=r"\.pts: 1 points, not 68"):
        peers.second_human_answers(tmp_path, faces)
    path.unlink()
    with pytest.raises(DataError, match=r"holds no NAME\.pts"):
        peers.second_human_answers(tmp_path, faces)


def test_mediapipe_runs_in_another_python(faces, tmp_path, monkeypatch):
    """The face mesh itself is replaced: by a script that answers in its form."""
    points = np.random.default_rng(0).uniform(0, 99, (478, 2)).tolist()
    script = tmp_path / "face_mesh.py"
    script.write_text(
        "import json, sys\njob = json.load(sys.stdin)\nassert job['refined'] is True\n"
        f"print(json.dumps({{'version': '0', 'faces': [None] + [{points}] * (len(job['images']) - 1)}}))\n"
    )
    monkeypatch.setattr(peers, "__file__", str(tmp_path / "peers.py"))
    answers = peers.mediapipe_answers(sys.executable, faces, refined=True)
    assert answers[0] is None
    np.testing.assert_allclose(answers[1][scheme.OUTER_CORNERS[0]], points[61])
    np.testing.assert_allclose(answers[1][scheme.INNER_CORNERS[1]], points[308])
    with pytest.raises(DataError, match=r"--mediapipe: .*cannot run it"):
        peers.mediapipe_answers(tmp_path / "none", faces, refined=False)


class Segmenter:
    """Answers as a ``LipSegmenter`` would: one mouth a picture, found in two steps."""

    detector, finds_faces, min_score = object(), True, 0.0

    def cut(self, pixels):
        assert pixels.shape == (20, 30, 3)
        return pixels

    def predict_views(self, cuts):
        angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        ring = np.stack([-10 * np.cos(angle), -2 * np.sin(angle)], 1)
        mouth = (np.array([15, 10]) + np.concatenate([ring, ring / 2])).astype(np.float32)
        return [[Lips((5, 8, 25, 12), 1.0, 0, np.ones(1, np.float32), mouth, (20, 30))] for _ in cuts]

    def __call__(self, pixels, boxes=None):
        return self.predict_views([pixels])[0]

    def find(self, pixels):
        return [Box.around(lips.landmarks) for lips in self(pixels)]


def test_every_part_is_timed(tmp_path):
    for i in range(5):
        write_image(tmp_path / "day" / f"{i}.png", np.zeros((20, 30, 3), np.uint8))
    paths = speed.photographs(tmp_path, 3)
    assert [path.name for path in paths] == ["0.png", "1.png", "3.png"]
    watch = speed.measure(Segmenter(), paths, frames=4)
    assert {part: len(times) for part, times in watch.parts.items()} == {
        **dict.fromkeys(("decode", "find and cut", "cascade", "all"), 3),
        "tracked frame": 9,
    }
    assert watch.table().count("\n") == 6
    with pytest.raises(DataError, match="holds no picture"):
        speed.photographs(tmp_path / "day" / "none", 3)


def test_a_lipseg_that_does_not_find_is_timed_as_well(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((20, 30, 3), np.uint8))

    class Plain(Segmenter):
        detector, finds_faces = None, False

    watch = speed.measure(Plain(), [tmp_path / "a.png"], frames=0)
    assert list(watch.parts) == ["decode", "cut", "cascade", "all"]
