"""What the locator learns from: jittered views of face boxes, and views without a mouth."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.data.corruptions import patched, side_lit
from lipseg.data.crop_set import CropSet
from lipseg.data.face_set import FaceSet
from lipseg.data.negatives import draw_negative
from lipseg.geometry import Affine, Array, to_unit, warp
from lipseg.inference.locator import POINTS, face_to_image
from lipseg.inference.runtime import LocatorView
from lipseg.params import Locate
from lipseg.training.faces import mouths_of

_DRAWN = 192  # pictures without a face that are drawn
_LYING = np.deg2rad(35)

Pixels = NDArray[np.uint8]


class LocatorBatch(NamedTuple):
    """A training batch of the locator: N views with their truth.

    Attributes:
        images: (N, S, S, 3) uint8 RGB.
        points: (N, 4, 2) float32 middles of the mouth box's sides, unit coordinates; 0 without a mouth.
        presence: (N,) float32, 1 with a mouth and 0 without.
    """

    images: Any
    points: Any
    presence: Any


def side_middles(mouth: Box) -> Array:
    """Returns (4, 2) middles of the left, right, top and bottom side of a mouth."""
    cos, sin = np.cos(mouth.roll), np.sin(mouth.roll)
    along, across = np.array([cos, sin]) * mouth.width / 2, np.array([-sin, cos]) * mouth.height / 2
    return mouth.centre + np.stack([-along, along, -across, across])


class Sampler:
    """Draws positives, views of a split's faces, and negatives, views without a visible mouth.

    Args:
        faces: patches of all splits.
        crops: whose faces they are.
        split: of the faces.
        params: the section ``locate``.
        seed: of the drawn pictures.

    Attributes:
        rows: (n,) positions of the split's faces in ``faces``.
        mouths: the N true mouths of all faces of ``crops``, image pixels.
        view: the geometry.
    """

    def __init__(self, faces: FaceSet, crops: CropSet, split: str, params: Locate, seed: int) -> None:
        mine = np.isin(faces.face, crops.indices(split))
        self.rows = np.flatnonzero(mine & ~faces.background)
        self._backgrounds = np.flatnonzero(mine & faces.background)
        self._faces, self._params = faces, params
        self.mouths = mouths_of(crops)
        self.view = LocatorView(params.size_px, params.margin)
        rng = np.random.default_rng((seed, 22))
        self._drawn = [draw_negative(rng, 96, 96) for _ in range(_DRAWN)]

    def face(self, row: int, rng: np.random.Generator, strength: float = 1.0) -> tuple[Pixels, Array]:
        """Returns a jittered view of a face and its (4, 2) points; the strength scales the jitter."""
        params = self._params
        x, y, side = self._faces.face_boxes[row]
        shift = rng.uniform(-params.shift, params.shift, 2) * side * strength
        scale = np.exp(rng.uniform(-params.scale, params.scale) * strength)
        # Half of the heads nearly upright, as most are.
        roll = rng.uniform(-1, 1) * params.roll if rng.random() < 0.5 else rng.normal(0, params.roll / 5)
        # A head that the detector found on a turned copy only is upright in the frame of that copy.
        own = self.mouths[self._faces.face[row]].roll
        upright = own if abs(own) > _LYING else 0.0
        box = Box.square(x + shift[0], y + shift[1], side * scale, upright + np.deg2rad(roll) * strength)
        return self._view(row, box, bool(strength > 0 and rng.random() < 0.5))

    def _view(self, row: int, box: Box, mirrored: bool) -> tuple[Pixels, Array]:
        to_image = face_to_image(self.view, box, mirrored)
        from_image = Affine(self._faces.to_image[row]).inverse()
        image = warp(self._faces.patches[row], from_image.after(to_image), self.view.size)
        points = to_image.inverse()(side_middles(self.mouths[self._faces.face[row]]))
        if mirrored:
            points = points[[1, 0, 2, 3]]
        return image, to_unit(points, self.view.size)

    def other(self, rng: np.random.Generator) -> Pixels:
        """Returns a view without a visible mouth."""
        row = int(rng.choice(self.rows))
        draw = rng.random()
        if draw < 0.3 and len(self._backgrounds):
            return self._part(int(rng.choice(self._backgrounds)), rng.uniform(0.5, 1.1), np.zeros(2), rng)
        if draw < 0.5:
            return self._covered(row, rng)
        if draw < 0.7:
            return self._beside(row, rng)
        if draw < 0.85:
            return self._misread(row, rng)
        if draw < 0.88:
            return _shuffled(self.face(row, rng)[0], rng)
        picture = self._drawn[int(rng.integers(len(self._drawn)))]
        size = int(rng.integers(24, 97))
        x, y = rng.integers(0, 97 - size, 2)
        part = np.rot90(picture[y : y + size, x : x + size], int(rng.integers(4)))
        return cv2.resize(part, (self.view.size, self.view.size), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def _part(self, row: int, zoom: float, shift: Array, rng: np.random.Generator) -> Pixels:
        x, y, side = self._faces.face_boxes[row]
        box = Box.square(x + shift[0], y + shift[1], side * zoom, rng.uniform(-np.pi, np.pi))
        return self._view(row, box, False)[0]

    def _covered(self, row: int, rng: np.random.Generator) -> Pixels:
        """A face with something over the mouth: a hand, a mask, a cup."""
        image, points = self.face(row, rng)
        size = self.view.size
        centre = points.mean(0) * size - 0.5
        extent = np.array([np.hypot(*(points[1] - points[0])), np.hypot(*(points[3] - points[2]))]) * size
        # At least the whole mouth, at most the lower half of the face.
        extent = np.maximum(extent * rng.uniform(1.25, 2.2, 2), 0.6 * extent[0])
        along = points[1] - points[0]
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        centre[1] += rng.uniform(-0.05, 0.1) * extent[1]
        angle += float(rng.normal(0, 6))
        if oval := rng.random() < 0.5:
            extent = extent * 1.15
        draw = rng.random()
        if draw < 0.4:  # the colour of a place of the face
            at = np.clip(np.round(points[rng.integers(POINTS)] * size + rng.normal(0, 6, 2)), 0, size - 1).astype(int)
            cover = image[at[1], at[0]] + rng.normal(0, rng.uniform(0, 12), image.shape)
        elif draw < 0.7:
            cover = rng.uniform(0, 255, 3) + rng.normal(0, 8, image.shape)
        else:
            picture = self._drawn[int(rng.integers(len(self._drawn)))]
            cover = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        return patched(image, cover, centre, extent, angle, oval=oval)

    def _misread(self, row: int, rng: np.random.Generator) -> Pixels:
        """A face upside down or lying in a box that takes it for upright, as YuNet's do.

        The box is then farther from the mouth: on Helen's training faces turned by 90 to 180 degrees the mouth lies
        .33 to .45 sides (+- .11) from its centre, .08 to either side.
        """
        mouth = self.mouths[self._faces.face[row]]
        side = self._faces.face_boxes[row][2] * np.exp(rng.uniform(-0.5, 0.5) * self._params.scale)
        along, down = rng.normal(0, 0.08) * side, rng.normal(0.38, 0.12) * side
        cos, sin = np.cos(mouth.roll), np.sin(mouth.roll)
        x, y = mouth.cx - cos * along + sin * down, mouth.cy - sin * along - cos * down
        box = Box.square(x, y, side, mouth.roll + np.deg2rad(rng.uniform(75, 285)))
        return self._view(row, box, bool(rng.random() < 0.5))[0]

    def _beside(self, row: int, rng: np.random.Generator) -> Pixels:
        """A part of the face or of what is around it whose view ends before the mouth."""
        mouth = self.mouths[self._faces.face[row]]
        side = self._faces.face_boxes[row][2]
        zoom = rng.uniform(0.35, 1.0)
        # Away from the mouth in any direction, but mostly up: eyes and foreheads.
        angle = rng.normal(-np.pi / 2, 0.8)
        direction = np.array([np.cos(angle), np.sin(angle)])
        reach = 0.5 * self.view.margin * side * zoom / np.abs(direction).max() + 0.6 * mouth.width
        roll = rng.normal(0, 0.3)
        x, y = mouth.centre + direction * reach * rng.uniform(1.0, 1.3)
        box = Box.square(x, y, side * zoom, roll)
        return self._view(row, box, False)[0]

    def batch(self, rows: NDArray[np.intp], others: int, rng: np.random.Generator) -> LocatorBatch:
        """Returns varied views of the faces in ``rows``, then ``others`` views without a mouth."""
        views = [self.face(int(row), rng) for row in rows]
        images = [image for image, _ in views] + [self.other(rng) for _ in range(others)]
        points = np.zeros((len(images), POINTS, 2), np.float32)
        points[: len(rows)] = [p for _, p in views]
        presence = np.zeros(len(images), np.float32)
        presence[: len(rows)] = 1
        return LocatorBatch(np.stack([varied(image, rng) for image in images]), points, presence)


def _shuffled(image: Pixels, rng: np.random.Generator) -> Pixels:
    """The tiles of a picture in another order."""
    tiles = int(rng.choice([3, 4]))
    side = len(image) // tiles
    parts = [image[y * side : (y + 1) * side, x * side : (x + 1) * side] for y in range(tiles) for x in range(tiles)]
    order = rng.permutation(len(parts))
    rows = [np.concatenate([parts[k] for k in order[y * tiles : (y + 1) * tiles]], axis=1) for y in range(tiles)]
    return cv2.resize(np.concatenate(rows), image.shape[:2], interpolation=cv2.INTER_NEAREST)  # type: ignore[return-value]


def varied(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture in another light, blurred or noisy, grey, or partly hidden."""
    x = image.astype(np.float32) / 255
    x = x ** np.float32(np.exp(rng.uniform(-0.5, 0.5))) * (1 + 0.1 * rng.uniform(-1, 1, 3)).astype(np.float32)
    if rng.random() < 0.15:
        x = np.repeat(x.mean(-1, keepdims=True), 3, axis=2)
    if rng.random() < 0.3:
        x = side_lit(x, 1.0, rng)
    x = x * np.float32(255 * rng.uniform(0.5, 1.2))
    if rng.random() < 0.2:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.2:
        x = x + rng.normal(0, rng.uniform(1, 10), x.shape)
    out = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:  # a bar over a part of the face that is seldom the mouth
        size = len(out)
        high = int(rng.integers(0, int(0.35 * size)))
        out[high : high + int(rng.integers(2, 10))] = rng.integers(0, 256, 3, dtype=np.uint8)
    return out
