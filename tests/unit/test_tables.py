"""Tables and records on disk."""

import json

import numpy as np
import pytest

from lipseg.data.tables import read_columns, read_json, write_json, write_rows
from lipseg.errors import DataError


def test_rows_come_back_as_columns(tmp_path):
    path = tmp_path / "deep" / "rows.csv"
    write_rows(path, [{"n": 1, "x": 0.12345678, "who": "a, b"}, {"n": 2, "x": np.float64(1e-9), "who": 'c "d"'}])
    assert read_columns(path) == {"n": [1.0, 2.0], "x": [0.123457, 1e-9], "who": ["a, b", 'c "d"']}
    assert [file.name for file in path.parent.iterdir()] == ["rows.csv"]


def test_a_column_with_a_hole_stays_text(tmp_path):
    write_rows(tmp_path / "rows.csv", [{"x": 1.5, "ok": True}, {"x": None, "ok": False}])
    assert read_columns(tmp_path / "rows.csv") == {"x": ["1.5", ""], "ok": ["True", "False"]}


def test_no_rows_are_a_file_without_columns(tmp_path):
    write_rows(tmp_path / "rows.csv", [])
    assert read_columns(tmp_path / "rows.csv") == {}


def test_rows_with_other_keys_leave_the_old_file(tmp_path):
    path = tmp_path / "rows.csv"
    write_rows(path, [{"a": 1}])
    with pytest.raises(ValueError, match="b"):
        write_rows(path, [{"a": 1}, {"b": 2}])
    assert read_columns(path) == {"a": [1.0]}


def test_json_is_rounded_and_finite(tmp_path):
    path = tmp_path / "deep" / "facts.json"
    write_json(path, {"x": [0.123456789, 2], "none": None, "nested": {"nan": float("nan"), "inf": float("inf")}})
    found = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found == {"x": [0.123457, 2], "none": None, "nested": {"nan": None, "inf": None}}
    assert read_json(path) == found
    assert [file.name for file in path.parent.iterdir()] == ["facts.json"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00\x01", b"a,b\n1\n"], ids=["missing", "binary", "short row"])
def test_a_table_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "rows.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"rows\.csv: .*again"):
        read_columns(path)


@pytest.mark.parametrize("content", [None, b"\xff", b"{"], ids=["missing", "binary", "cut off"])
def test_a_record_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "facts.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"facts\.json: .*again"):
        read_json(path)
