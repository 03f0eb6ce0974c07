"""The words beside the code: commands that parse, Python that compiles, files that are there, a reader of the model."""

import json
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer.main

import lipseg
from lipseg import scheme
from lipseg.cli.app import app
from lipseg.data.synthesize import draw_face
from lipseg.formats.registry import WRITERS
from lipseg.inference.card import DEFAULT_MODEL, FORMAT

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for folder in (".", "data", "docs", "benchmarks") for path in (ROOT / folder).glob("*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODEL_PAGE = (ROOT / "docs" / "model-folder.md").read_text(encoding="utf-8")
READER = ROOT / "docs" / "run_onnx.py"


def commands(program):
    """The words after a program's name, wherever README calls it: in blocks of commands and between back quotes."""
    lines = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    for line in [*lines, *re.findall(rf"`({program} [^`\s]+ [^`\n]+)`", README)]:
        for call in re.split(r" [|] ", line):
            words = shlex.split(call, comments=True)
            if words[:1] == [program]:
                yield words[1 : words.index(">") if ">" in words else None]


@pytest.mark.parametrize("words", list(commands("lipseg")), ids=" ".join)
def test_readme_s_commands_parse(words):
    name, *rest = words
    command = typer.main.get_command(app).commands[name]
    if rest != ["--help"]:
        given = command.make_context(name, list(rest)).params  # parses, and runs nothing
        assert set((given.get("formats") or "json").split(",")) <= set(WRITERS)


def test_readme_shows_every_command_and_target():
    assert {words[0] for words in commands("lipseg")} == set(typer.main.get_command(app).commands)
    targets = {words[0] for words in commands("make")}
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"repro", "test"} <= targets <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_s_python_compiles_and_its_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for code in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        compile(code, str(page), "exec")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target


def test_readme_s_table_of_stages_is_dvc_s():
    shown = re.findall(r"^\| `([a-z_]+)` \|", README[README.index("| stage |") :], re.MULTILINE)
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
