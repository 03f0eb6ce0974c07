"""What must hold of the landmark scheme whatever the points."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lipseg import scheme

coordinates = st.floats(-1e3, 1e3, allow_nan=False)
landmarks = arrays(np.float64, (56, 2), elements=coordinates)


def perimeter(polygon: np.ndarray) -> float:
    return float(np.hypot(*(np.roll(polygon, -1, axis=0) - polygon).T).sum())


@settings(max_examples=50, deadline=None)
@given(landmarks, st.floats(1, 1e4))
def test_mirror_twice_is_the_identity(points, width):
    np.testing.assert_allclose(scheme.mirror(scheme.mirror(points, width), width), points, atol=1e-8)


@settings(max_examples=50, deadline=None)
@given(landmarks, st.floats(1, 1e3))
def test_mirror_keeps_the_shape_of_both_contours(points, width):
    flipped = scheme.mirror(points, width)
    for part in (scheme.OUTER, scheme.INNER):
        # Neighbours stay neighbours, so the contour's length is the same.
        assert np.isclose(perimeter(flipped[part]), perimeter(points[part]), rtol=1e-9, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(landmarks)
def test_the_lips_and_the_inner_mouth_make_up_the_mouth(points):
    def signed(polygon: np.ndarray) -> float:
        x, y = polygon.T
        return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2

    regions = scheme.region_polygons(points)
    assert np.isclose(
        signed(regions["upper"]) + signed(regions["lower"]) + signed(regions["inner"]),
        signed(regions["mouth"]),
        atol=1e-4,
    )


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (6, 2), elements=coordinates), st.integers(2, 40))
def test_resampling_keeps_the_ends_and_stays_on_the_chain(chain, n):
    points = scheme.resample_chain(chain, n)
    np.testing.assert_allclose(points[[0, -1]], chain[[0, -1]], atol=1e-6)
    a, b = chain[:-1], chain[1:]
    along = ((points[:, None] - a) * (b - a)).sum(-1) / np.maximum(((b - a) ** 2).sum(-1), 1e-300)
    nearest = a + np.clip(along, 0, 1)[..., None] * (b - a)
    assert np.hypot(*np.moveaxis(points[:, None] - nearest, -1, 0)).min(1).max() < 1e-5


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.float64, (68, 2), elements=coordinates),
    st.floats(0.1, 10),
    st.floats(-np.pi, np.pi),
    st.tuples(coordinates, coordinates),
)
def test_from_68_follows_a_similarity(points, scale, angle, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = scheme.from_68(points @ turn.T + shift)
    np.testing.assert_allclose(moved, scheme.from_68(points) @ turn.T + shift, atol=1e-4)
