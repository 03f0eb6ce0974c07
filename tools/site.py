"""What MkDocs does beside the pages (``hooks`` in ``mkdocs.yml``).

The pages are read in a clone too, so they link files of the repository, which the site does not have. There, links to
``../CHANGELOG.md`` and ``../CONTRIBUTING.md`` lead to pages made of these, and of the others the words are left.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]  (`make docs` installs it)

# Files of the repository that are pages of the site, by the pages' names.
PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
_LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)(#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made of files of the repository."""
    folder = Path(config.config_file_path).parent
    for name, source in PAGES.items():
        files.append(File.generated(config, name, content=(folder / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leads the links to files of the repository to their pages, or takes them out."""
    page_of = {source: name for name, source in PAGES.items()}

    def led(link: re.Match[str]) -> str:
        words, file, anchor = link.groups()
        return f"[{words}]({page_of[file]}{anchor or ''})" if file in page_of else words

    return _LINK.sub(led, markdown)
