"""The registry of dataset readers."""

import pytest

from lipseg.data import annotations
from lipseg.data.annotations import get_reader, helen, ibug, reader_names, register, synthetic
from lipseg.errors import DataError


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(annotations, "_READERS", dict(annotations._READERS))


def read_nothing(root):
    return iter(())


def test_the_built_in_readers_are_there():
    assert reader_names() == ["celebamask", "helen", "ibug", "masks", "synthetic"]
    assert get_reader("helen") is helen.read
    assert get_reader("ibug") is ibug.read
    assert get_reader("synthetic") is synthetic.read


def test_a_registered_reader_is_found_by_its_name():
    register("mine", read_nothing)
    assert get_reader("mine") is read_nothing
    assert "mine" in reader_names()


@pytest.mark.parametrize("name", ["helen", "mine"])
def test_a_name_is_given_once(name):
    if name == "mine":
        register(name, read_nothing)
    with pytest.raises(DataError, match=f"'{name}' exists already"):
        register(name, read_nothing)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"data\.source: no dataset reader named 'hellen'.*ibug, masks, synthetic"):
        get_reader("hellen")


def test_a_name_with_a_dot_is_a_module_outside_the_package(tmp_path, monkeypatch):
    (tmp_path / "my_faces_for_a_test.py").write_text("def read(root):\n    return iter(())\n")
    (tmp_path / "pkg_for_a_test").mkdir()
    (tmp_path / "pkg_for_a_test" / "faces.py").write_text("def read(root):\n    yield 1\n")
    (tmp_path / "pkg_for_a_test" / "empty.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(get_reader("pkg_for_a_test.faces")(tmp_path)) == [1]
    with pytest.raises(DataError, match=r"cannot load the reader 'pkg_for_a_test\.empty'"):
        get_reader("pkg_for_a_test.empty")
    with pytest.raises(DataError, match=r"no dataset reader named 'pkg_for_a_test\.nothing'"):
        get_reader("pkg_for_a_test.nothing")
