"""Figures of a system's answers, and the tables that show them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.answers import Answers, Faces
from lipseg import scheme
from lipseg.evaluation import metrics
from lipseg.scheme import Points

Table = dict[str, NDArray[Any]]
REGIONS = ("mouth", "lips", "inner")
_OFFSETS = ("right", "down", "right_of_width", "down_of_width")


def judged(faces: Faces, answers: Answers) -> Table:
    """Returns the project's own per-face figures of a system's answers."""
    missed = np.array([answer is None for answer in answers])
    nothing = np.full((scheme.N_POINTS, 2), np.nan)
    points = np.stack([nothing if answer is None else answer for answer in answers])
    return metrics.per_face(faces.truth, points, faces.inter_ocular, missed)


def offsets(faces: Faces, answers: Answers) -> dict[str, float | None]:
    """Returns how far a system's mouths lie off the annotated ones: means of the centroids within the outer contours.

    Returns:
        ``right`` and ``down`` over the inter-ocular distance, ``right_of_width`` and ``down_of_width`` over the width
        of the annotated mouth's box; all None where it found no mouth. A system that treats both sides alike shows the
        annotators' own bias here, with the other sign.
    """
    found = []
    for answer, truth, eyes in zip(answers, faces.truth, faces.inter_ocular, strict=True):
        if answer is not None:
            shift = centroid(answer) - centroid(truth)
            found.append(np.concatenate([shift / eyes, shift / np.ptp(truth[:, 0])]))
    means = np.mean(found, axis=0).tolist() if found else [None] * len(_OFFSETS)
    return dict(zip(_OFFSETS, means, strict=True))


def centroid(points: Points) -> Points:
    """Returns (2,) the centroid of the area within the outer contour."""
    ring, following = points[scheme.OUTER], np.roll(points[scheme.OUTER], -1, axis=0)
    cross = ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]
    return ((ring + following) * cross[:, None]).sum(0) / (3 * cross.sum())


def row_of(system: str, faces: Faces, answers: Answers, table: Table, resamples: int) -> dict[str, Any]:
    """Returns a system's row: figures and the ends of their 95 % intervals, None where there is none.

    Args:
        system: its name.
        faces: that were judged.
        answers: of the system.
        table: of ``judged``.
        resamples: of the bootstrap.
    """
    summary = metrics.summarise(table)
    row: dict[str, Any] = {"system": system, "faces": summary["faces"], "missed": summary["missed"]}
    for region in REGIONS:
        interval = _interval(table[f"{region}_f1"], resamples)
        row[f"{region}_f1"] = summary[region]["f1_mean"]
        row |= {f"{region}_f1_{end}": interval[end] for end in ("low", "high")}
        row[f"{region}_f1_pooled"] = summary[region]["f1_pooled"]
    interval = _interval(table["contour"], resamples)
    row |= {f"contour_{name}": summary["contour"][name] for name in ("mean", "median", "p95")}
    row |= {f"contour_{end}": interval[end] for end in ("low", "high")}
    # The points of other schemes are not the same places of the mouth.
    row["nme"] = summary["nme"]["mean"] if system.startswith("lipseg") else None
    return row | offsets(faces, answers)


def _interval(column: NDArray[Any], resamples: int) -> dict[str, float | None]:
    return metrics.paired_bootstrap(np.zeros(len(column)), column, resamples=resamples)


def markdown(rows: list[dict[str, Any]]) -> str:
    """Returns the rows as a Markdown table."""

    def f1(row: Mapping[str, Any], region: str) -> str:
        value = row[f"{region}_f1"]
        if value is None:
            return "-"
        low, high = (three(row[f"{region}_f1_{end}"]) for end in ("low", "high"))
        return f"{three(value)} [{low}, {high}] / {three(row[f'{region}_f1_pooled'])}"

    lines = [
        "| system | missed | mouth F1, mean / pooled | lips F1 | inner mouth F1 | contour mean / median / p95 | NME "
        "| to the right | down | right / down, of the mouth's width |",
        f"|{' --- |' * 10}",
    ]
    for row in rows:
        contour = " / ".join(_percent(row[f"contour_{name}"]) for name in ("mean", "median", "p95"))
        of_width = " / ".join(_percent(row[f"{way}_of_width"]) for way in ("right", "down"))
        cells = [row["system"], f"{row['missed'] / row['faces']:.1%}", *(f1(row, region) for region in REGIONS)]
        cells += [contour, *(_percent(row[name]) for name in ("nme", "right", "down")), of_width]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def differences(ours: Table, peers: Mapping[str, Table], resamples: int) -> str:
    """Returns a Markdown table of our figures minus each peer's on the same faces, with 95 % intervals."""
    lines = ["| minus | mouth F1 | lips F1 | inner mouth F1 | contour |", "| --- | --- | --- | --- | --- |"]
    for system, table in peers.items():
        cells = []
        for column in (*(f"{region}_f1" for region in REGIONS), "contour"):
            found = metrics.paired_bootstrap(table[column], ours[column], resamples=resamples)
            ends = (found["difference"], found["low"], found["high"])
            if None in ends:
                cells.append("-")
                continue
            scale, digits = (100, 2) if column == "contour" else (1, 3)
            middle, low, high = (f"{scale * (end or 0.0):+.{digits}f}" for end in ends)
            cells.append(f"{middle} [{low}, {high}]" + (" points" if scale == 100 else ""))
        lines.append(f"| {system} | {' | '.join(cells)} |")
    return "\n".join(lines)


def three(value: float) -> str:
    """Returns a share of at most 1 with three digits, without a leading zero."""
    return f"{value:.3f}".removeprefix("0")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
