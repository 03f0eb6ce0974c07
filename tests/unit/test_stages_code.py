"""What a stage's code is: every module that it imports, by meaning and not by text."""

from pathlib import Path

import pytest

from lipseg.errors import DataError
from stages import code

ROOT = Path(__file__).parents[2]
HEADS = """\
import math
from typing import TYPE_CHECKING
from lipseg.geometry import side

if TYPE_CHECKING:
    from lipseg.drawing import Canvas

FACTOR = 2.0


class Head:
    weight = 1

    def grow(self, by: float) -> float:
        return self.weight + by * side(FACTOR)
"""


@pytest.fixture
def project(tmp_path):
    """A function that makes a project of one stage, with one file changed, and returns the code of that stage."""

    def made(change=None, path="lipseg/heads.py"):
        files = {
            "stages/__init__.py": "",
            "stages/tune.py": "from lipseg import heads\n\n\ndef main():\n    heads.Head().grow(1)\n",
            "lipseg/__init__.py": "from lipseg.everything import all_of_it\n",
            "lipseg/everything.py": "all_of_it = 1\n",
            "lipseg/drawing.py": "class Canvas: ...\n",
            "lipseg/geometry.py": "def side(x):\n    from lipseg.errors import LipsegError\n\n    return x\n",
            "lipseg/errors.py": "class LipsegError(Exception): ...\n",
            "lipseg/heads.py": HEADS,
        }
        if change is not None:
            before = files[path]
            files[path] = change(before)
            assert files[path] != before
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        code._tree.cache_clear()
        code._hash.cache_clear()
        return code.code_of("tune", tmp_path)

    return made


def paths_in(text):
    return [line.split(" ")[1] for line in text.splitlines()]


def test_a_line_for_every_module_of_which_a_result_may_depend(project):
    found = project()
    # Neither the front door, nor what is imported for type checkers; no error decides what comes out.
    assert paths_in(found) == ["lipseg/geometry.py", "lipseg/heads.py", "stages/tune.py"]
    assert found == project()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("FACTOR = 2.0", "FACTOR = 2.0  # of the side"),
        lambda text: text.replace("FACTOR = 2.0", 'FACTOR = 2.0\n"""Of the side."""'),
        lambda text: '"""Heads."""\n\n' + text,
        lambda text: text.replace("    weight", '    """A head."""\n\n    weight'),
        lambda text: text.replace("        return", '        """Returns more."""\n        return'),
        lambda text: text.replace("self.weight + by", "(self.weight\n                ) + by"),
        lambda text: text.replace("lipseg.drawing import Canvas", "lipseg.drawing import Canvas as C"),
    ],
    ids=["comment", "text", "module docstring", "class docstring", "docstring", "layout", "types"],
)
def test_what_changes_nothing_changes_no_code(project, change):
    before = project()
    assert project(change) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("2.0", "2.5"),
        lambda text: text.replace("weight + by", "weight - by"),
        lambda text: text.replace("grow", "shrink"),
        lambda text: text.replace("FACTOR = 2.0", "FACTOR = 2"),
        lambda text: text.replace("if TYPE_CHECKING:", "if not TYPE_CHECKING:"),
    ],
    ids=["number", "operator", "name", "type", "condition"],
)
def test_what_changes_something_changes_the_line_of_its_module(project, change):
    before, after = project(), project(change)
    differing = set(before.splitlines()) ^ set(after.splitlines())
    assert "lipseg/heads.py" in paths_in("\n".join(differing))
    assert "lipseg/geometry.py" not in paths_in("\n".join(differing))


def test_a_module_that_no_result_depends_on_and_one_that_is_not_imported_change_no_code(project):
    before = project()
    assert project(lambda text: text + "class NewError(LipsegError): ...\n", "lipseg/errors.py") == before
    assert project(lambda text: text + "x = 1\n", "lipseg/drawing.py") == before


def test_relative_imports_are_followed(project):
    found = project(lambda text: text.replace("from lipseg.geometry", "from .geometry") + "from . import everything\n")
    assert paths_in(found) == ["lipseg/everything.py", "lipseg/geometry.py", "lipseg/heads.py", "stages/tune.py"]


def test_a_file_that_is_no_python_is_named(project):
    with pytest.raises(DataError, match=r"heads\.py: cannot be read as Python"):
        project(lambda text: text + "def\n")


def test_the_stages_of_the_project():
    crop, finetune = paths_in(code.code_of("crop")), paths_in(code.code_of("finetune"))
    assert "lipseg/data/annotations/ibug.py" in crop  # named as text, in the registry
    assert {"lipseg/training/heads.py", "lipseg/model/nets.py", "stages/finetune.py"} <= set(finetune)
    assert "lipseg/training/fit.py" not in finetune
    assert not set(code.NO_RESULT) & {*crop, *finetune}
    assert all((ROOT / path).is_file() for path in code.NO_RESULT)


@pytest.mark.parametrize("stage", ["teach", "train_base", "extract", "finetune"])
def test_the_base_does_not_depend_on_the_tool(stage):
    # A training asks `stages.code` what it is; that must not make all that the package offers a part of it.
    paths = paths_in(code.code_of(stage))
    assert "lipseg/geometry.py" in paths
    assert not [path for path in paths if path.startswith(("lipseg/inference", "lipseg/tracking", "lipseg/makeup"))]
