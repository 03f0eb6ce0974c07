"""Views: the landmarks move with the pixels, the jitter keeps its bounds, and everything follows from the seed."""

from dataclasses import replace

import numpy as np
import pytest

from lipseg.data.augment import fixed_batches, sample_views, validation_views, views_on_boxes
from lipseg.data.crop_set import CropSet
from lipseg.geometry import View, from_unit

SIZE = 176  # of the wide crop
TO_IMAGE = np.array([[0.9, 0.0, 30.0], [0.0, 0.9, 10.0]])


def mouth_points():
    """An asymmetric mouth in the middle of the crop: (56, 2) crop pixels."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    outer, inner = ring * [30, 14], ring * [20, 6] + [0, 2]
    return np.concatenate([outer, inner]) + np.array([88, 84])


def marked(points, spots):
    """A crop set of one grey face with a white spot (Gaussian, sigma 2.5) on each of some landmarks, one a face."""
    y, x = np.mgrid[:SIZE, :SIZE]
    images = [
        60 + 190 * np.exp(-((x - points[spot, 0]) ** 2 + (y - points[spot, 1]) ** 2) / (2 * 2.5**2)) for spot in spots
    ]
    n = len(spots)
    return CropSet(
        images=np.repeat(np.round(images).astype(np.uint8)[..., None], 3, axis=-1),
        names=np.array([f"f/{i}" for i in range(n)]),
        split=np.array(["train"] * n),
        state=np.array([""] * n),
        points_px=np.repeat((points @ TO_IMAGE[:, :2].T + TO_IMAGE[:, 2])[None], n, axis=0),
        crop_to_image=np.repeat(TO_IMAGE[None], n, axis=0),
        inter_ocular_px=np.full(n, 70.0),
        scale=np.ones(n),
        mask=np.full(n, -1),
        masks=np.empty((0, SIZE, SIZE, 3), np.uint8),
        skipped={},
        sha256="",
    )


def spot_of(image):
    """Where the white spot is: (x, y), the centroid of what is brighter than the ground."""
    weight = np.maximum(image[..., 0].astype(float) - 90, 0)
    y, x = np.mgrid[: len(image), : len(image)]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


SPOTS = np.array([0, 5, 13, 20, 28, 35, 42, 50])


@pytest.mark.parametrize("shape", [("square", 1.8), ("stretch", 20.0)], ids=["square", "stretch"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"mirror": 1.0},
        {"roll": 40.0},
        {"stretch": 0.3},
        {"warp": 0.08},
        {"roll": 40.0, "mirror": 1.0, "shift": 0.1, "scale": 0.2, "stretch": 0.2, "warp": 0.05},
    ],
    ids=["plain", "mirror", "roll", "stretch", "warp", "everything"],
)
def test_landmarks_move_with_the_pixels(no_augment, shape, change):
    crops = marked(mouth_points(), SPOTS)
    view = View(96, *shape)
    augment = replace(no_augment, **change)
    views = sample_views(crops, np.repeat(np.arange(len(SPOTS)), 3), view, augment, np.random.default_rng(0))
    for k, face in enumerate(views.face):
        spot = SPOTS[face]
        # This mouth's corners are its points 0 and 14, on both contours: mirrored, they change places.
        index = spot // 28 * 28 + (14 - spot) % 28 if augment.mirror else spot
        assert views.mirrored[k] == bool(augment.mirror)
        expected = from_unit(views.points_unit[k].astype(float), view.size)[index]
        np.testing.assert_allclose(spot_of(views.images[k]), expected, atol=0.35)


def test_views_on_boxes_show_the_landmarks_own_boxes_or_the_given_ones(crops):
    view, faces = View(32, "square", 1.5), np.array([4, 1])
    own = views_on_boxes(crops, faces, None, view)
    given = views_on_boxes(crops, faces, crops.boxes_px[faces], view)
    np.testing.assert_array_equal(own.images, given.images)
    assert own.face.tolist() == [4, 1]
    assert own.images.dtype == np.uint8
    assert own.points_unit.dtype == own.iod_unit.dtype == np.float32
    extent = own.points_unit.max(1) - own.points_unit.min(1)
    np.testing.assert_allclose(extent.max(1), 1 / 1.5, rtol=1e-5)
    np.testing.assert_allclose((own.points_unit.max(1) + own.points_unit.min(1)) / 2, 0.5, atol=1e-5)
    wide = views_on_boxes(crops, faces, crops.boxes_px[faces] + [-10, -10, 10, 10], view)
    assert (wide.iod_unit < own.iod_unit).all()
    with pytest.raises(ValueError, match="zip"):
        views_on_boxes(crops, faces, crops.boxes_px[:1], view)


def test_distances_are_those_of_the_view(crops):
    """The inter-ocular distance of a view is to the mouth's width as it is in the image."""
    views = views_on_boxes(crops, np.arange(5), None, View(32, "square", 1.6))
    ratio = np.ptp(views.points_unit[..., 0], axis=1) / np.ptp(crops.points_px[:5, :, 0], axis=1)
    np.testing.assert_allclose(views.iod_unit, crops.inter_ocular_px[:5] * ratio, rtol=1e-5)


def test_to_image_takes_landmarks_back(crops, no_augment):
    augment = replace(no_augment, shift=0.1, scale=0.1, roll=20.0)
    views = sample_views(crops, np.arange(6), View(32, "square", 1.6), augment, np.random.default_rng(1))
    for k, i in enumerate(views.face):
        matrix = views.to_image[k]
        found = from_unit(views.points_unit[k].astype(float), 32) @ matrix[:, :2].T + matrix[:, 2]
        np.testing.assert_allclose(found, crops.points_px[i], atol=1e-3)


def test_without_augmentation_a_view_is_that_of_the_box(crops, no_augment):
    view, faces = View(32, "square", 1.6), np.arange(4)
    sampled = sample_views(crops, faces, view, no_augment, np.random.default_rng(0))
    plain = views_on_boxes(crops, faces, None, view)
    np.testing.assert_array_equal(sampled.images, plain.images)
    np.testing.assert_allclose(sampled.points_unit, plain.points_unit)


def test_the_jitter_fills_its_bounds_and_keeps_them(no_augment):
    crops = marked(mouth_points(), [0])
    view = View(32, "square", 1.6)
    augment = replace(no_augment, shift=0.2, scale=0.3, roll=25.0, mirror=0.3)
    n = 600
    views = sample_views(crops, np.zeros(n, int), view, augment, np.random.default_rng(0))
    still = replace(augment, shift=0.0, scale=0.0)
    exact = sample_views(crops, np.zeros(n, int), view, still, np.random.default_rng(0))
    linear = views.to_image[:, :, :2]
    mirrored = np.linalg.det(linear) < 0
    assert mirrored.mean() == pytest.approx(0.3, abs=0.06)
    x_axis = linear[:, :, 0] * np.where(mirrored, -1, 1)[:, None]
    roll = np.degrees(np.arctan2(x_axis[:, 1], x_axis[:, 0]))
    assert np.abs(roll).max() <= 25 + 1e-9
    assert roll.min() < -23
    assert roll.max() > 23
    # Against the same draws without shift and scale.
    factor = np.log(np.sqrt(np.abs(np.linalg.det(linear) / np.linalg.det(exact.to_image[:, :, :2]))))
    assert np.abs(factor).max() <= 0.3 + 1e-9
    assert np.ptp(factor) > 0.55
    middle = np.full(2, 15.5)
    moved = linear @ middle + views.to_image[:, :, 2] - exact.to_image[:, :, :2] @ middle - exact.to_image[:, :, 2]
    turned = np.einsum("nij,ni->nj", exact.to_image[:, :, :2], moved)  # along the view's axes
    turned /= np.sqrt(np.abs(np.linalg.det(exact.to_image[:, :, :2])))[:, None]
    width = np.array([np.ptp(p[:, 0]) for p in exact.points_unit]) * 32
    width *= np.sqrt(np.abs(np.linalg.det(exact.to_image[:, :, :2])))
    share = turned / width[:, None]
    assert np.abs(share).max() <= 0.2 + 1e-6
    assert np.ptp(share, axis=0).min() > 0.37


def test_a_stretch_changes_width_over_height_up_to_its_bound_and_nothing_else(no_augment):
    crops = marked(mouth_points(), [0])
    view = View(32, "square", 1.6)
    views = sample_views(crops, np.zeros(300, int), view, replace(no_augment, stretch=0.2), np.random.default_rng(0))
    plain = views_on_boxes(crops, np.zeros(1, int), None, view)
    linear = np.linalg.inv(plain.to_image[0, :, :2]) @ views.to_image[:, :, :2]
    ratio = np.log(linear[:, 0, 0] / linear[:, 1, 1])
    assert np.abs(ratio).max() <= 0.2 + 1e-9
    assert np.ptp(ratio) > 0.38
    np.testing.assert_allclose(np.linalg.det(linear), 1.0, atol=1e-9)  # the area stays
    np.testing.assert_allclose(linear[:, [0, 1], [1, 0]], 0.0, atol=1e-12)
    middle = np.full(2, 15.5)
    np.testing.assert_allclose(
        views.to_image[:, :, :2] @ middle + views.to_image[:, :, 2],
        np.tile(plain.to_image[0, :, :2] @ middle + plain.to_image[0, :, 2], (300, 1)),
        atol=1e-9,
    )


def test_a_warp_moves_landmarks_up_to_its_bound_and_changes_shapes(no_augment):
    crops = marked(mouth_points(), [0])
    view = View(64, "square", 1.6)
    warped = sample_views(crops, np.zeros(200, int), view, replace(no_augment, warp=0.05), np.random.default_rng(0))
    plain = views_on_boxes(crops, np.zeros(1, int), None, view)
    moved = (warped.points_unit - plain.points_unit) / np.ptp(plain.points_unit[0, :, 0])
    # A cubic between the grid's points may overshoot a little.
    assert np.abs(moved).max() < 0.05 * 1.4
    assert np.abs(moved).max() > 0.04
    # Neighbours move alike, far points do not.
    assert np.abs(moved[:, 1:28] - moved[:, :27]).max() < 0.05
    assert np.abs(moved[:, 0] - moved[:, 13]).max() > 0.06


@pytest.fixture
def strong(no_augment):
    return replace(no_augment, shift=0.1, scale=0.1, roll=10.0, mirror=0.5, colour=1.0, blur=0.7, occlude=0.7)


def test_views_follow_from_the_generator(crops, strong):
    view, faces = View(32, "square", 1.6), np.arange(8)

    def sampled(seed):
        return sample_views(crops, faces, view, strong, np.random.default_rng(seed))

    np.testing.assert_array_equal(sampled(1).images, sampled(1).images)
    np.testing.assert_array_equal(sampled(1).points_unit, sampled(1).points_unit)
    assert (sampled(1).images != sampled(2).images).any((1, 2, 3)).all()


@pytest.mark.parametrize("key", ["colour", "blur", "occlude"])
def test_colour_blur_and_occlusion_change_pixels_alone(crops, no_augment, key):
    view, faces = View(32, "square", 1.6), np.arange(24)
    plain = views_on_boxes(crops, faces, None, view)
    for share in (1.0, 0.0):
        views = sample_views(crops, faces, view, replace(no_augment, **{key: share}), np.random.default_rng(0))
        changed = (views.images != plain.images).any((1, 2, 3))
        assert changed.mean() > 0.7 if share else not changed.any()
        np.testing.assert_array_equal(views.points_unit, plain.points_unit)
    np.testing.assert_array_equal(plain.images, views_on_boxes(crops, faces, None, view).images)  # the crops are whole


def test_validation_views_are_fixed_by_the_seed(crops):
    view = View(32, "square", 1.6)
    first, again, other = (validation_views(crops, view, "jittered", seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.points_unit != other.points_unit).any()
    held_out = crops.indices("validation")
    assert first.face.tolist() == np.repeat(held_out, 3).tolist()
    exact = validation_views(crops, view, "exact", 0)
    assert exact.face.tolist() == held_out.tolist()
    np.testing.assert_array_equal(exact.images, views_on_boxes(crops, held_out, None, view).images)


@pytest.mark.parametrize(("n", "size"), [(1, 4), (4, 4), (9, 4), (8, 1)])
def test_batches_have_one_size_and_hold_every_row(n, size):
    batches = list(fixed_batches(n, size))
    assert {len(batch) for batch in batches} == {size}
    assert np.concatenate(batches)[:n].tolist() == list(range(n))
    assert max(batch.max() for batch in batches) == n - 1
