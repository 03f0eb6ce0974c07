"""dvc.yaml tells the truth: of a stage's code, of the parameters that it reads and of the options that it takes."""

import ast
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from lipseg.params import Params

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
STAGES = yaml.safe_load(TEXT)["stages"]
SECTIONS = [field.name for field in fields(Params)]


# The stages that train, measure and show: all but the one that says what the others' code is.
WORK = [stage for stage in STAGES if stage != "code"]
# Declared before its script reads it: the detector is chosen there next.
AHEAD: set[tuple[str, str]] = set()


def test_the_file_is_short_enough_to_be_read():
    assert len(TEXT.splitlines()) < 300


@pytest.mark.parametrize("stage", WORK)
def test_a_stage_has_one_code_dependency_and_it_is_its_own(stage):
    deps = STAGES[stage]["deps"]
    assert [name for name in deps if name.startswith("data/code")] == [f"data/code/{stage}.txt"]
    assert [name for name in deps if name.startswith(("lipseg", "stages")) and name.endswith(".py")] == []
    assert (ROOT / "stages" / f"{stage}.py").is_file()


def test_the_report_depends_on_its_template_which_is_no_python():
    assert "lipseg/evaluation/report.html.j2" in STAGES["report"]["deps"]
    assert (ROOT / "lipseg/evaluation/report.html.j2").is_file()


def params_read(stage):
    """What a stage's script reads of the parameters, as "section" or "section.key"; all if it hands them on."""
    tree = ast.parse((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    read = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Name)
            and node.id == "params"
            and isinstance(node.ctx, ast.Load)
            and id(node) not in inner
        ):
            return set(SECTIONS)
        if isinstance(node, ast.Call):
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if isinstance(argument, ast.Call) and getattr(argument.func, "id", "") == "load_params":
                    return set(SECTIONS)
        if isinstance(node, ast.Attribute) and id(node) not in inner and ast.unparse(node).startswith("params."):
            read.add(ast.unparse(node).removeprefix("params."))
    return read


@pytest.mark.parametrize("stage", WORK)
def test_a_stage_declares_exactly_the_parameters_that_it_reads(stage):
    declared, read = STAGES[stage]["params"], params_read(stage)
    if declared == [{"params.yaml": None}]:  # DVC's word for the whole file
        declared = SECTIONS

    def covers(whole, part):
        return part == whole or part.startswith(f"{whole}.")

    assert [part for part in sorted(read) if not any(covers(whole, part) for whole in declared)] == []
    unread = [whole for whole in declared if not any(covers(whole, part) for part in read)]
    assert [whole for whole in unread if (stage, whole) not in AHEAD] == []
    assert all(whole.split(".")[0] in SECTIONS for whole in declared)


@pytest.mark.parametrize("stage", STAGES)
def test_a_command_gives_the_options_of_its_script_and_names_declared_paths(stage):
    words = shlex.split(STAGES[stage]["cmd"])
    assert words[:3] == ["python", "-m", f"stages.{stage}"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    tree = ast.parse((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    call = next(n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "stages.paths")
    assert sorted(given) == sorted(f"--{keyword.arg}" for keyword in call.keywords)
    entries = [*STAGES[stage]["deps"], *STAGES[stage].get("outs", []), *STAGES[stage].get("metrics", [])]
    declared = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    for path in given.values():
        assert any(path == entry or path.startswith(f"{entry}/") for entry in declared), path


def test_dvc_s_run_cache_sees_every_parameter():
    """It leaves keys called ``size`` and ``nfiles`` out of what it compares (treeverse/dvc 10296)."""
    for path in (ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))):
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = {key for part in sections.values() if isinstance(part, dict) for key in part} | set(sections)
        assert names.isdisjoint({"size", "nfiles"}), path.name
