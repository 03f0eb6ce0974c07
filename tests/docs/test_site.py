"""The site, where `make site` has installed what it is built with: it builds strictly, and what is broken fails it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from snippets import ROOT

from tools.docs import copy_page

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings")

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path):
    """A copy of all that the site is built of."""
    for name in ("docs", "lipseg", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "app", "*.onnx"))
    for name in ("mkdocs.yml", "params.yaml", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    copy_page(tmp_path / "nowhere", tmp_path / "docs" / "app")
    return tmp_path


def build(project: Path) -> tuple[int, str]:
    """Returns the exit code of the command that `make docs` builds the site with, and what it says."""
    (line,) = re.findall(r"^\tmkdocs (build .*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    command = [sys.executable, "-m", "mkdocs", *shlex.split(line)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "true"}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stderr


def test_the_site_builds_and_has_every_page(project):
    with (project / "docs" / "video.md").open("a") as page:
        page.write("\n[what changed](../CHANGELOG.md#changelog), [the parameters](../params.yaml)\n")
    code, said = build(project)
    assert code == 0, said
    site = project / "build" / "site"
    built = {str(file.parent.relative_to(site)) for file in site.rglob("index.html")} - {"app"}
    pages = {"." if page.stem == "index" else page.stem for page in (ROOT / "docs").glob("*.md")}
    assert built == pages | {"changelog", "contributing"}
    assert "Keep a Changelog" in (site / "changelog" / "index.html").read_text(encoding="utf-8")
    # Files of the repository are pages, or words.
    video = (site / "video" / "index.html").read_text(encoding="utf-8")
    assert '<a href="../changelog/#changelog">what changed</a>, the parameters' in video
    assert (site / "app" / "index.html").exists()


def test_dead_links_and_unlisted_pages_fail_it(project):
    with (project / "docs" / "video.md").open("a") as page:
        page.write("\n[a](nowhere.md) [b](photos.md#nowhere)\n")
    (project / "docs" / "unlisted.md").write_text("# Unlisted\n")
    code, said = build(project)
    assert code != 0
    for culprit in ("nowhere.md", "#nowhere", "unlisted.md"):
        assert culprit in said
