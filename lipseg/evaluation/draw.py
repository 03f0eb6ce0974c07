"""Pictures of the report: predictions over mouths, sheets of them, mean faces, and which faces to show."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.data.sheets import tile
from lipseg.geometry import View, bounding_box, warp
from lipseg.rendering import palette
from lipseg.rendering.overlay import draw_lips

COLOURS: dict[str, palette.Colour] = {"truth": palette.TRUTH, "outer": palette.OUTER, "inner": palette.INNER}

Array = NDArray[np.floating[Any]]
Image = NDArray[np.uint8]

_CAPTION_HEIGHT = 18


def overlay(image: Image, predicted: Array | None, truth: Array | None = None) -> Image:
    """Returns a copy of a picture with the truth and, over it, the prediction.

    Args:
        image: (height, width, 3) uint8 RGB.
        predicted: (56, 2) landmarks in the picture's pixels, drawn in ``COLOURS["outer"]`` and ``["inner"]``; None
            where no mouth was found.
        truth: (56, 2) landmarks in the picture's pixels, both contours in ``COLOURS["truth"]``; None to leave it out.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    canvas = image.copy()
    if truth is not None:
        draw_lips(canvas, truth, outer=palette.TRUTH, inner=palette.TRUTH)
    if predicted is not None:
        draw_lips(canvas, predicted)
    return canvas


def close_up(image: Image, truth: Array, predicted: Array | None, *, size: int = 224, margin: float = 1.7) -> Image:
    """Returns a square view around the true mouth with truth and prediction drawn at the view's resolution.

    Args:
        image: (height, width, 3) uint8 RGB.
        truth: (56, 2) landmarks in the picture's pixels.
        predicted: (56, 2) landmarks in the same frame; None where no mouth was found.
        size: pixels a side of the view.
        margin: side of the view in longer sides of the true mouth's box.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    to_image = View(size, "square", margin).to_image(bounding_box(np.asarray(truth, np.float64)))
    to_view = to_image.inverse()
    shown = None if predicted is None else to_view(np.asarray(predicted, np.float64))
    return overlay(warp(image, to_image, size), shown, to_view(np.asarray(truth, np.float64)))


def sheet(images: Sequence[Image], captions: Sequence[str], columns: int, pad: int = 3) -> Image:
    """Returns equal pictures in a grid on white, each with its caption beneath.

    Args:
        images: at least one picture (height, width, 3) uint8 RGB, all of one shape.
        captions: one short line a picture; letters outside ASCII are shown as "?", what is too long is cut.
        columns: pictures a row.
        pad: white pixels between neighbours.

    Raises:
        ValueError: if there are not as many captions as pictures, or as for ``tile``.
    """
    return tile([captioned(i, text) for i, text in zip(images, captions, strict=True)], columns, pad)


def captioned(image: Image, text: str) -> Image:
    """Returns the picture with a white strip of 18 pixels beneath that holds ``text``, cut to the width.

    Args:
        image: (height, width, 3) uint8 RGB.
        text: one short line.
    """
    width = image.shape[1]
    strip = np.full((_CAPTION_HEIGHT, width, 3), 255, np.uint8)
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    text = text.encode("ascii", "replace").decode()
    while text and cv2.getTextSize(text, font, size, 1)[0][0] > width - 4:
        text = text[:-1]
    cv2.putText(strip, text, (2, _CAPTION_HEIGHT - 5), font, size, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([image, strip])


def mean_picture(images: NDArray[np.uint8]) -> Image:
    """Returns the mean of (N, height, width, 3) uint8 pictures, N >= 1, as (height, width, 3) uint8."""
    if len(images) == 0:
        raise ValueError("the mean needs at least one picture")
    return np.round(np.mean(images, axis=0, dtype=np.float64)).astype(np.uint8)


def best_and_worst(nme: Array, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the indices of the ``count`` best faces, best first, and of the ``count`` worst, worst first.

    Args:
        nme: (N,) errors; NaN (a missed face) is worse than any number.
        count: faces a list; at most N are returned.
    """
    order = np.argsort(np.where(np.isnan(nme), np.inf, nme), kind="stable")
    return order[:count], order[::-1][:count]


def spread(nme: Array, count: int) -> NDArray[np.intp]:
    """Returns the indices of up to ``count`` faces evenly spaced over the ranks of the error, best first.

    Such a selection shows what to expect: neither the best faces nor chance decides.

    Args:
        nme: (N,) errors; NaN (a missed face) is worse than any number.
        count: faces to choose.
    """
    order = np.argsort(np.where(np.isnan(nme), np.inf, nme), kind="stable")
    if len(order) <= count:
        return order
    return order[np.floor((np.arange(count) + 0.5) * len(order) / count).astype(np.intp)]
