"""Charts of the report: each function takes plain numbers and returns the bytes of an SVG (see ``chart_style``).

The same numbers give the same bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lipseg.evaluation.chart_style import (
    MUTED,
    RULE,
    SERIES,
    TITLE_SIZE,
    legend,
    mark,
    panels,
    plain_log,
    spaced,
    svg,
    system_colour,
    whole_ticks,
)
from lipseg.evaluation.metrics import FAILURE_NME, ced

# Criteria of which the largest value is the best; of every other the smallest is.
_LARGEST_IS_BEST = frozenset({"validation", "silhouette", "log_likelihood", "ari"})
_MOST_DOTS = 800  # of a scatter: more would only make the page heavier
_BINS = 6  # groups of equally many faces of which the median is drawn
_CRITERION_LABELS = {
    "aic": "AIC [nats]",
    "bic": "BIC [nats]",
    "icl": "ICL [nats]",
    "validation": "held-out log-likelihood [nats a face]",
    "validation_nme": "validation NME [% of inter-ocular]",
}


def loss_curves(history: Mapping[str, ArrayLike]) -> bytes:
    """Returns the losses and errors of a training over its epochs; marks the epoch of the lowest validation NME.

    Args:
        history: columns by name, as in a history CSV. ``epoch`` is the horizontal axis (1, 2, … without it); columns
            with "loss" in their name are drawn on the left, those with "nme" (a fraction of the inter-ocular
            distance) on the right, others are not drawn; those with "val" are the validation's. Gaps are NaN.
    """
    columns = {name: np.asarray(values, np.float64) for name, values in history.items()}
    losses = [name for name in columns if "loss" in name.lower()]
    errors = [name for name in columns if "nme" in name.lower()]
    length = max((len(values) for values in columns.values()), default=0)
    epochs = columns.get("epoch", np.arange(1, length + 1, dtype=np.float64))
    watched = [name for name in errors if "val" in name.lower()]
    best: int | None = None
    if watched and np.isfinite(columns[watched[0]]).any():
        best = int(epochs[np.nanargmin(columns[watched[0]])])

    figure, (left, right) = panels(1, 2)
    for axes, names, factor in ((left, losses, 1.0), (right, errors, 100.0)):
        for i, name in enumerate(names):
            colour = SERIES[0] if "val" in name.lower() else SERIES[(1, 2, 3, 4)[i % 4]]
            finite = np.isfinite(columns[name])
            axes.plot(epochs[finite], factor * columns[name][finite], color=colour, label=spaced(name))
        if best is not None:
            mark(axes, best, f"kept: epoch {best}")
        axes.set_xlabel("epoch")
        legend(axes)
    left.set_ylabel("loss")
    right.set_ylabel("NME [% of inter-ocular distance]")
    # A loss falls by powers of ten: its late part would be flat on a plain scale.
    values = np.concatenate([columns[name] for name in losses]) if losses else np.ones(1)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 20 * values.min():
        plain_log(left)
    return svg(figure, "loss")


def criterion_curves(
    table: Mapping[str, Sequence[Any] | NDArray[Any]],
    *,
    chosen: int,
    criterion: str | None = None,
    covariance: str | None = None,
) -> bytes:
    """Returns every model-selection criterion over the number of components, one panel a criterion.

    Args:
        table: columns by name: ``components`` (K), optionally ``covariance`` (a line each), and a column for every
            criterion. Of ``validation`` (a log-likelihood) the largest value is the best, of all others the smallest.
            A column whose name holds "nme" is a fraction and shown in per cent. Fits that failed are NaN.
        chosen: the K that the pipeline uses, marked in every panel.
        criterion: the criterion that chose, named as such.
        covariance: the covariance type of the chosen mixture.
    """
    components = np.asarray(table["components"], np.float64)
    kinds = np.asarray(table.get("covariance", np.full(len(components), "")), str)
    names = [name for name in table if name not in ("components", "covariance")]
    columns = min(max(len(names), 1), 3 if len(names) != 4 else 2)
    figure, grid = panels(max(-(-len(names) // columns), 1), columns)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(grid, names, strict=False):
        values = np.asarray(table[name], np.float64) * (100 if "nme" in name else 1)
        for i, kind in enumerate(dict.fromkeys(kinds)):
            rows = np.flatnonzero((kinds == kind) & np.isfinite(values))
            rows = rows[np.argsort(components[rows], kind="stable")]
            if not len(rows):
                continue
            axes.plot(components[rows], values[rows], color=SERIES[i % len(SERIES)], marker="o", ms=3, label=kind)
            best = rows[np.argmax(values[rows]) if name in _LARGEST_IS_BEST else np.argmin(values[rows])]
            axes.plot(components[best], values[best], "o", ms=8, mfc="none", mec=SERIES[i % len(SERIES)])
        mark(axes, chosen, f"K = {chosen}" + (f", {covariance}" if covariance else ""))
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom, top + 0.12 * (top - bottom))  # room for the mark's label above the curves
        axes.set_title(spaced(name) + (" (decides)" if name == criterion else ""), size=TITLE_SIZE)
        axes.set_ylabel(_CRITERION_LABELS.get(name, spaced(name)))
        axes.set_xlabel("components K")
        whole_ticks(axes, components)
    if len(set(kinds)) > 1 and names:
        legend(grid[0])
    return svg(figure, "criterion")


def ced_plot(errors: Mapping[str, Mapping[str, NDArray[np.floating[Any]]]]) -> bytes:
    """Returns the cumulative error distributions: the share of faces whose NME is below a threshold.

    Args:
        errors: box kind ("jittered", "exact") -> system ("base", "cascade", …) -> (N,) inter-ocular NME as a fraction,
            NaN for a missed face. The first kind is drawn in full lines, the second dashed.
    """
    figure, (axes, *_) = panels(1, 1)
    for (kind, systems), style in zip(errors.items(), ("-", "--", ":", "-."), strict=False):
        for i, (system, nme) in enumerate(systems.items()):
            thresholds, share = ced(nme, points=201)
            label = f"{system}, {kind} boxes"
            axes.plot(100 * thresholds, 100 * share, style, color=system_colour(system, i), label=label)
    axes.set_xlabel("NME [% of inter-ocular distance]")
    axes.set_ylabel("faces at or below [%]")
    axes.set_xlim(0, 100 * FAILURE_NME)
    axes.set_ylim(0, 101)
    legend(axes, loc="lower right")
    return svg(figure, "ced")


def places(offsets: Mapping[str, NDArray[np.floating[Any]]]) -> bytes:
    """Returns how far mouths lie off the annotated ones: a dot a face and a large one for the mean of each source.

    Args:
        offsets: source -> (N, 2) to the right and down as shares of the mouth's width; NaN for a missed face.
    """
    figure, (axes, *_) = panels(1, 1)
    for i, (source, found) in enumerate(offsets.items()):
        shown = 100 * found[np.isfinite(found).all(1)]
        if not len(shown):
            continue
        colour = SERIES[(1, 0, 3, 4)[i % 4]]
        dots = shown[:: -(-len(shown) // _MOST_DOTS)]
        axes.plot(*dots.T, "o", ms=2.5, mew=0, alpha=0.3, color=colour)
        axes.plot(*shown.mean(0), "o", ms=8, color=colour, label=source)
    axes.axhline(0, color=RULE)
    axes.axvline(0, color=RULE)
    axes.set_xlabel("right [% of the mouth's width]")
    axes.set_ylabel("down [% of the mouth's width]")
    axes.invert_yaxis()
    # A few failures would press all other dots together; they are in the list of worst faces.
    everything = np.abs(np.concatenate([100 * found[np.isfinite(found).all(1)] for found in offsets.values()]))
    reach = float(np.percentile(everything, 98)) if len(everything) else 1.0
    axes.set_xlim(-1.2 * reach, 1.2 * reach)
    axes.set_ylim(1.2 * reach, -1.2 * reach)
    axes.set_aspect("equal")
    legend(axes)
    return svg(figure, "places")


def calibration_plot(curves: Mapping[str, Sequence[Any]], bins: Mapping[str, Sequence[Any]]) -> bytes:
    """Returns the risk-coverage curves on the left and the reliability diagram on the right.

    Args:
        curves: columns ``coverage``, ``ranking`` and ``contour`` (a share of the inter-ocular distance).
        bins: columns ``group``, ``score``, ``share`` and ``trials``.
    """
    figure, (left, right) = panels(1, 2)
    ranking, group = np.asarray(curves["ranking"], str), np.asarray(bins["group"], str)
    coverage, contour = (np.asarray(curves[name], np.float64) for name in ("coverage", "contour"))
    score, share = (np.asarray(bins[name], np.float64) for name in ("score", "share"))
    for i, name in enumerate(dict.fromkeys(ranking)):
        mine = ranking == name
        left.plot(100 * coverage[mine], 100 * contour[mine], color=SERIES[(1, 2, 3)[i % 3]], label=name)
    left.set_xlabel("faces kept [%]")
    left.set_ylabel("mean contour error\n[% of inter-ocular distance]")
    left.set_ylim(bottom=0)
    legend(left)
    right.plot([0, 1], [0, 1], color=RULE)
    for i, name in enumerate(dict.fromkeys(group)):
        mine = group == name
        right.plot(score[mine], share[mine], marker="o", color=SERIES[(1, 0)[i % 2]], label=name)
    right.set_xlabel("score")
    right.set_ylabel("share within the bound")
    legend(right)
    return svg(figure, "score")


def pull_curves(heads: Sequence[Mapping[str, Any]], base_error: float | None) -> bytes:
    """Returns the validation error by the strength of the pull, relative to the base head's on the same faces.

    Args:
        heads: a mapping a panel: ``head`` (its name), ``pull`` and ``validation_error`` (one value a strength).
        base_error: of the base's head; None where there are no validation faces.
    """
    figure, grid = panels(1, max(len(heads), 1), sharey=True)
    for i, (axes, head) in enumerate(zip(grid, heads, strict=False)):
        values = np.asarray(head["validation_error"], np.float64)
        if base_error and np.isfinite(values).any():
            order = np.argsort(head["pull"])
            pulls, change = np.asarray(head["pull"], np.float64)[order], 100 * (values[order] / base_error - 1)
            best = int(np.nanargmin(change))
            axes.plot(pulls, change, color=SERIES[1])
            axes.plot(pulls[best], change[best], "o", ms=4, color=SERIES[1])
            axes.set_xscale("log")
        else:
            axes.text(0.5, 0.7, "no validation faces", transform=axes.transAxes, ha="center", color=MUTED)
        axes.axhline(0, color=MUTED, lw=1, ls="--")
        axes.set_title(head["head"], size=TITLE_SIZE)
        axes.set_xlabel("strength of the pull")
        if i == 0:
            axes.set_ylabel("error against base [%]")
    return svg(figure, "heads")


def error_by(
    attributes: Mapping[str, NDArray[np.floating[Any]]],
    errors: Mapping[str, NDArray[np.floating[Any]]],
) -> bytes:
    """Returns the error over properties of the faces: a dot a face of the last system, binned medians of every one.

    Args:
        attributes: axis label with unit -> (N,) values; a panel each.
        errors: system -> (N,) inter-ocular NME as a fraction; NaN for a missed face.
    """
    figure, grid = panels(1, max(len(attributes), 1), sharey=True)
    finite = np.concatenate([nme[np.isfinite(nme)] for nme in errors.values()] or [np.zeros(0)])
    for i, (axes, (label, values)) in enumerate(zip(grid, attributes.items(), strict=False)):
        for j, (system, nme) in enumerate(errors.items()):
            shown = np.flatnonzero(np.isfinite(nme) & np.isfinite(values))
            shown = shown[np.argsort(values[shown], kind="stable")]
            colour = system_colour(system, j)
            if j == len(errors) - 1:
                dots = shown[:: -(-len(shown) // _MOST_DOTS) or 1]
                axes.plot(values[dots], 100 * nme[dots], "o", ms=2.5, mew=0, alpha=0.3, color=colour)
            groups = [group for group in np.array_split(shown, _BINS) if len(group)]
            centres = [float(np.median(values[group])) for group in groups]
            medians = [100 * float(np.median(nme[group])) for group in groups]
            axes.plot(centres, medians, color=colour, marker="o", ms=4, label=f"{system}, median")
        axes.set_xlabel(label)
        if i == 0:
            axes.set_ylabel("NME [% of inter-ocular distance]")
            legend(axes)
        if len(finite):
            # A few failures would press all other dots to the ground; they are in the list of worst faces.
            axes.set_ylim(0, 115 * float(np.percentile(finite, 98)) or 1)
    return svg(figure, "error")


def frontier(networks: Mapping[str, Sequence[Any]], figures: Sequence[str]) -> bytes:
    """Returns networks by their time and what they reach, a panel a figure; those that none beats are joined.

    Args:
        networks: columns, a row a network: "ms", "view_px", "width", "learns_from" and the figures; more is better.
        figures: names of the columns to draw.
    """
    figure, panes = panels(1, len(figures))
    times = np.asarray(networks["ms"], np.float64)
    ways = np.array([str(way) for way in networks["learns_from"]])
    labels = [f"{int(s)}/{int(w)}" for s, w in zip(networks["view_px"], networks["width"], strict=True)]
    for axes, name in zip(panes, figures, strict=True):
        values = np.asarray(networks[name], np.float64)
        for i, way in enumerate(dict.fromkeys(ways.tolist())):
            axes.scatter(times[ways == way], values[ways == way], color=SERIES[i], s=26, label=f"learns from {way}")
        order = np.argsort(times)
        best = np.maximum.accumulate(values[order])
        unbeaten = order[values[order] >= best]
        axes.plot(times[unbeaten], values[unbeaten], color=MUTED, lw=1, zorder=0)
        for x, y, label in zip(times, values, labels, strict=True):
            axes.annotate(label, (x, y), (4, -9), textcoords="offset points", fontsize=8, color=MUTED)
        axes.set_xlabel("CPU a mouth, one thread [ms]")
        axes.set_ylabel(f"{spaced(name)} F1")
    legend(panes[0], loc="lower right")
    return svg(figure, "frontier")
