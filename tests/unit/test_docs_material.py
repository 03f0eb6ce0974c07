"""What `make docs` writes beside the pages: the commands' help, the card, the browser's page or a word in its place."""

from tools.docs import copy_page, write_snippets


def test_the_snippets_are_what_the_commands_print(tmp_path):
    write_snippets(tmp_path / "docs")
    assert {file.name for file in (tmp_path / "docs").iterdir()} >= {"predict.txt", "card.txt"}
    assert "--convention NAME" in (tmp_path / "docs" / "predict.txt").read_text()
    card = (tmp_path / "docs" / "card.txt").read_text()
    assert "weaknesses:" in card
    assert str(tmp_path.parent) not in card
    assert "/lipseg/shipped" not in card


def test_the_browser_s_page_is_copied_where_it_was_built(tmp_path):
    copy_page(tmp_path / "page", tmp_path / "app")
    assert "make web" in (tmp_path / "app" / "index.html").read_text()
    (tmp_path / "page" / "assets").mkdir(parents=True)
    for name in ("index.html", "assets/a.js", "assets/a.js.br"):
        (tmp_path / "page" / name).write_text(name)
    copy_page(tmp_path / "page", tmp_path / "app")
    assert (tmp_path / "app" / "index.html").read_text() == "index.html"
    assert [file.name for file in (tmp_path / "app" / "assets").iterdir()] == ["a.js"]
