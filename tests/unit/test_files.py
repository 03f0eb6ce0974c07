"""Files and folders are whole or absent."""

import subprocess
import sys

import pytest

from lipseg.errors import OutputError
from lipseg.files import claimed, whole_file, whole_folder


def fail(context, error):
    """Writes something and fails before the end of the block."""
    with context as partial:
        (partial / "half" if partial.is_dir() else partial).write_text("half")
        raise error


def test_a_file_takes_its_place_at_the_end(tmp_path):
    path = tmp_path / "new" / "a.json"
    with whole_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert (partial.parent, partial.suffix, partial.name[0]) == (path.parent, ".json", ".")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_file_that_fails_changes_nothing(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error):
        fail(whole_file(path), error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_never_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.json"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_takes_its_place_at_the_end(tmp_path):
    folder = tmp_path / "deep" / "out"
    left = tmp_path / "deep" / ".out.partial"
    left.mkdir(parents=True)
    (left / "of a run that was killed").write_text("")
    for content in ("first", "second"):
        with whole_folder(folder) as partial:
            assert list(partial.iterdir()) == []
            (partial / content).write_text(content)
            assert not (folder / content).exists()
        assert [path.name for path in folder.iterdir()] == [content]
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_folder_that_fails_changes_nothing(tmp_path, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("")
    with pytest.raises(error):
        fail(whole_folder(tmp_path / "out"), error)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["out", "out/old"]


def in_another_process(tmp_path, program):
    """Starts a program that prints a line when it has begun; returns it once it has."""
    command = [sys.executable, "-u", "-c", f"from lipseg.files import *\nfrom pathlib import Path\n{program}"]
    running = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    return running


PROGRAMS = {
    "file": "with whole_file(Path('out')) as p:\n p.write_text('half'); print('begun'); input(); p.write_text('first')",
    "folder": "with whole_folder(Path('out')) as p:\n (p/'half').touch(); print('begun'); input(); (p/'first').touch()",
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_of_two_processes_that_write_the_same_thing_the_second_is_refused(tmp_path, kind):
    whole = whole_file if kind == "file" else whole_folder
    first = in_another_process(tmp_path, PROGRAMS[kind])
    with pytest.raises(OutputError, match="out: another run is writing it"), whole(tmp_path / "out"):
        pytest.fail("both write")
    first.communicate("\n")
    assert first.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    if kind == "file":
        assert (tmp_path / "out").read_text() == "first"
    else:
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first", "half"]


@pytest.mark.parametrize("kind", PROGRAMS)
def test_what_a_killed_process_leaves_is_taken_over(tmp_path, kind):
    first = in_another_process(tmp_path, PROGRAMS[kind])
    first.kill()
    first.communicate()
    assert [path.name for path in tmp_path.iterdir()] == [".out.partial"]
    whole = whole_file if kind == "file" else whole_folder
    with whole(tmp_path / "out") as partial:
        (partial / "new" if kind == "folder" else partial).write_text("n")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    if kind == "file":
        assert (tmp_path / "out").read_text() == "n"
    else:
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]


@pytest.mark.parametrize("to_folder", [False, True])
def test_a_link_in_the_way_leads_nowhere(tmp_path, to_folder):
    """Whoever may write into the folder does not choose what its owner overwrites."""
    victim = tmp_path / "victim"
    (tmp_path / "here").mkdir()
    if to_folder:
        victim.mkdir()
        (victim / "kept").write_text("kept")
        (tmp_path / "here/.out.partial").symlink_to(victim)
        with whole_folder(tmp_path / "here/out") as partial:
            (partial / "new").touch()
        assert (victim / "kept").read_text() == "kept"
    else:
        victim.write_text("kept")
        (tmp_path / "here/.a.partial.json").symlink_to(victim)
        (tmp_path / "here/a.json").symlink_to(victim)
        with whole_file(tmp_path / "here/a.json") as partial:
            partial.write_text("new")
        assert victim.read_text() == "kept"
        assert not (tmp_path / "here/a.json").is_symlink()
    assert len(list((tmp_path / "here").iterdir())) == 1


def test_a_folder_is_claimed_by_one_process(tmp_path):
    first = in_another_process(tmp_path, "with claimed(Path('.')):\n print('begun'); input()")
    with pytest.raises(OutputError, match="another run is writing into it"), claimed(tmp_path):
        pytest.fail("both have it")
    first.communicate("\n")
    with claimed(tmp_path):
        pass
