"""``lipseg info``: what a model is."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lipseg.model.folder import DEFAULT_MODEL, read_card

# A list longer than this is told by its length; --json shows it whole.
_LONGEST_LIST = 12


def info(
    model: Annotated[Path, typer.Argument(metavar="[MODEL]", help="Folder of the model.", show_default=True)] = (
        DEFAULT_MODEL
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as it is, as JSON.")] = False,
) -> None:
    """Print a model's card: how it was trained, what it looks at, how well it does."""
    card = read_card(model)
    if as_json:
        typer.echo(json.dumps(card, indent=2))
        return
    typer.echo(f"model: {model}")
    for line in _lines(card):
        typer.echo(line)


def _lines(value: dict[str, Any], indent: int = 0) -> list[str]:
    """Returns a card as text: a line a value, sections indented below their names, short values before them."""
    pad = "  " * indent
    lines: list[str] = []
    sections: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            gap = [""] if indent == 0 else []
            sections += [*gap, f"{pad}{key}:", *_lines(item, indent + 1)]
        else:
            lines.append(f"{pad}{key}: {_short(item)}")
    return lines + sections


def _short(item: Any) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, float):
        return f"{item:.5g}"
    if item is None:
        return "-"
    if isinstance(item, list):
        return f"({len(item)} values)" if len(item) > _LONGEST_LIST else ", ".join(map(_short, item))
    return str(item)
