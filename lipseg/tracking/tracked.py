"""A tracker's results: the mouths of a frame, each with an id that stays the same from frame to frame."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lipseg.inference.lips import Lips


@dataclass(frozen=True, slots=True, eq=False)
class TrackedLips:
    """One mouth in one frame; everything in pixels of the frame.

    Attributes:
        id: the same from frame to frame; counts from 1 in the order of appearance.
        lips: with the smoothed landmarks; ``lips.mask()``, ``lips.matte()`` and the rest follow them.
        raw: (56, 2) float32, the landmarks as the model gave them.
    """

    id: int
    lips: "Lips"
    raw: NDArray[np.float32]

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(56, 2) smoothed landmarks."""
        return self.lips.landmarks

    @property
    def outer(self) -> NDArray[np.float32]:
        """(28, 2) smoothed outer contour."""
        return self.lips.outer

    @property
    def inner(self) -> NDArray[np.float32]:
        """(28, 2) smoothed inner contour."""
        return self.lips.inner

    @property
    def score(self) -> float:
        """The model's score in this frame, see ``Lips``."""
        return self.lips.score

    @property
    def component(self) -> int:
        """The mixture component in this frame, that is the mouth's state."""
        return self.lips.component

    @property
    def width(self) -> float:
        """Of the smoothed landmarks, see ``Lips``; likewise what follows."""
        return self.lips.width

    @property
    def opening_px(self) -> float:
        """See ``Lips``."""
        return self.lips.opening_px

    @property
    def opening(self) -> float:
        """See ``Lips``."""
        return self.lips.opening

    @property
    def areas(self) -> dict[str, float]:
        """See ``Lips``."""
        return self.lips.areas


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """The mouths of one frame. The picture itself is not kept.

    Attributes:
        index: counts the frames from 0.
        time: seconds, as the frames' source says.
        mouths: by their ids.
    """

    index: int
    time: float
    mouths: list[TrackedLips]
