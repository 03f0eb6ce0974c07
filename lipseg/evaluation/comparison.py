"""What the report says in figures: headline, verdict and tables, ready to be laid out.

Figures are looked up in the summaries of ``metrics.summarise`` by dotted names such as "lips.f1_mean".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Summary = Mapping[str, Any]
Interval = Mapping[str, float | None]

NO_FIGURE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the tables: where it lies in a summary and how it reads.

    One with a sign, such as an offset, is the better the nearer it is to 0.
    """

    name: str
    label: str
    percent: bool = True
    larger_is_better: bool = False
    has_sign: bool = False

    def of(self, summary: Summary) -> float | None:
        """Returns the figure, None where it is missing or not finite."""
        return _look_up(summary, self.name)

    def text(self, value: float | None) -> str:
        """Returns a value as it is printed: per cent with two digits, anything else with three."""
        if value is None:
            return NO_FIGURE
        if self.has_sign:
            return f"{100 * value:+.2f}".replace("-", _MINUS)
        return f"{100 * value:.2f}" if self.percent else f"{value:.3f}"

    def signed(self, value: float) -> str:
        """Returns a difference as it is printed, with one digit more than the figure."""
        return (f"{100 * value:+.3f}" if self.percent else f"{value:+.4f}").replace("-", _MINUS)


@dataclass(frozen=True, slots=True)
class Difference:
    """Cascade minus base or minus control, with its 95 % interval, and what that says.

    Attributes:
        value, low, high: as they are printed.
        word: "better", "worse" or "no clear difference".
        css: the class of the cell: better, worse or same.
    """

    value: str
    low: str
    high: str
    word: str
    css: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table.

    Attributes:
        label: its figure.
        cells: a text for each system, and whether it is the best of the line.
        differences: one for each system that the cascade is compared with; None where there is no interval.
    """

    label: str
    cells: Sequence[tuple[str, bool]]
    differences: Sequence[Difference | None] = ()


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source's faces in one way of judging.

    Attributes:
        way: of judging.
        cells: a text for each of ``SOURCE_COLUMNS``.
        differences: one for each of ``SOURCE_DIFFERENCES``; None where there is no interval.
    """

    way: str
    cells: Sequence[str]
    differences: Sequence[Difference | None]


@dataclass(frozen=True, slots=True)
class Table:
    """The figures on one kind of boxes.

    Attributes:
        boxes: the kind.
        meaning: what it is, a sentence; empty for a kind that is not known.
        faces: how many there are; None where that is not known.
        missed: faces by system, of those that missed any.
        systems: the columns.
        against: what the cascade is compared with.
        groups: lines under their titles.
    """

    boxes: str
    meaning: str
    faces: int | None
    missed: Mapping[str, int]
    systems: Sequence[str]
    against: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Line]]]


_LABELS = {"mouth": "mouth", "lips": "lips", "upper": "upper lip", "lower": "lower lip", "inner": "inner mouth"}


def _regions(figure: str, way: str = "", names: Sequence[str] = tuple(_LABELS)) -> tuple[Figure, ...]:
    return tuple(Figure(f"{way}{name}.{figure}", _LABELS[name], False, True) for name in names)


_THREE = ("mouth", "lips", "inner")
_PLACE = (Figure("right", "right", has_sign=True), Figure("down", "down", has_sign=True))
NME, LIPS = Figure("nme.mean", "NME, mean"), Figure("lips.f1_mean", "lips", False, True)
_GROUPS: tuple[tuple[str, tuple[Figure, ...]], ...] = (
    (
        "Landmarks, % of the inter-ocular distance",
        (
            NME,
            Figure("nme.median", "NME, median"),
            Figure("nme.p95", "NME, 95th percentile"),
            Figure("contour.mean", "outline distance, mean"),
        ),
    ),
    (
        "Landmarks, other",
        (
            Figure("nme_width.mean", "NME, % of the mouth's width"),
            Figure("failure_rate", "failures (NME above 10 % or missed), % of faces"),
            Figure("auc", "area under the error curve to 10 %", False, True),
        ),
    ),
    ("Place of the mouths off the annotated ones, % of their width", _PLACE),
    ("F1, mean over faces", _regions("f1_mean")),
    ("F1, mean over faces, aligned", _regions("f1_mean", "aligned.", _THREE)),
    ("F1, mean over faces, in each source's own convention", _regions("f1_mean", "own.", _THREE)),
    ("F1, pooled over pixels", _regions("f1_pooled")),
)
# Of the tables by source: how it is judged, and how the names of its figures begin.
_WAYS = {"as annotated": "", "aligned": "aligned.", "in its own convention": "own."}
_AGAINST = ("base", "control")
_OF_SOURCES = ("base", "cascade", "control", "mean_shape")
SOURCE_COLUMNS = (
    *(f"lips F1, {system.replace('_', ' ')}" for system in _OF_SOURCES),
    *("mouth F1, cascade", "inner F1, cascade", "right, %", "down, %"),
)
SOURCE_DIFFERENCES = tuple(f"{region} F1, minus {name}" for region in ("lips", "inner") for name in _AGAINST)
_TILES = (
    (NME, "NME", "of the inter-ocular distance"),
    (Figure("mouth.f1_mean", "mouth", False, True), "mouth F1", "mean over faces"),
    (LIPS, "lips F1", "mean over faces"),
    (Figure("contour.mean", "outline distance"), "outline distance", "of the inter-ocular distance"),
    (Figure("failure_rate", "failures"), "failures", "NME above 10 % or missed"),
)
# By the names of ``runs.BOXES``.
_BOXES = {
    "jittered": "Each mouth box is moved and rescaled at random as an imperfect detector would give it: this is what "
    "a user gets.",
    "exact": "The mouth box is the bounding box of the true landmarks, which no detector gives so exactly.",
}
SYSTEMS = {
    "base": "the network alone",
    "cascade": "the network, with the head of the face's own component",
    "control": "the network with one head fine-tuned on all faces, with the cascade's budget",
    "mean_shape": "the mean training landmarks laid into the box, no network at all",
}


def headline(metrics: Mapping[str, Mapping[str, Summary]]) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Returns the boxes and the system that lead the page, and (figure, label, unit) of each of its figures."""
    boxes = next(iter(_kinds(metrics)), "")
    systems = metrics.get(boxes, {})
    system = "cascade" if "cascade" in systems else next(iter(systems), "")
    found = ((figure, figure.of(systems.get(system, {})), label, unit) for figure, label, unit in _TILES)
    return (
        boxes,
        system,
        [
            (figure.text(value) + (" %" if figure.percent else ""), label, unit)
            for figure, value, label, unit in found
            if value is not None
        ],
    )


def verdict(
    metrics: Mapping[str, Mapping[str, Summary]], intervals: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Returns what the cascade gains on the leading boxes, in words: a clause a figure and system."""
    boxes = next(iter(_kinds(metrics)), "")
    clauses = []
    for against, (figure, label) in product(_AGAINST, ((NME, "NME"), (LIPS, "lips F1"))):
        interval = _interval(intervals.get(boxes, {}).get(against, {}), figure)
        base = figure.of(metrics.get(boxes, {}).get(against, {}))
        if interval is None or base is None:
            continue
        clauses.append(
            {
                "against": {"base": "base network"}.get(against, against),
                "label": label,
                "amount": figure.signed(abs(interval[0])).lstrip("+"),
                "unit": " percentage points" if figure.percent else "",
                "side": "below" if interval[0] < 0 else "above",
                "its": figure.text(base) + (" %" if figure.percent else ""),
                "difference": _difference(interval, figure),
            }
        )
    return clauses


def tables(metrics: Mapping[str, Mapping[str, Summary]], intervals: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """Returns a table for each kind of boxes that has figures; jittered ones, which a user gets, come first."""
    return [_table(boxes, metrics[boxes], intervals.get(boxes, {})) for boxes in _kinds(metrics)]


def by_source(sources: Mapping[str, Summary]) -> list[tuple[str, list[SourceLine]]]:
    """Returns the lines of every source under its name and number of faces.

    Args:
        sources: source -> ``faces``, ``systems`` and ``intervals`` (against -> differences), see ``runs.summary``.
    """
    return [
        (f"{source}, {part['faces']} faces", [_source_line(part, way) for way in _WAYS if _has(part, way)])
        for source, part in sources.items()
    ]


def _has(part: Summary, way: str) -> bool:
    """Whether the faces were judged in this way."""
    return Figure(f"{_WAYS[way]}lips.f1_mean", "").of(part["systems"]["cascade"]) is not None


def _source_line(part: Summary, way: str) -> SourceLine:
    mouth, lips, inner = _regions("f1_mean", _WAYS[way], _THREE)
    systems, cascade = part["systems"], part["systems"]["cascade"]
    cells = [lips.text(lips.of(systems[system])) for system in _OF_SOURCES]
    cells += [figure.text(figure.of(cascade)) for figure in (mouth, inner)]
    cells += [figure.text(figure.of(cascade)) if not _WAYS[way] else "" for figure in _PLACE]
    pairs = [(figure, part["intervals"].get(against, {})) for figure in (lips, inner) for against in _AGAINST]
    found = [(figure, _interval(intervals, figure)) for figure, intervals in pairs]
    return SourceLine(way, cells, [None if span is None else _difference(span, figure) for figure, span in found])


def small_table(systems: Mapping[str, Summary]) -> Table:
    """Returns the two figures of a component's card."""
    shown = (Figure(NME.name, "NME, %"), Figure(LIPS.name, "lips F1", False, True))
    lines = [line for figure in shown if (line := _line(figure, systems, {}))]
    return Table("", "", None, {}, list(systems), (), [("", lines)] if lines else [])


def _table(boxes: str, systems: Mapping[str, Summary], intervals: Mapping[str, Any]) -> Table:
    groups = [
        (title, [line for figure in group if (line := _line(figure, systems, intervals))]) for title, group in _GROUPS
    ]
    return Table(
        boxes,
        _BOXES.get(boxes, ""),
        next((part.get("faces") for part in systems.values()), None),
        {name: part["missed"] for name, part in systems.items() if part.get("missed")},
        list(systems),
        [against for against in _AGAINST if intervals.get(against)],
        [(title, lines) for title, lines in groups if lines],
    )


def _line(figure: Figure, systems: Mapping[str, Summary], intervals: Mapping[str, Any]) -> Line | None:
    values = [figure.of(summary) for summary in systems.values()]
    known = [figure.text(value) for value in values if value is not None]
    if not known:
        return None
    # Compared as printed: two figures that read the same are equally good.
    best = _best(known, figure) if len(set(known)) > 1 else None
    spans = [_interval(intervals[against], figure) for against in _AGAINST if intervals.get(against)]
    differences = [None if span is None else _difference(span, figure) for span in spans]
    return Line(figure.label, [(text, text == best) for text in map(figure.text, values)], differences)


def _best(texts: Sequence[str], figure: Figure) -> str:
    def value(text: str) -> float:
        number = float(text.replace(_MINUS, "-"))
        return abs(number) if figure.has_sign else number

    return (max if figure.larger_is_better else min)(texts, key=value)


def _kinds(metrics: Mapping[str, Mapping[str, Summary]]) -> list[str]:
    return [boxes for boxes in dict.fromkeys(("jittered", *metrics)) if metrics.get(boxes)]


def _difference(interval: tuple[float, float, float], figure: Figure) -> Difference:
    _, low, high = interval
    if low <= 0 <= high:
        word, css = "no clear difference", "same"
    else:
        word = css = "better" if (low > 0) == figure.larger_is_better else "worse"
    value, low_text, high_text = map(figure.signed, interval)
    return Difference(value, low_text, high_text, word, css)


def _interval(intervals: Mapping[str, Any], figure: Figure) -> tuple[float, float, float] | None:
    difference, low, high = (_look_up(intervals, f"{figure.name}.{key}") for key in ("difference", "low", "high"))
    return None if difference is None or low is None or high is None else (difference, low, high)


def _look_up(summary: Any, name: str) -> float | None:
    for part in name.split("."):
        summary = summary.get(part) if isinstance(summary, Mapping) else None
    return float(summary) if isinstance(summary, int | float) and math.isfinite(summary) else None
