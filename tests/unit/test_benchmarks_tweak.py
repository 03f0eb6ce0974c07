"""The table of what the heads bring: read from finished runs, by source, and with one component."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import tweak
from lipseg.data.tables import write_rows
from lipseg.errors import DataError
from lipseg.model.weights import save_arrays

NAMES = [f"celebamask/{i}" for i in range(6)] + [f"helen/{i}" for i in range(4)]


@pytest.fixture
def folder(tmp_path):
    """A finished run whose cascade gains .01 over the control, and the control .002 over the base."""
    gains = {"base": 0.0, "control": 0.002, "cascade": 0.012, "mean_shape": -0.5}
    rows = [
        {
            "name": name,
            "boxes": boxes,
            "system": system,
            "lips_f1": 0.8 + gain,
            "mouth_f1": 0.9,
            "inner_f1": float("nan") if name == "helen/0" else 0.7 + gain * (boxes == "jittered"),
        }
        for boxes in ("jittered", "exact")
        for system, gain in gains.items()
        for name in NAMES
    ]
    for part in ("reports/results", "data/heads"):
        (tmp_path / part).mkdir(parents=True)
    write_rows(tmp_path / "reports" / "results" / "per_face.csv", rows)
    told = {"components": [{"won": True}, {"won": False}], "control": {"won": True}}
    save_arrays(tmp_path / "data" / "heads" / "heads.safetensors", {"a": np.zeros(1, np.float32)}, told)
    (tmp_path / "params.yaml").write_text((Path(__file__).parents[2] / "params.yaml").read_text())
    return tmp_path


def test_differences_are_those_on_the_same_faces(folder):
    lines = list(tweak.lines(folder, 200))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:4] for row in cells[:3]] == [
        ["width 16, 64 px", "2, 1 of their own", "all", "10"],
        ["width 16, 64 px", "2, 1 of their own", "celebamask", "6"],
        ["width 16, 64 px", "2, 1 of their own", "helen", "4"],
    ]
    assert [row[1] for row in cells[3:]] == ["1", "1", "1"]
    for row in cells[:3]:  # lips, inner and mouth, each minus base and minus control
        assert row[4:] == ["+12.0 [+12.0, +12.0]", "+10.0 [+10.0, +10.0]"] * 2 + ["+0.0 [+0.0, +0.0]"] * 2
    for row in cells[3:]:
        assert row[4:6] == ["+2.0 [+2.0, +2.0]", "+0.0 [+0.0, +0.0]"]


def test_the_command_prints_a_table(folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tweak", str(folder), str(folder), "--resamples", "100"])
    tweak.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * 6
    assert {line.count("|") for line in lines} == {11}


def test_results_of_other_faces_are_refused(folder):
    path = folder / "reports" / "results" / "per_face.csv"
    path.write_text(path.read_text().replace("helen/1,jittered,cascade", "helen/9,jittered,cascade"))
    with pytest.raises(DataError, match=r"per_face\.csv: base, control and cascade are not those of the same faces"):
        list(tweak.lines(folder, 100))
