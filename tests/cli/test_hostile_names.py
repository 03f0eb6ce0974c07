"""Names and cards that were made to do harm: none is printed raw, and every file that holds one is sound."""

import csv
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lipseg.cli.app import main
from lipseg.errors import one_line
from lipseg.inference.card import CARD, DEFAULT_MODEL

# A terminal's title, colours, a cleared screen, its one-byte forms, reversed reading order, a bell, a line of its own.
EVIL = ("\x1b]0;owned\x07", "\x1b[31mred", "\x1b[2J", "\x9b2J", "\u202egpj.exe", "a\nerror: b", "<script>&\"'")
ALLOWED = set("\n")


def harmless(text: str) -> bool:
    return all(char.isprintable() or char in ALLOWED for char in text)


@pytest.mark.parametrize("name", EVIL)
def test_names_are_never_printed_raw(lips, tmp_path, name):
    (tmp_path / f"{name}.jpg").write_bytes(b"no picture")
    code, out, err = lips("predict", f"{name}.jpg", "--detector", "none")
    assert code == 3
    assert harmless(out)
    assert harmless(err)
    assert json.loads(out)["image"] == f"{name}.jpg"
    assert len(err.splitlines()) == 2
    code, out, err = lips("predict", f"{name}.png")
    assert code == 2
    assert harmless(out + err)
    assert len(err.splitlines()) == 1


def test_a_name_that_is_no_text_is_kept(lips, tmp_path):
    name = os.fsdecode(b"\xff\xfe.png")
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / name)
    formats = "json,mask,matte,overlay,svg,labelme,coco,csv"
    code, _, err = lips("predict", name, "--detector", "none", "-o", "out", "--format", formats)
    assert code == 0, err
    assert harmless(err)
    assert json.loads((tmp_path / "out/coco.json").read_text())["images"][0]["file_name"] == name
    with (tmp_path / "out/landmarks.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        assert next(csv.DictReader(file))["image"] == name
    # A run that goes on reads both back.
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "b.png")
    code, _, err = lips("predict", name, "b.png", "--detector", "none", "-o", "out", "--format", formats, "--resume")
    assert code == 0, err
    assert [i["file_name"] for i in json.loads((tmp_path / "out/coco.json").read_text())["images"]] == [name, "b.png"]


@pytest.mark.parametrize("name", EVIL)
def test_an_svg_of_any_name_is_sound(lips, tmp_path, name):
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / f"{name}.png")
    code, _, err = lips("predict", f"{name}.png", "--detector", "none", "-o", "out", "--format", "svg")
    assert code == 0, err
    root = ElementTree.parse(tmp_path / f"out/{name}.svg").getroot()
    assert [child.tag.split("}")[1] for child in root] == ["title", "g"]
    assert root[0].text == one_line(f"{name}.png")


def test_a_strangers_card_does_not_command_the_terminal(lips, tmp_path):
    shutil.copytree(DEFAULT_MODEL, tmp_path / "model")
    path = tmp_path / "model" / CARD
    card = json.loads(path.read_text())
    card |= {"name": "\x1b[2J", "note\x1b[31m": ["\x9b31m red", "two words"], "long": "\x1b]0;x\x07 " * 60}
    path.write_text(json.dumps(card))
    for words in (["info", "model"], ["info", "model", "--full"]):
        code, out, err = lips(*words)
        assert code == 0, err
        assert harmless(out + err)
        assert "\\x1b[2J" in out


def test_warnings_of_libraries_are_not_printed(tmp_path):
    """Pillow warns of an EXIF block that is cut off with a path of the installation."""
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00\x12\x01\x03\x00\x01\x00\x00\x00\x01"
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    command = [sys.executable, "-m", "lipseg.cli.app", "predict", "a.jpg", "--detector", "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_results_stay_below_the_output_folder(tmp_path, capsys, monkeypatch):
    """A pattern that climbs out of its folder, and a picture given by an absolute path."""
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    for place in ("in/a.png", "in/deep/b.png"):
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / place)
    monkeypatch.chdir(tmp_path / "work")
    before = {path for path in tmp_path.rglob("*") if "work" not in path.parts}
    with pytest.raises(SystemExit) as caught:
        main(["predict", "../in/de*/../a.png", str(tmp_path / "in/deep/b.png"), "--detector", "none", "-o", "out"])
    assert not caught.value.code, capsys.readouterr().err
    assert {path for path in tmp_path.rglob("*") if "work" not in path.parts} == before
    assert {path.name for path in Path("out").iterdir()} == {
        f"{name}.{ending}" for name in "ab" for ending in ("json", "mask.png", "overlay.jpg")
    }
