"""Tables of the pages, and the pages' claims that code can check."""

import re

import pytest
from snippets import ROOT

import lipseg
from lipseg.mouth_clips import PRESETS


def text_of(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_table_of_presets_is_theirs():
    rows = re.findall(
        r"^\| `(\w+)` \| (\d+) x (\d+), (\d+)/s \| (grey|colour)(, not turned)? \| (\d+) px",
        text_of("mouth-clips.md"),
        re.M,
    )
    shown = {
        name: (int(w), int(h), float(fps), colour == "grey", bool(flat), float(mouth))
        for name, w, h, fps, colour, flat, mouth in rows
    }
    assert shown == {
        name: (p.width, p.height, p.fps, p.grey, p.align == "none", p.mouth_px) for name, p in PRESETS.items()
    }


@pytest.mark.parametrize("name", lipseg.__all__)
def test_every_public_name_has_a_tested_example(name):
    sections = re.split(r"^## ", text_of("python.md"), flags=re.MULTILINE)
    examples = [
        part for part in sections if f"lipseg.{name}" in "".join(re.findall(r"```python\n(.*?)```", part, re.S))
    ]
    assert examples
    assert name == "__version__" or any(f"\n::: lipseg.{name}\n" in part for part in examples)


def test_the_names_of_mouth_clips_have_examples():
    import lipseg.mouth_clips

    shown = "".join(re.findall(r"```python\n(.*?)```", text_of("mouth-clips.md"), re.S))
    assert [name for name in ("PRESETS", "MouthClips", "cut_clips", "mouth_frames") if name not in shown] == []
    listed = re.search(r"::: lipseg.mouth_clips\n.*?members: \[(.*?)\]", text_of("python.md"), re.S)
    assert {*listed[1].split(", "), "PRESETS"} == set(lipseg.mouth_clips.__all__)


def test_every_command_has_its_help_on_the_page():
    import typer.main

    from lipseg.cli.app import app

    names = set(typer.main.get_command(app).commands)
    assert set(re.findall(r"^## lipseg (\w+)$", text_of("commands.md"), re.M)) == names
    assert set(re.findall(r"printed by: lipseg (\w+) --help -->", text_of("commands.md"))) == names


def test_the_table_of_exit_codes_is_complete():
    from lipseg.cli.exit_codes import ExitCode

    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", text_of("commands.md"), re.M)}
    assert shown == {int(code) for code in ExitCode}


def test_the_table_of_extras_is_the_project_s():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shown = set(re.findall(r"^\| `(\w+)` \|", text_of("index.md"), re.M))
    assert shown == set(project["optional-dependencies"])


def test_the_sources_of_the_table_have_readers():
    from lipseg.data.annotations import reader_names

    rows = [row for row in text_of("train.md").splitlines() if row.startswith("|") and "datasets.md" in row]
    shown = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert shown == set(reader_names()) - {"synthetic"}


def test_every_benchmark_is_explained():
    programs = {file.stem for file in (ROOT / "benchmarks").glob("*.py") if "ArgumentParser(" in file.read_text()}
    shown = re.findall(r"^## (\w+): ", text_of("benchmarks.md"), re.M)
    assert sorted(shown) == sorted(programs)
