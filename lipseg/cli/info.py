"""``lipseg info``: what a model is."""

import contextlib
import json
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from lipseg.errors import ModelError, printable
from lipseg.inference.card import CARD, DEFAULT_MODEL, check_networks, read_card

# A list longer than this is told by its length; --json shows it whole.
_LONGEST_LIST = 12
_WIDTH = 100
# Sections that only --json shows: long, and for machines rather than for readers.
_MACHINE_ONLY = ("params", "heads", "intervals", "runtime", "files")
# The figures of the table: name in the card, heading, whether it is an error (shown in per cent).
_FIGURES = (
    ("nme", "nme", True),
    ("contour", "contour", True),
    ("mouth_f1", "mouth_f1", False),
    ("lips_f1", "lips_f1", False),
    ("inner_f1", "inner_f1", False),
)


def info(
    model: Annotated[
        Path,
        typer.Argument(metavar="[MODEL]", help="Folder of the model.", show_default="lipseg's own"),
    ] = DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as it is, as JSON.")] = False,
) -> None:
    """Print a model's card: what it is for, what it was trained on, how well it does.

    Also checks that the networks are those that the card was written for.
    """
    card = read_card(model)
    check_networks(model, card)
    if as_json:
        typer.echo(json.dumps(card, indent=2))
        return
    typer.echo(printable(f"model: {model}"))
    if known := _conventions(card, model / CARD):
        typer.echo(printable(f"conventions, the reference first: {known}"))
    hidden = [name for name in _MACHINE_ONLY if name in card]
    try:
        lines = _lines({name: value for name, value in card.items() if name not in hidden})
    except RecursionError as error:
        raise ModelError(f"{model / CARD}: nested too deeply; get the folder again") from error
    for line in lines:
        typer.echo(printable(line))
    if hidden:
        typer.echo(f"\nlipseg info --json also shows: {', '.join(hidden)}")


def _conventions(card: dict[str, Any], path: Path) -> str:
    """Returns the names that --convention takes; "" for a card whose constants are damaged."""
    from lipseg.inference.runtime import Runtime

    try:
        runtime = Runtime.from_card(card, path)
    except ModelError:
        return ""
    return ", ".join([*filter(None, [runtime.reference]), *sorted(runtime.conventions)])


def _lines(value: dict[str, Any], indent: int = 0) -> list[str]:
    """Returns a card as text: a line a value, sections indented below their names, short values before them."""
    pad = "  " * indent
    lines: list[str] = []
    sections: list[str] = []
    for key, item in value.items():
        gap = [""] if indent == 0 else []
        name = key.replace("_", " ") if indent == 0 else key
        if key == "figures" and (table := _table_of(item, pad + "  ")):
            sections += [*gap, f"{pad}{name} (test faces):", *table]
        elif isinstance(item, dict) and item:
            sections += [*gap, f"{pad}{name}:", *_lines(item, indent + 1)]
        elif isinstance(item, list) and any(isinstance(entry, str) and " " in entry for entry in item):
            sections += [*gap, f"{pad}{name}:", *(line for entry in item for line in _bullet(entry, pad + "  "))]
        elif isinstance(item, str) and len(item) > _WIDTH:
            lines += textwrap.wrap(f"{name}: {item}", _WIDTH, initial_indent=pad, subsequent_indent=pad + "  ")
        else:
            lines.append(f"{pad}{name}: {_short(item)}")
    return lines + sections


def _bullet(text: str, pad: str) -> list[str]:
    return textwrap.wrap(str(text), _WIDTH, initial_indent=f"{pad}- ", subsequent_indent=f"{pad}  ")


def _table_of(figures: Any, pad: str) -> list[str]:
    """Returns the pipeline's headline figures as a table: boxes -> system -> figure, and the same by source.

    Of any other figures, such as a stranger's, there is none.
    """
    if isinstance(figures, dict) and all(isinstance(figures.get(boxes), dict) for boxes in ("jittered", "exact")):
        with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError, OverflowError):
            return _table(figures, pad)
    return []


def _table(figures: dict[str, Any], pad: str) -> list[str]:
    """Returns the systems' figures as a table, and what else the figures hold below it."""
    lines = [pad + f"{'':<26}" + "".join(f"{heading:>10}" for _, heading, _ in _FIGURES)]
    for boxes in ("jittered", "exact"):
        for system, values in figures[boxes].items():
            # Differences between systems are no figures of one.
            if isinstance(values, dict) and not isinstance(values.get(_FIGURES[-1][0], {}), dict):
                row = "".join(_figure(values.get(name), error) for name, _, error in _FIGURES)
                lines.append(pad + f"{f'{boxes} boxes, {system}':<26}" + row)
    sources = figures.get("sources", {})
    for source, part in sources.items() if len(sources) > 1 else ():
        row = "".join(_figure(part["cascade"].get(name), error) for name, _, error in _FIGURES)
        called = f"{source} ({part['faces']}), cascade"
        lines.append(pad + f"{called:<26}" + row)
    for name, part in figures.items():
        if name not in ("jittered", "exact", "sources") and isinstance(part, dict):
            lines.append(
                pad + f"{name}: " + ", ".join(f"{key.replace('_', ' ')} {_short(v)}" for key, v in part.items())
            )
    return lines


def _figure(value: float | None, error: bool) -> str:
    if value is None:
        return f"{'-':>10}"
    return f"{value:>10.2%}" if error else f"{value:>10.4f}"


def _short(item: Any) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, float):
        return f"{item:.5g}"
    if item is None:
        return "-"
    if item == {}:
        return "none"
    if isinstance(item, list):
        return f"({len(item)} values)" if len(item) > _LONGEST_LIST else ", ".join(map(_short, item))
    return str(item)
