"""The views of a picture that go through the model: cut out once, so that the picture need not be kept."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.geometry import Affine, View, warp
from lipseg.inference.lips import Lips
from lipseg.inference.mouths import Candidate
from lipseg.inference.part import Part, part_shown
from lipseg.inference.runtime import Runtime

# Side of the part of the picture that is kept around a mouth for a second view, in sides of the first view.
_AROUND = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class MouthViews:
    """The mouths of one picture; unless its parts are cut later, the picture itself is no longer needed.

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

    def first(self) -> "Iterator[MouthView]":
        """Yields the view of each mouth."""
        for index, mouth in enumerate(self.mouths):
            yield MouthView(self, index, mouth.box, self.to_image[index], self.pixels[index])

    def again(self, index: int, box: Box, view: View) -> "MouthView":
        """Returns the view of mouth ``index`` in another box."""
        to_image = view.of(box)
        return MouthView(self, index, box, to_image, self.around[index].view(to_image, view.size))


@dataclass(frozen=True, slots=True, eq=False)
class MouthView:
    """One view that the model is shown.

    Attributes:
        cut: of the picture.
        index: of the mouth among those of the picture.
        box: that the view is cut in.
        to_image: map from the view's pixels to the picture's.
        pixels: (size, size, 3) uint8 RGB.
    """

    cut: MouthViews
    index: int
    box: Box
    to_image: Affine
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Parts(Sequence[Part]):
    """The parts of a picture around boxes, each cut whenever it is asked for.

    Attributes:
        picture: (height, width, 3) uint8 RGB.
        boxes: of the mouths.
        view: what a part shows.
    """

    picture: NDArray[np.uint8]
    boxes: list[Box]
    view: View

    @overload
    def __getitem__(self, index: int) -> Part: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Part]: ...

    def __getitem__(self, index: int | slice) -> Part | Sequence[Part]:
        if isinstance(index, slice):
            return _Parts(self.picture, self.boxes[index], self.view)
        return part_shown(self.picture, self.view.of(self.boxes[index]), self.view.size)

    def __len__(self) -> int:
        return len(self.boxes)


def second_views(first: MouthView, lips: Lips, runtime: Runtime) -> Iterator[MouthView]:
    """Yields further views of a detected mouth whose score is low; none of another.

    In the box of the landmarks that the first view gave, and where an average face has its mouth.

    Args:
        first: view of the mouth.
        lips: that the model saw in it.
        runtime: the model's constants.
    """
    cut, index, given = first.cut, first.index, first.box
    if not cut.around or lips.score >= runtime.thresholds.doubt:
        return
    boxes = [cut.mouths[index].average]
    if 0.5 < lips.width / given.width < 2.0:  # beyond that the kept surroundings show too little
        with suppress(DataError):  # landmarks that lie on a line have no box
            boxes.insert(0, Box.around(lips.landmarks, given.origin))
    for box in boxes:
        if box is not None and box != given:
            yield cut.again(index, box, runtime.view)


def cut_views(
    pixels: NDArray[np.uint8],
    mouths: Sequence[Candidate],
    view: View,
    *,
    found: bool = False,
    reason: str = "",
    again: bool = False,
    later: bool = False,
) -> MouthViews:
    """Returns the views of mouths.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        mouths: with their boxes.
        view: the geometry.
        found: see ``MouthViews``.
        reason: see ``MouthViews``.
        again: whether a mouth may get a second view.
        later: whether to keep the picture, and to cut the parts for second views when they are asked for. Few are.
    """
    to_image = [view.of(mouth.box) for mouth in mouths]
    views = np.empty((len(mouths), view.size, view.size, 3), np.uint8)
    for index, transform in enumerate(to_image):
        views[index] = warp(pixels, transform, view.size)
    around: Sequence[Part] = ()
    if again and view.shape == "square":
        wide = View(round(_AROUND * view.size), view.shape, _AROUND * view.margin)
        around = _Parts(pixels, [mouth.box for mouth in mouths], wide)
    if not later:
        around = list(around)
    return MouthViews(mouths, to_image, views, (pixels.shape[0], pixels.shape[1]), found, reason, around)
