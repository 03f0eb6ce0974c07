"""What spoils pictures: where it lies, how strong it is, and that it leaves what it should."""

import cv2
import numpy as np
import pytest

from lipseg import scheme
from lipseg.data import corruptions
from lipseg.data.corruptions import patched, side_lit

ANGLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
RING = np.stack([-np.cos(ANGLE), -0.4 * np.sin(ANGLE)], 1)
# A mouth 60 pixels wide in the middle of a picture of 161 x 141.
MOUTH = np.concatenate([30 * RING, 18 * RING]) + np.array([80, 70])
GREY = np.full((141, 161, 3), 128, np.uint8)
HIDING = [corruptions.with_hand, corruptions.with_microphone]
DRAWN = [*HIDING, corruptions.bearded]


@pytest.mark.parametrize("seed", range(5))
def test_a_light_brightens_one_side_as_much_as_it_darkens_the_other(seed):
    lit = side_lit(np.ones((33, 33, 3), np.float32), 1.0, np.random.default_rng(seed))
    assert lit.dtype == np.float32
    np.testing.assert_allclose(lit + lit[::-1, ::-1], 2, atol=1e-5)
    # Along the light's own direction it is 0.6 at most; a corner may lie that much farther.
    assert 0 < lit.max() - 1 <= 0.6 * np.sqrt(2) + 1e-6
    same = side_lit(np.ones((33, 33, 3), np.float32), 0.0, np.random.default_rng(seed))
    np.testing.assert_array_equal(same, 1)


@pytest.mark.parametrize(("oval", "share"), [(False, 1.0), (True, np.pi / 4)])
@pytest.mark.parametrize("angle", [0.0, 90.0, 30.0])
def test_a_patch_lies_where_it_is_meant_to(oval, share, angle):
    image = np.full((120, 160, 3), 50, np.uint8)
    cover = np.full(image.shape, 300.0)
    seen = patched(image, cover, np.array([70.0, 60]), np.array([60.0, 20]), angle, oval=oval)
    assert (image == 50).all()
    assert set(np.unique(seen)) == {50, 255}
    rows, columns = np.nonzero(seen[..., 0] == 255)
    assert len(rows) == pytest.approx(60 * 20 * share, rel=0.1)
    assert (columns.mean(), rows.mean()) == pytest.approx((70, 60), abs=0.5)
    if angle == 90:
        assert np.ptp(rows) == pytest.approx(60, abs=2)


def names(function):
    return function.__name__


@pytest.mark.parametrize("draw", DRAWN, ids=names)
@pytest.mark.parametrize("seed", range(6))
def test_what_is_drawn_about_a_mouth_lies_there_and_follows_from_the_draws(draw, seed):
    skin = np.random.default_rng(99).integers(100, 156, GREY.shape, np.uint8)
    before = skin.copy()
    seen = draw(skin, MOUTH, np.random.default_rng(seed))
    np.testing.assert_array_equal(skin, before)
    assert seen.dtype == np.uint8
    changed = (seen != skin).any(-1)
    # Within a mouth's width of its middle.
    assert changed[10:131, 20:141].mean() > 0.02
    np.testing.assert_array_equal(seen, draw(skin, MOUTH, np.random.default_rng(seed)))


@pytest.mark.parametrize("draw", HIDING, ids=names)
def test_a_hand_and_a_microphone_hide_a_part_of_the_mouth(draw):
    x, y = np.round(MOUTH).astype(int).T
    hidden = [(draw(GREY, MOUTH, np.random.default_rng(seed))[y, x] != 128).any(-1).mean() for seed in range(30)]
    assert 0.1 < np.mean(hidden) < 0.5
    assert np.mean(np.array(hidden) > 0) > 0.7
    assert np.max(hidden) <= 0.75  # half of the landmarks, and an edge


def test_a_mouth_however_it_lies_is_never_hidden_whole():
    rng = np.random.default_rng(0)
    for _ in range(25):
        angle, scale = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 1.5)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points = (MOUTH - MOUTH.mean(0)) @ turn + rng.uniform(40, 100, 2)
        x, y = np.round(points).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < GREY.shape[1]) & (y < GREY.shape[0])
        for draw in HIDING:
            changed = (draw(GREY, points, rng) != 128).any(-1)
            assert changed[y[inside], x[inside]].sum() <= 0.9 * len(x)


def test_lips_stay_free_of_beards():
    lips = np.zeros(GREY.shape[:2], np.uint8)
    cv2.fillPoly(lips, [np.round(MOUTH[scheme.OUTER]).astype(np.int32)], 1)
    core = cv2.erode(lips, np.ones((7, 7))) > 0
    for seed in range(10):
        seen = corruptions.bearded(GREY, MOUTH, np.random.default_rng(seed))
        assert (seen[core] == 128).all()
        assert np.abs(seen[~core].astype(int) - 128).max() > 20
        assert np.abs(seen[:5].astype(int) - 128).max() == 0  # far above the mouth


def test_a_hand_has_the_colour_of_the_skin_around():
    skin = np.zeros_like(GREY)
    skin[:] = 200, 120, 90
    colours = []
    for seed in range(20):
        seen = corruptions.with_hand(skin, MOUTH, np.random.default_rng(seed)).astype(float)
        colours.append(seen[(seen != skin).any(-1)].mean(0))
    np.testing.assert_allclose(
        np.mean(colours, axis=0) / np.mean(colours), np.array([200, 120, 90]) / (410 / 3), atol=0.1
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_shadow_takes_its_share_on_one_side_of_an_edge_through_the_mouth(seed):
    seen = corruptions.shadowed(GREY, MOUTH, 0.75, np.random.default_rng(seed))
    assert {seen.min(), seen.max()} == {32, 128}
    around = seen[40:101, 40:121]
    assert around.min() < 64
    assert around.max() > 110


def test_too_little_light_leaves_a_darker_picture_whose_noise_grows_with_its_light():
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[32:] = 240
    seen = corruptions.darkened(picture, 0.4, np.random.default_rng(0)).astype(float)
    assert seen[:32].mean() == pytest.approx(16, abs=1)
    assert seen[32:].mean() == pytest.approx(96, abs=1)
    assert seen[32:].std() > seen[:32].std() > 0.8


@pytest.mark.parametrize(
    ("blur", "spread_x", "spread_y"),
    [
        (lambda image: corruptions.defocused(image, 6.0), 3.0, 3.0),  # a disc's deviation is half its radius
        # 13 places of one weight in a row, and the line's soft ends.
        (lambda image: corruptions.shaken(image, 12.0, 0.0), 3.74, 0.0),
        (lambda image: corruptions.shaken(image, 12.0, np.pi / 2), 0.0, 3.74),
    ],
    ids=["defocused", "shaken sideways", "shaken upright"],
)
def test_a_point_spreads_as_its_lens_and_its_camera_say(blur, spread_x, spread_y):
    picture = np.zeros((61, 61, 3), np.uint8)
    picture[29:32, 29:32] = 255
    seen = blur(picture)[..., 0].astype(float)
    y, x = np.mgrid[:61, :61] - 30
    weight = seen / seen.sum()
    assert ((weight * x).sum(), (weight * y).sum()) == pytest.approx((0, 0), abs=0.05)
    own = 2 / 3  # variance of the spot itself
    spread = np.sqrt([(weight * x**2).sum() - own, (weight * y**2).sum() - own])
    np.testing.assert_allclose(spread, [spread_x, spread_y], rtol=0.1, atol=0.15)
    assert (blur(GREY) == 128).all()


def test_few_pixels_and_small_files_keep_the_size_and_lose_what_is_fine():
    fine = np.repeat((np.indices((64, 96)).sum(0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=-1)
    seen = corruptions.coarsened(fine, 8.0)
    assert seen.shape == fine.shape
    assert seen.std() < 10
    smooth = np.repeat(np.linspace(0, 255, 96, dtype=np.uint8)[None, :, None], 64, axis=0) * np.ones(3, np.uint8)
    np.testing.assert_allclose(corruptions.coarsened(smooth, 4.0).astype(int), smooth, atol=8)


def test_a_small_file_costs_more_the_lower_its_quality_and_keeps_the_channels_apart():
    red = np.zeros((64, 64, 3), np.uint8)
    red[16:48, 16:48, 0] = 200
    worse, better = (corruptions.compressed(red, quality).astype(int) for quality in (5, 95))
    assert np.abs(better - red).mean() < np.abs(worse - red).mean()
    assert worse[32, 32, 0] > 120 > worse[32, 32, 2]
