"""What holds for the masks of any mouth."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lipseg import scheme
from lipseg.rendering.masks import BACKGROUND, INNER, label_map, masks
from lipseg.rendering.polygons import area


@st.composite
def mouths(draw: st.DrawFn) -> np.ndarray:
    """(56, 2) landmarks of a plausible mouth about the origin, 40 to 80 pixels wide, turned by up to 30 degrees."""
    width, height = draw(st.floats(40, 80)), draw(st.floats(14, 40))
    opening, bend = draw(st.floats(0.15, 0.6)), draw(st.floats(-0.15, 0.15))
    turn = draw(st.floats(-0.5, 0.5))

    def ring(corner: int, half_width: float, half_height: float) -> np.ndarray:
        angle = np.concatenate(
            [np.pi * np.arange(corner) / corner, np.pi * (1 + np.arange(28 - corner) / (28 - corner))]
        )
        x, y = -half_width * np.cos(angle), -half_height * np.sin(angle)
        return np.stack([x, y + bend * x**2 / width], 1)

    points = np.concatenate([ring(13, width / 2, height / 2), ring(14, 0.4 * width, opening * height / 2)])
    cos, sin = np.cos(turn), np.sin(turn)
    return points @ np.array([[cos, sin], [-sin, cos]])


@settings(max_examples=40, deadline=None)
@given(mouths(), st.floats(0.5, 4.0), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_areas_are_those_of_the_polygons_at_every_scale(mouth, scale, shift):
    points = mouth * scale + 200 + np.array(shift)
    # One raster of a thin shape is coarse; quarter-pixel steps in both axes take the chance out of it.
    steps = np.array([(0, 0), (0.25, 0.5), (0.5, 0.75), (0.75, 0.25)])
    several = [masks(points + step, 400, 400) for step in steps]
    for name in ("mouth", "inner", "upper", "lower"):
        polygon = scheme.region_polygons(points)[name]
        perimeter = np.hypot(*(polygon - np.roll(polygon, 1, 0)).T).sum()
        found = np.mean([each[name].sum() for each in several])
        # The fine grid thickens a shape by a tenth of a pixel; at the picture's own resolution it would be half.
        assert abs(found - area(polygon)) < 0.16 * perimeter + 2, name


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-30, 130), st.floats(-30, 130)), min_size=56, max_size=56))
def test_labels_partition_whatever_the_points(points):
    array = np.array(points)
    labels = label_map(array, 100, 100)
    found = masks(array, 100, 100)
    assert labels.max() <= INNER
    total = sum(found[name].astype(int) for name in ("inner", "upper", "lower")) + (labels == BACKGROUND)
    assert (total == 1).all()
    assert (found["mouth"] == (labels > 0)).all()
    assert (found["lips"] == (found["upper"] | found["lower"])).all()


@settings(max_examples=40, deadline=None)
@given(mouths(), st.tuples(st.integers(-40, 40), st.integers(-40, 40)))
def test_masks_move_with_whole_pixels(mouth, step):
    one = label_map(mouth + 150, 300, 300)
    two = label_map(mouth + 150 + np.array(step), 300, 300)
    assert (np.roll(one, step[::-1], axis=(0, 1)) == two).all()


@settings(max_examples=40, deadline=None)
@given(mouths())
def test_the_mirrored_mouth_has_the_mirrored_labels(mouth):
    labels = label_map(mouth + 100, 200, 200)
    mirrored = label_map(scheme.mirror(mouth + 100, 200), 200, 200)
    # Centres that lie on an outline to within the drawing grid may fall to either side.
    assert (labels[:, ::-1] != mirrored).sum() <= 24
