"""Every reader on a few hundred damaged files and on those that it once failed on; `make fuzz` reads many more."""

from itertools import islice

import pytest
from fuzz_readers import READERS
from fuzzing import cases, check, inputs
from second_readings import FuzzError

from lipseg.boxes import Box
from lipseg.data import tracing
from lipseg.data.annotations import helen, ibug

# Files a reader.
RUNS = 200


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_gives_a_result_or_one_clear_error(name, tmp_path):
    results = 0
    for content in islice(inputs(name, 1), RUNS):
        try:
            results += check(name, content, tmp_path)
        except Exception:
            (tmp_path / "failed").write_bytes(content)
            raise
    # The seeds are sound: a reader that refuses everything is not tested.
    assert results > 0


@pytest.mark.parametrize("path", [path for name in READERS for path in cases(name)], ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")
def test_what_once_failed_does_so_no_more(path, tmp_path):
    check(path.parent.name, path.read_bytes(), tmp_path)


@pytest.mark.parametrize(
    ("name", "place", "attribute"),
    [
        ("helen", helen, "_points"),
        ("ibug", ibug, "_point"),
        ("masks", tracing, "trace"),
        ("celebamask", tracing, "trace"),
        ("boxes", Box, "from_texts"),
    ],
)
def test_a_reader_that_exchanges_axes_is_found(name, place, attribute, monkeypatch, tmp_path):
    own = getattr(place, attribute)
    seed = READERS[name].seeds()[0]
    check(name, seed, tmp_path)
    if name == "boxes":
        monkeypatch.setattr(place, attribute, lambda fields, origin: own([fields[at] for at in (1, 0, 3, 2)], origin))
    else:
        monkeypatch.setattr(
            place, attribute, lambda *given: own(*given)[::-1] if place is ibug else own(*given)[..., ::-1]
        )
    with pytest.raises(FuzzError):
        check(name, seed, tmp_path)


def test_a_reader_that_refuses_a_sound_file_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(helen, "_points", lambda lines: 0)
    with pytest.raises(FuzzError, match="a sound file is refused"):
        check("helen", READERS["helen"].seeds()[0], tmp_path)
