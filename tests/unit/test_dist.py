"""A release's version comes from one place, and what differs is refused before anything is built."""

import json
import shutil

import pytest

from lipseg.inference.card import CASCADE, DEFAULT_MODEL, LOCATOR
from tools.dist import ROOT, DistError, check, check_browser, copies, stamp, version


@pytest.fixture
def project(tmp_path):
    """A copy of the files that hold the version, those of web/ made up."""
    for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "web").mkdir()
    package = {"name": "lipseg", "version": "0.0.1", "dependencies": {"other": "0.0.1"}}
    lock = {"name": "lipseg", "version": "0.0.1", "packages": {"": {"name": "lipseg", "version": "0.0.1"}}}
    (tmp_path / "web" / "package.json").write_text(json.dumps(package, indent=2))
    (tmp_path / "web" / "package-lock.json").write_text(json.dumps(lock, indent=2))
    return tmp_path


def test_every_place_has_the_version():
    check()


def test_stamp_writes_the_version_and_nothing_else(project):
    with pytest.raises(DistError, match=r"web/package.json: version 0.0.1, .*make version"):
        check(project)
    stamp(project)
    check(project)
    package, lock = (json.loads((project / "web" / name).read_text()) for name in ("package.json", "package-lock.json"))
    assert package == {"name": "lipseg", "version": version(), "dependencies": {"other": "0.0.1"}}
    assert lock["version"] == lock["packages"][""]["version"] == version()


def test_a_changelog_without_the_version_is_refused(project):
    stamp(project)
    file = project / "CHANGELOG.md"
    file.write_text(file.read_text().replace(f"## {version()}", "## 0.0.9", 1))
    with pytest.raises(DistError, match="CHANGELOG"):
        check(project)


def test_a_file_without_a_version_is_named(project):
    (project / "CITATION.cff").write_text("title: lipseg\n")
    with pytest.raises(DistError, match=r"CITATION.cff: holds no version"):
        copies(project)


def test_a_browser_s_library_of_another_model_is_refused(tmp_path):
    with pytest.raises(DistError, match="not built"):
        check_browser(tmp_path)
    (tmp_path / "lipseg.js").touch()
    (tmp_path / "model").mkdir()
    for name in (CASCADE, LOCATOR):
        shutil.copy(DEFAULT_MODEL / name, tmp_path / "model")
    check_browser(tmp_path)
    with (tmp_path / "model" / LOCATOR).open("ab") as file:
        file.write(b"other")
    with pytest.raises(DistError, match="make web"):
        check_browser(tmp_path)
