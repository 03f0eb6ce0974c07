"""dvc.yaml tells the truth: the code that a stage imports, the parameters that it reads, the options that it takes."""

import ast
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from lipseg.params import Params
from stages import deps

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
STAGES = yaml.safe_load(TEXT)["stages"]
SECTIONS = [field.name for field in fields(Params)]


def test_code_dependencies_are_up_to_date():
    assert deps.updated(TEXT) == TEXT, "run `make deps`"


def test_an_outdated_list_is_brought_up_to_date_and_data_stay():
    lines = TEXT.splitlines(keepends=True)
    start = lines.index("  crop:\n")
    gone = next(i for i in range(start, len(lines)) if lines[i].endswith("lipseg/data/crops.py\n"))
    spoilt = [*lines[:gone], *lines[gone + 1 :]]
    spoilt.insert(gone, "      - lipseg/data/gone.py\n")
    assert deps.updated("".join(spoilt)) == TEXT
    assert "${data.root}" in STAGES["crop"]["deps"]


def test_imports_are_followed():
    assert "lipseg/data/annotations/ibug.py" in deps.modules_of("crop")  # named as text, in the registry
    assert "lipseg/errors.py" in deps.modules_of("synthesize")  # through others
    assert "lipseg/training/fit.py" not in deps.modules_of("extract")


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


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_exactly_the_parameters_that_it_reads(stage):
    declared, read = STAGES[stage]["params"], params_read(stage)

    def covers(whole, part):
        return part == whole or part.startswith(f"{whole}.")

    assert [part for part in sorted(read) if not any(covers(whole, part) for whole in declared)] == []
    # A key may stand beside its whole section.
    sections = [part for part in declared if part.split(".")[0] == part or part.split(".")[0] not in declared]
    assert [whole for whole in sections if not any(covers(whole, part) for part in read)] == []
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
