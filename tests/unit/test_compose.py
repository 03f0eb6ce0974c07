"""The report of tiny artifacts: gathered from the files that the stages leave, rendered, and complete."""

import hashlib
import json
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipseg.data.crop_set import SPLITS, load_crops
from lipseg.data.tables import write_json, write_rows
from lipseg.errors import LipsegError
from lipseg.evaluation import runs
from lipseg.evaluation.card import measured_weaknesses, model_card, places
from lipseg.evaluation.compose import compose_report
from lipseg.evaluation.galleries import write_galleries
from lipseg.evaluation.report import write_report
from lipseg.images import write_image
from lipseg.inference.card import FORMAT
from lipseg.inference.runtime import Runtime
from lipseg.model.parts import save_heads, save_mixture
from lipseg.params import load_params

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def params():
    found = load_params(ROOT / "params.yaml")
    return replace(found, evaluate=replace(found.evaluate, resamples=100, examples=3))


@pytest.fixture(scope="module")
def at(tmp_path_factory, crops, features, mixture, cascade, predictor, systems, params):
    """The files of a finished run."""
    root = tmp_path_factory.mktemp("run")
    found = runs.run_test(crops, predictor, systems, params.evaluate, 0)
    (root / "results").mkdir()
    runs.save_runs(root / "results" / "predictions.npz", found)
    write_json(root / "results" / "summary.json", runs.summary(found, crops, {}, params.evaluate, 0))
    write_galleries(root / "galleries", crops, features, mixture)
    names = ("loss", "landmark", "mask", "map", "train_nme", "validation_nme", "validation_error", "best", "seconds")
    write_rows(root / "history.csv", [{"epoch": i, **dict.fromkeys(names, 1 / (i + 1))} for i in range(3)])
    criteria = {"bic": 3.0, "aic": 2.0, "icl": 4.0, "validation": -1.0}
    write_rows(
        root / "selection.csv",
        [{"components": k, "covariance": "diag", **criteria, "chosen": k == 2} for k in (1, 2, 3)],
    )
    write_rows(
        root / "curves.csv",
        [
            {"head": head, "pull": pull, "train_error": 0.1, "validation_error": 0.1 - 0.01 / pull}
            for head in ("control", "components")
            for pull in (1.0, 3.0)
        ],
    )
    facts = {"won": True, "kept": "own", "faces": 5, "validation_faces": 2, "base_error": 0.1, "tuned_error": 0.08}
    never = {"won": False, "kept": "base", "faces": 0, "validation_faces": 0, "base_error": None, "tuned_error": None}
    told = {"components": [facts, never], "control": facts, "base_error": 0.1}
    save_heads(root / "heads", cascade.heads, cascade.control, cascade.projection, told)
    ranked = [{"coverage": c, "ranking": r, "contour": c / 50} for r in ("score", "best possible") for c in (0.5, 1.0)]
    write_rows(root / "calibration" / "risk_coverage.csv", ranked)
    bins = [{"group": "all", "score": s, "share": s, "trials": 9} for s in (0.1, 0.9)]
    write_rows(root / "calibration" / "reliability.csv", bins)
    network = {"bytes": 5_400_000, "nodes": 165, "opset": 17, "views": 8, "undecided": 1, "load_ms": 11.0}
    network |= {"cpu_ms_a_view": {"1": 1.85, "8": 1.5}, "largest": {"points_unit": 3.8e-5}}
    write_json(root / "export.json", {"cascade.onnx": network})
    row = {"faces": 9, "mouths": "small", "width_px": 61.6, "right": [1.234, -0.5, 2.0], "down": [-1.0, -2.0, -0.5]}
    rows = [{"source": source, **row} for source in ("synthetic", "helen")]
    none = {"offset": [0.0] * 112, "pixels": [0.0, 0.0]}
    found = {"reference": "synthetic", "conventions": {"helen": none}, "measured": rows}
    write_json(root / "conventions.json", found)
    write_image(root / "sheet.jpg", np.zeros((40, 60, 3), np.uint8))
    shown = {"conventions": root / "conventions.json", "sheet": root / "sheet.jpg"}
    folder = Path(crops.images.filename).parent
    paths = {name: root / name for name in ("results", "galleries", "heads", "calibration")}
    tables = {name: root / f"{name}.csv" for name in ("history", "selection", "curves")}
    return Namespace(crops=folder, **paths, **tables, **shown, export=root / "export.json")


@pytest.fixture(scope="module")
def report(params, at):
    return compose_report(params, at)


def test_the_report_holds_what_the_run_left(report, crops, params):
    assert report.splits == {split: len(crops.indices(split)) for split in ("train", "validation", "test")}
    assert report.params["cluster"]["pca"] == params.cluster.pca
    assert list(report.metrics) == list(runs.BOXES)
    assert [component.kept for component in report.components] == ["own", "base"]
    assert report.networks["cascade.onnx"]["largest differences"] == "points_unit 3.8e-05"
    assert all(component.mean_face is not None for component in report.components)
    assert len(report.examples) == 3
    assert len(report.best) == len(report.worst["synthetic"]) == 8  # no more than there are test faces
    notes = " ".join(report.notes)
    assert "drawn by formula" in notes
    assert "1 of 2 heads did not win" in notes


def test_best_and_worst_are_sorted_by_the_cascade_s_error_on_jittered_boxes(report, at, crops):
    nme = 100 * runs.load_runs(at.results / "predictions.npz", crops)["jittered"].tables["cascade"]["nme"]
    best, worst = (
        [float(p.caption.split(": ")[1].split()[0]) for p in part] for part in (report.best, report.worst["synthetic"])
    )
    np.testing.assert_allclose(best, np.sort(nme), atol=6e-3)
    np.testing.assert_allclose(worst, np.sort(nme)[::-1], atol=6e-3)


def test_one_source_is_not_told_twice(report, tmp_path):
    assert report.sources == {}
    write_report(tmp_path / "index.html", report)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<h3>Worst faces</h3>" in page
    for text in ("Every source apart", "all together", "Where the mouths lie"):
        assert text not in page
    # What they would say beside is in the one table.
    for text in ("F1, mean over faces, aligned", "minus control", "Place of the mouths"):
        assert text in page


def test_several_sources_have_their_tables_charts_and_worst_faces(params, at, crops, tmp_path):
    folder, results = tmp_path / "crops", tmp_path / "results"
    shutil.copytree(at.crops, folder)
    arrays = dict(np.load(folder / "faces.npz"))
    arrays["names"] = np.array([name.replace("synthetic", ("a", "b")[i % 2]) for i, name in enumerate(arrays["names"])])
    np.savez(folder / "faces.npz", **arrays)
    two = load_crops(folder)
    found = runs.load_runs(at.results / "predictions.npz", two)
    shutil.copytree(at.results, results)
    moved = {"b": lambda points: points - 1}
    write_json(results / "summary.json", runs.summary(found, two, moved, params.evaluate, 0))
    report = compose_report(params, Namespace(**{**vars(at), "crops": folder, "results": results}))
    assert list(report.sources) == ["all together", *report.worst] == ["all together", "a", "b"]
    assert report.errors[0].title == "Where the mouths lie"
    assert sum(len(faces) for faces in report.worst.values()) == report.sources["all together"]["faces"] == 8
    write_report(tmp_path / "index.html", report)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for text in (
        "Every source apart",
        "<h3>Worst faces of b</h3>",
        ">all together, 8 faces</th>",
        "in its own convention",
    ):
        assert text in page


def test_the_page_renders(report, params, tmp_path):
    write_report(tmp_path / "index.html", report)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    for text in (
        params.bundle.name,
        "Cumulative error distribution",
        "Choice of the number of components",
        "What the score is",
        "<td>helen</td><td>9</td><td>small, 62 px</td><td>+1.23 [-0.50, +2.00]</td><td>-1.00 [-2.00, -0.50]</td>",
        'alt="faces of every source in its convention"',
        "before: the answer as the reference has it",
    ):
        assert text in page


@pytest.mark.parametrize(
    "name",
    ["crops", "history", "selection", "galleries", "heads", "curves", "results", "calibration", "conventions", "sheet"],
)
def test_a_missing_file_is_named(params, at, tmp_path, name):
    with pytest.raises(LipsegError, match="nowhere"):
        compose_report(params, Namespace(**{**vars(at), name: tmp_path / "nowhere"}))


@pytest.fixture(scope="module")
def card_of(crops, cascade, at, tmp_path_factory):
    """A function from parameters to the card of the finished run."""
    root = tmp_path_factory.mktemp("card")
    write_json(root / "metrics.json", {"jittered": {}})
    write_json(root / "locator.json", {"test": 1})
    runs.write_per_face(at.results / "per_face.csv", crops, runs.load_runs(at.results / "predictions.npz", crops))
    save_mixture(root / "mixture", cascade.mixture, {"dropped": 0, "explained": 0.9})
    artifacts = {"heads": at.heads, "base": at.history, "mixture": root / "mixture"}
    files = {"cascade.onnx": {"bytes": 1, "sha256": "00"}}
    model = {"format": FORMAT, "runtime": cascade.runtime().as_json(), "files": files}

    def card(params, metrics="metrics.json"):
        return model_card(
            params,
            crops,
            model,
            root / metrics,
            at.results,
            artifacts,
            at.conventions,
            {"finding": root / "locator.json"},
        )

    return card


@pytest.fixture(scope="module")
def card(card_of, params):
    return card_of(params)


def test_the_card_says_where_the_model_comes_from(card, card_of, params, crops):
    assert card["finding"] == {"test": 1}
    assert "1.2 [-0.5, 2.0] to the right and 1.0 [0.5, 2.0] higher at small mouths (62 pixels)" in card["annotators"][1]
    assert card["data"]["sha256"] == crops.sha256
    assert card["data"]["train"] == len(crops.indices("train"))
    assert card["components"] == 2
    assert card["mixture"] == {"dropped": 0, "explained": 0.9}
    assert card["format"] == FORMAT
    assert card["files"] == {"cascade.onnx": {"bytes": 1, "sha256": "00"}}
    assert Runtime.from_card(json.loads(json.dumps(card)), Path("card.json")).components == 2
    assert card["figures"] == {"jittered": {}}
    assert card["libraries"]["numpy"] == np.__version__
    assert card["machine"]["cpu_cores"] >= 1
    assert card["params"]["net"] == card["net"]
    with pytest.raises(LipsegError, match="none"):
        card_of(params, "none.json")


def test_the_card_s_hashes_are_those_of_files_and_names(card, at, crops):
    hashes = card["artifacts_sha256"]
    assert set(hashes) == {"heads", "base", "mixture", "metrics", "params"}
    assert hashes["heads"] == hashlib.sha256(at.heads.read_bytes()).hexdigest()
    names = "".join(f"{name}\n" for name in sorted(crops.names[crops.split == "test"]))
    assert card["data"]["names_sha256"]["test"] == hashlib.sha256(names.encode()).hexdigest()
    assert len(set(card["data"]["names_sha256"].values())) == 3


def test_the_card_does_not_depend_on_where_the_faces_lie(card, card_of, params):
    moved = replace(params, data=replace(params.data, root="/somewhere/else"))
    assert card_of(moved) == card
    assert "somewhere" not in json.dumps(card_of(moved))
    other = replace(params, seed=params.seed + 1)
    assert card_of(other)["artifacts_sha256"]["params"] != card["artifacts_sha256"]["params"]


@pytest.mark.parametrize("source", ["synthetic", "helen", "helen+ibug", "helen+celebamask", "masks", "mine"])
def test_the_card_has_words_for_every_source(card_of, params, source):
    found = card_of(replace(params, data=replace(params.data, source=source)))
    sources = source.split("+")
    assert len(found["data"]["what"]) == len(sources)
    restricted = source not in ("synthetic", "masks")
    assert len(found["licence"]) == 1 + len(sources) + restricted
    assert ("cannot grant" in found["licence"][-1]) == restricted
    assert all(len(found[part]) > 0 for part in ("intended_use", "out_of_scope", "weaknesses"))
    terms = " ".join(found["licence"])
    assert ("Flickr" in terms) == ("helen" in sources)
    assert ("non-commercial research and educational use only, and not to be passed on" in terms) == (
        "celebamask" in sources
    )


def test_a_reader_of_the_user_s_own_says_its_terms(card_of, params, tmp_path, monkeypatch):
    text = "def read(root): ...\nWHAT = 'my faces'\nTERMS = 'Mine alone.'\nGAPS = ('All are twins.',)\n"
    (tmp_path / "twins_of_mine.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = card_of(replace(params, data=replace(params.data, source="helen+twins_of_mine")))
    assert found["data"]["what"][1] == "my faces"
    assert "Mine alone." in found["licence"]
    assert "All are twins." in found["weaknesses"]


def test_the_card_counts_the_faces_of_every_source(card):
    assert card["data"]["by_source"] == {"synthetic": {split: card["data"][split] for split in SPLITS}}


def test_the_card_s_weaknesses_are_measured(card, found_weak, at, crops):
    table = runs.load_runs(at.results / "predictions.npz", crops)["jittered"].tables["cascade"]
    upper, lower = table["upper_f1"].mean(), table["lower_f1"].mean()
    said = next(text for text in card["weaknesses"] if "less well" in text)
    assert f"F1 {min(upper, lower):.2f}" in said
    assert f"({max(upper, lower):.2f})" in said
    assert card["intervals"]["jittered"]["cascade_minus_base"]["lips"].keys() == {"difference", "low", "high"}
    said = " ".join(found_weak)
    assert "F1 0.20 over the 2 test faces whose opening is below 8% of the mouth, 0.70 over the 1 that" in said
    assert "component 1 do worst: lips F1 0.60 over 3 test faces, 0.80 over all" in said
    assert "more than 3.1% of the inter-ocular distance off, against 1.2% on average" in said


@pytest.fixture
def found_weak():
    """The sentences about figures that are made up; one face is too nearly closed to be judged."""
    over_all = {name: {"f1_mean": 0.8} for name in ("lips", "upper", "lower")} | {
        "contour": {"mean": 0.012, "p95": 0.031}
    }
    part = {str(k): {"cascade": {"faces": k + 2, "lips": {"f1_mean": 0.9 - 0.3 * k}}} for k in (0, 1)}
    inner = [0.1, 0.3, float("nan"), 0.7, 0.9]
    rows = {
        "boxes": ["jittered"] * 4 + ["exact"],
        "system": ["cascade"] * 5,
        "opening": [0.03, 0.079, 0.001, 0.08, 0.5],
        "inner_f1": inner,
    }
    return measured_weaknesses({"jittered": {"systems": {"cascade": over_all}, "components": part}}, rows)


def test_a_card_tells_the_sources_apart(card):
    assert list(card["intervals"]["sources"]) == ["synthetic"]
    assert card["intervals"]["sources"]["synthetic"] == card["intervals"]["jittered"]
    figures = {"lips": {"f1_mean": 0.81}, "aligned": {"lips": {"f1_mean": 0.84}}, "right": 0.021, "down": -0.004}
    part = {"faces": 7, "jittered": {"systems": {"cascade": figures}}}
    assert places({"helen": part}) == []
    own = {"faces": 7, "jittered": {"systems": {"cascade": figures | {"own": {"lips": {"f1_mean": 0.85}}}}}}
    (first, second) = places({"celebamask": part, "helen": own})
    assert first == (
        "On the 7 test faces of celebamask: lips F1 0.81 as annotated, 0.84 with all answers moved by one constant; "
        "its mouths lie 2.1% of their width right of and 0.4% above the annotated."
    )
    assert "0.85 in the convention of these annotators; " in second


def test_a_model_of_one_source_has_no_convention_to_show(params, at, tmp_path):
    write_json(tmp_path / "one.json", {"reference": "synthetic", "conventions": {}, "measured": []})
    write_report(
        tmp_path / "index.html", compose_report(params, Namespace(**{**vars(at), "conventions": tmp_path / "one.json"}))
    )
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "learnt from one source alone" in page
    assert "annotations in green." in page
    assert "before: the answer" not in page
