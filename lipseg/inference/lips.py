"""The result for one picture: the lips of each face in its pixels, or the reason why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.boxes import Box
from lipseg.rendering import masks, measures
from lipseg.rendering.matte import matte


@dataclass(frozen=True, slots=True, eq=False)
class Lips:
    """The lips of one face.

    Everything is in pixels of the picture (after EXIF rotation), (x, y), pixel centres at integers.

    Attributes:
        box: the mouth box whose view the model was given.
        score: 0..1, the estimated probability that the contours are right: that their mean distance from the true
            ones is below the bound on the model's card (``calibrate.bound``, a share of the inter-ocular distance).
            Of a model without calibration, how typical the mouth is of those that it was trained on.
        component: the mixture component, that is the mouth's state, whose head placed the landmarks.
        responsibilities: (K,) float32 posterior over the components, sums to 1.
        landmarks: (56, 2) float32, in the order of ``lipseg.scheme``.
        picture_size: (height, width) of the picture, for the masks.
    """

    box: Box
    score: float
    component: int
    responsibilities: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    picture_size: tuple[int, int]

    def __repr__(self) -> str:
        """Returns a line without the arrays."""
        x, y = self.landmarks.mean(0).tolist()
        about = f"score={self.score:.2f}, width={self.width:.0f}, opening={self.opening:.2f}"
        return f"<Lips at ({x:.0f}, {y:.0f}): {about}, component={self.component}>"

    @property
    def outer(self) -> NDArray[np.float32]:
        """(28, 2) closed outer contour, from the image-left corner over the upper lip."""
        return self.landmarks[scheme.OUTER]

    @property
    def inner(self) -> NDArray[np.float32]:
        """(28, 2) closed inner contour, from the image-left corner over the upper lip."""
        return self.landmarks[scheme.INNER]

    def label_map(self) -> NDArray[np.uint8]:
        """Returns (height, width) labels: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth."""
        return masks.label_map(self.landmarks, *self.picture_size)

    def matte(self, region: str = "lips") -> NDArray[np.float32]:
        """Returns (height, width) in 0..1: the share of each pixel that "lips", "mouth" or "inner" covers.

        Raises:
            ValueError: for another region.
        """
        return matte(self.landmarks, *self.picture_size, region)

    def mask(self, region: str = "lips") -> NDArray[np.bool_]:
        """Returns the (height, width) mask of "mouth", "lips", "inner", "upper" or "lower".

        Raises:
            ValueError: for another region.
        """
        return masks.region(self.label_map(), region)

    @property
    def width(self) -> float:
        """Pixels between the outer corners."""
        return measures.width(self.landmarks)

    @property
    def extent(self) -> Box:
        """The upright box of the mouth's width about the mean of its landmarks: what tells two mouths apart."""
        x, y = self.landmarks.mean(0).tolist()
        width = max(self.width, 1.0e-3)
        return Box(x, y, width, width, origin="landmarks")

    @property
    def opening_px(self) -> float:
        """Pixels between the lips in the middle of the mouth, >= 0."""
        return measures.opening(self.landmarks)

    @property
    def opening(self) -> float:
        """``opening_px`` over ``width``: 0 is closed."""
        width = self.width
        return self.opening_px / width if width > 0 else 0.0

    @property
    def areas(self) -> dict[str, float]:
        """Square pixels of "upper", "lower" and "inner"."""
        return measures.areas(self.landmarks)


@dataclass(frozen=True, slots=True, eq=False)
class Detections(Sequence[Lips]):
    """The lips of one picture, a sequence of ``Lips``: the surest face first where faces were looked for,
    which need not be the one with the highest score.

    Attributes:
        lips: of each face.
        picture_size: (height, width) of the upright picture in pixels.
        reason: why there are none; "" where there are some, or where the caller gave no box.
    """

    lips: tuple[Lips, ...]
    picture_size: tuple[int, int]
    reason: str = ""

    @overload
    def __getitem__(self, index: int) -> Lips: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Lips]: ...

    def __getitem__(self, index: int | slice) -> Lips | Sequence[Lips]:
        return self.lips[index]

    def __len__(self) -> int:
        return len(self.lips)
