"""Errors of predicted lip landmarks and regions: a face at a time, over a split, and between two systems.

Regions are filled on a canvas on which the true mouth is 256 pixels wide, so that every face weighs the same whatever
its resolution: mouth = inside the outer contour, inner = inside the inner contour, lips = mouth minus inner, upper and
lower = the two lips (``scheme.region_polygons``). Points and boxes are (x, y) in pixels of the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.geometry import Affine
from lipseg.rendering.masks import BACKGROUND, INNER, LOWER, UPPER

REGIONS = ("mouth", "lips", "inner", "upper", "lower")
FAILURE_NME = 0.1  # a face whose inter-ocular NME is above this counts as failed (Sagonas et al., 300-W, 2013)

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Table = dict[str, NDArray[Any]]

_CANVAS_MOUTH = 256  # pixels of the true mouth's width on the canvas
_CANVAS_MARGIN = 0.75  # space around the true mouth, in mouth widths; a prediction is cut off beyond it
_SUBPIXEL_BITS = 4  # polygons are drawn at 1/16 pixel
_FAR = 1 << 24  # fixed-point coordinates are held in here: far off the canvas, far from int32 overflow
_OUTLINE_SAMPLES = 400
_MIN_INNER = 0.02  # of the mouth's bounding box; below, an inner mouth is too thin to be judged


@dataclass(frozen=True)
class Painted:
    """True regions as masks: what an annotator painted, nearer to it than landmarks traced along it.

    Attributes:
        labels: (height, width) uint8, the labels of ``lipseg.rendering.masks``.
        to_image: the map from their pixels to the image's, which turns nothing.
    """

    labels: NDArray[np.uint8]
    to_image: Affine

    def extent_px(self) -> tuple[Array, Array]:
        """Returns the upper left and the lower right corner (x, y) of the mouth, image pixels."""
        rows, columns = np.nonzero(self.labels != BACKGROUND)
        corners = np.array([[columns.min() - 0.5, rows.min() - 0.5], [columns.max() + 0.5, rows.max() + 0.5]])
        low, high = self.to_image(corners)
        return low, high

    def regions(self, to_canvas: Affine, size: tuple[int, int]) -> dict[str, Mask]:
        """Returns the regions on a canvas (height, width)."""
        matrix = to_canvas.after(self.to_image).matrix

        def warped(region: Mask) -> Mask:
            # Linear, and cut at one half: the steps of coarse pixels become the slopes that were meant.
            return cv2.warpAffine(region.astype(np.float32), matrix, size[::-1], flags=cv2.INTER_LINEAR) > 0.5

        masks = {name: warped(self.labels == label) for name, label in (("upper", UPPER), ("lower", LOWER))}
        masks |= {"mouth": warped(self.labels != BACKGROUND), "inner": warped(self.labels == INNER)}
        return masks | {"lips": masks["mouth"] & ~masks["inner"]}


def face_metrics(
    truth_px: Array, predicted_px: Array | None, inter_ocular_px: float, painted: Painted | None = None
) -> dict[str, float]:
    """Returns every figure of one face.

    A missed face has NaN errors and overlaps of 0: it is left out of mean errors and pulls mean overlaps down.

    Args:
        truth_px: (56, 2) true landmarks, image pixels.
        predicted_px: (56, 2) predicted landmarks, image pixels; None where no mouth was found.
        inter_ocular_px: distance between the eyes' centres in image pixels, the normaliser of ``nme`` and ``contour``.
        painted: the true regions, where they are known better than from ``truth_px``.

    Returns:
        ``nme`` and ``nme_width``: mean distance of the 56 points over the inter-ocular distance and over the mouth's
        width (between the outer corners); ``contour``: symmetric mean distance between the outlines over the
        inter-ocular distance, outer and inner averaged; ``right`` and ``down``: how far the mouth's centroid lies off
        the true one over the width of the true mouth's box, NaN where nothing was found on the canvas;
        ``mouth_width``, ``box_width`` (of the mouth's upright box), ``opening`` (true inner over true mouth area) and
        ``inter_ocular`` of the truth; and for each of ``REGIONS``: ``R_intersection``, ``R_truth``, ``R_predicted``
        (canvas pixels), ``R_f1`` and ``R_iou`` (0..1). The last two are NaN for ``inner`` when its true area is below
        2 % of the mouth's bounding box.

    Raises:
        ValueError: for a wrong shape, a coordinate that is not finite, a normaliser that is not positive or a true
            mouth without width or height.
    """
    truth = _checked(truth_px, "truth")
    predicted = None if predicted_px is None else _checked(predicted_px, "predicted")
    if not (np.isfinite(inter_ocular_px) and inter_ocular_px > 0):
        raise ValueError(f"the inter-ocular distance must be a positive number of pixels, not {inter_ocular_px}")
    outer = truth[scheme.OUTER]
    low, high = (outer.min(0), outer.max(0)) if painted is None else painted.extent_px()
    extent = high - low
    if extent.min() <= 0:
        raise ValueError(f"the true mouth has no area: its outer contour spans {extent[0]:g} x {extent[1]:g} pixels")

    scale = _CANVAS_MOUTH / extent[0]
    origin = low - _CANVAS_MARGIN * extent[0]
    size = (
        int((extent[1] + 2 * _CANVAS_MARGIN * extent[0]) * scale) + 1,
        int((1 + 2 * _CANVAS_MARGIN) * _CANVAS_MOUTH) + 1,
    )
    if painted is None:
        true_masks = _region_masks((truth - origin) * scale, size)
    else:
        true_masks = painted.regions(Affine(np.column_stack([scale * np.eye(2), -scale * origin])), size)
    if predicted is None:
        predicted_masks = {region: np.zeros(size, np.bool_) for region in REGIONS}
    else:
        predicted_masks = _region_masks((predicted - origin) * scale, size)

    mouth_width = float(np.hypot(*(truth[scheme.OUTER_CORNERS[1]] - truth[scheme.OUTER_CORNERS[0]])))
    figures = {"nme": np.nan, "nme_width": np.nan, "contour": np.nan}
    if predicted is not None:
        error_px = np.hypot(*(predicted - truth).T).mean()
        outline_px = np.mean([outline_distance(predicted[c], truth[c]) for c in (scheme.OUTER, scheme.INNER)])
        figures = {
            "nme": float(error_px / inter_ocular_px),
            "nme_width": float(error_px / mouth_width) if mouth_width > 0 else np.nan,
            "contour": float(outline_px / inter_ocular_px),
        }
    figures["right"], figures["down"] = (
        (_centroid(predicted_masks["mouth"]) - _centroid(true_masks["mouth"])) / _CANVAS_MOUTH
    ).tolist()
    figures |= {"mouth_width": mouth_width, "box_width": float(extent[0]), "inter_ocular": float(inter_ocular_px)}
    figures["opening"] = np.count_nonzero(true_masks["inner"]) / max(np.count_nonzero(true_masks["mouth"]), 1)

    judged_inner_px = _MIN_INNER * _CANVAS_MOUTH * extent[1] * scale
    for region in REGIONS:
        true, found = true_masks[region], predicted_masks[region]
        intersection, area, found_area = (np.count_nonzero(m) for m in (true & found, true, found))
        f1 = 2 * intersection / max(area + found_area, 1)
        iou = intersection / max(area + found_area - intersection, 1)
        if region == "inner" and area < judged_inner_px:
            f1 = iou = np.nan
        values = (intersection, area, found_area, f1, iou)
        for name, value in zip(("intersection", "truth", "predicted", "f1", "iou"), values, strict=True):
            figures[f"{region}_{name}"] = float(value)
    return figures


def per_face(
    truth_px: Array,
    predicted_px: Array,
    inter_ocular_px: Array,
    missed: Mask | None = None,
    painted: Sequence[Painted] | None = None,
) -> Table:
    """Returns the table of ``face_metrics``, one (N,) column a figure, and the (N,) boolean column ``missed``.

    Args:
        truth_px: (N, 56, 2) true landmarks, image pixels.
        predicted_px: (N, 56, 2) predicted landmarks, image pixels; rows of missed faces are not read.
        inter_ocular_px: (N,) distances between the eyes' centres in image pixels.
        missed: (N,) True where no mouth was found; None for nowhere.
        painted: N true regions, see ``face_metrics``.

    Raises:
        ValueError: if the shapes disagree, or as for ``face_metrics``, naming the row.
    """
    count = len(truth_px)
    missed = np.zeros(count, np.bool_) if missed is None else np.asarray(missed, np.bool_)
    if len(predicted_px) != count or len(inter_ocular_px) != count or missed.shape != (count,):
        raise ValueError(
            f"{count} true faces, but {len(predicted_px)} predictions, {len(inter_ocular_px)} inter-ocular distances "
            f"and a mask of missed faces of shape {missed.shape}"
        )
    rows = []
    for i in range(count):
        try:
            found = None if missed[i] else predicted_px[i]
            true = None if painted is None else painted[i]
            rows.append(face_metrics(truth_px[i], found, float(inter_ocular_px[i]), true))
        except ValueError as error:
            raise ValueError(f"face {i}: {error}") from error
    table: Table = {name: np.array([row[name] for row in rows], np.float64) for name in _column_names()}
    return table | {"missed": missed}


def aligned(
    predicted_px: Array, table: Mapping[str, NDArray[Any]], group: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Returns predictions (N, 56, 2) without their mean offset: what is left of it says nothing of the labels' place.

    Every source's annotators place mouths a little elsewhere. So all predictions of a group are moved by one constant,
    the mean of ``right`` and ``down`` over its faces that were found, in widths of each true mouth.

    Args:
        predicted_px: (N, 56, 2) predicted landmarks, image pixels; rows of missed faces stay what they are.
        table: of ``per_face`` for these.
        group: (N,) which faces have a constant of their own, for example those of one source; None for all the same.
    """
    off = np.stack([table["right"], table["down"]], axis=1)
    found = np.isfinite(off).all(1)
    moved = np.array(predicted_px, np.float64)
    each = np.zeros(len(moved), np.intp) if group is None else group
    for one in np.unique(each[found]):
        mine = each == one
        moved[mine] -= (table["box_width"][mine, None] * off[mine & found].mean(0))[:, None]
    return moved


def summarise(table: Mapping[str, NDArray[Any]], select: Mask | None = None) -> dict[str, Any]:
    """Returns the figures of a split as nested dictionaries of finite numbers, None where there is none.

    Missed faces count 0 in every overlap, count as failed in ``failure_rate`` and ``auc``, and are left out of the
    statistics of ``nme``, ``nme_width`` and ``contour`` (of which ``nme.fail_at_0.1`` is one) and of the means of
    ``right`` and ``down``.

    Args:
        table: from ``per_face``.
        select: (N,) boolean, the faces to count (for example those of one component); None for all.
    """
    rows = {name: column if select is None else column[select] for name, column in table.items()}
    nme, found = rows["nme"], ~rows["missed"]
    summary: dict[str, Any] = {"faces": len(nme), "missed": int(np.count_nonzero(~found))}
    summary["nme"] = _statistics(nme[found]) | {"fail_at_0.1": _mean(nme[found] > FAILURE_NME)}
    summary["nme_width"] = _statistics(rows["nme_width"][found])
    summary["contour"] = _statistics(rows["contour"][found])
    summary |= {way: _mean(rows[way][np.isfinite(rows[way])]) for way in ("right", "down")}
    summary["failure_rate"] = _mean(~(nme <= FAILURE_NME))
    summary["auc"] = ced_auc(nme)
    for region in REGIONS:
        judged = np.isfinite(rows[f"{region}_f1"])
        f1, iou = pooled_overlap(rows, region)
        summary[region] = {
            "f1_mean": _mean(rows[f"{region}_f1"][judged]),
            "iou_mean": _mean(rows[f"{region}_iou"][judged]),
            "f1_pooled": f1,
            "iou_pooled": iou,
            "faces": int(np.count_nonzero(judged)),
        }
    return summary


def pooled_overlap(table: Mapping[str, NDArray[Any]], region: str) -> tuple[float | None, float | None]:
    """Returns F1 and IoU of the pixels of all judged faces taken together; None without a pixel.

    Args:
        table: from ``per_face``.
        region: one of ``REGIONS``.
    """
    intersection, true, found = _pooled_columns(table, region).sum(0)
    if true + found == 0:
        return None, None
    return float(2 * intersection / (true + found)), float(intersection / (true + found - intersection))


def ced(nme: Array, limit: float = FAILURE_NME, points: int = 101) -> tuple[Array, Array]:
    """Returns the cumulative error distribution: thresholds (points,) and the share of faces at or below each.

    Args:
        nme: (N,) errors; NaN (a missed face) is above every threshold.
        limit: the last threshold.
        points: number of thresholds, from 0 to ``limit``.
    """
    thresholds = np.linspace(0.0, limit, points)
    if len(nme) == 0:
        return thresholds, np.zeros(points)
    return thresholds, (np.asarray(nme)[:, None] <= thresholds).mean(0)


def ced_auc(nme: Array, limit: float = FAILURE_NME) -> float | None:
    """Returns the area under the cumulative error distribution from 0 to ``limit``, over ``limit``: 1 is perfect.

    The area under a step function is the mean of the steps' distances to the limit, so no threshold grid is needed.

    Args:
        nme: (N,) errors; NaN (a missed face) adds nothing.
        limit: where the curve is cut off.
    """
    return _mean(np.clip(1 - np.nan_to_num(nme, nan=np.inf, posinf=np.inf) / limit, 0.0, 1.0))


def paired_bootstrap(a: Array, b: Array, *, resamples: int = 2000, seed: int = 0) -> dict[str, float | None]:
    """Returns the mean of ``b - a`` over faces and its 95 % percentile bootstrap interval (Efron, 1979).

    Faces are drawn with replacement and keep their pair, so what makes a face hard for both systems cancels.

    Args:
        a: (N,) a figure of every face under the first system.
        b: (N,) the same under the second. A pair with a NaN is left out.
        resamples: number of bootstrap samples.
        seed: of the draws.

    Returns:
        ``difference``, ``low`` and ``high``; None when no pair is left.
    """
    both = np.isfinite(a) & np.isfinite(b)
    difference = (np.asarray(b, np.float64) - np.asarray(a, np.float64))[both]
    if len(difference) == 0:
        return {"difference": None, "low": None, "high": None}
    draws = resampled_sums(difference[:, None], resamples, seed)[:, 0] / len(difference)
    return _interval(float(difference.mean()), draws)


def pooled_f1_bootstrap(
    a: Mapping[str, NDArray[Any]],
    b: Mapping[str, NDArray[Any]],
    region: str,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, float | None]:
    """Returns pooled F1 of ``b`` minus that of ``a`` and its 95 % interval over resampled faces.

    Args:
        a: table of the first system, from ``per_face``.
        b: table of the second system on the same faces in the same order.
        region: one of ``REGIONS``.
        resamples: number of bootstrap samples.
        seed: of the draws.

    Returns:
        ``difference``, ``low`` and ``high``; None when no face is judged.
    """
    columns = np.concatenate([_pooled_columns(a, region), _pooled_columns(b, region)], axis=1)
    if len(columns) == 0 or columns.sum() == 0:
        return {"difference": None, "low": None, "high": None}

    def difference(sums: Array) -> Array:
        f1 = 2 * sums[..., 0::3] / np.maximum(sums[..., 1::3] + sums[..., 2::3], 1)
        return f1[..., 1] - f1[..., 0]

    return _interval(float(difference(columns.sum(0))), difference(resampled_sums(columns, resamples, seed)))


def compare(
    a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]], *, resamples: int = 2000, seed: int = 0
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Returns ``b`` minus ``a`` with 95 % intervals, under the names that ``summarise`` gives the figures.

    Args:
        a: table of the first system, from ``per_face``.
        b: table of the second system on the same faces in the same order.
        resamples: number of bootstrap samples.
        seed: of the draws; every figure sees the same ones.

    Returns:
        ``nme.mean``, ``nme_width.mean``, ``contour.mean`` and, for each of ``REGIONS``, ``R.f1_mean``,
        ``R.iou_mean`` and ``R.f1_pooled``: each ``difference``, ``low`` and ``high``.
    """

    def paired(column: str) -> dict[str, float | None]:
        return paired_bootstrap(a[column], b[column], resamples=resamples, seed=seed)

    comparison = {name: {"mean": paired(name)} for name in ("nme", "nme_width", "contour")}
    for region in REGIONS:
        comparison[region] = {
            "f1_mean": paired(f"{region}_f1"),
            "iou_mean": paired(f"{region}_iou"),
            "f1_pooled": pooled_f1_bootstrap(a, b, region, resamples=resamples, seed=seed),
        }
    return comparison


def jittered_boxes(
    points_px: Array, names: Sequence[str], seed: int = 0, shift: float = 0.10, scale: float = 0.15
) -> NDArray[np.float64]:
    """Returns mouth boxes as an imperfect detector would give them.

    The box of the 56 points is moved by up to ``shift`` of its width in x and in y and its size multiplied by
    exp(u), u uniform in +-``scale``. Faces draw in the order of their sorted names, so that a face's box does not
    depend on the order in which a caller lists the faces (it does depend on which faces are listed).

    Args:
        points_px: (N, 56, 2) true landmarks, image pixels.
        names: N distinct names.
        seed: of the draws.
        shift: largest move, in widths of the box.
        scale: largest logarithm of the factor on the box's size.

    Returns:
        (N, 4) boxes x0, y0, x1, y1 in image pixels, in the order of ``names``.

    Raises:
        ValueError: if names repeat or are not as many as faces.
    """
    if len(names) != len(points_px) or len(set(names)) != len(names):
        raise ValueError(f"{len(points_px)} faces need as many distinct names, not {len(set(names))} of {len(names)}")
    rng = np.random.default_rng(seed)
    boxes = np.empty((len(names), 4), np.float64)
    for i in sorted(range(len(names)), key=lambda k: names[k]):
        low, high = points_px[i].min(0), points_px[i].max(0)
        centre, half, width = (low + high) / 2, (high - low) / 2, high[0] - low[0]
        centre = centre + rng.uniform(-shift, shift, 2) * width
        half = half * np.exp(rng.uniform(-scale, scale))
        boxes[i] = *(centre - half), *(centre + half)
    return boxes


def outline_distance(a: Array, b: Array) -> float:
    """Returns the symmetric mean distance between two closed outlines, in the unit of the points.

    Both are sampled at 400 points of equal arc length; each sample takes its nearest sample of the other outline.

    Args:
        a: (n, 2) vertices of a closed polygon.
        b: (m, 2) vertices of another in the same frame.
    """
    # Centred first: squared distances by the dot product lose digits far from the origin.
    centre = b.mean(0)
    p, q = _closed_samples(a - centre), _closed_samples(b - centre)
    squared = np.maximum((p**2).sum(1)[:, None] + (q**2).sum(1) - 2 * p @ q.T, 0.0)
    return float((np.sqrt(squared.min(0)).mean() + np.sqrt(squared.min(1)).mean()) / 2)


def _closed_samples(polygon: Array) -> Array:
    closed = np.concatenate([polygon, polygon[:1]])
    return scheme.resample_chain(closed, _OUTLINE_SAMPLES + 1)[:-1]


def _region_masks(points_canvas: Array, size: tuple[int, int]) -> dict[str, Mask]:
    masks = {region: _filled(polygon, size) for region, polygon in scheme.region_polygons(points_canvas).items()}
    return masks | {"lips": masks["mouth"] & ~masks["inner"]}


def _filled(polygon: Array, size: tuple[int, int]) -> Mask:
    fixed = np.clip(np.round(polygon * (1 << _SUBPIXEL_BITS)), -_FAR, _FAR).astype(np.int32)
    canvas = np.zeros(size, np.uint8)
    cv2.fillPoly(canvas, [fixed], (1,), lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    return canvas.view(np.bool_)


def _centroid(mask: Mask) -> NDArray[np.float64]:
    """Returns (2,) the mean x and y of a mask's pixels; NaN without any."""
    rows, columns = mask.sum(1), mask.sum(0)
    if not (count := rows.sum()):
        return np.full(2, np.nan)
    return np.array([columns @ np.arange(len(columns)), rows @ np.arange(len(rows))]) / count


def _checked(points: Array, what: str) -> Array:
    points = np.asarray(points, np.float64)
    if points.shape != (scheme.N_POINTS, 2):
        raise ValueError(f"the {what} landmarks must have the shape (56, 2), not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"the {what} landmarks hold a number that is not finite")
    return points


def _column_names() -> list[str]:
    figures = ["nme", "nme_width", "contour", "right", "down", "mouth_width", "box_width", "inter_ocular", "opening"]
    parts = ("intersection", "truth", "predicted", "f1", "iou")
    return figures + [f"{region}_{part}" for region in REGIONS for part in parts]


def _pooled_columns(table: Mapping[str, NDArray[Any]], region: str) -> Array:
    judged = np.isfinite(table[f"{region}_f1"])
    return np.stack([table[f"{region}_{part}"][judged] for part in ("intersection", "truth", "predicted")], axis=1)


def resampled_sums(columns: Array, resamples: int, seed: int) -> Array:
    """Returns (resamples, C) sums of the rows of (N, C) ``columns`` under draws of N rows with replacement."""
    rng = np.random.default_rng(seed)
    count = len(columns)
    # Drawn in parts: a count for every face and resample at once would not fit for a large split.
    part = max(1, 2_000_000 // count)
    counts = (
        rng.multinomial(count, np.full(count, 1 / count), size=min(part, resamples - start))
        for start in range(0, resamples, part)
    )
    return np.concatenate([drawn @ columns for drawn in counts])


def _interval(difference: float, draws: Array) -> dict[str, float | None]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"difference": difference, "low": float(low), "high": float(high)}


def _mean(values: NDArray[Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _statistics(values: Array) -> dict[str, float | None]:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return {"mean": None, "median": None, "p95": None}
    return {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "p95": float(np.percentile(values, 95)),
    }
