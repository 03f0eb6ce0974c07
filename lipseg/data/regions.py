"""What the region loss learns: how much of each pixel is upper lip, lower lip and inner mouth.

Of faces that are labelled by masks, the masks themselves, seen as the picture is; of others, their landmarks' polygons.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.augment import Views, displacements
from lipseg.data.crop_set import CropSet
from lipseg.data.tracing import one_mouth
from lipseg.geometry import Affine, warp
from lipseg.rendering.masks import INNER, LOWER, UPPER


def region_crop(labels: NDArray[np.uint8], shape: tuple[int, int], to_image: Affine, size: int) -> NDArray[np.uint8]:
    """Returns a label map as it lies in a crop of its picture: (size, size, 3) uint8 coverage, 255 for all of a pixel.

    Args:
        labels: (height, width) uint8, 0 background, 1 upper lip, 2 lower lip, 3 inner mouth; from corner to corner of
            the picture, however many pixels it has.
        shape: height and width of the picture.
        to_image: from the crop's pixels to the picture's.
        size: pixels a side of the crop.

    Raises:
        DataError: if the labels show no mouth, or several.
    """
    part, corner = one_mouth(labels)
    scale = np.array(labels.shape[::-1]) / shape[::-1]
    to_labels = Affine(np.column_stack([np.diag(scale), (scale - 1) / 2])).after(to_image)
    # Beyond the part its edge repeats, shrunk as it is: that must be background.
    room = math.ceil(4 * to_labels.scale)
    to_part = Affine(np.column_stack([np.eye(2), room - corner])).after(to_labels)
    covered = np.stack([np.pad(part, room) == label for label in (UPPER, LOWER, INNER)], axis=-1)
    return warp(covered.astype(np.uint8) * 255, to_part, size)


def region_targets(crops: CropSet, views: Views, points_unit: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Returns (N, size, size, 3) float32 coverage of upper lip, lower lip and inner mouth in each view, anti-aliased.

    Args:
        crops: the wide crops.
        views: of them.
        points_unit: (N, 56, 2) the views' landmarks, moved to where they are to be learnt. Masks move along, by the
            mean over the landmarks.
        size: pixels a side of the maps.
    """
    masked = crops.mask[views.face] >= 0
    maps = np.empty((len(views), size, size, 3), np.float32)
    maps[~masked] = region_maps(points_unit[~masked], size)
    for i in np.flatnonzero(masked).tolist():
        maps[i] = _mask_map(crops, views, i, (points_unit[i] - views.points_unit[i]).mean(0), size)
    return maps


def region_maps(points_unit: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Returns (N, size, size, 3) float32 coverage of upper lip, lower lip and inner mouth, anti-aliased.

    Args:
        points_unit: (N, 56, 2) landmarks in unit coordinates.
        size: pixels a side of the maps.
    """
    fine, shift = 4 * size, 4
    maps = np.zeros((len(points_unit), size, size, 3), np.float32)
    for i, points in enumerate(points_unit):
        polygons = scheme.region_polygons(points)
        for k, region in enumerate(("upper", "lower", "inner")):
            canvas = np.zeros((fine, fine), np.uint8)
            vertices = np.round((polygons[region] * fine - 0.5) * (1 << shift)).astype(np.int32)
            cv2.fillPoly(canvas, [vertices], 255, shift=shift)
            # All pixels that the outline touches are filled now, of which half are inside.
            cv2.polylines(canvas, [vertices], True, 128, shift=shift)
            maps[i, ..., k] = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return maps / np.float32(255)


def _mask_map(crops: CropSet, views: Views, i: int, moved_unit: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Returns (size, size, 3) float32 coverage of the regions in view ``i``, moved by (2,) unit coordinates."""
    face, side = int(views.face[i]), views.images.shape[1]
    to_crop = crops.to_image(face).inverse().after(Affine(views.to_image[i]))
    # Sampled about as finely as the crop is, all at once, and then averaged.
    factor = max(1, round(to_crop.scale * side / size))
    fine = factor * size
    at = ((np.arange(fine, dtype=np.float32) + 0.5) / fine * side - 0.5).astype(np.float32)
    linear, start = to_crop.matrix[:, :2].astype(np.float32), to_crop.matrix[:, 2].astype(np.float32)
    start = start - linear @ (moved_unit * side)
    x, y = (at[None, :] * row[0] + (at[:, None] * row[1] + at0) for row, at0 in zip(linear, start, strict=True))
    if views.bend[i].any():
        u, v = cv2.split(displacements(views.bend[i], fine))
        x, y = (there + row[0] * u + row[1] * v for there, row in zip((x, y), linear, strict=True))
    mask = crops.masks[crops.mask[face]]
    seen = cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(seen, (size, size), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)
