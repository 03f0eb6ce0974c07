"""From a face box to the mouth's box and whether a mouth can be seen: the locator network's views and outputs.

A mouth box is four points, the middles of its left, right, top and bottom sides.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import ModelError
from lipseg.geometry import Affine, from_unit, view_to_image, warp
from lipseg.inference.runtime import LocatorConstants, LocatorView
from lipseg.inference.session import open_network

POINTS = 4  # middles of the sides: left, right, top, bottom
# Least width of a mouth, in pixels: on a view without a mouth the points may coincide.
_SMALLEST = 1.0e-3

# (N, S, S, 3) uint8 RGB views to points (N, 4, 2) in unit coordinates of the view, and presence logits (N,).
Look = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Sighting:
    """The mouths of N faces.

    Attributes:
        mouths: N boxes, pixels of the picture.
        presence: (N,) float32 logit of the probability that a mouth can be seen there.
    """

    mouths: list[Box]
    presence: NDArray[np.float32]


class MouthLocator(Protocol):
    """Finds the mouths of faces; the usual one is ``Locator``."""

    def __call__(self, image: NDArray[np.uint8], faces: Sequence[Box], /) -> Sighting:
        """Returns the mouths of N >= 1 face boxes in an (height, width, 3) uint8 RGB picture."""
        ...


@dataclass(frozen=True, slots=True)
class Locator:
    """A trained locator with the geometry of its views. Implements ``MouthLocator``.

    Attributes:
        look: the network.
        constants: the geometry of its views, and the number of passes.
    """

    look: Look
    constants: LocatorConstants

    def __call__(self, image: NDArray[np.uint8], faces: Sequence[Box]) -> Sighting:
        """Returns the mouths of N >= 1 face boxes in a picture; the boxes' origins go on to them."""
        view, relation = self.constants.view, self.constants.relation
        at, mouths, presence = list(faces), list(faces), np.zeros(len(faces), np.float32)
        for turn in range(self.constants.passes):
            if turn:
                at = [_near(relation.face(mouth), face) for mouth, face in zip(mouths, faces, strict=True)]
            maps = [face_to_image(view, face) for face in at]
            views = np.stack([warp(image, to_image, view.size, fast=True) for to_image in maps])
            points, presence = self.look(views)
            points_px = from_unit(points.astype(np.float64), view.size)
            mouths = [
                replace(mouth_of(to_image(found)), score=face.score, origin=face.origin)
                for to_image, found, face in zip(maps, points_px, faces, strict=True)
            ]
        return Sighting(mouths, presence)

    def with_passes(self, passes: int) -> "Locator":
        """Returns the same locator with another number of passes."""
        return replace(self, constants=replace(self.constants, passes=passes))


def open_locator(content: bytes, constants: LocatorConstants, origin: Path, threads: int = 1) -> Locator:
    """Returns the locator of an exported network.

    Args:
        content: of the ONNX file.
        constants: of the card.
        origin: the file, for messages.
        threads: of ONNX Runtime.

    Raises:
        ModelError: if the file is no such network.
    """

    def check(found: list[NDArray[Any]]) -> None:
        points, presence = found
        if points.shape != (1, POINTS, 2) or presence.shape != (1,):
            raise ModelError(f"{origin}: gives arrays of shapes {points.shape}, {presence.shape}; get the folder again")

    network = open_network(content, ("points_unit", "presence"), constants.view.size, origin, threads, check)

    def look(views: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        points, presence = network(views)
        return points, presence

    return Locator(look, constants)


def face_to_image(view: LocatorView, face: Box, mirrored: bool = False) -> Affine:
    """Returns the map from the pixels of the locator's view of a face to the picture's.

    Args:
        view: the geometry.
        face: the box; of one that is not square the side counts.
        mirrored: whether the view shows the picture mirrored left to right.
    """
    return view_to_image(face.centre, np.full(2, view.margin * face.side), view.size, face.roll, mirrored)


def mouth_of(points: NDArray[np.floating[Any]]) -> Box:
    """Returns the box whose side middles are (4, 2) points."""
    (lx, ly), (rx, ry), (tx, ty), (bx, by) = points.astype(np.float64).tolist()
    dx, dy = rx - lx, ry - ly
    roll, width = math.atan2(dy, dx), max(math.hypot(dx, dy), _SMALLEST)
    height = max(math.cos(roll) * (by - ty) - math.sin(roll) * (bx - tx), 0.1 * width)
    return Box((lx + rx + tx + bx) / 4, (ly + ry + ty + by) / 4, width, height, roll)


def _near(face: Box, first: Box) -> Box:
    """Returns a square box of a size within a factor of two of the first's."""
    side = min(max(face.side, 0.5 * first.side), 2 * first.side)
    return replace(face, width=side, height=side)
