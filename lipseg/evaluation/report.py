"""The report of a run: one self-contained HTML page that explains every table and picture in it.

The page's words, order and style are in ``report.html.j2``; this module holds what it shows and encodes the pictures.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from numpy.typing import NDArray

from lipseg.evaluation import comparison
from lipseg.evaluation.draw import COLOURS
from lipseg.files import whole_file

Interval = comparison.Interval

# A page above this is encoded again with pictures of a lower quality.
_MOST_BYTES = 6_000_000
_QUALITIES = (85, 65, 45, 25)

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
        kept: whose head it has, "own", "control" or "base"; None where that is not known.
        note: a plain remark, e.g. which known mouth states it holds.
    """

    number: int
    counts: Mapping[str, int]
    mean_face: NDArray[np.uint8] | None
    gallery: Sequence[NDArray[np.uint8]] = ()
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kept: str | None = None
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
        metrics: box kind ("jittered", "exact") -> system ("base", "cascade", "control") -> ``metrics.summarise``.
        intervals: box kind -> "base" or "control" -> ``metrics.compare`` of the cascade with it.
        sources: of several, source -> ``faces``, ``systems`` and ``intervals`` as those two have them, jittered boxes.
        training: charts of the base network's training.
        selection: charts of the choice of K.
        components: the mixture's components in order.
        heads: charts of the heads' fine-tuning.
        conventions: rows of the table of where each source's annotators place mouths, by the table's headings.
        conventions_sheet: (height, width, 3) uint8 RGB, faces of every source with contours before and after.
        errors: charts of the test errors (CED, error by opening, …).
        calibration: charts of the score.
        networks: exported file -> facts in the order of display.
        examples: predictions on faces spread evenly over the ranks of the error.
        best: the faces of the smallest error, best first.
        worst: source -> its faces of the largest error, worst first.
        notes: warnings and remarks, a sentence each; shown at the top.
    """

    title: str
    subtitle: str = ""
    dataset: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Interval]]]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    training: Sequence[Chart] = ()
    selection: Sequence[Chart] = ()
    components: Sequence[Component] = ()
    heads: Sequence[Chart] = ()
    conventions: Sequence[Mapping[str, str]] = ()
    conventions_sheet: NDArray[np.uint8] | None = None
    errors: Sequence[Chart] = ()
    calibration: Sequence[Chart] = ()
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    examples: Sequence[Picture] = ()
    best: Sequence[Picture] = ()
    worst: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    notes: Sequence[str] = ()


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
    with whole_file(path) as place:
        place.write_bytes(page)


def render(content: Report, *, quality: int = _QUALITIES[0]) -> str:
    """Returns the page as HTML that needs no other file, no script and no network.

    Args:
        content: what to show.
        quality: of the JPEG pictures, 1 to 100.
    """
    # Everything that is put into the page is escaped, unless it is Markup; a misspelt name in the template is an error.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "jpeg": partial(_jpeg, quality=quality),
        "vector": _vector,
        "plain": _plain,
        "unbroken": _unbroken,
    }
    environment.tests["facts"] = lambda value: isinstance(value, Mapping)
    source = (files("lipseg.evaluation") / "report.html.j2").read_text(encoding="utf-8")
    boxes, system, tiles = comparison.headline(content.metrics)
    page = environment.from_string(source).render(
        report=content,
        boxes=boxes,
        system=system,
        tiles=tiles,
        verdict=comparison.verdict(content.metrics, content.intervals),
        tables=comparison.tables(content.metrics, content.intervals),
        by_source=comparison.by_source(content.sources),
        source_columns=comparison.SOURCE_COLUMNS,
        source_differences=comparison.SOURCE_DIFFERENCES,
        systems=comparison.SYSTEMS,
        small_table=comparison.small_table,
        colours=COLOURS,
    )
    return page.strip() + "\n"


def _jpeg(image: NDArray[np.uint8], alt: str, quality: int) -> Markup:
    """Returns a picture as an element."""
    buffer = io.BytesIO()
    # Colours at full resolution: the usual halving would smear the thin coloured contours.
    iio.imwrite(buffer, image, plugin="pillow", extension=".jpg", quality=quality, subsampling=0)
    height, width = image.shape[:2]
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    tag = Markup('<img alt="{}" width="{}" height="{}" src="data:image/jpeg;base64,{}">')
    return tag.format(alt, width, height, data)


def _vector(chart: Chart) -> Markup:
    """Returns a chart as an element: SVG as it is, PNG as a picture."""
    if chart.svg.startswith(b"\x89PNG"):
        data = base64.b64encode(chart.svg).decode("ascii")
        return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(chart.title, data)
    text = chart.svg.decode("utf-8")
    # The XML prologue and document type have no place inside a page.
    text = text[text.index("<svg") :].strip()
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(chart.title)}" ', 1))


def _plain(value: Any) -> str:
    """Returns a value, or nested ones, in one line of text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unbroken(caption: str) -> str:
    """Returns a caption in which a figure stays on one line with its name and its per cent sign."""
    return caption.replace(" %", f"{_NO_BREAK}%").replace("NME ", f"NME{_NO_BREAK}")
