"""Faces that come twice: the same person in the same picture or the next one, told by what is around the mouth.

Validation faces that look like training faces choose too long a training, so all of a group belong into one split.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.geometry import Array, view_to_image, warp

Fingerprint = NDArray[np.float32]

# Two faces whose fingerprints have a larger scalar product are one. Chosen by looking at the most alike pairs of
# Helen's and CelebAMask-HQ's training faces: those above are one person in one picture or a series, most below are not.
_ALIKE = 0.85
# Sides of what is looked at, in units of the mouth box's longer side: the mouth, and half the face.
_NEAR, _WIDE = 1.6, 2.2
_NEAR_PX, _CELLS, _WIDE_PX, _COLOURS = 48, 6, 16, 8
_ORIENTATIONS = 8
_BLOCK = 1024
# Mean of ln(10 + red, green, blue) around the mouth, of those training faces: what is about it tells faces apart.
_MEAN_COLOUR = np.array([4.97, 4.69, 4.51], np.float32)


def fingerprint(crop: NDArray[np.uint8], context: float) -> Fingerprint:
    """Returns (736,) float32 of length 1: what a face looks like, but for its position and size.

    A third each is the contrast (grey values, their local mean and deviation taken out), the directions of the edges
    (as in Dalal, Triggs, "Histograms of oriented gradients for human detection", CVPR 2005) and the colours.

    Args:
        crop: (size, size, 3) uint8, the mouth box in its middle.
        context: its side, in units of the mouth box's longer side.
    """
    near, wide = (_around(crop, side / context, size) for side, size in ((_NEAR, _NEAR_PX), (_WIDE, _WIDE_PX)))
    parts = (
        _contrast(wide.mean(-1)),
        _edges(near.mean(-1)),
        cv2.resize(wide, (_COLOURS, _COLOURS), interpolation=cv2.INTER_AREA) - _MEAN_COLOUR,
    )
    units = [part.ravel() / (np.linalg.norm(part) + 1e-6) for part in parts]
    return (np.concatenate(units) / np.sqrt(3)).astype(np.float32)


def alike(fingerprints: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Returns the pairs i < j of the (N, 736) fingerprints that are of one face, in order."""
    pairs = []
    for start in range(0, len(fingerprints), _BLOCK):
        # In blocks, so that memory stays flat; every pair once.
        product = fingerprints[start : start + _BLOCK] @ fingerprints[start:].T
        first, second = np.nonzero(np.triu(product > _ALIKE, 1))
        pairs += [(start + int(i), start + int(j)) for i, j in zip(first, second, strict=True)]
    return pairs


def groups(n: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Returns of each of n faces the first face that pairs connect it with, itself where there is none before it."""
    first = list(range(n))

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = i = first[first[i]]
        return i

    for i, j in pairs:
        low, high = sorted((root(i), root(j)))
        first[high] = low
    return [root(i) for i in range(n)]


def _around(crop: NDArray[np.uint8], share: float, size: int) -> NDArray[np.float32]:
    """Returns (size, size, 3) the logarithms of the middle of a crop: light multiplies colours."""
    side = crop.shape[0]
    view = view_to_image(np.full(2, (side - 1) / 2), np.full(2, share * side), size)
    return np.log(warp(crop, view, size).astype(np.float32) + 10)


def _contrast(grey: Array) -> Array:
    size = len(grey)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), size / 8)
    fine = fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), size / 6)) + 0.02)
    return fine - fine.mean()


def _edges(grey: Array) -> Array:
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)
    angle = (np.arctan2(y, x) / (2 * np.pi) * _ORIENTATIONS) % _ORIENTATIONS
    cells = []
    for direction in range(_ORIENTATIONS):
        apart = np.abs(angle - direction)
        weight = np.maximum(1 - np.minimum(apart, _ORIENTATIONS - apart), 0) * np.hypot(x, y)
        cells.append(cv2.resize(weight, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA))
    strength = np.sqrt(np.stack(cells))
    strength = strength / (np.linalg.norm(strength, axis=0) + 0.1)
    return strength - strength.mean((1, 2), keepdims=True)
