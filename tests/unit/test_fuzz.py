"""Every reader on a few hundred damaged files and on those that it once failed on; `make fuzz` reads many more."""

from itertools import islice

import pytest
from fuzzing import READERS, cases, check, inputs

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
