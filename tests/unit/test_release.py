"""Shipping a model: the run in a folder of its own, what is checked, how it takes the old one's place, its lock."""

import argparse
import json
import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import yaml
from known_networks import write_model

from lipseg.errors import DataError, LipsegError, ParamsError
from lipseg.inference.card import CARD
from stages import rebuild, release, verify
from stages.release import Limits

ROOT = Path(__file__).parents[2]
LIMITS = Limits({"lips_f1": 0.8}, {"contour": 0.02})


@pytest.fixture(scope="module")
def model(crops, tmp_path_factory):
    """A model folder of known networks, with a card that lacks nothing."""
    figures = {"mouth_f1": 0.9, "lips_f1": 0.85, "inner_f1": 0.7, "contour": 0.01, "nme": 0.03}
    words = {key: ["Words."] for key in release.COMPLETE if key not in ("runtime", "files")}
    data = {
        "sha256": crops.sha256,
        "names_sha256": {split: release.names_sha256(crops, split) for split in release.SPLITS},
    }
    card = {**words, "data": data, "figures": {"jittered": {"cascade": figures}}}
    return write_model(tmp_path_factory.mktemp("models") / "lipseg", **card)


@pytest.fixture(scope="module")
def lock(model):
    """A lock as DVC leaves it, of a run whose only recorded stage is the last one."""
    return {
        "schema": "2.0",
        "stages": {
            "bundle": {
                "cmd": "python -m stages.bundle",
                "deps": [{"path": "lipseg/scheme.py", "hash": "md5", "md5": "1234"}],
                "outs": [{"path": "models/lipseg", "md5": verify.dvc_md5(model, (CARD, *verify.NETWORKS))}],
            }
        },
    }


@pytest.fixture
def shipped(model, lock, crops, tmp_path):
    release.promote(model, lock, crops, tmp_path / "package" / "shipped")
    return tmp_path / "package" / "shipped"


def test_a_promoted_model_is_whole_and_verified(shipped, model):
    names = ["card.json", "cascade.onnx", "dvc.lock", "faces.csv", "locator.onnx"]
    assert sorted(path.name for path in shipped.iterdir()) == names
    assert [path.name for path in shipped.parent.iterdir()] == ["shipped"]
    assert (shipped / "card.json").read_bytes() == (model / "card.json").read_bytes()
    assert verify.check_shipped(shipped, LIMITS) == []


def test_a_model_takes_the_place_of_the_old_one(shipped, model, lock, crops):
    (shipped / "left over").touch()
    release.promote(model, lock, crops, shipped)
    assert not (shipped / "left over").exists()
    assert [path.name for path in shipped.parent.iterdir()] == ["shipped"]


def test_the_old_model_comes_back_when_the_new_one_cannot_take_its_place(shipped, model, lock, crops, monkeypatch):
    (shipped / "old").touch()
    replace = os.replace

    def fail(source, destination):
        if Path(source).name == ".shipped.partial":
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        release.promote(model, lock, crops, shipped)
    assert (shipped / "old").exists()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits({"lips_f1": 0.86}, {}), "lips_f1 on jittered boxes is 0.85, not within 0.86 and inf"),
        (Limits({}, {"contour": 0.009}), "contour on jittered boxes is 0.01, not within -inf and 0.009"),
        (Limits({"auc": 0.1}, {}), "auc on jittered boxes is None"),
    ],
)
def test_figures_beyond_the_limits_are_named(model, limits, said):
    (found,) = release.problems(model, limits)
    assert found.startswith(said)


def test_every_source_has_limits_of_its_own(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "model")
    card = json.loads((folder / "card.json").read_text())
    card["figures"]["sources"] = {"masks": {"cascade": {"lips_f1": 0.7}}, "helen": {"cascade": {"lips_f1": 0.9}}}
    (folder / "card.json").write_text(json.dumps(card))
    limits = Limits({}, {}, {"masks": {"lips_f1": 0.8, "auc": 0.1}, "helen": {"lips_f1": 0.9}, "ibug": {"lips_f1": 1}})
    assert release.problems(folder, limits) == [
        "lips_f1 on jittered boxes of masks is 0.7, less than 0.8",
        "auc on jittered boxes of masks is None, less than 0.1",
    ]


def test_a_model_that_is_too_large_is_not_shipped(model, monkeypatch):
    monkeypatch.setattr(release, "LARGEST_BYTES", 1000)
    (found,) = release.problems(model, LIMITS)
    assert re.fullmatch(r"cascade\.onnx and locator\.onnx: \d+ bytes, more than 1000", found)


def test_an_incomplete_card_is_not_shipped(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "model")
    card = json.loads((folder / "card.json").read_text())
    del card["licence"]
    (folder / "card.json").write_text(json.dumps({**card, "weaknesses": []}))
    assert sorted(release.problems(folder, LIMITS)) == [
        f"card.json: the section '{name}' is missing or empty" for name in ("licence", "weaknesses")
    ]


def edit_network(name, folder):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit_card(folder):
    path = folder / "card.json"
    path.write_text(path.read_text().replace("0.85", "0.95"))


def edit_faces(folder):
    path = folder / "faces.csv"
    path.write_text(path.read_text().replace(",train", ",test", 1))


def edit_lock(folder):
    path = folder / "dvc.lock"
    path.write_text(path.read_text().replace("bundle:", "bungle:"))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (partial(edit_network, "cascade.onnx"), "cascade.onnx: not the file that card.json describes (another SHA"),
        (partial(edit_network, "locator.onnx"), "locator.onnx: not the file that card.json describes (another SHA"),
        (edit_card, "dvc.lock: its run wrote another card.json, cascade.onnx or locator.onnx"),
        (edit_faces, "faces.csv: not the faces that card.json was written for"),
        (edit_lock, "dvc.lock: its run wrote another"),
    ],
)
def test_whatever_was_changed_afterwards_is_found(shipped, edit, said):
    edit(shipped)
    found = verify.check_shipped(shipped, LIMITS)
    assert said in found[0]


@pytest.mark.parametrize("name", ["dvc.lock", "faces.csv"])
def test_a_missing_record_is_named(shipped, name):
    (shipped / name).unlink()
    with pytest.raises(DataError, match=re.escape(name)):
        verify.check_shipped(shipped, LIMITS)


def test_a_lock_that_names_a_path_of_the_machine_is_refused(tmp_path):
    stage = {"deps": [{"path": "faces"}], "params": {"params.yaml": {"data": {"root": "faces", "share": 0.1}}}}
    content = {"schema": "2.0", "stages": {"crop": stage, "report": {"deps": []}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(content))
    lock = rebuild.lock_of(tmp_path)
    assert lock["stages"] == {"crop": stage}
    rebuild.write_lock(tmp_path / "written", lock)
    assert rebuild.read_lock(tmp_path / "written") == lock["stages"]

    content["stages"]["crop"]["deps"].append({"path": str(tmp_path / "faces")})
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(content))
    with pytest.raises(LipsegError, match=r"dvc\.lock: holds a path of this machine: .*faces"):
        rebuild.lock_of(tmp_path)


def test_locks_are_compared_stage_by_stage():
    def lock(crops, weights):
        return {
            "crop": {"outs": [{"path": "crops", "md5": crops}]},
            "train": {"deps": [{"path": "crops", "md5": crops}], "outs": [{"path": "weights", "md5": weights}]},
        }

    assert list(verify.differences(lock("a", "b"), lock("a", "b"))) == []
    assert list(verify.differences(lock("a", "b"), lock("a", "c"))) == [("train", "outs", "weights")]
    assert list(verify.differences(lock("a", "b"), {})) == [
        ("crop", "outs", "crops"),
        ("train", "deps", "crops"),
        ("train", "outs", "weights"),
    ]
    assert [stage for stage, _, _ in verify.differences({}, lock("a", "b"))] == ["crop", "train", "train"]


def test_figures_may_differ_as_rounding_makes_them():
    def card(lips_f1):
        figures = {"mouth_f1": 0.9, "lips_f1": lips_f1, "inner_f1": 0.7, "contour": 0.01, "nme": 0.03}
        return {"figures": {"jittered": {"cascade": figures}}}

    assert verify.disagreements(card(0.85), card(0.856)) == []
    (found,) = verify.disagreements(card(0.85), card(0.82))
    assert found.startswith("lips_f1 on jittered boxes: 0.85 shipped, 0.82 rerun")


@pytest.fixture
def params():
    """A function from ``data.source`` to the parameters of the model that comes along."""

    def of(source):
        found = yaml.safe_load((ROOT / "presets" / "shipped.yaml").read_text(encoding="utf-8"))
        return {**found, "data": {**found["data"], "source": source}}

    return of


def test_the_run_has_a_folder_of_its_own(tmp_path, drawn, params):
    params = params("synthetic")
    work = tmp_path / "work"
    (work / "lipseg").mkdir(parents=True)
    (work / "lipseg" / "gone.py").touch()  # of an earlier run's code
    (work / "data").mkdir()
    rebuild.prepare(work, params, {"synthetic": drawn})
    assert not (work / "lipseg" / "gone.py").exists()
    assert (work / "lipseg" / "scheme.py").read_bytes() == (ROOT / "lipseg" / "scheme.py").read_bytes()
    assert not (work / "lipseg" / "shipped").exists()
    assert list(work.rglob("__pycache__")) == []
    assert (work / "data").is_dir()  # what an earlier run made stays
    written = yaml.safe_load((work / "params.yaml").read_text(encoding="utf-8"))
    assert written == {**params, "data": {**params["data"], "root": "faces/synthetic"}}
    # A card's parameters, which lack the root, do as well.
    without = {**params, "data": {key: value for key, value in params["data"].items() if key != "root"}}
    rebuild.prepare(work, without, {"synthetic": drawn})
    assert yaml.safe_load((work / "params.yaml").read_text(encoding="utf-8")) == written


def test_the_sources_lie_side_by_side_as_links_to_files(tmp_path, params):
    helen, masks = tmp_path / "somewhere" / "helen", tmp_path / "else where"
    for file in (
        helen / "image" / "a.jpg",
        helen / "names.txt",
        masks / ".git" / "x",
        masks / ".DS_Store",
        masks / "b",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)
    (masks / "more").symlink_to(helen / "image")  # DVC would not follow it
    (tmp_path / "scale.csv").write_text("name,scale")
    work = tmp_path / "work"
    files = {"helen/scale.csv": tmp_path / "scale.csv"}
    for _ in range(2):  # of a run that goes on too
        rebuild.prepare(work, params("helen+masks"), {"masks": masks, "helen": helen}, files)
    found = {path.relative_to(work / "faces").as_posix(): path for path in (work / "faces").rglob("*")}
    links = {name: path.read_text() for name, path in found.items() if path.is_symlink()}
    assert links == {
        "helen/image/a.jpg": "a.jpg",
        "helen/names.txt": "names.txt",
        "helen/scale.csv": "name,scale",
        "masks/b": "b",
        "masks/more/a.jpg": "a.jpg",
    }
    assert {name for name in found if name not in links} == {"helen", "helen/image", "masks", "masks/more"}
    assert yaml.safe_load((work / "params.yaml").read_text(encoding="utf-8"))["data"]["root"] == "faces"
    # A file given takes the place of the folder's own, which stays as it was.
    files = {"helen/names.txt": tmp_path / "scale.csv"}
    rebuild.prepare(work, params("helen+masks"), {"masks": masks, "helen": helen}, files)
    assert (work / "faces" / "helen" / "names.txt").read_text() == "name,scale"
    assert (helen / "names.txt").read_text() == "names.txt"


@pytest.mark.parametrize(
    ("sources", "files", "said"),
    [
        ({}, {}, r"learns from helen\+masks .*: name the folder of helen too, --source helen=DIR \(make: HELEN=DIR\)"),
        ({"helen": "."}, {}, r"name the folder of masks too"),
        ({"helen": ".", "masks": "nowhere"}, {}, r"nowhere: no such folder; name the folder of the masks faces"),
        ({"helen": ".", "masks": ".", "ibug": "."}, {}, r"--source ibug: the model learns from helen\+masks"),
        ({"helen": ".", "masks": "."}, {"helen/scale.csv": "none.csv"}, r"none\.csv: no such file \(to be helen/scale"),
        ({"helen": ".", "masks": "."}, {"ibug/x": "file"}, r"--file ibug/x: .* must begin with one of these"),
        ({"helen": ".", "masks": "."}, {"helen": "file"}, r"--file helen: .* as helen/NAME does"),
        ({"helen": ".", "masks": "."}, {"helen/../x": "file"}, r"--file helen/\.\./x: "),
    ],
)
def test_faces_other_than_the_sources_are_refused_at_once(tmp_path, params, sources, files, said):
    (tmp_path / "file").touch()
    sources, files = ({name: tmp_path / path for name, path in some.items()} for some in (sources, files))
    with pytest.raises(DataError, match=said):
        rebuild.prepare(tmp_path / "work", params("helen+masks"), sources, files)
    assert not (tmp_path / "work").exists()


def test_what_cannot_be_run_is_refused_at_once(tmp_path, drawn, params):
    with pytest.raises(ParamsError, match=r"seed: must be"):
        rebuild.prepare(tmp_path / "work", {**params("synthetic"), "seed": -1}, {"synthetic": drawn})
    with pytest.raises(ParamsError, match=r"none\.yaml: cannot be read"):
        release.release({"synthetic": drawn}, {}, tmp_path / "none.yaml", tmp_path / "work", tmp_path / "out")
    assert not (tmp_path / "work").exists()


def test_the_command_line_names_sources_and_files(capsys):
    parser = argparse.ArgumentParser()
    rebuild.add_arguments(parser)
    assert parser.parse_args([]) == argparse.Namespace(source={}, file={})
    at = parser.parse_args(["--source", "helen=a=b", "--source", "masks=c", "--file", "helen/scale.csv=d"])
    assert at.source == {"helen": Path("a=b"), "masks": Path("c")}
    assert at.file == {"helen/scale.csv": Path("d")}
    for wrong, said in (("helen", "not NAME=DIR"), ("helen=", "not NAME=DIR"), ("=a", "not NAME=DIR")):
        with pytest.raises(SystemExit):
            parser.parse_args(["--source", wrong])
        assert f"--source {wrong}: {said}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parser.parse_args(["--source", "helen=a", "--source", "helen=b"])
    assert "--source helen=b: given a second time" in capsys.readouterr().err


def test_other_faces_are_counted_by_source(tmp_path, crops):
    release.write_faces(tmp_path / "faces.csv", crops)
    assert verify.other_names(tmp_path / "faces.csv", crops) == []
    text = (tmp_path / "faces.csv").read_text()
    first = text.splitlines()[1].split(",")[0]
    (tmp_path / "faces.csv").write_text(text.replace(f"{first},train", f"{first},test") + "masks/a,train\n")
    assert verify.other_names(tmp_path / "faces.csv", crops) == [
        "1 of masks are missing or in another split, 0 are not in faces.csv",
        "1 of synthetic are missing or in another split, 1 are not in faces.csv",
    ]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("target", ["release-model", "verify-model"])
def test_make_names_every_source_to_the_stage(target):
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    given = ["HELEN=/some faces", "CELEBAMASK=c", "HELEN_SCALE=s.csv"]
    done = subprocess.run(["make", "-n", target, *given], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    options = '--source "helen=/some faces" --source "celebamask=c" --file "helen/scale.csv=s.csv"'
    assert options in " ".join(done.stdout.split())


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_help_lists_every_target():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    listed = subprocess.run(["make", "help"], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == phony[1].split()
    assert all(len(line.split()) > 1 for line in listed.splitlines())
