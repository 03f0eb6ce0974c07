"""The words beside the code: files that are there, tables that are true, readers of the model. Snippets: tests/docs."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import lipseg
from lipseg import scheme
from lipseg.data.synthesize import draw_face
from lipseg.inference.card import DEFAULT_MODEL, FORMAT

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for folder in (".", "data", "docs", "benchmarks") for path in (ROOT / folder).glob("*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODEL_PAGE = (ROOT / "docs" / "model-folder.md").read_text(encoding="utf-8")
READER = ROOT / "docs" / "run_onnx.py"


def test_readme_fits_a_look():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_s_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        if not target.startswith("app/"):  # written by `make docs`
            assert (page.parent / target).exists(), target


def test_the_table_of_stages_is_dvc_s():
    shown = re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8"), re.MULTILINE)
    stages = re.findall(r"^  ([a-z_]+):$", (ROOT / "dvc.yaml").read_text(encoding="utf-8").split("\nplots:")[0], re.M)
    assert shown == stages


def test_the_card_s_runtime_is_explained_key_by_key():
    whole = ("locator.relation", "conventions", "scheme")
    card = json.loads((DEFAULT_MODEL / "card.json").read_text(encoding="utf-8"))
    explained = set(re.findall(r"^\| `([a-z_.]+)`", MODEL_PAGE, re.MULTILINE))

    def names(section, before=""):
        for key, value in section.items():
            name = f"{before}{key}"
            if isinstance(value, dict) and name not in whole:
                yield from names(value, f"{name}.")
            else:
                yield name

    assert [name for name in names(card["runtime"]) if name not in explained] == []
    assert f"`format` on the card is {FORMAT}." in MODEL_PAGE


def test_the_page_s_numbers_are_the_shipped_model_s():
    runtime = json.loads((DEFAULT_MODEL / "card.json").read_text(encoding="utf-8"))["runtime"]
    shown = re.findall(r"^\| `([a-z_.]+)` \(`?([^)`]+)`?\)", MODEL_PAGE, re.MULTILINE)
    assert len(shown) > 12
    for name, text in shown:
        value = runtime
        for key in name.split("."):
            value = value[key]
        if isinstance(value, float):
            assert text == f"{value:.{len(text.partition('.')[2])}f}", name
        else:
            assert text == (", ".join(value) if isinstance(value, dict) else json.dumps(value).strip('"')), name


@pytest.mark.parametrize("side", [120, 333, 900])  # pixels: of views that are enlarged, and shrunk by much
def test_the_model_folder_is_read_without_lipseg(side):
    reader = runpy.run_path(str(READER))
    segmenter = lipseg.LipSegmenter()
    for seed, state, off in ((3, "smile", 0.0), (8, "laugh", 0.1)):
        image, points = draw_face(np.random.default_rng(seed), state, side)
        lips = points[scheme.HELEN_LIPS]
        shift = off * np.ptp(lips[:, 0])
        box = [*(lips.min(0) + shift), *(lips.max(0) + shift)]
        (expected,) = segmenter(image, boxes=[box])
        found, score = reader["landmarks"](DEFAULT_MODEL, image, box)
        pixel = max(1.0, 1.6 * np.ptp(lips[:, 0]) / 80)  # of the view, where that is coarser than the picture
        np.testing.assert_allclose(found, expected.landmarks, atol=0.1 * pixel)
        assert score == pytest.approx(expected.score, abs=0.01)


def test_the_reader_is_short_and_needs_no_lipseg():
    text = READER.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert re.search(r"^\s*(import|from) lipseg", text, re.MULTILINE) is None
