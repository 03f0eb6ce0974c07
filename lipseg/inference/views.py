"""The views of a picture that go through the model: cut out once, so that the picture need not be kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.geometry import Affine, View, warp
from lipseg.inference.mouths import Candidate
from lipseg.inference.part import Part, part_shown

# Side of the part of the picture that is kept around a mouth for a second view, in sides of the first view.
_AROUND = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class MouthViews:
    """The mouths of one picture; the picture itself is no longer needed.

    Attributes:
        mouths: n mouths that were found, or whose boxes were given.
        to_image: n maps from the views' pixels to the picture's.
        pixels: (n, size, size, 3) uint8 RGB views.
        picture_size: (height, width) of the picture.
        found: whether the mouths were detected, so that they may be dropped for their scores; given boxes never are.
        reason: why the picture has no lips, in case that all its mouths are dropped; "" where the boxes were given.
        around: n parts of the picture around the mouths, for second views; empty where there are none.
    """

    mouths: Sequence[Candidate]
    to_image: list[Affine]
    pixels: NDArray[np.uint8]
    picture_size: tuple[int, int]
    found: bool = False
    reason: str = ""
    around: Sequence[Part] = ()

    def again(self, index: int, box: Box, view: View) -> tuple[Affine, NDArray[np.uint8]]:
        """Returns map and (size, size, 3) uint8 view of mouth ``index`` in another box."""
        to_image = view.of(box)
        return to_image, self.around[index].view(to_image, view.size)


def cut_views(
    pixels: NDArray[np.uint8],
    mouths: Sequence[Candidate],
    view: View,
    *,
    found: bool = False,
    reason: str = "",
    again: bool = False,
) -> MouthViews:
    """Returns the views of mouths.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        mouths: with their boxes.
        view: the geometry.
        found: see ``MouthViews``.
        reason: see ``MouthViews``.
        again: whether a mouth may get a second view.
    """
    to_image = [view.of(mouth.box) for mouth in mouths]
    views = np.empty((len(mouths), view.size, view.size, 3), np.uint8)
    for index, transform in enumerate(to_image):
        views[index] = warp(pixels, transform, view.size)
    around: list[Part] = []
    if again and view.shape == "square":
        wide = View(round(_AROUND * view.size), view.shape, _AROUND * view.margin)
        around = [part_shown(pixels, wide.of(mouth.box), wide.size) for mouth in mouths]
    return MouthViews(mouths, to_image, views, (pixels.shape[0], pixels.shape[1]), found, reason, around)
