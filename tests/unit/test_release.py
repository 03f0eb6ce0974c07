"""Shipping a model: the run in a folder of its own, what is checked, how it takes the old one's place, its lock."""

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


def test_a_lock_leaves_the_machine_without_its_paths(tmp_path):
    root = tmp_path / "faces"
    stage = {"deps": [{"path": str(root)}], "params": {"params.yaml": {"data": {"root": str(root), "share": 0.1}}}}
    content = {"schema": "2.0", "stages": {"crop": stage, "report": {"deps": []}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(content))
    lock = rebuild.lock_of(tmp_path, root)
    crop = lock["stages"]["crop"]
    assert list(lock["stages"]) == ["crop"]
    assert crop["deps"][0]["path"] == crop["params"]["params.yaml"]["data"]["root"] == rebuild.ANYWHERE
    assert crop["params"]["params.yaml"]["data"]["share"] == 0.1
    rebuild.write_lock(tmp_path / "written", lock)
    assert str(tmp_path) not in (tmp_path / "written").read_text()
    assert rebuild.read_lock(tmp_path / "written") == lock["stages"]

    # A folder whose name merely begins like the root's is another one.
    content["stages"]["crop"]["deps"].append({"path": f"{root}_too"})
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(content))
    with pytest.raises(LipsegError, match=r"dvc\.lock: holds a path of this machine: .*faces_too"):
        rebuild.lock_of(tmp_path, root)


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


def test_the_run_has_a_folder_of_its_own(tmp_path, drawn):
    params = yaml.safe_load((ROOT / "presets" / "shipped.yaml").read_text(encoding="utf-8"))
    work = tmp_path / "work"
    (work / "lipseg").mkdir(parents=True)
    (work / "lipseg" / "gone.py").touch()  # of an earlier run's code
    (work / "data").mkdir()
    rebuild.prepare(work, params, drawn)
    assert not (work / "lipseg" / "gone.py").exists()
    assert (work / "lipseg" / "scheme.py").read_bytes() == (ROOT / "lipseg" / "scheme.py").read_bytes()
    assert not (work / "lipseg" / "shipped").exists()
    assert list(work.rglob("__pycache__")) == []
    assert (work / "data").is_dir()  # what an earlier run made stays
    written = yaml.safe_load((work / "params.yaml").read_text(encoding="utf-8"))
    assert written == {**params, "data": {**params["data"], "root": str(drawn)}}
    # A card's parameters, which lack the root, do as well.
    without = {**params, "data": {key: value for key, value in params["data"].items() if key != "root"}}
    rebuild.prepare(work, without, drawn)
    assert yaml.safe_load((work / "params.yaml").read_text(encoding="utf-8")) == written


def test_what_cannot_be_run_is_refused_at_once(tmp_path, drawn):
    params = yaml.safe_load((ROOT / "presets" / "shipped.yaml").read_text(encoding="utf-8"))
    with pytest.raises(DataError, match="nowhere: no such folder"):
        rebuild.prepare(tmp_path / "work", params, tmp_path / "nowhere")
    with pytest.raises(ParamsError, match=r"seed: must be"):
        rebuild.prepare(tmp_path / "work", {**params, "seed": -1}, drawn)
    with pytest.raises(ParamsError, match=r"none\.yaml: cannot be read"):
        release.release(drawn, tmp_path / "none.yaml", tmp_path / "work", tmp_path / "out")
    assert not (tmp_path / "work").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_help_lists_every_target():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    listed = subprocess.run(["make", "help"], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == phony[1].split()
    assert all(len(line.split()) > 1 for line in listed.splitlines())
