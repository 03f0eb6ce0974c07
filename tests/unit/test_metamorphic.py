"""The whole predictor on changed pictures: the landmarks move as the picture does, within stated shares of the mouth.

The drawn mouths are some 50 to 80 pixels wide: a hundredth of a mouth is half a pixel to a whole one.
"""

import io

import cv2
import numpy as np
import pytest
from golden_landmarks import STATES, face
from PIL import Image

import lipseg
from lipseg import scheme

# How far the farthest landmark may be from where the change takes it, in mouth widths, about twice what was measured:
# with the mouth's box given, and looked for.
WITHIN = {
    "mirror": (0.14, 0.12),
    "shift": (1e-5, 0.045),
    "scale": (0.02, 0.04),
    "light": (0.035, 0.05),
    "jpeg": (0.055, 0.05),
}


@pytest.fixture(scope="module")
def segmenter():
    return lipseg.LipSegmenter()


def found(segmenter, image, box):
    (lips,) = segmenter(image) if box is None else segmenter(image, boxes=[tuple(box.ravel())])
    return lips.landmarks.astype(float)


def changes(image):
    """Yields the name of each change, the changed picture, and the map of its points back to the picture's."""
    width = image.shape[1]
    yield "mirror", np.ascontiguousarray(image[:, ::-1]), lambda points: scheme.mirror(points, width)
    for right, down in ((13, 9), (40, 0), (0, 31)):
        moved = cv2.copyMakeBorder(image, down, 0, right, 0, cv2.BORDER_REPLICATE)
        yield "shift", moved, lambda points, by=(right, down): points - by
    for factor in (0.75, 1.5, 2.0):
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        scaled = cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)
        yield "scale", scaled, lambda points, by=factor: (points + 0.5) / by - 0.5
    for times, plus in ((1, 25), (1, -25), (1.2, 0), (0.8, 0)):
        yield "light", np.clip(image * float(times) + plus, 0, 255).astype(np.uint8), lambda points: points
    for quality in (95, 80, 60):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        yield "jpeg", np.asarray(Image.open(buffer)), lambda points: points


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("way", ["box", "found"])
def test_landmarks_move_as_the_picture_does(segmenter, state, way):
    image, truth = face(state)
    box = np.stack([truth.min(0), truth.max(0)]) if way == "box" else None
    reference = found(segmenter, image, box)
    unit = np.ptp(reference[:, 0])
    for name, changed, back in changes(image):
        place = None
        if box is not None:
            # Where the box goes is where ``back`` takes from: the two maps are affine and keep the axes.
            unit_points = np.array([[0.0, 0.0], [1.0, 1.0]])
            at = changed.shape[1] - 1 - box[::-1, :1] if name == "mirror" else None
            if at is not None:
                place = np.concatenate([at, box[:, 1:]], 1)
            else:
                origin, one = back(unit_points)
                place = (box - origin) / (one - origin)
        off = np.linalg.norm(back(found(segmenter, changed, place)) - reference, axis=1).max() / unit
        assert off <= WITHIN[name][way == "found"], f"{name}: {off:.4f} mouth widths"


def test_a_file_without_loss_gives_the_same_landmarks(segmenter, tmp_path):
    image, _ = face(STATES[0])
    reference = found(segmenter, image, None)
    for ending, options in (
        (".png", {}),
        (".bmp", {}),
        (".tif", {"compression": "tiff_lzw"}),
        (".webp", {"lossless": True}),
    ):
        Image.fromarray(image).save(tmp_path / f"a{ending}", **options)
        np.testing.assert_array_equal(found(segmenter, tmp_path / f"a{ending}", None), reference)


def test_a_rerun_gives_the_same_bits(segmenter):
    image, _ = face(STATES[1])
    again = lipseg.LipSegmenter()
    np.testing.assert_array_equal(found(segmenter, image, None), found(again, image, None))
