"""Writes what the pages include: the help of every command, the model's card, the browser's page where it was built.

``python -m tools.docs`` fills ``build/docs`` and ``docs/app``, which git ignores; ``make docs`` then builds the site.
"""

import contextlib
import io
import shutil
from pathlib import Path

import typer.main

from lipseg.cli.app import app, main

ROOT = Path(__file__).parents[1]
SNIPPETS = ROOT / "build" / "docs"
PAGE = ROOT / "web" / "dist" / "page"
APP = ROOT / "docs" / "app"
_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>lipseg in the browser</title>
<p>This site was built without the browser's page. In a clone, <code>make web docs</code> builds both.</p></html>
"""


def said(*words: str) -> str:
    """Returns what a command prints on standard output.

    Raises:
        RuntimeError: if it fails.
    """
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main(list(words))
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"lipseg {' '.join(words)}: exit code {stop.code}") from None
    return out.getvalue()


def write_snippets(folder: Path) -> None:
    """Writes NAME.txt with the help of every command, and card.txt, into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        (folder / f"{name}.txt").write_text(said(name, "--help"), encoding="utf-8")
    # Without the line that says where the folder lies.
    (folder / "card.txt").write_text(said("info").partition("\n")[2], encoding="utf-8")


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
    write_snippets(SNIPPETS)
    copy_page(PAGE, APP)
