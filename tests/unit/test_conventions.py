"""What each source's annotators draw elsewhere: added to landmarks, fitted to answers, measured, and shown."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipseg.data.augment import views_on_boxes
from lipseg.errors import DataError
from lipseg.evaluation.card_text import annotators
from lipseg.evaluation.conventions import conventions_sheet, measured
from lipseg.inference.conventions import Convention, mouth_frames
from lipseg.model.nets import similarity_frame
from lipseg.rendering import measures
from lipseg.training.conventions import (
    Answers,
    Residuals,
    answers_of_all,
    as_json,
    fit_all,
    fit_convention,
    load_conventions,
)

OFFSET = np.random.default_rng(0).normal(0, 0.05, 112)
KNOWN = Convention(tuple(OFFSET.tolist()), (2.0, -1.0))
NONE = Convention((0.0,) * 112, (0.0, 0.0))


def ellipses():
    """Two contours about the origin, upright, of unit RMS radius: (56, 2)."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    points = np.concatenate([ring * [2, 1], ring * [1.5, 0.4]])
    return points / np.sqrt((points**2).sum(1).mean())


def mouths(count, rng, sizes=(10, 80)):
    """(count, 56, 2) mouths of all sizes and rolls, pixels."""
    radius, roll = rng.uniform(*sizes, count), rng.uniform(-0.6, 0.6, count)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]).transpose(2, 0, 1)
    shape = ellipses() + rng.normal(0, 0.02, (count, 56, 2))
    return radius[:, None, None] * shape @ turn.transpose(0, 2, 1) + rng.uniform(100, 300, (count, 1, 2))


def drawn_by(convention, answered):
    return np.stack([convention(points) for points in answered]).astype(float)


def test_frames_are_those_of_the_network():
    points = mouths(7, np.random.default_rng(1))
    centre, radius, along = mouth_frames(points)
    expected = np.asarray(similarity_frame(points.astype(np.float32)))
    # The network's corners are in units of a view, where the pixel that it adds against zeros is nothing.
    np.testing.assert_allclose(np.column_stack([centre, along * radius[:, None]]), expected, atol=0.02)


def test_nothing_is_added_by_a_convention_of_zeros():
    points = mouths(3, np.random.default_rng(2)).astype(np.float32)
    for one in points:
        found = NONE(one)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, one)


def test_pixels_are_the_picture_s_and_the_offset_is_the_mouth_s():
    turned = 30 * ellipses()[:, ::-1] * [-1, 1]  # a quarter: what was right in the mouth's frame is down in the picture
    _, radius, along = mouth_frames(turned[None])
    np.testing.assert_allclose(along[0], [0, 1], atol=0.2)  # the corners of these ellipses are not quite opposite
    pixels = Convention((0.0,) * 112, (5.0, 1.0))
    np.testing.assert_allclose(pixels(turned) - turned, np.tile([5, 1], (56, 1)), atol=1e-4)
    right = Convention((0.1, 0.0) * 56, (0.0, 0.0))
    np.testing.assert_allclose(right(turned) - turned, np.tile(0.1 * radius * along, (56, 1)), atol=1e-4)


@given(st.floats(-3, 3), st.floats(0.2, 9), st.floats(-500, 500))
def test_the_offset_turns_grows_and_moves_with_the_mouth(roll, scale, shift):
    offset = Convention(tuple(OFFSET.tolist()), (0.0, 0.0))
    turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    points = 20 * ellipses()
    np.testing.assert_allclose(offset(points @ turn.T + shift), offset(points) @ turn.T + shift, atol=2e-3 * scale)


def test_landmarks_in_one_place_have_no_frame_and_take_the_pixels_alone():
    np.testing.assert_allclose(KNOWN(np.full((56, 2), 9.0)), np.tile([11.0, 8.0], (56, 1)))


@pytest.mark.parametrize(
    "wrong", [[None] * 112, [0.1] * 111, [True] * 112, "x" * 112, [float("nan")] * 112, 0.1, None, [[0.1, 0.2]] * 56]
)
def test_a_convention_of_other_numbers_is_refused(wrong):
    with pytest.raises(ValueError, match="112 finite numbers"):
        Convention.from_json({"offset": wrong, "pixels": [0, 0]})


def test_a_known_convention_is_found():
    answered = mouths(40, np.random.default_rng(3))
    found = fit_convention(Residuals.of(drawn_by(KNOWN, answered), answered))
    np.testing.assert_allclose(found.offset, KNOWN.offset, atol=1e-5)
    np.testing.assert_allclose(found.pixels, KNOWN.pixels, atol=1e-3)


def test_it_is_the_least_squares_over_all_landmarks():
    rng = np.random.default_rng(4)
    answered = mouths(12, rng)
    residuals = Residuals.of(answered + rng.normal(0, 2, answered.shape), answered)
    found = fit_convention(residuals)
    # The same by brute force: an unknown for every coordinate, and two for the pixels.
    design = np.concatenate([np.tile(np.eye(112), (12, 1)), np.repeat(residuals.per_pixel, 56, 0).reshape(-1, 2)], 1)
    expected, *_ = np.linalg.lstsq(design, residuals.landmarks.ravel(), rcond=None)
    np.testing.assert_allclose([*found.offset, *found.pixels], expected, atol=1e-6)


def test_mouths_of_one_size_leave_offset_and_pixels_undecided_but_their_sum_not():
    answered = np.repeat(30 * ellipses()[None], 6, 0)
    found = fit_convention(Residuals.of(drawn_by(KNOWN, answered), answered))
    assert np.isfinite([*found.offset, *found.pixels]).all()
    np.testing.assert_allclose(found(answered[0]), KNOWN(answered[0]), atol=1e-3)


@pytest.fixture
def looked(crops, view):
    """Crops of two sources, and a cascade that sees them all where they are but for two pixels."""
    names = np.array([("a/" if i % 2 else "b/") + str(i) for i in range(len(crops))])
    both = dataclasses.replace(crops, names=names)
    seen = []

    def outputs(images):
        rows = [int(np.flatnonzero((images_of == image).all((1, 2, 3)))[0]) for image in images]
        seen.extend(rows)
        return SimpleNamespace(cascade=truth[rows])

    faces = np.arange(len(crops))
    views = views_on_boxes(both, faces, None, view)
    images_of, truth = views.images, views.points_unit + np.float32(2 / view.size)
    return both, SimpleNamespace(view=view, outputs=outputs), seen


def test_answers_are_those_of_training_and_validation_faces_in_pixels_of_the_image(looked):
    crops, cascade, seen = looked
    answers = answers_of_all(crops, cascade)
    assert list(answers) == ["b", "a"]  # the first source is the reference
    faces = np.concatenate([found.face for found in answers.values()])
    assert sorted(faces) == sorted(crops.indices("train", "validation"))
    assert set(seen) == set(faces)
    for source, found in answers.items():
        assert all(str(name).startswith(f"{source}/") for name in crops.names[found.face])
        np.testing.assert_array_equal(found.annotated_px, crops.points_px[found.face])
        pixel = np.array([1.6 * np.ptp(p, axis=0).max() for p in found.annotated_px]) / cascade.view.size
        moved = np.abs(found.answered_px - found.annotated_px - 2 * pixel[:, None, None])
        assert moved.max() < 0.01
    assert list(fit_all(answers)) == ["a"]


def two_sources(count=60):
    rng = np.random.default_rng(5)
    answered = mouths(2 * count, rng)
    noise = rng.normal(0, 0.5, (2 * count, 1, 2))
    annotated = np.concatenate([answered[:count], drawn_by(KNOWN, answered[count:])]) + noise
    faces = np.arange(count)
    return {
        "mine": Answers(faces, annotated[:count], answered[:count]),
        "theirs": Answers(faces, annotated[count:], answered[count:]),
    }


def test_offsets_are_measured_with_intervals_at_small_and_large_mouths():
    answers = two_sources()
    rows = measured(answers, 0)
    assert [(row["source"], row["mouths"]) for row in rows] == [
        (source, size) for source in ("mine", "theirs") for size in ("small", "median", "large")
    ]
    assert rows == measured(answers, 0)
    assert rows != measured(answers, 1)
    mean, width = OFFSET.reshape(56, 2).mean(0), measures.width(ellipses())
    for row in rows:
        known = row["source"] == "theirs"
        radius = row["width_px"] / width
        for axis, way in enumerate(("right", "down")):
            value, low, high = row[way]
            truth = known * 100 * (mean[axis] * radius + KNOWN.pixels[axis]) / row["width_px"]
            assert low < value < high
            assert abs(value - truth) < 0.6
            # The interval is of the noise's size: half a pixel over the square root of 60 faces.
            assert 0.02 < high - low < 100 * 4 * 0.5 / row["width_px"]
    small, _, large = rows[3:]
    assert small["width_px"] < large["width_px"]
    assert small["right"][0] > large["right"][0] + 1  # the pixels count more there


def test_the_file_there_and_back(tmp_path):
    answers = two_sources()
    found = fit_all(answers)
    path = tmp_path / "conventions.json"
    path.write_text(json.dumps(as_json("mine", found, measured(answers, 0))))
    assert load_conventions(path) == ("mine", found)
    path.write_text(json.dumps(as_json("mine", {}, [])))
    assert load_conventions(path) == ("mine", {})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"reference": "a", "conventions": []}', '{"reference": "a"}'])
def test_a_file_of_something_else_is_named_with_its_stage(tmp_path, content):
    path = tmp_path / "conventions.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"conventions\.json: .*run the stage .*again"):
        load_conventions(path)


def test_the_sheet_shows_each_source_and_what_its_convention_changes(looked):
    crops, cascade, _ = looked
    answers = answers_of_all(crops, cascade)
    alone = conventions_sheet(crops, {"b": answers["b"]}, {})
    sheet = conventions_sheet(crops, answers, {"a": NONE})
    moved = conventions_sheet(crops, answers, {"a": KNOWN})
    assert alone.dtype == np.uint8
    assert sheet.shape == moved.shape
    row = alone.shape[0]  # six mouths of the reference, then six of the other source, each before and after
    assert sheet.shape[0] > 2.5 * row
    np.testing.assert_array_equal(sheet[: row - 4], moved[: row - 4])
    assert (sheet[row:] != moved[row:]).any()


def test_the_card_says_in_words_where_annotators_draw():
    answers = two_sources()
    said = annotators(as_json("mine", fit_all(answers), measured(answers, 0)))
    assert said[0] == "The answer is the lips as the annotators of 'mine' draw them."
    assert "The annotators of 'theirs' place mouths elsewhere" in said[1]
    assert "to the right" in said[1]
    assert "higher at small mouths" in said[1]
    assert "--convention theirs" in said[1]
    one, *rest = annotators(as_json("mine", {}, []))
    assert one == said[0]
    assert "learnt from no others" in rest[0]


def test_a_range_turns_with_its_sign():
    row = {"source": "b", "mouths": "small", "width_px": 40.4, "right": [-1.0, -1.5, 0.25], "down": [2.0, 1.0, 3.0]}
    said = annotators({"reference": "a", "conventions": {"b": {}}, "measured": [row]})[1]
    assert "1.0 [-0.2, 1.5] to the left and 2.0 [1.0, 3.0] lower at small mouths (40 pixels)" in said
