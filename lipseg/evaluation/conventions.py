"""How far apart the sources' annotators place lips: measured with intervals, and shown on a sheet."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.crop_set import CropSet
from lipseg.evaluation.draw import sheet
from lipseg.evaluation.galleries import prediction
from lipseg.evaluation.metrics import resampled_sums
from lipseg.geometry import Array
from lipseg.inference.conventions import Convention, mouth_frames
from lipseg.rendering import measures
from lipseg.training.conventions import Answers, Residuals, solved

# What is called a small, a median and a large mouth: percentiles of a source's widths.
SIZES = {"small": 5, "median": 50, "large": 95}
_RESAMPLES = 2000
_SHOWN = 3  # small mouths of a source on the sheet, and as many large ones


def measured(answers: Mapping[str, Answers], seed: int) -> list[dict[str, Any]]:
    """Returns how far every source's annotations lie to the right of and below the answers, by the mouth's size.

    The reference's own are there to see that nothing is left of them.

    Args:
        answers: of every source.
        seed: of the bootstrap.

    Returns:
        a row a source and size: source, faces, mouths ("small", "median" or "large"), width_px, and right and down in
        per cent of the mouth's width, each with its 95 % bootstrap interval over faces: [value, low, high].
    """
    return [row for source, found in answers.items() if len(found.face) for row in _rows(source, found, seed)]


def _rows(source: str, found: Answers, seed: int) -> Iterator[dict[str, Any]]:
    equations, values = Residuals.of(found.annotated_px, found.answered_px).equations()
    columns = np.concatenate([equations.reshape(len(values), -1), values], axis=1)
    sums = np.concatenate([columns.sum(0, keepdims=True), resampled_sums(columns, _RESAMPLES, seed)])
    fits = solved(sums[:, :16].reshape(-1, 4, 4), sums[:, 16:])
    widths = _widths(found.answered_px)
    radius = np.median(mouth_frames(found.answered_px)[1] / widths)
    for mouths, percentile in SIZES.items():
        width = float(np.percentile(widths, percentile))
        # Of an upright mouth, whose frame's axes are the picture's.
        shift = 100 * (fits[:, :2] * radius + fits[:, 2:] / width)
        low, high = np.percentile(shift[1:], [2.5, 97.5], axis=0)
        ranges = np.stack([shift[0], low, high], axis=1).tolist()
        yield {
            "source": source,
            "faces": len(found.face),
            "mouths": mouths,
            "width_px": width,
            "right": ranges[0],
            "down": ranges[1],
        }


def conventions_sheet(
    crops: CropSet, answers: Mapping[str, Answers], conventions: Mapping[str, Convention]
) -> NDArray[np.uint8]:
    """Returns annotations and answers over small and large mouths of every source, (height, width, 3) uint8.

    Of a source with a convention every mouth comes twice, before and after: with the answer as the reference has it and
    with the answer in the source's convention.
    """
    pictures, captions = [], []
    for source, found in answers.items():
        # Faces that the network has not learnt from, where there are enough.
        unseen = np.flatnonzero(crops.split[found.face] == "validation")
        rows = unseen if len(unseen) >= 2 * _SHOWN else np.arange(len(found.face))
        rows = rows[np.argsort(_widths(found.answered_px[rows]), kind="stable")]
        for row in [*rows[:_SHOWN], *rows[_SHOWN:][-_SHOWN:]]:
            face, points = int(found.face[row]), found.answered_px[row]
            width = f"{_widths(points[None])[0]:.0f} px"
            shown = [(points, f"{source}, {width}" + (": before" if source in conventions else ""))]
            if source in conventions:
                shown.append((conventions[source](points), f"after: in {source}'s convention"))
            for answer, caption in shown:
                pictures.append(prediction(crops, face, answer))
                captions.append(caption)
    return sheet(pictures, captions, 2 * _SHOWN)


def _widths(points_px: Array) -> Array:
    return np.array([measures.width(points) for points in points_px])
