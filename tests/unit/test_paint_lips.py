"""Lipstick on drawn faces: where it goes, what it keeps, what it looks like."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lipseg import scheme
from lipseg.data.face_shape import STATES
from lipseg.data.synthesize import draw_face
from lipseg.errors import DataError
from lipseg.makeup import oklab
from lipseg.makeup.lipstick import FINISHES, Painter, paint_lips, painter, parse_colour, parse_finish
from lipseg.rendering.matte import matte

COLOUR = (176, 48, 96)


@dataclass
class Lips:
    landmarks: NDArray[np.float32]


@dataclass
class Face:
    image: NDArray[np.uint8]
    lips: Lips

    @property
    def width(self) -> float:
        return float(np.ptp(self.lips.landmarks[:, 0]))

    def matte(self, region: str = "lips") -> NDArray[np.float32]:
        return matte(self.lips.landmarks, *self.image.shape[:2], region)

    def core(self) -> NDArray[np.bool_]:
        """The pixels well within the lips."""
        size = 2 * round(0.015 * self.width) + 1
        return cv2.erode(self.matte(), np.ones((size, size))) > 0.99


def drawn(seed: int, state: str, size: int = 320) -> Face:
    image, points = draw_face(np.random.default_rng(seed), state, size)
    # A fine texture, so that there is something to keep.
    grain = np.random.default_rng(seed).normal(0, 5, (size, size, 1))
    image = np.clip(image + cv2.GaussianBlur(grain, (0, 0), 0.8)[..., None] * 2, 0, 255).astype(np.uint8)
    return Face(image, Lips(points[scheme.HELEN_LIPS].astype(np.float32)))


@pytest.fixture(scope="module")
def faces() -> dict[str, Face]:
    return {state: drawn(seed, state) for seed, state in enumerate(STATES)}


def every(faces: dict[str, Face]) -> list[Face]:
    return list(faces.values())


def change(face: Face, *arguments, **options) -> NDArray[np.int64]:
    """(h, w) by how many grey levels the picture changes at most."""
    return np.abs(paint_lips(face.image, face.lips, *arguments, **options).astype(int) - face.image).max(2)


@pytest.mark.parametrize("finish", FINISHES.values(), ids=FINISHES)
def test_nothing_changes_away_from_the_lips(faces, finish):
    for face in every(faces):
        far = cv2.distanceTransform((face.matte("mouth") == 0).astype(np.uint8), cv2.DIST_L2, 5)
        changed = change(face, COLOUR, 1.0, finish)
        assert changed[far > 0.013 * face.width + 1].max() == 0
        assert np.median(changed[face.core()]) > 15


def test_the_picture_given_is_not_changed(faces):
    face = faces["closed"]
    before = face.image.copy()
    paint_lips(face.image, face.lips, COLOUR, 1.0)
    np.testing.assert_array_equal(face.image, before)


def test_a_colour_may_be_a_name(faces):
    face = faces["closed"]
    named = paint_lips(face.image, face.lips, "crimson", 1.0)
    np.testing.assert_array_equal(named, paint_lips(face.image, face.lips, parse_colour("crimson"), 1.0))


@pytest.mark.parametrize("colour", [(300, 0, 0), (1, 2), (-1, 0, 0), (1.0, 0.2, 0.2), "crimsn"])
def test_what_is_no_colour_is_refused(faces, colour):
    with pytest.raises(DataError, match="is no colour"):
        paint_lips(faces["closed"].image, faces["closed"].lips, colour)


@pytest.mark.parametrize("finish", FINISHES.values(), ids=FINISHES)
def test_teeth_and_tongue_stay_as_they_are(faces, finish):
    for state in ("laugh", "open"):
        face = faces[state]
        inner = face.matte("inner") >= 0.999
        assert inner.sum() > 50
        assert change(face, COLOUR, 1.0, finish)[inner].max() <= 1


def test_teeth_that_the_landmarks_take_for_lips_get_little_paint():
    """White teeth reach a little below where the contour says the lower lip begins."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    points = np.concatenate([ring * [50, 24], ring * [36, 8]]) + np.array([80, 60])
    image = np.full((120, 160, 3), (200, 160, 140), np.uint8)
    cv2.ellipse(image, (80, 60), (50, 24), 0, 0, 360, (180, 95, 95), -1)
    cv2.ellipse(image, (80, 60), (36, 10), 0, 0, 360, (235, 230, 220), -1)
    face = Face(image, Lips(points.astype(np.float32)))
    teeth = (image[..., 0] == 235) & (face.matte() > 0.9)
    assert teeth.sum() > 40
    # Covered, they would change by far more than 100 grey levels.
    assert change(face, COLOUR, 1.0)[teeth].mean() < 25


def test_no_opacity_changes_nothing(faces):
    for face in every(faces):
        assert change(face, COLOUR, 0.0).max() == 0


@pytest.mark.parametrize("colour", [COLOUR, (200, 20, 20), (120, 20, 40), (255, 127, 80), (60, 20, 120)])
def test_the_hue_is_the_lipsticks(faces, colour):
    target = oklab.from_rgb8(np.array(colour, np.uint8))
    for face in every(faces):
        lab = oklab.from_rgb8(paint_lips(face.image, face.lips, colour, 1.0))[face.core()].mean(0)
        turned = np.arctan2(lab[2], lab[1]) - np.arctan2(target[2], target[1])
        assert abs(np.rad2deg(np.angle(np.exp(1j * turned)))) < 8


def test_lightness_goes_towards_the_lipsticks(faces):
    for face in every(faces):
        core = face.core()
        bare = np.median(oklab.from_rgb8(face.image)[core][:, 0])
        for colour in ((60, 10, 20), (255, 190, 200)):
            target = oklab.from_rgb8(np.array(colour, np.uint8))[0]
            painted = np.median(oklab.from_rgb8(paint_lips(face.image, face.lips, colour, 1.0))[core][:, 0])
            assert 0.3 < (painted - bare) / (target - bare) < 0.85


def detail(image: NDArray[np.uint8], core: NDArray[np.bool_]) -> float:
    """The deviation of lightness from its surroundings, over the mean lightness: local contrast."""
    lightness = oklab.from_rgb8(image)[..., 0]
    fine = lightness - cv2.GaussianBlur(lightness, (0, 0), 2.0)
    return float(fine[core].std() / lightness[core].mean())


# How much of the bare lips' local contrast a finish leaves or makes.
@pytest.mark.parametrize(("finish", "low", "high"), [("matte", 0.55, 1.0), ("satin", 0.75, 1.1), ("gloss", 0.85, 2.2)])
def test_texture_is_kept(faces, finish, low, high):
    for face in every(faces):
        lips = np.median(face.image[face.core()], axis=0)
        colour = (int(lips[0]), int(lips[1]) // 2, int(lips[2]))
        kept = detail(paint_lips(face.image, face.lips, colour, 1.0, FINISHES[finish]), face.core())
        assert low < kept / detail(face.image, face.core()) < high


def test_finishes_differ_as_they_should(faces):
    spread = np.zeros(3)
    for face in every(faces):
        core = face.core()
        matte, satin, gloss = (
            oklab.from_rgb8(paint_lips(face.image, face.lips, COLOUR, 1.0, finish))[core][:, 0]
            for finish in FINISHES.values()
        )
        # Shine lies on some of the lips: most of them look as with satin.
        assert abs(np.median(gloss) - np.median(satin)) < 0.03
        spread += [np.percentile(lightness, 98) - np.median(lightness) for lightness in (matte, satin, gloss)]
    assert 1.1 * spread[0] < spread[1] < 0.8 * spread[2]


def test_shading_is_kept(faces):
    """Where the bare lips are darker, the painted ones are."""
    for face in every(faces):
        core = face.core()
        bare = oklab.from_rgb8(face.image)[core][:, 0]
        painted = oklab.from_rgb8(paint_lips(face.image, face.lips, COLOUR, 1.0))[core][:, 0]
        assert np.corrcoef(bare, painted)[0, 1] > 0.85


def test_more_opacity_is_more_paint(faces):
    for face in every(faces):
        changes = [change(face, COLOUR, opacity) for opacity in np.linspace(0, 1, 6)]
        for less, more in pairwise(changes):
            assert (more >= less - 1).all()  # bytes are rounded
            assert more.mean() > less.mean()


def test_a_grey_photo_gets_colour(faces):
    for face in every(faces):
        grey = Face(np.repeat(cv2.cvtColor(face.image, cv2.COLOR_RGB2GRAY)[..., None], 3, 2), face.lips)
        lab = oklab.from_rgb8(paint_lips(grey.image, grey.lips, COLOUR))[grey.core()].mean(0)
        assert np.hypot(*lab[1:]) > 0.04
        target = oklab.from_rgb8(np.array(COLOUR, np.uint8))
        assert abs(np.arctan2(lab[2], lab[1]) - np.arctan2(target[2], target[1])) < 0.1


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_pictures_are_painted_without_a_fault(value):
    face = drawn(0, "closed")
    face.image[:] = value
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        for finish in FINISHES.values():
            # What no light falls on stays black.
            assert (change(face, COLOUR, 1.0, finish)[face.core()].max() > 0) == (value > 0)


def test_the_edge_of_the_picture_cuts_the_lips():
    """Painting a part of a picture is part of painting it, where the lips' tone is known."""
    face = drawn(3, "smile")
    middle = round(float(face.lips.landmarks[:, 0].mean()))
    cut = Face(np.ascontiguousarray(face.image[:, middle:]), Lips(face.lips.landmarks - np.float32([middle, 0])))
    whole, part = change(face, COLOUR, 1.0)[:, middle:], change(cut, COLOUR, 1.0)
    assert part.max() > 20
    assert np.abs(whole - part)[:, round(0.1 * face.width) :].mean() < 1
    assert change(Face(face.image, Lips(face.lips.landmarks + 10000)), COLOUR, 1.0).max() == 0


@settings(max_examples=25, deadline=None)
@given(
    scale=st.floats(0.02, 3.0),
    shift=st.tuples(st.floats(-150, 150), st.floats(-150, 150)),
    squeeze=st.floats(0, 1),
    opacity=st.floats(0, 1),
    finish=st.sampled_from(list(FINISHES.values())),
    seed=st.integers(0, 1000),
)
def test_any_landmarks_can_be_painted(faces, scale, shift, squeeze, opacity, finish, seed):
    face = faces["open"]
    points = face.lips.landmarks
    centre = points.mean(0)
    moved = centre + (points - centre) * [scale, scale * squeeze] + shift
    moved += np.random.default_rng(seed).normal(0, 0.02 * scale * face.width, moved.shape)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        painted = paint_lips(face.image, Lips(moved.astype(np.float32)), COLOUR, opacity, finish)
    assert painted.dtype == np.uint8
    covered = matte(moved, *face.image.shape[:2], "mouth") == 0
    far = cv2.distanceTransform(covered.astype(np.uint8), cv2.DIST_L2, 5)
    outside = far > 0.02 * np.ptp(moved, axis=0).max() + 1.5
    np.testing.assert_array_equal(painted[outside], face.image[outside])


@pytest.mark.parametrize("scale", [30.0, 1e4, 1e8])
@pytest.mark.parametrize("finish", FINISHES.values(), ids=FINISHES)
def test_a_mouth_that_reaches_far_beyond_the_picture_is_painted_without_a_fault(faces, scale, finish):
    face = faces["open"]
    points = face.lips.landmarks.astype(np.float64)
    # The picture shows a part of the lower lip, and nothing of the inner contour.
    lower_lip = points[[*range(19, 24)]].mean(0) * 0.5 + points[[*range(47, 52)]].mean(0) * 0.5
    far = (points - lower_lip) * scale + 160
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        painted = paint_lips(face.image, Lips(far.astype(np.float32)), COLOUR, 1.0, finish)
    assert (painted != face.image).any()


def test_a_finish_may_be_a_name(faces):
    face = faces["smile"]
    named = paint_lips(face.image, face.lips, COLOUR, finish="gloss")
    np.testing.assert_array_equal(named, paint_lips(face.image, face.lips, COLOUR, finish=FINISHES["gloss"]))
    with pytest.raises(DataError, match="'wet' is no finish"):
        paint_lips(face.image, face.lips, COLOUR, finish="wet")


def test_all_lips_of_a_picture_may_be_painted_at_once(faces):
    one, other = faces["smile"], faces["laugh"]
    both = np.concatenate([one.image, other.image], axis=1)
    right = Lips(other.lips.landmarks + np.float32([one.image.shape[1], 0]))
    painted = paint_lips(both, [one.lips, right], COLOUR)
    np.testing.assert_array_equal(painted, paint_lips(paint_lips(both, one.lips, COLOUR), right, COLOUR))
    np.testing.assert_array_equal(paint_lips(both, [], COLOUR), both)


def test_a_picture_is_what_the_segmenter_takes(faces, tmp_path):
    face = faces["smile"]
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(face.image[::-1, ::-1]).save(tmp_path / "a.png", exif=exif)
    painted = paint_lips(face.image, face.lips, COLOUR)
    for picture in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.open(tmp_path / "a.png")):
        np.testing.assert_array_equal(paint_lips(picture, face.lips, COLOUR), painted)
    with pytest.raises(DataError, match="a picture must be an array, a path or a PIL image, not list"):
        paint_lips([1, 2], face.lips, COLOUR)


def test_what_cannot_be_painted_is_refused(faces):
    face = faces["closed"]
    with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.5"):
        paint_lips(face.image, face.lips, COLOUR, 1.5)
    with pytest.raises(ValueError, match="finite"):
        paint_lips(face.image, Lips(np.full((56, 2), np.nan, np.float32)), COLOUR)


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("#b03060", COLOUR),
        (" #B03060 ", COLOUR),
        ("#f08", (255, 0, 136)),
        ("crimson", (220, 20, 60)),
        ("rgb(1,2,3)", (1, 2, 3)),
        ("#b03060ff", COLOUR),
    ],
)
def test_colours(text, rgb):
    assert parse_colour(text) == rgb


@pytest.mark.parametrize("text", ["", "b03060", "#b0306", "lipstick", "#ggg"])
def test_no_colours(text):
    with pytest.raises(DataError, match=r"is no colour; write #rrggbb, #rgb or a CSS name"):
        parse_colour(text)


def test_finish_names():
    assert parse_finish("Gloss") is FINISHES["gloss"]
    with pytest.raises(DataError, match="'wet' is no finish; choose matte, satin, gloss"):
        parse_finish("wet")


@dataclass
class Tracked:
    id: int
    lips: Lips


def lightness(image: NDArray[np.uint8], face: Face) -> float:
    return float(oklab.from_rgb8(image)[face.core()][:, 0].mean())


def test_a_videos_frame_is_painted_as_a_photo_is(faces):
    face = faces["laugh"]
    paint = painter("#b03060", 0.6, "gloss")
    first = paint(face.image, [Tracked(7, face.lips)])
    np.testing.assert_array_equal(first, paint_lips(face.image, face.lips, COLOUR, 0.6, FINISHES["gloss"]))
    np.testing.assert_array_equal(first, paint(face.image, [Tracked(7, face.lips)]))
    np.testing.assert_array_equal(paint(face.image, []), face.image)


def test_paint_does_not_flicker_with_the_lips_measured_tone(faces):
    """A frame with half of the lips in a shadow: their median drops, the paint in the light must not jump with it."""
    face = faces["closed"]
    shadowed = face.image.copy()
    edge = round(float(np.quantile(face.lips.landmarks[:, 0], 0.4)))
    shadowed[:, edge:] //= 2
    light = face.core()
    light[:, edge - 8 :] = False
    before, alone = Painter(COLOUR, 1.0), Painter(COLOUR, 1.0)
    steady = before(face.image, [Tracked(1, face.lips)])
    followed = before(shadowed, [Tracked(1, face.lips)])
    single = alone(shadowed, [Tracked(1, face.lips)])
    jump = np.abs(oklab.from_rgb8(single)[light][:, 0] - oklab.from_rgb8(steady)[light][:, 0]).mean()
    step = np.abs(oklab.from_rgb8(followed)[light][:, 0] - oklab.from_rgb8(steady)[light][:, 0]).mean()
    assert jump > 0.05
    assert step < 0.4 * jump


def test_each_person_has_a_tone_of_their_own_and_is_forgotten_when_gone(faces):
    face = faces["closed"]
    bright = np.clip(face.image.astype(int) + 40, 0, 255).astype(np.uint8)
    paint = Painter(COLOUR, 1.0)
    paint(face.image, [Tracked(1, face.lips)])
    other = paint(bright, [Tracked(2, face.lips)])
    np.testing.assert_array_equal(other, paint_lips(bright, face.lips, COLOUR, 1.0))
    again = paint(bright, [Tracked(1, face.lips)])
    np.testing.assert_array_equal(again, other)
