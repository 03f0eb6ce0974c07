"""Hard faces: they are spoilt alike for everybody, truth and answers turn with a picture, groups are what they say."""

import csv
import sys

import numpy as np
import pytest

from benchmarks import hard, spoiling
from benchmarks.answers import read_faces
from lipseg import scheme
from lipseg.images import read_image


@pytest.fixture(scope="module")
def faces(drawn):
    return read_faces(drawn, "test")


@pytest.mark.parametrize("way", spoiling.WAYS)
def test_a_face_is_spoilt_the_same_way_every_time(faces, way):
    image, points, name = read_image(faces.images[0]), faces.truth[0], faces.names[0]
    before = image.copy()
    first, to_first = spoiling.spoilt(image, points, way, name)
    again, _ = spoiling.spoilt(image, points, way, name)
    other, _ = spoiling.spoilt(image, points, way, "another")
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    assert first.dtype == np.uint8
    if way == spoiling.ROLLED:
        # The picture's own pixels lie where the map says that they do.
        x, y = np.round(to_first(points)).astype(int).T
        was_x, was_y = np.round(points).astype(int).T
        assert np.abs(first[y, x].astype(int) - image[was_y, was_x]).mean() < 25
        assert 25 < abs(np.degrees(np.arctan2(*to_first.matrix[::-1, 0]))) < 65
        assert to_first.scale == pytest.approx(1)
    else:
        assert first.shape == image.shape
        assert (first != image).any()
        np.testing.assert_array_equal(to_first(points), points)


def a_head(yaw, roll, n):
    """Landmarks of a head of average form: its eyes and the base of its nose."""
    places = np.zeros((n, 3))
    for eye, side in zip({194: scheme.HELEN_EYES, 68: scheme.IBUG_EYES}[n], (-3.15, 3.15), strict=True):
        places[eye] = side, 0, 0
    places[{194: 49, 68: 33}[n]] = 0, 4.7, 2.55
    turn, lean = np.radians(yaw), np.radians(roll)
    seen = np.stack([places[:, 0] * np.cos(turn) + places[:, 2] * np.sin(turn), places[:, 1]], 1)
    return 20 * seen @ np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]]) + [300, 200]


@pytest.mark.parametrize("n", [194, 68])
@pytest.mark.parametrize("yaw", [-50, -10, 0, 25, 60])
@pytest.mark.parametrize("roll", [0, 40])
def test_how_far_a_head_is_turned(n, yaw, roll):
    assert hard.yaw_degrees(a_head(yaw, roll, n)) == pytest.approx(abs(yaw), abs=0.5)


def test_a_head_of_another_scheme_is_refused():
    with pytest.raises(ValueError, match="not for 12"):
        hard.yaw_degrees(np.zeros((12, 2)))


def test_turns_are_read_from_annotations_that_show_a_nose(drawn, tmp_path):
    names = read_faces(drawn, "test").names
    assert np.isnan(hard.yaws(drawn, "synthetic", names)).all()
    assert (hard.yaws(drawn, "helen", names) < 60).all()
    body = "\n".join(f"{x + 1} {y + 1}" for x, y in a_head(35, 10, 68))
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{body}\n}}\n")
    np.testing.assert_allclose(hard.yaws(tmp_path, "ibug", ["a", "none"]), [35, np.nan], atol=0.5)


def test_faces_are_grouped_by_opening_shape_and_turn(faces):
    opening = np.array([0.0, 0.01, 0.05, 0.2, 0.5, 0.07, 0.3, 0.079])
    yaw = np.array([0.0, 10, 20, 40, np.nan, 14, 31, 16])
    truth = faces.truth.copy()
    ring = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    for face, height in zip(range(8), (0.2, 0.4, 0.6, 0.2, 0.6, 0.6, 0.4, 0.4), strict=True):
        outer = np.stack([-np.cos(ring), -height * np.sin(ring)], 1)
        # Corner 13 is not quite opposite: put it there, and turn the whole mouth.
        outer[13] = 1, 0
        lean = 0.3 * face
        truth[face, scheme.OUTER] = 50 + 30 * outer @ np.array(
            [[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]]
        )
    found = hard.groups(hard.replace(faces, truth=truth), opening, yaw)
    assert {kind: np.flatnonzero(which).tolist() for kind, which in found.items()} == {
        "closed, opening below 2 %": [0, 1],
        "nearly closed, to 8 %": [2, 5, 7],
        "open, to 35 %": [3, 6],
        "wide open": [4],
        "pressed, open by less than 8 %": [0],
        "pout, likewise": [2, 5],
        "head turned by less than 15 degrees": [0, 1, 5],
        "by 15 to 30": [2, 7],
        "by more than 30": [3, 6],
    }
    assert "by more than 30" not in hard.groups(faces, opening, np.zeros(8))


def a_system(faces, shift=(0, 0), misses=()):
    """A system that answers with the truth, off by shares of the mouth's width in the face as it was."""

    def corners(points):
        return complex(*(points[scheme.OUTER_CORNERS[1]] - points[scheme.OUTER_CORNERS[0]]))

    def ask(shown):
        answers = []
        for at, (now, before) in enumerate(zip(shown.truth, faces.truth, strict=True)):
            off = complex(*shift) * np.ptp(before[:, 0]) * corners(now) / corners(before)
            answers.append(None if at in misses else now + np.array([off.real, off.imag]))
        return answers

    return ask


def test_a_place_of_its_own_is_taken_out_also_where_the_picture_is_turned(faces):
    systems = {"lipseg": a_system(faces, (0.04, -0.03)), "peer": a_system(faces, misses=[3])}
    plain, *_, rolled = hard.rows(systems, faces, np.full(8, np.nan), (spoiling.ROLLED,))
    for row in (plain, rolled):
        assert row.annotated["lipseg"]["lips_f1"].mean() < 0.93
        assert row.aligned["lipseg"]["lips_f1"].min() > 0.99
        assert row.aligned["peer"]["missed"].tolist() == [i == 3 for i in range(8)]


def test_the_table_has_a_line_a_kind(faces, drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hard, "LipSegmenter", lambda model: None)
    monkeypatch.setattr(hard, "lipseg_finds", lambda segmenter: a_system(faces))
    ways = ("shaken", spoiling.ROLLED)
    words = [drawn, "--ways", *ways, "--resamples", 20, "--csv", tmp_path / "hard.csv"]
    monkeypatch.setattr(sys, "argv", ["hard", *map(str, words)])
    hard.main()
    heads, _, *lines = capsys.readouterr().out.splitlines()
    assert heads == "| faces | n | lipseg: missed | lips F1, annotated / aligned | inner F1, likewise |"
    assert lines[0].startswith("| as they are | 8 | 0.0% | 1.000 / 1.000 | 1.000 / 1.000 |")
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[-2:]] == list(ways)
    with (tmp_path / "hard.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["kind"] for row in table] == [line.split(" | ")[0].removeprefix("| ") for line in lines]
    assert {row["lead_difference"] for row in table} == {"0"}


def test_a_peer_has_columns_of_its_own_and_a_lead_over_it(faces):
    systems = {"lipseg": a_system(faces), "peer": a_system(faces, misses=[0, 1])}
    table = hard.markdown(hard.figures(hard.rows(systems, faces, np.full(8, np.nan), ()), 50))
    line = table.splitlines()[2]
    assert line.startswith("| as they are | 8 | 0.0% | 1.000 / 1.000 | 1.000 / 1.000 | 25.0% | .750 / .750 |")
    assert "| +0.250 [" in line


def test_a_folder_that_is_none_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hard", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as left:
        hard.main()
    assert left.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no such folder" in line
