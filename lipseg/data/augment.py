"""Views of the wide crops: on given boxes for statistics and figures, jittered for training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.corruptions import (
    bearded,
    coarsened,
    compressed,
    darkened,
    defocused,
    patched,
    shadowed,
    shaken,
    side_lit,
    with_hand,
    with_microphone,
)
from lipseg.data.crop_set import CropSet
from lipseg.geometry import Affine, Array, View, bounding_box, from_unit, to_unit, warp
from lipseg.params import Augment

# Jitter of the validation boxes; the test boxes of the evaluation are drawn in the same way.
VALIDATION_JITTER = Augment(
    shift=0.10, scale=0.15, roll=0.0, stretch=0.0, warp=0.0, mirror=0.0, colour=0.0, blur=0.0, occlude=0.0
)
# A warp's displacements are drawn on a grid of this many points a side and run smoothly between them.
_WARP_GRID = 4
# Steps of the fixed point that finds where a landmark comes to lie; each shrinks the error by the field's slope.
_WARP_STEPS = 8

# What a share of the views suffers (keys ``blur`` and ``occlude``), and how often each; each sums to 1.
_DEGRADED = {"soft": 0.3, "noise": 0.2, "defocus": 0.13, "motion": 0.15, "coarse": 0.09, "file": 0.13}
_OCCLUDED = {"patch": 0.35, "hand": 0.3, "microphone": 0.2, "beard": 0.15}
# Mean grey level of a dark picture; its logarithm is drawn.
_DARK = (10.0, 50.0)

_VALIDATION_DRAWS = 3  # jittered boxes of every validation face


class _OneView(NamedTuple):
    """One of ``Views``."""

    image: NDArray[np.uint8]
    points_unit: NDArray[np.float32]
    to_image: Array
    iod_unit: float
    face: int
    mirrored: bool
    bend: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Views:
    """N views with their truth.

    Attributes:
        images: (N, size, size, 3) uint8 RGB.
        points_unit: (N, 56, 2) float32 landmarks, unit coordinates of the view.
        to_image: (N, 2, 3) float64 affine matrices from view pixels to image pixels; of a warped view, before its warp.
        iod_unit: (N,) float32 inter-ocular distance in unit coordinates: errors over it are NMEs (of a stretched view,
            whose axes differ in scale, nearly).
        face: (N,) position of each view's face in its ``CropSet``.
        mirrored: (N,) whether the view shows its face mirrored; its landmarks are then retraced
            (``lipseg.scheme.retrace``) and may still differ from others (``model.offsets``).
        bend: (N, 4, 4, 2) float32 the warp, zero of views without: on a grid across the view, how far from a pixel lay
            what it shows, in view pixels (x, y); cubic between (``displacements``).
    """

    images: NDArray[np.uint8]
    points_unit: NDArray[np.float32]
    to_image: Array
    iod_unit: NDArray[np.float32]
    face: NDArray[np.intp]
    mirrored: NDArray[np.bool_]
    bend: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)


def views_on_boxes(crops: CropSet, faces: NDArray[np.intp], boxes_px: Array | None, view: View) -> Views:
    """Returns one view of each face.

    Args:
        crops: the wide crops.
        faces: (N,) positions in ``crops``.
        boxes_px: (N, 4) mouth boxes in image pixels; None for the landmarks' own bounding boxes.
        view: the geometry.
    """
    boxes = crops.boxes_px[faces] if boxes_px is None else boxes_px
    return _stack([_one_view(crops, int(i), view, box, 0.0, False) for i, box in zip(faces, boxes, strict=True)])


def sample_views(
    crops: CropSet, faces: NDArray[np.intp], view: View, augment: Augment, rng: np.random.Generator
) -> Views:
    """Returns one randomly varied view of each face.

    Its box is jittered, rolled, mirrored, stretched and warped; then come occlusion, colour, and blur or noise.

    With a roll the box is the one that a detector would give on the turned picture: the bounding box of the turned
    landmarks, jittered.
    """
    views = []
    for i in faces:
        roll = np.deg2rad(rng.uniform(-augment.roll, augment.roll))
        mirrored = rng.random() < augment.mirror
        shift = rng.uniform(-augment.shift, augment.shift, 2)
        factor = np.exp(rng.uniform(-augment.scale, augment.scale))
        box = _turned_box(crops.points_px[i], roll)
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * factor
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        centre = centre + turn @ shift * (box[2] - box[0])
        # Without a stretch nothing is drawn for it, so that every other draw stays what it was.
        stretch = rng.uniform(-augment.stretch, augment.stretch) if augment.stretch else 0.0
        seen = _one_view(crops, int(i), view, np.r_[centre - half, centre + half], roll, mirrored, stretch)
        views.append(_deformed(seen, augment.warp, rng) if augment.warp else seen)
    stacked = _stack(views)
    _recolour(stacked.images, stacked.points_unit, augment, rng)
    return stacked


def validation_views(crops: CropSet, view: View, boxes: str, seed: int) -> Views:
    """Returns the fixed views of the validation faces that epochs and heads are chosen on.

    Args:
        crops: the wide crops.
        view: the geometry.
        boxes: "exact" for one view a face on its true box, "jittered" for three on jittered ones.
        seed: of the jitter.
    """
    faces = crops.indices("validation")
    if boxes == "exact":
        return views_on_boxes(crops, faces, None, view)
    rng = np.random.default_rng((seed, 2))
    return sample_views(crops, np.repeat(faces, _VALIDATION_DRAWS), view, VALIDATION_JITTER, rng)


def fixed_batches(n: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Yields row numbers in batches of one size (so that nothing compiles twice); the last repeats the last row."""
    for start in range(0, n, size):
        yield np.minimum(np.arange(start, start + size), n - 1)


def displacements(bend: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Returns (size, size, 2) how far from each pixel of a warped view lies what it shows (``Views.bend``)."""
    return np.asarray(cv2.resize(bend, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _one_view(
    crops: CropSet, i: int, view: View, box: Array, roll: float, mirrored: bool, stretch: float = 0.0
) -> _OneView:
    to_image = view.to_image(box, roll, mirrored)
    if stretch:
        axes, centre = np.exp([stretch / 2, -stretch / 2]), (view.size - 1) / 2
        to_image = to_image.after(Affine(np.column_stack([np.diag(axes), centre * (1 - axes)])))
    image = warp(crops.images[i], crops.to_image(i).inverse().after(to_image), view.size)
    landmarks = scheme.retrace(crops.points_px[i]) if mirrored else crops.points_px[i]
    points = to_unit(to_image.inverse()(landmarks), view.size)
    iod = crops.inter_ocular_px[i] / (to_image.scale * view.size)
    straight = np.zeros((_WARP_GRID, _WARP_GRID, 2), np.float32)
    return _OneView(image, points.astype(np.float32), to_image.matrix, iod, i, mirrored, straight)


def _deformed(seen: _OneView, strength: float, rng: np.random.Generator) -> _OneView:
    """Returns a view whose pixels and landmarks are displaced by a smooth random field: a mouth of another shape.

    Simard, Steinkraus, Platt, "Best practices for convolutional neural networks", ICDAR 2003, section 2.1.

    Args:
        seen: the view.
        strength: of the displacements, mouth widths, up to.
        rng: draws the field.
    """
    size = len(seen.image)
    reach = strength * np.ptp(seen.points_unit[:, 0]) * size
    bend = rng.uniform(-reach, reach, seen.bend.shape).astype(np.float32)
    field = displacements(bend, size)
    at = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float32) + field
    # The pixel at p shows what was at p + field(p), so what was at q now lies where p + field(p) = q.
    warped = cv2.remap(seen.image, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    before = from_unit(seen.points_unit, size).astype(np.float32)
    after = before
    for _ in range(_WARP_STEPS):
        x, y = after[None, :, 0], after[None, :, 1]
        after = before - cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    points = to_unit(after, size).astype(np.float32)
    return seen._replace(image=np.asarray(warped, np.uint8), points_unit=points, bend=bend)


def _stack(views: list[_OneView]) -> Views:
    images, points, matrices, iods, faces, mirrored, bends = zip(*views, strict=True)
    return Views(
        images=np.stack(images),
        points_unit=np.stack(points),
        to_image=np.stack(matrices),
        iod_unit=np.array(iods, np.float32),
        face=np.array(faces, np.intp),
        mirrored=np.array(mirrored, bool),
        bend=np.stack(bends),
    )


def _turned_box(points: Array, roll: float) -> Array:
    """Bounding box in the frame turned by ``roll``, as a box of the same extent about its centre in the image."""
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    box = bounding_box(points @ turn)
    centre, half = turn @ ((box[:2] + box[2:]) / 2), (box[2:] - box[:2]) / 2
    return np.r_[centre - half, centre + half]


def _recolour(
    images: NDArray[np.uint8], points_unit: NDArray[np.float32], augment: Augment, rng: np.random.Generator
) -> None:
    """Changes (N, size, size, 3) pictures in place, in the order of things: what hides, light and colour, the camera.

    Args:
        images: the views.
        points_unit: (N, 56, 2) their landmarks, which stay where they are.
        augment: how much.
        rng: draws everything.
    """
    for image, points in zip(images, from_unit(points_unit, images.shape[1]), strict=True):
        if rng.random() < augment.occlude:
            image[:] = _occluded(image, points, rng)
        if augment.colour > 0:
            image[:] = _coloured(image, points, augment.colour, rng)
        if rng.random() < augment.blur:
            image[:] = _degraded(image, points, rng)


def _coloured(image: NDArray[np.uint8], points: Array, strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture in another light and with other colours."""
    x = image.astype(np.float32) / 255
    x = x ** np.float32(np.exp(rng.uniform(-0.5, 0.5) * strength))  # gamma
    x = x * np.float32(1 + strength * rng.uniform(-0.3, 0.3))  # exposure
    x = x * (1 + 0.15 * strength * rng.uniform(-1, 1, 3)).astype(np.float32)  # white balance
    grey = x.mean(-1, keepdims=True)
    x = grey + (x - grey) * np.float32(1 + strength * rng.uniform(-0.6, 0.4))  # saturation
    centre = x.mean()
    x = centre + (x - centre) * np.float32(1 + 0.4 * strength * rng.uniform(-1, 1))  # contrast
    if rng.random() < 0.3 * strength:  # a light from one side
        x = side_lit(x, strength, rng)
    coloured = np.clip(x * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.12 * strength:
        coloured = shadowed(coloured, points, rng.uniform(0.3, 0.85), rng)
    if rng.random() < 0.1 * strength:
        level = np.exp(rng.uniform(*np.log(_DARK)))
        coloured = darkened(coloured, min(1.0, level / max(float(coloured.mean()), 1.0)), rng)
    return coloured


def _degraded(image: NDArray[np.uint8], points: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as a lens out of focus, a moving camera, a noisy sensor, few pixels or a small file show it."""
    size, width = len(image), max(float(np.ptp(points[:, 0])), 1.0)
    how = rng.choice(len(_DEGRADED), p=list(_DEGRADED.values()))
    match list(_DEGRADED)[how]:
        case "soft":
            return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.3) * size / 64), np.uint8)
        case "noise":
            noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(2, 14))
            return np.clip(image + noise, 0, 255).astype(np.uint8)
        case "defocus":
            return defocused(image, width * rng.uniform(0.02, 0.12))
        case "motion":
            return shaken(image, width * rng.uniform(0.05, 0.35), rng.uniform(0, np.pi))
        case "coarse":
            return coarsened(image, width / rng.uniform(10, 24))
        case _:
            return compressed(image, int(rng.integers(5, 40)))


def _occluded(image: NDArray[np.uint8], points: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture with something before it: a patch anywhere, or a hand, a microphone or a beard about the mouth."""
    how = rng.choice(len(_OCCLUDED), p=list(_OCCLUDED.values()))
    match list(_OCCLUDED)[how]:
        case "patch":
            return _patched(image, rng)
        case "hand":
            return with_hand(image, points, rng)
        case "microphone":
            return with_microphone(image, points, rng)
        case _:
            return bearded(image, points, rng)


def _patched(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A patch of one colour and some noise: a turned rectangle or an ellipse over part of the picture."""
    size = image.shape[0]
    centre = rng.uniform(0, size, 2)
    extent = rng.uniform(0.08, 0.35, 2) * size
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.5 else image[tuple(rng.integers(0, size, 2))].astype(float)
    oval, angle = rng.random() < 0.5, rng.uniform(0, 180)
    cover = colour + rng.normal(0, rng.uniform(0, 20), image.shape)
    return patched(image, cover, centre, extent, angle, oval=oval)
