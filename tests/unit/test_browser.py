"""The model folder that the browser gets: the shipped networks, a detector for any size, the constants of the code."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from lipseg.errors import ModelError
from lipseg.inference import yunet
from lipseg.inference.card import CARD, CASCADE, DEFAULT_MODEL, FORMAT, LOCATOR, read_card
from lipseg.makeup.finish import FINISHES
from lipseg.tracking import TrackParams

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "web" / "python" / "model_folder.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("browser") / "model"
    SCRIPT["write_folder"](DEFAULT_MODEL, out)
    return out


def test_the_folder_holds_the_model_as_it_is(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([CARD, CASCADE, LOCATOR, SCRIPT["DETECTOR"]])
    for name in (CASCADE, LOCATOR):
        assert (folder / name).read_bytes() == (DEFAULT_MODEL / name).read_bytes()
    card = read_card(folder)
    assert {key: value for key, value in card.items() if key != "constants"} == read_card(DEFAULT_MODEL)


def test_the_constants_are_those_of_the_code(folder):
    constants = read_card(folder)["constants"]
    assert constants == json.loads(json.dumps(SCRIPT["constants"]()))
    assert constants["detector"]["turns"] == list(yunet._TURNS)
    assert constants["detector"]["threshold"] == 0.7
    assert constants["tracking"]["params"]["detect_every"] == TrackParams().detect_every
    assert list(constants["lipstick"]["finishes"]) == list(FINISHES)


def test_the_detector_takes_any_size(folder):
    session = onnxruntime.InferenceSession(folder / SCRIPT["DETECTOR"], providers=["CPUExecutionProvider"])
    (scores,) = session.run(["cls_32"], {"input": np.zeros((1, 3, 64, 96), np.float32)})
    assert scores.shape == (1, 2 * 3, 1)


def test_a_damaged_model_leaves_the_old_folder(folder, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / CARD).write_bytes((DEFAULT_MODEL / CARD).read_bytes())
    (damaged / CASCADE).write_bytes(b"no network")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(ModelError, match=r"cascade\.onnx: not the file that card\.json describes"):
        SCRIPT["write_folder"](damaged, folder)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_browser_reads_the_format_that_is_written():
    text = (ROOT / "web" / "src" / "card.ts").read_text(encoding="utf-8")
    assert re.findall(r"^const FORMAT = (\d+);$", text, re.MULTILINE) == [str(FORMAT)]


def test_no_number_of_the_constants_is_typed_in_typescript():
    """Longer numbers cannot be there by chance: one of Python's would have been copied."""
    numbers = {text for text in _numbers(SCRIPT["constants"]()) if len(text) >= 6}
    for path in (ROOT / "web" / "src").rglob("*.ts"):
        text = path.read_text(encoding="utf-8")
        assert not [number for number in numbers if number in text], path.name


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, float):
        yield f"{value:g}"
