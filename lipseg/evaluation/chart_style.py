"""The one restrained style of the report's charts: panels, marks, legends, colours, and a figure as an SVG's bytes.

The SVGs stand on their own and take the colours of a page that holds them: text is drawn in ``currentColor`` and every
other colour is a CSS variable (``VARIABLES``) with a fallback, so that one chart serves a light and a dark page. Text
stays text.
"""

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of a light page, and the CSS variables that replace them in the SVG.
TEXT = "#1c2127"
VARIABLES: dict[str, str] = {
    "#59636e": "--muted",
    "#dfe3e8": "--rule",
    "#c8641b": "--series-1",
    "#1f63d1": "--series-2",
    "#6f7a86": "--series-3",
    "#1a8a6d": "--series-4",
    "#9a4fb5": "--series-5",
}
MUTED, RULE, *SERIES = VARIABLES
_SYSTEM_COLOURS = {"base": SERIES[0], "cascade": SERIES[1], "control": SERIES[2]}
TITLE_SIZE = 10


def panels(rows: int, columns: int, *, sharey: bool = False) -> tuple["Figure", list["Axes"]]:
    """Returns a figure and its panels, row by row."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # A Figure of its own, without pyplot: no global state, no display.
    with mpl.rc_context():
        width, height = (8.8, 3.9) if columns == 1 else (8.8, 2.1 * rows + 0.5 if columns > 2 else 2.9 * rows + 0.2)
        figure = Figure(figsize=(width, height), layout="constrained")
        if (engine := figure.get_layout_engine()) is not None:
            engine.set(w_pad=0.08, h_pad=0.06)  # type: ignore[call-arg]
        axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    figure.patch.set_alpha(0)
    for panel in axes.flat:
        panel.patch.set_alpha(0)
        panel.grid(True, color=RULE, lw=0.8)
        panel.set_axisbelow(True)
        panel.tick_params(colors=MUTED, labelsize=9, length=0)
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(RULE)
        panel.xaxis.label.set(color=TEXT, size=9.5)
        panel.yaxis.label.set(color=TEXT, size=9.5)
        panel.title.set(color=TEXT)
    return figure, list(axes.flat)


def mark(axes: "Axes", x: float, text: str) -> None:
    """Draws a vertical line with a label at its top."""
    axes.axvline(x, color=MUTED, lw=1, ls="--")
    left, right = axes.get_xlim()
    # On the side with more room, so that the label does not leave the panel.
    to_left = x - left > right - x
    axes.annotate(
        text,
        (x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if to_left else 4, -3),
        textcoords="offset points",
        ha="right" if to_left else "left",
        va="top",
        size=9,
        color=MUTED,
    )


def legend(axes: "Axes", **placement: Any) -> None:
    """Draws a legend where there is anything to name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, labelcolor=TEXT, **placement)


def whole_ticks(axes: "Axes", values: NDArray[np.floating[Any]]) -> None:
    """Puts the horizontal axis's ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=min(8, max(len(set(values)), 1))))


def plain_log(axes: "Axes") -> None:
    """Makes the vertical axis logarithmic, with plain numbers at 1, 2 and 5 of every decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def system_colour(system: str, position: int) -> str:
    """Returns the colour of a system; of an unknown one that of its position."""
    return _SYSTEM_COLOURS.get(system, SERIES[(3, 4, 0, 1, 2)[position % 5]])


def spaced(name: str) -> str:
    """Returns a column's name as words."""
    words = name.replace("_", " ").replace("val ", "validation ")
    return re.sub(r"\b(nme|aic|bic|icl)\b", lambda match: match[0].upper(), words)


def svg(figure: "Figure", salt: str) -> bytes:
    """Returns a figure as an SVG; the salt, a word of its own for each chart of a page, makes its ids repeatable."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(figure)
    buffer = io.BytesIO()
    # Text as text: small, sharp at any size, and it can be searched and read aloud. The salt makes ids repeatable.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue().decode("utf-8")
    # The metadata only names the drawing program; the style rule would leak into a page that holds the SVG.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<style type="text/css">.*?</style>', "", text, flags=re.DOTALL)
    text = text.replace("<svg ", '<svg style="stroke-linejoin: round" ', 1)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", text)
    # Ids stay apart from those of other charts in the same page.
    text = re.sub(r'\bid="', f'id="{salt}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{salt}-", text)
    text = text.replace(TEXT, "currentColor")
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable}, {colour})")
    return text.encode("utf-8")
