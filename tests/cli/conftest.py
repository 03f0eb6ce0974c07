"""What the tests of several commands share."""

import pytest

from lipseg.cli.app import main


@pytest.fixture
def lips(capsys, tmp_path, monkeypatch):
    """Runs ``lipseg`` in the test's folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run
