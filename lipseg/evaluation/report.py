"""The report of a run: one self-contained HTML page that explains every table and picture in it."""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from lipseg.evaluation.draw import COLOURS
from lipseg.evaluation.page import CSS
from lipseg.files import whole_file

Interval = Mapping[str, float | None]

# A page above this is encoded again with pictures of a lower quality.
_MOST_BYTES = 6_000_000
_QUALITIES = (85, 65, 45, 25)

_NO_FIGURE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and what it says.

    Attributes:
        title: what is shown, a few words.
        sentence: what the reader should see in it, one plain sentence.
        svg: bytes from ``lipseg.evaluation.figures`` or of a PNG.
    """

    title: str
    sentence: str
    svg: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with the line beneath it.

    Attributes:
        image: (height, width, 3) uint8 RGB.
        caption: for example name and NME of the face.
    """

    image: NDArray[np.uint8]
    caption: str


@dataclass(frozen=True, slots=True)
class Component:
    """One component of the mixture.

    Attributes:
        number: its index.
        counts: faces by split, e.g. ``{"train": 200, "validation": 40, "test": 31}``.
        mean_face: (height, width, 3) uint8 RGB, the mean crop of its training faces; None without a face.
        gallery: (height, width, 3) uint8 RGB crops of its most typical training faces, or one sheet of them.
        metrics: system ("base", "cascade") -> ``metrics.summarise`` of its test faces.
        kept: whether its own head replaced the base head; None where that is not known.
        note: a plain remark, e.g. which known mouth states it holds.
    """

    number: int
    counts: Mapping[str, int]
    mean_face: NDArray[np.uint8] | None
    gallery: Sequence[NDArray[np.uint8]] = ()
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kept: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows; an empty field leaves its section out.

    Attributes:
        title: heading of the page.
        subtitle: one line, e.g. data set, preset and date.
        dataset: facts in the order of display, e.g. ``{"source": "helen", "mouth width, median": "96 px"}``.
        splits: faces by split.
        skipped: unusable faces by reason.
        params: sections of ``params.yaml`` as nested mappings.
        metrics: box kind ("jittered", "true") -> system ("base", "cascade", "control") ->
            ``metrics.summarise``.
        intervals: box kind -> ``metrics.compare(base, cascade)``.
        anchors: box kind -> dotted name of a figure (e.g. "lips.f1_mean") -> text of a column "for comparison".
        anchors_title: heading of that column.
        training: charts of the base network's training.
        selection: charts of the choice of K.
        components: the mixture's components in order.
        heads: charts of the heads' fine-tuning.
        errors: charts of the test errors (CED, error by opening, …).
        calibration: charts of the score.
        examples: predictions on faces spread evenly over the ranks of the error.
        best: the faces of the smallest error, best first.
        worst: the faces of the largest error, worst first.
        notes: warnings and remarks, a sentence each; shown at the top.
    """

    title: str
    subtitle: str = ""
    dataset: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, Mapping[str, Interval]]] = field(default_factory=dict)
    anchors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    anchors_title: str = "for comparison"
    training: Sequence[Chart] = ()
    selection: Sequence[Chart] = ()
    components: Sequence[Component] = ()
    heads: Sequence[Chart] = ()
    errors: Sequence[Chart] = ()
    calibration: Sequence[Chart] = ()
    examples: Sequence[Picture] = ()
    best: Sequence[Picture] = ()
    worst: Sequence[Picture] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the metrics tables: where the figure lies in a summary and how it reads."""

    name: str
    label: str
    percent: bool = True
    larger_is_better: bool = False


_REGION_LABELS = {
    "mouth": "mouth",
    "lips": "lips",
    "upper": "upper lip",
    "lower": "lower lip",
    "inner": "inner mouth",
}


def _region_rows(figure: str) -> tuple[_Row, ...]:
    return tuple(
        _Row(f"{region}.{figure}", label, percent=False, larger_is_better=True)
        for region, label in _REGION_LABELS.items()
    )


_ROWS: tuple[tuple[str, tuple[_Row, ...]], ...] = (
    (
        "Landmarks, % of the inter-ocular distance",
        (
            _Row("nme.mean", "NME, mean"),
            _Row("nme.median", "NME, median"),
            _Row("nme.p95", "NME, 95th percentile"),
            _Row("contour.mean", "outline distance, mean"),
        ),
    ),
    (
        "Landmarks, other",
        (
            _Row("nme_width.mean", "NME, % of the mouth's width"),
            _Row("failure_rate", "failures (NME above 10 % or missed), % of faces"),
            _Row("auc", "area under the error curve to 10 %", percent=False, larger_is_better=True),
        ),
    ),
    ("F1, mean over faces", _region_rows("f1_mean")),
    ("F1, pooled over pixels", _region_rows("f1_pooled")),
)
_NME, _LIPS = _ROWS[0][1][0], _ROWS[2][1][1]

_BOXES = {
    "jittered": "Each mouth box is moved and rescaled at random as an imperfect detector would give it: this is what "
    "a user gets.",
    "true": "The mouth box is the bounding box of the true landmarks, which no detector gives so exactly.",
}
_SYSTEMS = {
    "base": "the network alone",
    "cascade": "the network, with the head of the face's own component",
    "control": "the network with one head fine-tuned on all faces",
    "mean_shape": "the mean training landmarks laid into the box, no network at all",
}


def write_report(path: Path, content: Report) -> None:
    """Writes the page whole or not at all.

    Args:
        path: of the HTML file; its folder is made where it is missing.
        content: what to show.
    """
    page = render(content).encode("utf-8")
    for quality in _QUALITIES[1:]:
        if len(page) <= _MOST_BYTES:
            break
        page = render(content, quality=quality).encode("utf-8")
    with whole_file(path) as partial:
        partial.write_bytes(page)


def render(content: Report, *, quality: int = _QUALITIES[0]) -> str:
    """Returns the page as HTML that needs no other file, no script and no network.

    Args:
        content: what to show.
        quality: of the JPEG pictures, 1 to 100.
    """
    sections = [
        ("results", "Results", "Results", _results(content)),
        ("faces", "Predictions", "Predictions", _faces(content, quality)),
        ("errors", "Errors", "Where the errors are", _charts(content.errors)),
        ("score", "Score", "What the score is worth", _charts(content.calibration)),
        ("training", "Training", "Training of the base network", _charts(content.training)),
        ("selection", "Choice of K", "Choice of the number of components", _charts(content.selection)),
        ("components", "Components", "Components", _components(content, quality)),
        ("heads", "Heads", "Fine-tuning of the heads", _charts(content.heads)),
        ("data", "Data", "Data", _data(content)),
        ("params", "Parameters", "Parameters", _params(content.params)),
    ]
    shown = [section for section in sections if section[-1]]
    links = "".join(f'<a href="#{key}">{short}</a>' for key, short, _, _ in shown)
    bodies = "".join(f'<section id="{key}"><h2>{title}</h2>{body}</section>' for key, _, title, body in shown)
    subtitle = f'<p class="subtitle">{escape(content.subtitle)}</p>' if content.subtitle else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(content.title)}</title><style>{CSS}</style></head><body>"
        f"<header><h1>{escape(content.title)}</h1>{subtitle}</header>"
        f"{_tiles(content)}{_verdict(content)}{_notes(content.notes)}"
        f"<nav>{links}</nav><main>{bodies}</main></body></html>\n"
    )


def _tiles(content: Report) -> str:
    kind, systems = _headline(content)
    system = "cascade" if "cascade" in systems else next(iter(systems), "")
    summary = systems.get(system, {})
    figures = (
        ("nme.mean", "NME", "of the inter-ocular distance", True),
        ("mouth.f1_mean", "mouth F1", "mean over faces", False),
        ("lips.f1_mean", "lips F1", "mean over faces", False),
        ("contour.mean", "outline distance", "of the inter-ocular distance", True),
        ("failure_rate", "failures", "NME above 10 % or missed", True),
    )
    tiles = []
    for name, label, unit, percent in figures:
        value = _look_up(summary, name)
        if value is not None:
            number = f"{100 * value:.2f} %" if percent else f"{value:.3f}"
            tiles.append(f'<div class="tile"><b>{number}</b><span>{label}</span><small>{unit}</small></div>')
    if not tiles:
        return ""
    where = f"{escape(system)}, test faces, {escape(kind)} boxes"
    return f'<p class="where">{where}</p><div class="tiles">{"".join(tiles)}</div>'


def _verdict(content: Report) -> str:
    """Returns what the cascade gains over the base, in words, from the interval of the headline boxes."""
    kind, systems = _headline(content)
    clauses = []
    for row, figure in ((_NME, "NME"), (_LIPS, "lips F1")):
        interval = _interval(content, kind, row.name)
        base = _look_up(systems.get("base", {}), row.name)
        if interval is None or base is None:
            continue
        difference, low, high = interval
        word, css = _judged(interval, row.larger_is_better)
        unit = " percentage points" if row.percent else ""
        amount = f"{_signed(abs(difference), row.percent).lstrip('+')}{unit} {'below' if difference < 0 else 'above'}"
        clauses.append(
            f"its {figure} is {amount} the base network's {_number(base, row.percent)}{' %' if row.percent else ''} "
            f"(95 % interval of the difference {_signed(low, row.percent)} to {_signed(high, row.percent)}: "
            f'<b class="{css}">{word}</b>)'
        )
    if not clauses:
        return ""
    return f'<p class="verdict">The cascade against the base network, {escape(kind)} boxes: {"; ".join(clauses)}.</p>'


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<aside class="notes" aria-label="notes"><b>Notes</b><ul>{items}</ul></aside>'


def _results(content: Report) -> str:
    parts = []
    for kind in _kinds(content):
        systems = content.metrics[kind]
        parts.append(f"<h3>{escape(kind.capitalize())} boxes</h3>{_metrics_table(content, kind, systems)}")
    if not parts:
        return ""
    systems = dict.fromkeys(name for group in content.metrics.values() for name in group)
    meaning = "; ".join(f"<b>{escape(name)}</b>: {_SYSTEMS[name]}" for name in systems if name in _SYSTEMS)
    note = (
        f"<p>{meaning}. The best figure of a line is bold. “Cascade minus base” is the mean difference over the same "
        "faces with its 95 % bootstrap interval: an interval that holds 0 means no clear difference. A missed face "
        "counts 0 in F1; the inner mouth is judged only where the true one is open (at least 2 % of the mouth's "
        "box).</p>"
    )
    return note + "".join(parts)


def _metrics_table(content: Report, kind: str, systems: Mapping[str, Mapping[str, Any]]) -> str:
    compared, anchored = bool(content.intervals.get(kind)), bool(content.anchors.get(kind))
    head = "".join(f"<th>{escape(name)}</th>" for name in systems)
    head += "<th>cascade minus base</th>" if compared else ""
    head += f"<th>{escape(content.anchors_title)}</th>" if anchored else ""
    width = 1 + len(systems) + compared + anchored
    lines = []
    for group, rows in _ROWS:
        cells = [line for row in rows if (line := _metrics_line(content, kind, systems, row))]
        if cells:
            lines.append(f'<tr class="group"><th colspan="{width}" scope="colgroup">{group}</th></tr>{"".join(cells)}')
    faces = next((summary.get("faces") for summary in systems.values()), None)
    missed = ", ".join(
        f"{escape(name)} {summary['missed']}" for name, summary in systems.items() if summary.get("missed")
    )
    caption = f"{_BOXES.get(kind, '')} {faces} test faces{', missed: ' + missed if missed else ', none missed'}."
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<p>{caption}</p><div class="scroll">{table}</div>'


def _metrics_line(content: Report, kind: str, systems: Mapping[str, Mapping[str, Any]], row: _Row) -> str:
    values = [_look_up(summary, row.name) for summary in systems.values()]
    known = [_number(value, row.percent) for value in values if value is not None]
    if not known:
        return ""
    # Compared as printed: two figures that read the same are equally good.
    best = (max if row.larger_is_better else min)(known, key=float)
    cells = [f'<th scope="row">{escape(row.label)}</th>']
    for value in values:
        text = _NO_FIGURE if value is None else _number(value, row.percent)
        bold = len(known) > 1 and text == best and len(set(known)) > 1
        cells.append(f"<td><b>{text}</b></td>" if bold else f"<td>{text}</td>")
    if content.intervals.get(kind):
        interval = _interval(content, kind, row.name)
        if interval is None:
            cells.append("<td></td>")
        else:
            word, css = _judged(interval, row.larger_is_better)
            difference, low, high = (_signed(value, row.percent) for value in interval)
            cells.append(f'<td class="{css}">{difference} <small>[{low}, {high}] {word}</small></td>')
    if anchors := content.anchors.get(kind):
        cells.append(f"<td>{escape(anchors.get(row.name, ''))}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _faces(content: Report, quality: int) -> str:
    groups = (
        (
            content.examples,
            "What to expect",
            "Faces spread evenly over the ranks of the error, from the best to the worst.",
        ),
        (content.best, "Best faces", "The smallest errors of the test split, best first."),
        (content.worst, "Worst faces", "The largest errors of the test split, worst first: where the method fails."),
    )
    parts = []
    for pictures, title, sentence in groups:
        if pictures:
            parts.append(f"<h3>{title}</h3><p>{sentence}</p>{_gallery(pictures, quality)}")
    if not parts:
        return ""
    swatches = "".join(
        f'<span class="key"><i style="background: rgb{colour}"></i>{label}</span>'
        for label, colour in (
            ("truth", COLOURS["truth"]),
            ("predicted outer contour", COLOURS["outer"]),
            ("predicted inner contour", COLOURS["inner"]),
        )
    )
    return f'<p class="keys">{swatches}</p>{"".join(parts)}'


def _gallery(pictures: Iterable[Picture], quality: int) -> str:
    figures = "".join(
        f"<figure>{_image(picture.image, picture.caption, quality)}"
        f"<figcaption>{_unbroken(picture.caption)}</figcaption></figure>"
        for picture in pictures
    )
    return f'<div class="gallery">{figures}</div>'


def _unbroken(caption: str) -> str:
    """Returns the caption for the page; a figure stays on one line with its name and its per cent sign."""
    return escape(caption.replace(" %", f"{_NO_BREAK}%").replace("NME ", f"NME{_NO_BREAK}"))


def _charts(charts: Sequence[Chart]) -> str:
    return "".join(
        f'<figure class="chart"><figcaption><b>{escape(chart.title)}.</b> {escape(chart.sentence)}</figcaption>'
        f'<div class="scroll">{_vector(chart)}</div></figure>'
        for chart in charts
    )


def _components(content: Report, quality: int) -> str:
    if not content.components:
        return ""
    cards = "".join(_component(component, quality) for component in content.components)
    return (
        "<p>Each component of the mixture is a group of mouths that look alike to the network. The large picture is "
        "the mean of its training faces, the small ones are typical members; the errors are those of its test "
        "faces.</p>"
        f'<div class="cards">{cards}</div>'
    )


def _component(component: Component, quality: int) -> str:
    name = f"component {component.number}"
    counts = ", ".join(f"{count} {escape(split)}" for split, count in component.counts.items())
    fate = {None: "", True: "own head", False: "base head kept"}[component.kept]
    badge = f'<span class="badge {"own" if component.kept else "kept"}">{fate}</span>' if fate else ""
    mean = "<p>no training face</p>"
    if component.mean_face is not None:
        mean = _image(component.mean_face, f"mean face of {name}", quality)
    members = "".join(
        _image(image, f"member {i} of {name}", quality) for i, image in enumerate(component.gallery, start=1)
    )
    rows = ""
    for row, label in ((_NME, "NME, %"), (_LIPS, "lips F1")):
        values = {system: _look_up(summary, row.name) for system, summary in component.metrics.items()}
        if any(value is not None for value in values.values()):
            texts = [_NO_FIGURE if value is None else _number(value, row.percent) for value in values.values()]
            cells = "".join(f"<td>{text}</td>" for text in texts)
            rows += f'<tr><th scope="row">{label}</th>{cells}</tr>'
    table = ""
    if rows:
        heads = "".join(f"<th>{escape(system)}</th>" for system in component.metrics)
        table = f"<table><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    note = f"<p>{escape(component.note)}</p>" if component.note else ""
    return (
        f'<article class="card"><h3>{name.capitalize()} {badge}</h3><p>{counts}</p>'
        f'<div class="faces"><div class="mean">{mean}</div><div class="members">{members}</div></div>{note}{table}'
        "</article>"
    )


def _data(content: Report) -> str:
    parts = []
    if content.dataset:
        parts.append(_facts(content.dataset))
    if content.splits:
        total = sum(content.splits.values())
        parts.append(f"<h3>Faces by split</h3>{_facts({**content.splits, 'together': total})}")
    if content.skipped:
        total = sum(content.skipped.values())
        parts.append(
            f"<h3>Skipped faces</h3><p>{total} could not be used, for these reasons.</p>{_facts(content.skipped)}"
        )
    elif content.splits:
        parts.append("<p>No face was skipped.</p>")
    return "".join(parts)


def _params(params: Mapping[str, Any]) -> str:
    if not params:
        return ""
    blocks = []
    for section, values in params.items():
        body = _facts(values) if isinstance(values, Mapping) else f"<p>{escape(str(values))}</p>"
        blocks.append(f"<details><summary>{escape(str(section))}</summary>{body}</details>")
    return f"<p>What the run was made with; sections of params.yaml.</p>{''.join(blocks)}"


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(f"<dt>{escape(str(key))}</dt><dd>{escape(_plain(value))}</dd>" for key, value in facts.items())
    return f"<dl>{rows}</dl>"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _image(image: NDArray[np.uint8], alt: str, quality: int) -> str:
    buffer = io.BytesIO()
    # Colours at full resolution: the usual halving would smear the thin coloured contours.
    iio.imwrite(buffer, image, plugin="pillow", extension=".jpg", quality=quality, subsampling=0)
    height, width = image.shape[:2]
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(alt)}" width="{width}" height="{height}" src="data:image/jpeg;base64,{data}">'


def _vector(chart: Chart) -> str:
    if chart.svg.startswith(b"\x89PNG"):
        data = base64.b64encode(chart.svg).decode("ascii")
        return f'<img alt="{escape(chart.title)}" src="data:image/png;base64,{data}">'
    text = chart.svg.decode("utf-8")
    # The XML prologue and document type have no place inside a page.
    text = text[text.index("<svg") :].strip()
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(chart.title)}" ', 1)


def _kinds(content: Report) -> list[str]:
    """Returns the box kinds that have figures, jittered ones first: they are what a user gets."""
    kinds = dict.fromkeys(("jittered", *content.metrics))
    return [kind for kind in kinds if content.metrics.get(kind)]


def _headline(content: Report) -> tuple[str, Mapping[str, Mapping[str, Any]]]:
    """Returns the box kind whose figures lead the page and its systems."""
    kinds = _kinds(content)
    return (kinds[0], content.metrics[kinds[0]]) if kinds else ("", {})


def _look_up(summary: Mapping[str, Any], name: str) -> float | None:
    value: Any = summary
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _interval(content: Report, kind: str, name: str) -> tuple[float, float, float] | None:
    group, _, figure = name.partition(".")
    interval = content.intervals.get(kind, {}).get(group, {})
    values = interval.get(figure, {}) if isinstance(interval, Mapping) else {}
    difference, low, high = (_look_up(values, key) for key in ("difference", "low", "high"))
    return None if difference is None or low is None or high is None else (difference, low, high)


def _judged(interval: tuple[float, float, float], larger_is_better: bool) -> tuple[str, str]:
    """Returns the verdict on a difference in words and as the class of its cell."""
    _, low, high = interval
    if low <= 0 <= high:
        return "no clear difference", "same"
    return ("better", "better") if (low > 0) == larger_is_better else ("worse", "worse")


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.2f}" if percent else f"{value:.3f}"


def _signed(value: float, percent: bool) -> str:
    return (f"{100 * value:+.3f}" if percent else f"{value:+.4f}").replace("-", _MINUS)
