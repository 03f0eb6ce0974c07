"""Figures of a system's answers, and the tables that show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.answers import Answers, Faces
from lipseg import scheme
from lipseg.evaluation import metrics

REGIONS = ("mouth", "lips", "inner")
# Of the mouth's area: from where to where the true inner mouth is open, in the table of openings.
OPENINGS = ((0.0, 0.05), (0.05, 0.15), (0.15, 1.0))


@dataclass(frozen=True)
class Judged:
    """The project's own per-face figures of a system's answers.

    Attributes:
        annotated: as the faces are annotated.
        aligned: after all answers were moved by one constant, see ``metrics.aligned``.
    """

    annotated: metrics.Table
    aligned: metrics.Table


def judged(faces: Faces, answers: Answers) -> Judged:
    """Returns the figures of a system's answers."""
    missed = np.array([answer is None for answer in answers])
    nothing = np.full((scheme.N_POINTS, 2), np.nan)
    points = np.stack([nothing if answer is None else answer for answer in answers])

    def of(points: NDArray[np.float64]) -> metrics.Table:
        return metrics.per_face(faces.truth, points, faces.inter_ocular, missed, faces.painted)

    annotated = of(points)
    return Judged(annotated, of(metrics.aligned(points, annotated)))


def row_of(source: str, system: str, found: Judged, resamples: int) -> dict[str, Any]:
    """Returns a system's row: figures and the ends of their 95 % intervals, None where there is none.

    Args:
        source: of the faces.
        system: its name.
        found: of ``judged``.
        resamples: of the bootstrap.
    """
    summary = metrics.summarise(found.annotated)
    row: dict[str, Any] = {"source": source, "system": system} | {name: summary[name] for name in ("faces", "missed")}
    for way, table in (("", found.annotated), ("_aligned", found.aligned)):
        for region in REGIONS:
            name, interval = f"{region}_f1{way}", _interval(table[f"{region}_f1"], resamples)
            row[name] = interval["difference"]
            row |= {f"{name}_{end}": interval[end] for end in ("low", "high")}
    row |= {f"{region}_f1_pooled": summary[region]["f1_pooled"] for region in REGIONS}
    row |= {way: summary[way] for way in ("right", "down")}
    interval = _interval(found.annotated["contour"], resamples)
    row |= {f"contour_{name}": summary["contour"][name] for name in ("mean", "median", "p95")}
    row |= {f"contour_{end}": interval[end] for end in ("low", "high")}
    # The points of other schemes are not the same places of the mouth.
    row["nme"] = summary["nme"]["mean"] if system.startswith("lipseg") else None
    return row


def _interval(column: NDArray[Any], resamples: int) -> dict[str, float | None]:
    return metrics.paired_bootstrap(np.zeros(len(column)), column, resamples=resamples)


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns a data set's rows as a Markdown table."""
    heads = ["system", "missed", *(f"{region} F1" for region in REGIONS), "right", "down"]
    lines = _head([*heads, *(f"{region} F1, aligned" for region in REGIONS), "contour, mean / median / p95", "NME"])
    for row in rows:
        cells = [row["system"], f"{row['missed'] / row['faces']:.1%}"]
        cells += [_range(*(row[f"{region}_f1{end}"] for end in ("", "_low", "_high"))) for region in REGIONS]
        cells += [_percent(row[way], "+.1%") for way in ("right", "down")]
        cells += [_range(*(row[f"{region}_f1_aligned{end}"] for end in ("", "_low", "_high"))) for region in REGIONS]
        cells += [" / ".join(_percent(row[f"contour_{name}"]) for name in ("mean", "median", "p95"))]
        lines.append(_line([*cells, _percent(row["nme"])]))
    return "\n".join(lines)


def differences(ours: Judged, peers: Mapping[str, Judged], resamples: int) -> str:
    """Returns a Markdown table of our F1 minus each peer's on the same faces, with 95 % intervals."""
    lines = _head(["minus", *(f"{region} F1{way}" for way in ("", ", aligned") for region in REGIONS)])
    for system, peer in peers.items():
        cells = [system]
        for a, b in ((peer.annotated, ours.annotated), (peer.aligned, ours.aligned)):
            for column in (f"{region}_f1" for region in REGIONS):
                found = metrics.paired_bootstrap(a[column], b[column], resamples=resamples)
                cells.append(_range(*(found[end] for end in ("difference", "low", "high")), sign="+"))
        lines.append(_line(cells))
    return "\n".join(lines)


def openings(systems: Mapping[str, Judged]) -> str:
    """Returns a Markdown table of the inner mouth's F1, as annotated and aligned, by how open the true one is."""
    opening = next(iter(systems.values())).annotated["opening"]
    heads = ["inner mouth F1, as annotated / aligned"]
    bins = []
    for low, high in OPENINGS:
        # All systems have the same true mouths, and with them the same that are open enough to be judged.
        judged_here = np.isfinite(next(iter(systems.values())).annotated["inner_f1"])
        bins.append(judged_here & (low <= opening) & (opening < high if high < 1 else True))
        extent = f"from {low:.0%}" if high == 1 else f"below {high:.0%}" if low == 0 else f"{low:.0%} to {high:.0%}"
        heads.append(f"{extent} open, {np.count_nonzero(bins[-1])} faces")
    lines = _head(heads)
    for system, found in systems.items():
        tables = (found.annotated, found.aligned)
        cells = [
            " / ".join(three(float(table["inner_f1"][mine].mean())) for table in tables) if mine.any() else "-"
            for mine in bins
        ]
        lines.append(_line([system, *cells]))
    return "\n".join(lines)


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), f"|{' --- |' * len(cells)}"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _range(value: float | None, low: float | None, high: float | None, sign: str = "") -> str:
    if value is None or low is None or high is None:
        return "-"
    return f"{three(value, sign)} [{three(low, sign)}, {three(high, sign)}]"


def three(value: float, sign: str = "") -> str:
    """Returns a share of at most 1 with three digits, without a leading zero; with "+" for a sign of either kind."""
    return f"{value:{sign}.3f}".replace("0.", ".", 1)


def _percent(value: float | None, form: str = ".2%") -> str:
    return "-" if value is None else f"{value:{form}}"
