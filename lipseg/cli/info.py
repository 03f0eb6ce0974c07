"""``lipseg info``: what a model is."""

import contextlib
import json
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from lipseg.cli.printing import print_result
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


# Of the summary's table: name in the card, heading, whether it is an error (shown in per cent).
_SUMMARY_FIGURES = (
    ("lips_f1", "lips F1", False),
    ("lips_f1_own", "by --convention", False),
    ("inner_f1", "inner mouth F1", False),
    ("contour", "contour error", True),
)
_WHAT_FIGURES_ARE = (
    "F1 compares with the annotators' masks; 1 is perfect. By --convention: drawn as these annotators draw lips. "
    "Contour error: mean distance of the outlines, in per cent of the distance between the eyes."
)


def info(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder of the model.", show_default="lipseg's own"),
    ] = DEFAULT_MODEL,
    full: Annotated[bool, typer.Option("--full", help="Print the whole card but what is for machines.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as it is, as JSON.")] = False,
) -> None:
    """Print what a model is: its terms, what it learnt from, how well it does and where it fails.

    --full adds what the model is for, what it must not be used for, and all figures.

    Also checks that the networks are those that the card was written for.
    """
    card = read_card(model)
    check_networks(model, card)
    if as_json:
        print_result(json.dumps(card, indent=2))
        return
    try:
        lines = _whole(card, model / CARD) if full else _summary(card, model / CARD)
    except RecursionError as error:
        raise ModelError(f"{model / CARD}: nested too deeply; get the folder again") from error
    for line in [f"model: {model}", *lines]:
        print_result(printable(line))


def _whole(card: dict[str, Any], path: Path) -> list[str]:
    """Returns the card as text, but for what only machines read."""
    hidden = [name for name in _MACHINE_ONLY if name in card]
    known = _conventions(card, path)
    lines = [f"conventions, the reference first: {known}"] if known else []
    lines += _lines({name: value for name, value in card.items() if name not in hidden})
    return [*lines, "", f"lipseg info --json also shows: {', '.join(hidden)}"] if hidden else lines


def _summary(card: dict[str, Any], path: Path) -> list[str]:
    """Returns what a user should know first."""
    lines = [f"name: {_short(card.get('name'))}"]
    if isinstance(description := card.get("description"), str):
        lines += textwrap.wrap(description, _WIDTH)
    learnt = card["data"] if isinstance(card.get("data"), dict) else {}
    faces = f" {learnt['train']} faces" if isinstance(learnt.get("train"), int) else ""
    lines += _section("terms of the weights", card.get("licence"))
    lines += _section(f"learnt from{faces}", learnt.get("what"))
    if table := _accuracy(card.get("figures")):
        lines += ["", "accuracy on test faces:", *table, *_note(_WHAT_FIGURES_ARE)]
    if known := _conventions(card, path):
        lines += ["", f"conventions (--convention), the default first: {known}"]
    lines += _section("limits", card.get("weaknesses"))
    return [*lines, "", "lipseg info --full: what it is for, what it must not be used for, all figures; --json: all"]


def _section(name: str, entries: Any) -> list[str]:
    """Returns a list of the card under its name; nothing where the card has none."""
    if not isinstance(entries, list) or not entries:
        return []
    return ["", f"{name}:", *(line for entry in entries for line in _bullet(entry, "  "))]


def _accuracy(figures: Any) -> list[str]:
    """Returns the table of what the model reaches on each source; of a stranger's figures there may be none."""
    with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError, OverflowError):
        sources = {name: (part["faces"], part["cascade"]) for name, part in figures.get("sources", {}).items()}
        rows = sources or {"all": ("", figures["jittered"]["cascade"])}
        if (width := max(map(len, rows))) > _WIDTH:
            return []
        lines = [f"  {'':<{width}}  faces" + "".join(f"{heading:>17}" for _, heading, _ in _SUMMARY_FIGURES)]
        for name, (count, values) in rows.items():
            row = "".join(f"{_figure(values.get(key), error, 3).strip():>17}" for key, _, error in _SUMMARY_FIGURES)
            lines.append(f"  {name:<{width}}  {count:>5}" + row)
        return lines
    return []


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


def _note(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _bullet(text: Any, pad: str) -> list[str]:
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


def _figure(value: float | None, error: bool, digits: int = 4) -> str:
    if value is None:
        return f"{'-':>10}"
    return f"{value:>10.2%}" if error else f"{value:>10.{digits}f}"


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
