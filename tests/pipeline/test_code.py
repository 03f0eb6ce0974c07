"""A changed line of code reruns the stages whose code it is and what follows from them; a changed comment none."""

import json

import pytest

from .conftest import Project, commit

pytestmark = pytest.mark.slow


def edit(project: Project, path: str, before: str, after: str) -> None:
    """Replaces the first occurrence of a piece of code."""
    file = project.root / path
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")


def append(project: Project, path: str, line: str) -> None:
    """Adds a line of code to the end of a file."""
    with (project.root / path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def test_a_comment_reruns_nothing(copied: Project) -> None:
    edit(copied, "lipseg/errors.py", "class ", "# What users may see.\nclass ")
    edit(copied, "lipseg/scheme.py", '"""', '"""Another first word. ')
    edit(copied, "stages/train_base.py", "def main() -> None:\n", 'def main() -> None:\n    """Trains."""\n')
    assert list(json.loads(copied.dvc("status", "--json").stdout)) == ["code"]
    assert copied.repro() == ["code"]
    assert copied.repro() == []
    assert "up to date" in copied.dvc("status").stdout


def test_code_reruns_the_stages_that_it_belongs_to(copied: Project) -> None:
    append(copied, "lipseg/training/heads.py", "_UNUSED = 1")
    assert copied.repro("statistics") == ["code"]  # whose code it is not
    # The heads come out as before, so that DVC finds nothing to do for those who read them.
    assert copied.repro() == ["finetune"]

    edit(copied, "lipseg/training/heads.py", "_UNUSED = 1", "_UNUSED = 2")
    append(copied, "lipseg/evaluation/report.py", "_UNUSED = 1")
    done = copied.dvc("repro", "--dry").stdout
    assert "Running stage 'code'" in done
    assert copied.repro("report") == ["code", "finetune", "report"]

    # Back to what it was: the run cache has all of it.
    edit(copied, "lipseg/training/heads.py", "_UNUSED = 2", "_UNUSED = 1")
    done = copied.dvc("repro", "finetune").stdout
    assert "Stage 'finetune' is cached" in done


def test_an_experiment_sees_changed_code(copied: Project) -> None:
    append(copied, "lipseg/training/em.py", "_UNUSED = 1")
    done = copied.dvc("exp", "run", "--name", "other-code", "cluster")
    assert "Running stage 'cluster'" in done.stdout
    assert "Running stage 'extract'" not in done.stdout
    commit(copied, "Other code")
    assert copied.repro() == []
