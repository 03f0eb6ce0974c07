"""Files and folders are whole or absent."""

import pytest

from lipseg.files import whole_file, whole_folder


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
