"""What stands on the pages by machine: what commands print, which is fresh, and the browser's page or a word for it."""

from pathlib import Path

import pytest

from tools.docs import copy_page, refresh, refreshed

PAGES = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["commands.md", "model-card.md"])
def test_what_a_page_shows_of_a_command_is_what_it_prints(name):
    text = (PAGES / name).read_text(encoding="utf-8")
    assert "printed by: lipseg" in text
    assert refreshed(text) == text, "stale: run python -m tools.docs"


def test_a_stale_page_is_written_anew(tmp_path):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    mark = "<!-- printed by: lipseg info -->\n```text\n"
    page.write_text(f"# Page\n\n{mark}old\n```\n\nafter\n")
    other.write_text("# Other\n")
    refresh(tmp_path)
    text = page.read_text()
    assert text.startswith(f"# Page\n\n{mark}name: lipseg\n")
    assert text.endswith("; --json: all\n```\n\nafter\n")
    assert "old" not in text
    assert "/lipseg/shipped" not in text
    assert other.read_text() == "# Other\n"


def test_a_command_that_fails_stops_it():
    with pytest.raises(RuntimeError, match="lipseg info nowhere: exit code 4"):
        refreshed("<!-- printed by: lipseg info nowhere -->\n```text\n```\n")


def test_the_browser_s_page_is_copied_where_it_was_built(tmp_path):
    copy_page(tmp_path / "page", tmp_path / "app")
    assert "make web" in (tmp_path / "app" / "index.html").read_text()
    (tmp_path / "page" / "assets").mkdir(parents=True)
    for name in ("index.html", "assets/a.js", "assets/a.js.br"):
        (tmp_path / "page" / name).write_text(name)
    copy_page(tmp_path / "page", tmp_path / "app")
    assert (tmp_path / "app" / "index.html").read_text() == "index.html"
    assert [file.name for file in (tmp_path / "app" / "assets").iterdir()] == ["a.js"]
