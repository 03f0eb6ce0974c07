"""What a source's annotators would have drawn: a convention is how their contours differ from the reference's.

A model answers as the annotators of one source do, its reference. Those of another place every contour a little
elsewhere: by a share of the mouth, and by pixels of the picture, which count the more the smaller the mouth is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Convention:
    """How the landmarks of a source's annotators differ from the reference's on the same face.

    Attributes:
        offset: 112 numbers, x and y of each landmark's difference in the mouth's frame (``mouth_frames``).
        pixels: to the right and down in the picture, in its pixels, of all landmarks alike.
    """

    offset: tuple[float, ...]
    pixels: tuple[float, float]

    @classmethod
    def from_json(cls, raw: Any) -> "Convention":
        """Returns the convention that ``dataclasses.asdict`` made an object of.

        Raises:
            KeyError: naming the key that is missing.
            ValueError: if there are not 112 and 2 finite numbers.
        """
        if not isinstance(raw, dict):
            raise ValueError(f"a convention is an object, not {raw!r}")
        offset, pixels = _numbers(raw["offset"], 2 * scheme.N_POINTS), _numbers(raw["pixels"], 2)
        return cls(offset, (pixels[0], pixels[1]))

    def __call__(self, landmarks: Array) -> NDArray[np.float32]:
        """Returns landmarks (56, 2), pixels of the picture, as these annotators would have given them.

        Args:
            landmarks: (56, 2) as the reference has them, pixels of the picture.
        """
        _, radius, along = mouth_frames(landmarks[None])
        offset = radius[0] * np.reshape(self.offset, (-1, 2))
        (right, down), (a, b) = offset.T, along[0]
        moved = landmarks + np.stack([right * a - down * b, right * b + down * a], axis=1) + self.pixels
        return moved.astype(np.float32)


def mouth_frames(points_px: Array) -> tuple[Array, Array, Array]:
    """Returns centre (N, 2), RMS radius (N,) and the unit vector (N, 2) of the x axis of N mouths' frames.

    The frame of ``lipseg.model.nets.similarity_frame``: its origin is the landmarks' mean, its unit their RMS distance
    from there, and its x axis runs along the mean line from the left to the right corners of both contours.

    Args:
        points_px: (N, 56, 2) landmarks.
    """
    centre = points_px.mean(1)
    radius = np.sqrt(((points_px - centre[:, None]) ** 2).sum(-1).mean(1))
    (a, b), (c, d) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
    along = points_px[:, b] - points_px[:, a] + points_px[:, d] - points_px[:, c]
    return centre, radius, along / np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-9)


def _numbers(raw: Any, count: int) -> tuple[float, ...]:
    plain = isinstance(raw, Sequence) and all(
        isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x) for x in raw
    )
    if not plain or len(raw) != count:
        raise ValueError(f"a convention has {count} finite numbers here, not {str(raw)[:40]}")
    return tuple(map(float, raw))
