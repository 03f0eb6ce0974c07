"""``lipseg batch`` before there is work: what is wrong is one line, and nothing has been done."""

import sys

import pytest

pytest.importorskip("pyarrow", reason="needs lipseg[parquet]")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["photos", "-o", "out", "--resume", "--force"], 2, "--resume and --force: give one of them"),
        (["photos", "-o", "out", "--convention", "nobody"], 2, "--convention: this model has no convention 'nobody'"),
        (["photos", "-o", "out", "--model", "nowhere"], 4, "nowhere"),
    ],
)
def test_what_cannot_be_done_is_told(lips, tmp_path, words, code, message):
    (tmp_path / "photos").mkdir()
    found, _, said = lips("batch", *words)
    assert found == code
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["pyarrow", "ray"])
def test_a_library_that_is_missing_is_named_with_its_extra(lips, tmp_path, monkeypatch, missing):
    if missing == "ray":
        pytest.importorskip("fsspec", reason="needs lipseg[ray]")
    monkeypatch.setitem(sys.modules, missing, None)
    (tmp_path / "a.txt").write_text("a.jpg")
    found, _, said = lips("batch", "a.txt", "-o", "out")
    assert found == 2
    assert f"lipseg batch needs {missing}: pip install 'lipseg[ray]'" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["empty"], "empty: no picture, tar or Parquet file there"),
        (["gone.jpg"], "gone.jpg: no such file or folder"),
        (["a.jpg", "--address", "127.0.0.1:1"], "--address 127.0.0.1:1: no Ray cluster answers there"),
    ],
)
def test_what_is_not_there(lips, tmp_path, words, message):
    pytest.importorskip("ray", reason="needs lipseg[ray]")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.jpg").touch()
    found, _, said = lips("batch", *words, "-o", "out")
    assert found == 2
    assert message in said.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()
