"""What the region loss learns: the polygons' coverage, and masks that move with their pictures."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
from PIL import Image

from lipseg import scheme
from lipseg.data import annotations
from lipseg.data.annotations import FaceSample, masks
from lipseg.data.augment import sample_views, views_on_boxes
from lipseg.data.crop_set import CropSet, load_crops
from lipseg.data.crops import make_crops
from lipseg.data.face_shape import sample_shape
from lipseg.data.regions import region_crop, region_maps, region_targets
from lipseg.errors import DataError
from lipseg.geometry import Affine, View
from lipseg.params import Augment
from lipseg.rendering.masks import label_map

SIZE = 176  # of the wide crop
SHAPE = (150, 200)  # of the picture
STRONG = Augment(
    shift=0.1, scale=0.15, roll=20.0, stretch=0.2, warp=0.05, mirror=0.5, colour=0.0, blur=0.0, occlude=0.0
)
TO_IMAGE = Affine(np.array([[0.9, 0.0, 20.0], [0.0, 0.9, -4.0]]))


@pytest.fixture(scope="module")
def points():
    """An open mouth with another left than right half: (56, 2) picture pixels."""
    lips = sample_shape(np.random.default_rng(1), "laugh").lips
    lips = (lips - lips.mean(0)) * 60 / np.ptp(lips[:, 0])
    turn = np.array([[0.98, -0.2], [0.2, 0.98]])
    return lips @ turn.T + [99, 75]


@pytest.fixture(scope="module")
def masked(points):
    """Two views' worth of one face: labelled by a mask of twice the picture's resolution, and by its points alone."""
    labels = label_map(2 * points + 0.5, 2 * SHAPE[0], 2 * SHAPE[1])
    return CropSet(
        images=np.zeros((2, SIZE, SIZE, 3), np.uint8),
        names=np.array(["f/0", "f/1"]),
        split=np.array(["train"] * 2),
        state=np.array([""] * 2),
        points_px=np.stack([points] * 2),
        crop_to_image=np.stack([TO_IMAGE.matrix.astype(float)] * 2),
        inter_ocular_px=np.full(2, 70.0),
        scale=np.ones(2),
        mask=np.array([0, -1]),
        masks=region_crop(labels, SHAPE, TO_IMAGE, SIZE)[None],
        skipped={},
        sha256="",
    )


def overlap(one, other):
    """F1 of two coverages."""
    return 2 * np.minimum(one, other).sum() / (one.sum() + other.sum())


def centre(maps):
    y, x = np.mgrid[: maps.shape[0], : maps.shape[1]] + 0.5
    return np.array([(maps.sum(-1) * axis).sum() for axis in (x, y)]) / maps.sum()


def test_region_maps_cover_the_polygons_areas(points):
    size = 32
    unit = ((points - [65, 45]) / 70).astype(np.float32)
    maps = region_maps(unit[None], size)
    assert maps.shape == (1, size, size, 3)
    assert maps.dtype == np.float32
    assert maps.min() == 0
    assert maps.max() == 1
    polygons = scheme.region_polygons(unit * size)
    for k, region in enumerate(("upper", "lower", "inner")):
        assert maps[0, ..., k].sum() == pytest.approx(cv2.contourArea(polygons[region]), rel=0.03)
        moments = cv2.moments(polygons[region])
        expected = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
        np.testing.assert_allclose(centre(maps[0, ..., k : k + 1]), expected, atol=0.1)


def test_region_maps_of_a_closed_mouth_have_no_inner_mouth(points):
    unit = ((points - [65, 45]) / 70).astype(np.float32)
    unit[scheme.INNER, 1] = 0.5
    maps = region_maps(unit[None], 32)
    line = np.ptp(unit[scheme.INNER, 0]) * 32
    assert maps[0, ..., 2].sum() < 0.2 * line  # less than a line of a quarter pixel
    assert maps[0, ..., 0].sum() > 10


@pytest.mark.parametrize("finer", [0.5, 1, 2, 12])
def test_a_crop_of_masks_has_their_areas_and_place(points, finer):
    labels = label_map((points + 0.5) * finer - 0.5, round(SHAPE[0] * finer), round(SHAPE[1] * finer))
    covered = region_crop(labels, SHAPE, TO_IMAGE, SIZE).astype(float) / 255
    areas = [(labels == k).sum() / (0.9 * finer) ** 2 for k in (1, 2, 3)]
    np.testing.assert_allclose(covered.sum((0, 1)), areas, rtol=0.01)
    y, x = np.nonzero(labels)
    middle = (np.array([x.mean(), y.mean()]) + 0.5) / finer - 0.5
    np.testing.assert_allclose(TO_IMAGE(centre(covered) - 0.5), middle, atol=0.06)


def test_a_crop_of_masks_drops_strays_and_fills_holes(points):
    labels = label_map(points, *SHAPE)
    spoilt = labels.copy()
    spoilt[:2, :2] = 1
    (rows, columns) = np.nonzero(labels == 3)
    spoilt[rows[40], columns[40]] = 0
    np.testing.assert_array_equal(
        region_crop(spoilt, SHAPE, TO_IMAGE, SIZE), region_crop(labels, SHAPE, TO_IMAGE, SIZE)
    )
    with pytest.raises(DataError, match="no upper lip"):
        region_crop(np.where(labels == 1, 0, labels).astype(np.uint8), SHAPE, TO_IMAGE, SIZE)


@pytest.mark.parametrize("change", ["roll", "stretch", "warp", "mirror", "all"])
@pytest.mark.parametrize("side", [40, 64])
def test_masks_are_seen_as_the_picture_is(masked, change, side, no_augment):
    augment = STRONG if change == "all" else replace(no_augment, **{change: getattr(STRONG, change)})
    views = sample_views(masked, np.zeros(12, int), View(side, "square", 1.6), augment, np.random.default_rng(2))
    found = region_targets(masked, views, views.points_unit, side // 2)
    drawn = region_maps(views.points_unit, side // 2)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.sum(-1).max() <= 1 + 2 / 255  # they partition the mouth, but for rounding
    for one, other in zip(found, drawn, strict=True):
        assert overlap(one, other) > 0.93
        np.testing.assert_allclose(centre(one), centre(other), atol=0.12)


def test_masks_move_with_the_landmarks(masked):
    views = views_on_boxes(masked, np.array([0, 1]), None, View(64, "square", 1.6))
    moved = views.points_unit + np.array([0.05, -0.03], np.float32)
    still, shifted = (region_targets(masked, views, points, 32) for points in (views.points_unit, moved))
    for before, after, near in zip(still, shifted, (0.01, 0.12), strict=True):
        np.testing.assert_allclose(centre(after) - centre(before), [0.05 * 32, -0.03 * 32], atol=near)
    np.testing.assert_array_equal(still[1], region_maps(views.points_unit, 32)[1])  # a face without masks


@pytest.fixture
def both(tmp_path, points, monkeypatch):
    """A reader of faces with and without masks, and where it reads."""
    for i in range(15):
        shade = np.random.default_rng(i).integers(0, 255, (*SHAPE, 3), np.uint8)
        Image.fromarray(shade).save(tmp_path / f"{i}.png")
        Image.fromarray(label_map(points, *SHAPE)).save(tmp_path / f"{i}.mask.png")

    def read(root):
        for i, face in enumerate(masks.read(root)):
            yield replace(face, labels=None) if i % 3 else face

    monkeypatch.setattr(annotations, "_READERS", {**annotations._READERS, "both": read})
    return tmp_path


def test_crops_hold_the_masks_of_the_faces_that_have_some(both, data_params, crop_params, tmp_path):
    out = tmp_path / "out"
    crops = make_crops(out, replace(data_params, source="both", root=str(both)), crop_params, 0)
    np.testing.assert_array_equal(crops.mask[:7], [0, -1, -1, 1, -1, -1, 2])
    assert crops.masks.shape == (5, 64, 64, 3)
    assert sorted(file.name for file in out.iterdir()) == [
        "faces.npz",
        "images.npy",
        "masks.npy",
        "skipped.csv",
        "summary.json",
    ]
    views = views_on_boxes(crops, np.arange(6), None, View(32, "square", 1.6))
    for one, other in zip(
        region_targets(crops, views, views.points_unit, 16), region_maps(views.points_unit, 16), strict=True
    ):
        assert overlap(one, other) > 0.85
    (out / "masks.npy").unlink()  # not written over: it is mapped
    np.save(out / "masks.npy", crops.masks[:4])
    with pytest.raises(DataError, match=r"masks\.npy does not fit .*; run the crop stage again"):
        load_crops(out)
    (out / "masks.npy").unlink()
    with pytest.raises(DataError, match=r"masks\.npy: .*; run the crop stage again"):
        load_crops(out)


def test_without_masks_there_is_no_file_of_them(crops):
    assert len(crops.masks) == 0
    assert set(crops.mask) == {-1}


def nothing(shape):
    return np.zeros(shape, np.uint8)


def test_masks_that_a_reader_gets_wrong_are_skipped(both, data_params, crop_params, tmp_path):
    def read(root):
        for i, face in enumerate(masks.read(root)):
            assert isinstance(face, FaceSample)
            yield replace(face, labels=partial(nothing, SHAPE)) if i == 0 else face

    annotations.register("wrong", read)
    data = replace(data_params, source="wrong", root=str(both))
    crops = make_crops(tmp_path / "out", data, replace(crop_params, max_skipped_share=0.1), 0)
    assert list(crops.skipped.values()) == [1]
    assert len(crops.masks) == 14
