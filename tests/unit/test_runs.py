"""The evaluation of a tiny cascade on drawn faces, its tables and its files."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from lipseg.errors import DataError
from lipseg.evaluation import metrics, runs
from lipseg.evaluation.galleries import mouth, prediction, write_galleries
from lipseg.geometry import Affine, from_unit
from lipseg.params import Evaluate

PARAMS = Evaluate(shift=0.1, scale=0.15, resamples=100, examples=4)


@pytest.fixture(scope="module")
def found(crops, predictor, systems):
    return runs.run_test(crops, predictor, systems, PARAMS, 0)


@pytest.fixture(scope="module")
def full(found, crops):
    return runs.summary(found, crops, {}, PARAMS, 0)


@pytest.fixture(scope="module")
def two(crops):
    """The same faces, as if they came from two sources."""
    as_named = [name.replace("synthetic", ("ours", "theirs")[i % 2]) for i, name in enumerate(crops.names.tolist())]
    return replace(crops, names=np.array(as_named))


def test_every_system_is_run_on_both_kinds_of_boxes(found, crops):
    faces = crops.indices("test")
    assert tuple(found) == runs.BOXES
    np.testing.assert_allclose(found["exact"].boxes_px, crops.boxes_px[faces])
    moved = found["jittered"].boxes_px - crops.boxes_px[faces]
    assert (np.abs(moved) > 1e-6).any(1).all()
    for run in found.values():
        assert tuple(run.points_px) == tuple(run.tables) == runs.SYSTEMS
        assert run.component.shape == run.score.shape == (8,)


def test_landmarks_are_those_of_the_views_in_image_pixels(found, crops, predictor, view):
    from lipseg.data.augment import views_on_boxes

    faces = crops.indices("test")
    run = found["jittered"]
    views = views_on_boxes(crops, faces, run.boxes_px, view)
    points = predictor(views.images).points_unit
    for i in range(len(faces)):
        expected = Affine(views.to_image[i])(from_unit(points[i].astype(float), view.size))
        np.testing.assert_allclose(run.points_px["cascade"][i], expected, atol=1e-2)
    errors = np.linalg.norm(run.points_px["base"] - crops.points_px[faces], axis=-1).mean(1)
    np.testing.assert_allclose(run.tables["base"]["nme"], errors / crops.inter_ocular_px[faces], rtol=1e-6)


def test_the_summary_says_what_the_tables_say(found, full):
    for boxes, run in found.items():
        part = full[boxes]
        for system in runs.SYSTEMS:
            assert part["systems"][system]["nme"]["mean"] == pytest.approx(run.tables[system]["nme"].mean())
        difference = part["intervals"]["cascade_minus_base"]["nme"]["mean"]["difference"]
        assert difference == pytest.approx((run.tables["cascade"]["nme"] - run.tables["base"]["nme"]).mean())
        against = part["intervals"]["cascade_minus_control"]["nme"]["mean"]["difference"]
        assert against == pytest.approx((run.tables["cascade"]["nme"] - run.tables["control"]["nme"]).mean())
        assert sorted(part["components"]) == [str(k) for k in np.unique(run.component)]
        for k, facts in part["components"].items():
            mine = run.component == int(k)
            assert facts["base"]["nme"]["mean"] == pytest.approx(run.tables["base"]["nme"][mine].mean())
            assert facts["cascade"]["faces"] == mine.sum()
    json.dumps(full, allow_nan=False)


def test_the_headline_is_picked_from_the_summary(full):
    short = runs.headline(full)
    for boxes in runs.BOXES:
        for system in runs.SYSTEMS:
            figures, source = short[boxes][system], full[boxes]["systems"][system]
            assert figures["nme"] == source["nme"]["mean"]
            assert figures["contour"] == source["contour"]["mean"]
            for region in metrics.REGIONS:
                assert figures[f"{region}_f1"] == source[region]["f1_mean"]
            assert figures["mouth_f1_pooled"] == source["mouth"]["f1_pooled"]


def test_every_source_is_judged_apart_and_in_every_way(predictor, systems, two):
    shift = np.array([1.0, 2.0])
    found = runs.run_test(two, predictor, systems, PARAMS, 0)
    full = runs.summary(found, two, {"theirs": lambda points: points + shift}, PARAMS, 0)
    faces = two.indices("test")
    theirs = two.source[faces] == two.sources.index("theirs")
    assert set(full["sources"]) == {"ours", "theirs"}
    for boxes, run in found.items():
        for source, mine in (("ours", ~theirs), ("theirs", theirs)):
            part, table = full["sources"][source][boxes], run.tables["cascade"]
            assert full["sources"][source]["faces"] == mine.sum() > 1
            figures = part["systems"]["cascade"]
            assert figures["lips"]["f1_mean"] == pytest.approx(table["lips_f1"][mine].mean())
            assert figures["right"] == pytest.approx(table["right"][mine].mean())
            difference = part["intervals"]["cascade_minus_control"]["aligned"]["lips"]["f1_mean"]["difference"]
            expected = figures["aligned"]["lips"]["f1_mean"] - part["systems"]["control"]["aligned"]["lips"]["f1_mean"]
            assert difference == pytest.approx(expected)
        # The reference's own convention is what it was answered in; the other's answers are moved.
        ours, others = (full["sources"][source][boxes]["systems"]["base"] for source in ("ours", "theirs"))
        assert ours["own"]["mouth"]["f1_mean"] == pytest.approx(ours["mouth"]["f1_mean"])
        moved = metrics.per_face(
            two.points_px[faces][theirs], run.points_px["base"][theirs] + shift, two.inter_ocular_px[faces][theirs]
        )
        assert others["own"]["mouth"]["f1_mean"] == pytest.approx(moved["mouth_f1"].mean())
        # All together: each source is aligned by itself.
        both = sum(
            full["sources"][source]["faces"]
            * full["sources"][source][boxes]["systems"]["base"]["aligned"]["mouth"]["f1_mean"]
            for source in full["sources"]
        )
        assert full[boxes]["systems"]["base"]["aligned"]["mouth"]["f1_mean"] == pytest.approx(both / len(faces))
    json.dumps(full, allow_nan=False)
    short = runs.headline(full)["sources"]["theirs"]
    source = full["sources"]["theirs"]["jittered"]["systems"]["control"]
    assert short["control"]["lips_f1_own"] == source["own"]["lips"]["f1_mean"]
    assert short["control"]["down"] == source["down"]


def test_a_source_s_boxes_do_not_depend_on_the_other_sources(crops, two, predictor, systems):
    both = runs.run_test(two, predictor, systems, PARAMS, 0)["jittered"].boxes_px
    faces = two.indices("test")
    ours = two.source[faces] == two.sources.index("ours")
    alone = replace(two, split=np.where(two.source == two.sources.index("ours"), two.split, "train"))
    np.testing.assert_array_equal(runs.run_test(alone, predictor, systems, PARAMS, 0)["jittered"].boxes_px, both[ours])


def test_a_model_of_one_source_has_no_convention_and_that_source(full):
    assert list(full["sources"]) == ["synthetic"]
    for boxes in runs.BOXES:
        figures = full[boxes]["systems"]["cascade"]
        assert "own" not in figures
        assert full["sources"]["synthetic"][boxes]["systems"]["cascade"] == figures
    assert "lips_f1_own" not in runs.headline(full)["sources"]["synthetic"]["cascade"]


HEADS = {"components": [{"won": True}, {"won": False}], "control": {"won": True}}


def test_every_system_says_what_its_network_says(found, crops, cascade, view):
    from lipseg.data.augment import views_on_boxes

    run = found["exact"]
    views = views_on_boxes(crops, crops.indices("test"), run.boxes_px, view)
    said = cascade.outputs(views.images)
    for system in ("base", "cascade", "control"):
        for i, points in enumerate(getattr(said, system)):
            expected = Affine(views.to_image[i])(from_unit(points.astype(float), view.size))
            np.testing.assert_allclose(run.points_px[system][i], expected, atol=1e-2)
    np.testing.assert_array_equal(run.component, said.responsibilities.argmax(1))
    np.testing.assert_allclose(run.score, said.score, atol=1e-3)


def test_the_mixture_is_scored_against_known_states(found, crops):
    facts = runs.mixture_facts(crops, found, 2, HEADS, {"dropped": 3})
    assert facts["components"] == 2
    assert (facts["heads_that_won"], facts["tiny_dropped"]) == (1, 3)
    assert -1 <= facts["adjusted_rand_exact"] <= 1
    as_states = {
        name: replace(run, component=np.unique(crops.state[crops.indices("test")], return_inverse=True)[1])
        for name, run in found.items()
    }
    assert runs.mixture_facts(crops, as_states, 2, HEADS, {"dropped": 0})["adjusted_rand_jittered"] == 1
    unknown = replace(crops, state=np.full(len(crops), ""))
    facts = runs.mixture_facts(unknown, found, 2, HEADS, {"dropped": 0})
    assert set(facts) == {"components", "tiny_dropped", "heads_that_won"}


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_per_face_table_has_a_row_for_every_face_boxes_and_system(found, crops, tmp_path):
    runs.write_per_face(tmp_path / "faces.csv", crops, found)
    rows = rows_of(tmp_path / "faces.csv")
    assert len(rows) == 8 * len(runs.BOXES) * len(runs.SYSTEMS)
    assert len({(row["name"], row["boxes"], row["system"]) for row in rows}) == len(rows)
    row = next(row for row in rows if (row["boxes"], row["system"]) == ("exact", "cascade"))
    i = list(crops.names[crops.indices("test")]).index(row["name"])
    run = found["exact"]
    assert float(row["nme"]) == pytest.approx(run.tables["cascade"]["nme"][i], rel=1e-4)
    assert int(row["component"]) == run.component[i]
    assert row["state"] == crops.state[crops.indices("test")[i]]


def test_the_error_distribution_rises_to_its_share(found, tmp_path):
    runs.write_ced(tmp_path / "ced.csv", found)
    rows = rows_of(tmp_path / "ced.csv")
    systems = {row["system"] for row in rows}
    assert systems == {f"{system}, {boxes} boxes" for system in ("base", "cascade") for boxes in runs.BOXES}
    for system in systems:
        share = [float(row["share"]) for row in rows if row["system"] == system]
        assert share == sorted(share)
        assert 0 <= share[0] <= share[-1] <= 1


def test_runs_there_and_back(found, crops, tmp_path):
    runs.save_runs(tmp_path / "runs.npz", found)
    again = runs.load_runs(tmp_path / "runs.npz", crops)
    for boxes, run in found.items():
        np.testing.assert_array_equal(again[boxes].component, run.component)
        np.testing.assert_array_equal(again[boxes].boxes_px, run.boxes_px)
        for system in runs.SYSTEMS:
            np.testing.assert_array_equal(again[boxes].points_px[system], run.points_px[system])
            np.testing.assert_array_equal(again[boxes].tables[system]["nme"], run.tables[system]["nme"])


def test_predictions_that_cannot_be_read_are_named(found, crops, tmp_path):
    path = tmp_path / "runs.npz"
    with pytest.raises(DataError, match=r"runs\.npz: .*run the evaluate stage again"):
        runs.load_runs(path, crops)
    runs.save_runs(path, found)
    fewer = replace(crops, split=np.where(np.arange(24) == crops.indices("test")[0], "train", crops.split))
    with pytest.raises(DataError, match="another number of test faces"):
        runs.load_runs(path, fewer)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataError, match=r"runs\.npz: .*run the evaluate stage again"):
        runs.load_runs(path, crops)


def test_galleries_show_every_component_with_its_counts(crops, features, mixture, tmp_path):
    folder = tmp_path / "galleries"
    folder.mkdir()
    (folder / "mean_9.png").touch()  # of an earlier run
    write_galleries(folder, crops, features, mixture)
    assert sorted(path.name for path in folder.iterdir()) == [
        "components.json",
        "gallery_0.jpg",
        "gallery_1.jpg",
        "mean_0.png",
        "mean_1.png",
    ]
    facts = json.loads((folder / "components.json").read_text())
    for split in ("train", "validation", "test"):
        assert sum(fact["faces"][split] for fact in facts) == len(crops.indices(split))
    assert sum(sum(fact["states"].values()) for fact in facts) == 24
    assert [path.name for path in tmp_path.iterdir()] == ["galleries"]


def test_pictures_of_a_mouth_and_of_a_prediction(crops):
    assert mouth(crops, 3).shape == (96, 96, 3)
    plain = prediction(crops, 3, crops.points_px[3])
    moved = prediction(crops, 3, crops.points_px[3] + 4)
    assert plain.shape == moved.shape
    assert (plain != moved).any()
