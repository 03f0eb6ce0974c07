"""Clips whose truth is known: pictures that move along a path with zoom, roll, stretch, blur and sensor noise."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.geometry import Affine


@dataclass(frozen=True)
class Pose:
    """Where a mouth is in a frame: centre and width in pixels, roll in radians, its height times ``stretch``."""

    x: float
    y: float
    width: float
    roll: float = 0.0
    stretch: float = 1.0
    seen: bool = True


@dataclass(frozen=True)
class Actor:
    """A picture of a face that moves.

    Attributes:
        picture: (height, width, 3) uint8 RGB.
        points: (56, 2) its lip landmarks.
        path: the pose at a time in seconds.
        feather: whether only an oval about the face is laid on the frame; otherwise the picture fills the frame.
    """

    picture: NDArray[np.uint8]
    points: NDArray[Any]
    path: Callable[[float], Pose]
    feather: bool = False

    def to_frame(self, time: float) -> Affine:
        """Returns the map from the picture's pixels to the frame's."""
        pose = self.path(time)
        left, right = self.points[list(scheme.OUTER_CORNERS)]
        own_roll, own_width = np.arctan2(*(right - left)[::-1]), np.hypot(*(right - left))
        upright, turn = rotation(-own_roll), rotation(pose.roll)
        linear = turn @ np.diag([1.0, pose.stretch]) @ upright * (pose.width / own_width)
        return Affine(np.column_stack([linear, np.array([pose.x, pose.y]) - linear @ centre_of(self.points)]))


def centre_of(points: NDArray[Any]) -> NDArray[Any]:
    """The middle between the mouth's outer corners."""
    return points[list(scheme.OUTER_CORNERS)].mean(0)


def rotation(angle: float) -> NDArray[Any]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@dataclass(frozen=True)
class TrueFrame:
    """A frame and what is true of it: for every actor its (56, 2) landmarks, or None when it is not in the picture."""

    time: float
    image: NDArray[np.uint8]
    points: list[NDArray[Any] | None]


def clip(
    actors: Sequence[Actor],
    times: Sequence[float],
    *,
    height: int = 360,
    width: int = 640,
    noise: float = 0.0,
    blur: float = 0.0,
    seed: int = 0,
) -> Iterator[TrueFrame]:
    """Yields the frames at the times given, one after the other, none kept; later actors stand before earlier ones.

    Args:
        actors: who moves.
        times: of the frames, in seconds.
        height: pixels.
        width: pixels.
        noise: standard deviation of the sensor noise in grey levels, new in every frame and channel.
        blur: standard deviation in pixels of a blur of every frame.
        seed: of the noise.
    """
    cv2.setRNGSeed(seed)
    for time in times:
        canvas = np.full((height, width, 3), 90, np.uint8)
        truth: list[NDArray[Any] | None] = []
        for actor in actors:
            pose, to_frame = actor.path(time), actor.to_frame(time)
            if not pose.seen:
                truth.append(None)
                continue
            truth.append(to_frame(actor.points))
            shrink = to_frame.scale
            source, matrix = actor.picture, to_frame.matrix
            if shrink < 0.8:  # averaged first: a moving picture must not flicker by aliasing
                small = cv2.resize(source, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
                ratio = np.array(small.shape[1::-1]) / source.shape[1::-1]
                back = np.column_stack([np.diag(1 / ratio), 0.5 / ratio - 0.5])
                source, matrix = small, to_frame.after(Affine(back)).matrix
            size, flags = (width, height), cv2.INTER_CUBIC
            if not actor.feather:
                canvas = cv2.warpAffine(source, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
                continue
            rows, columns = source.shape[:2]
            oval = np.zeros((rows, columns), np.float32)
            cv2.ellipse(oval, (columns // 2, rows // 2), (int(columns * 0.42), int(rows * 0.46)), 0, 0, 360, 1.0, -1)
            oval = cv2.GaussianBlur(oval, (0, 0), 0.02 * columns)
            alpha = cv2.warpAffine(oval, matrix, size)[..., None]
            face = cv2.warpAffine(source, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            canvas = np.round(canvas + alpha * (face.astype(np.float32) - canvas)).astype(np.uint8)
        if blur:
            canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
        if noise:
            grain = np.empty(canvas.shape, np.int16)
            cv2.randn(grain, (0, 0, 0), (noise, noise, noise))
            canvas = np.clip(canvas + grain, 0, 255).astype(np.uint8)
        yield TrueFrame(time, np.ascontiguousarray(canvas), truth)
