"""Faces that come twice: the same person in the same picture or the next one, told by what is around the mouth.

Validation faces that look like training faces choose too long a training, so all of a group belong into one split.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.geometry import Affine, Array, view_to_image, warp

Fingerprint = NDArray[np.float32]
Pairs = NDArray[np.int64]

# Numbers in a fingerprint.
LENGTH = 736

# Two faces whose fingerprints have a larger scalar product are one. Chosen by looking at the most alike pairs of
# Helen's and CelebAMask-HQ's training faces: those above are one person in one picture or a series, most below are not.
_ALIKE = 0.85
# Sides of what is looked at, in units of the mouth box's longer side: the mouth, and half the face.
_NEAR, _WIDE = 1.6, 2.2
_NEAR_PX, _CELLS, _WIDE_PX, _COLOURS = 48, 6, 16, 8
_ORIENTATIONS = 8
# Faces whose products are taken at once: each of so many with so many.
_BLOCK, _TILE = 1024, 4096
# Directions that the bounds look along, faces that tell which, and what rounding may take from a bound.
_DIRECTIONS, _SAMPLE = 63, 4096
_ROUNDING = 1e-4
# Mean of ln(10 + red, green, blue) around the mouth, of those training faces: what is about it tells faces apart.
_MEAN_COLOUR = np.array([4.97, 4.69, 4.51], np.float32)
_LOGARITHMS = np.log(np.arange(256, dtype=np.float32) + 10)


def fingerprint(crop: NDArray[np.uint8], context: float) -> Fingerprint:
    """Returns (LENGTH,) float32 of length 1: what a face looks like, but for its position and size.

    A third each is the contrast (grey values, their local mean and deviation taken out), the directions of the edges
    (as in Dalal, Triggs, "Histograms of oriented gradients for human detection", CVPR 2005) and the colours.

    Args:
        crop: (size, size, 3) uint8, the mouth box in its middle.
        context: its side, in units of the mouth box's longer side.
    """
    near, wide = (_around(crop, side / context, size) for side, size in ((_NEAR, _NEAR_PX), (_WIDE, _WIDE_PX)))
    parts = (
        _contrast(_grey(wide)),
        _edges(_grey(near)),
        cv2.resize(wide, (_COLOURS, _COLOURS), interpolation=cv2.INTER_AREA) - _MEAN_COLOUR,
    )
    units = [part.ravel() / (np.linalg.norm(part) + 1e-6) for part in parts]
    return (np.concatenate(units) / np.sqrt(3)).astype(np.float32)


def alike(fingerprints: NDArray[np.float32]) -> Iterator[Pairs]:
    """Yields the pairs i < j of fingerprints that are of one face, some at a time, ordered by their first face's block.

    Every pair is looked at, but few in full: by Cauchy and Schwarz a scalar product is no larger than that of the
    vectors' parts along some directions plus the product of the lengths of what is left. Those bounds take a tenth of
    the time, for vectors of 64 instead of 736, and leave one in 5000 of Helen's and CelebAMask-HQ's pairs. Memory does
    not grow with the number of faces, but for 256 bytes each.

    Args:
        fingerprints: (N, 736), may be memory-mapped.

    Yields:
        (n, 2) int64, sorted; all pairs with a first face come before those with one of a later block.
    """
    brief = _brief(fingerprints)
    for start in range(0, len(brief), _BLOCK):
        found = [np.empty((0, 2), np.int64)]
        for across in range(start, len(brief), _TILE):
            bounds = brief[start : start + _BLOCK] @ brief[across : across + _TILE].T
            first, second = np.nonzero(bounds > _ALIKE - _ROUNDING)
            pairs = np.stack([start + first, across + second], axis=1)
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            found += [part[_products(fingerprints, part) > _ALIKE] for part in _parts(pairs)]
        pairs = np.concatenate(found)
        yield pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _brief(fingerprints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (N, 64) vectors whose scalar products are no smaller than those of the fingerprints, but for rounding.

    Of few faces these are the fingerprints: to find the directions would take longer than it saves.
    """
    count = len(fingerprints)
    if count <= _SAMPLE:
        return fingerprints
    sample = fingerprints[:: max(1, count // _SAMPLE)].astype(np.float64)
    directions = np.linalg.eigh(sample.T @ sample)[1][:, : -_DIRECTIONS - 1 : -1].astype(np.float32)
    brief = np.empty((count, directions.shape[1] + 1), np.float32)
    for start in range(0, count, _BLOCK):
        whole = np.asarray(fingerprints[start : start + _BLOCK])
        along = whole @ directions
        left = np.einsum("ij,ij->i", whole, whole) - np.einsum("ij,ij->i", along, along)
        brief[start : start + _BLOCK] = np.column_stack([along, np.sqrt(np.maximum(left, 0))])
    return brief


def _products(fingerprints: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float32]:
    """Returns (n,) the scalar products of pairs: of each alone, so that they do not depend on the others."""
    return np.einsum("ij,ij->i", fingerprints[pairs[:, 0]], fingerprints[pairs[:, 1]])


def _parts(pairs: Pairs) -> Iterator[Pairs]:
    return (pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK))


def groups(n: int, pairs: Iterable[Pairs]) -> NDArray[np.int64]:
    """Returns (n,) of each of n faces the first face that pairs connect it with, itself where there is none before it.

    Args:
        n: number of faces.
        pairs: arrays (m, 2) of them.
    """
    first = np.arange(n)
    for some in pairs:
        # Of the pairs of many copies of a face nearly all are within a group by now.
        joined = np.unique(np.sort(first[some], axis=1), axis=0)
        for i, j in joined[joined[:, 0] < joined[:, 1]].tolist():
            low, high = sorted((_root(first, i), _root(first, j)))
            first[high] = low
        while (first != (further := first[first])).any():
            first = further
    return first


def _root(first: NDArray[np.int64], i: int) -> int:
    while (further := int(first[i])) != i:
        i = further
    return i


def _around(crop: NDArray[np.uint8], share: float, size: int) -> NDArray[np.float32]:
    """Returns (size, size, 3) the logarithms of the middle of a crop: light multiplies colours."""
    return _LOGARITHMS[warp(crop, _middle(crop.shape[0], share, size), size)]


@lru_cache(maxsize=8)
def _middle(side: int, share: float, size: int) -> Affine:
    return view_to_image(np.full(2, (side - 1) / 2), np.full(2, share * side), size)


def _grey(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the mean over three channels; NumPy's own takes four times as long."""
    return (colours[..., 0] + colours[..., 1] + colours[..., 2]) / np.float32(3)


def _contrast(grey: Array) -> Array:
    size = len(grey)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), size / 8)
    fine = fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), size / 6)) + 0.02)
    return fine - fine.mean()


def _edges(grey: Array) -> Array:
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)
    angle = np.arctan2(y, x) / (2 * np.pi) * _ORIENTATIONS
    angle = np.where(angle < 0, angle + _ORIENTATIONS, angle)
    apart = np.abs(angle - np.arange(_ORIENTATIONS, dtype=np.float32)[:, None, None])
    weight = np.maximum(1 - np.minimum(apart, _ORIENTATIONS - apart), 0) * np.hypot(x, y)
    # The directions lie below each other, and the cells of each fill whole rows.
    tall = cv2.resize(weight.reshape(-1, len(grey)), (_CELLS, _ORIENTATIONS * _CELLS), interpolation=cv2.INTER_AREA)
    strength = np.sqrt(tall.reshape(_ORIENTATIONS, _CELLS, _CELLS))
    strength = strength / (np.linalg.norm(strength, axis=0) + 0.1)
    return strength - strength.mean((1, 2), keepdims=True)
