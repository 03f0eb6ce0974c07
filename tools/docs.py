"""Writes what commands print into the pages, and the browser's page beside them where it was built.

What follows a line ``<!-- printed by: lipseg ... -->`` on a page of ``docs/`` is what this command prints; it is
committed, so that the pages can be read in a clone, and a test holds it fresh. ``python -m tools.docs`` writes it anew
and fills ``docs/app``, which git ignores; ``make docs`` then builds the site.
"""

import contextlib
import io
import os
import re
import shutil
from pathlib import Path
from unittest import mock

from lipseg.cli.app import main

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "web" / "dist" / "page"
APP = ROOT / "docs" / "app"
_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>lipseg in the browser</title>
<p>This site was built without the browser's page. In a clone, <code>make web docs</code> builds both.</p></html>
"""
_PRINTED = re.compile(r"(^<!-- printed by: lipseg (.+?) -->\n```text\n).*?(^```$)", re.MULTILINE | re.DOTALL)


def said(*words: str) -> str:
    """Returns what a command prints on standard output, where a terminal is 80 columns wide.

    Raises:
        RuntimeError: if it fails.
    """
    out = io.StringIO()
    with contextlib.redirect_stdout(out), mock.patch.dict(os.environ, {"COLUMNS": "80"}):
        try:
            main(list(words))
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"lipseg {' '.join(words)}: exit code {stop.code}") from None
    return out.getvalue()


def refreshed(page: str) -> str:
    """Returns a page's text with what its commands print now."""

    def printed(block: re.Match[str]) -> str:
        # Where the model's folder lies is no matter of the page.
        lines = [line for line in said(*block[2].split()).splitlines() if not line.startswith("model: ")]
        return block[1] + "\n".join(line.rstrip() for line in lines) + "\n" + block[3]

    return _PRINTED.sub(printed, page)


def refresh(folder: Path) -> None:
    """Writes what their commands print into the pages of a folder."""
    for page in sorted(folder.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (new := refreshed(text)) != text:
            page.write_text(new, encoding="utf-8")


def copy_page(page: Path, app: Path) -> None:
    """Puts the browser's page at ``app``; where it was not built, a page that says so."""
    shutil.rmtree(app, ignore_errors=True)
    if (page / "index.html").exists():
        # Whoever serves the site decides whether it compresses.
        shutil.copytree(page, app, ignore=shutil.ignore_patterns("*.br"))
    else:
        app.mkdir(parents=True)
        (app / "index.html").write_text(_NOT_BUILT, encoding="utf-8")


if __name__ == "__main__":
    refresh(ROOT / "docs")
    copy_page(PAGE, APP)
