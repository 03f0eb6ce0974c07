"""Files and folders are whole or absent."""

import errno
import os
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


@pytest.mark.parametrize("kind", [whole_file, whole_folder])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EFBIG])
def test_a_full_disk_is_told_with_the_place(tmp_path, kind, number):
    with pytest.raises(OutputError) as caught:
        fail(kind(tmp_path / "out"), OSError(number, os.strerror(number)))
    assert str(caught.value) == f"{tmp_path}/out: cannot be written ({os.strerror(number)})"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [whole_file, whole_folder])
def test_a_place_that_cannot_be_written_is_told(tmp_path, kind):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"file/under/out: cannot be written \(Not a directory\)"),
        kind(tmp_path / "file" / "under" / "out"),
    ):
        pytest.fail("nothing can be written there")


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


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_kill_while_a_folder_takes_its_place_leaves_no_part_of_the_old_one(tmp_path, moves):
    """Killed while the old folder is removed, or between two of the moves before that."""
    program = f"""
import os, shutil
moves, replace = [], os.replace
def half(path, *args, **options):
    os.unlink(Path(path, 'a'))
    os._exit(9)
def counted(*args):
    if len(moves) == {moves}: os._exit(9)
    replace(*args); moves.append(args)
with whole_folder(Path('out')) as p:
    (p / 'a').write_text('new'); (p / 'b').write_text('new')
    shutil.rmtree = half
    {"os.replace = counted" if moves < 2 else ""}
"""
    (tmp_path / "out").mkdir()
    old, new = ({name: text for name in "ab"} for text in ("old", "new"))
    for name, text in old.items():
        (tmp_path / "out" / name).write_text(text)

    def found():
        return {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}

    command = [sys.executable, "-c", f"from lipseg.files import *\nfrom pathlib import Path\n{program}"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 9
    if moves == 1:
        assert not (tmp_path / "out").exists()
    else:
        assert found() == (new if moves == 2 else old)
    # A next run that fails: what was there before is there again.
    with pytest.raises(KeyboardInterrupt):
        fail(whole_folder(tmp_path / "out"), KeyboardInterrupt)
    assert found() == (new if moves == 2 else old)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_to_a_folder_is_replaced_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/old").touch()
    (tmp_path / "out").symlink_to(tmp_path / "kept")
    with whole_folder(tmp_path / "out") as partial:
        (partial / "new").touch()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        *("kept", "kept/old", "out", "out/new")
    ]
    assert not (tmp_path / "out").is_symlink()


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
