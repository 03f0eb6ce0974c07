"""What must hold of traced landmarks whatever the mouth."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lipseg import scheme
from lipseg.data.face_shape import STATES, sample_shape
from lipseg.data.tracing import trace
from lipseg.rendering.masks import label_map

SIDE = 260
mouths = st.builds(
    lambda state, seed: sample_shape(np.random.default_rng(seed), state).lips,
    st.sampled_from(STATES),
    st.integers(0, 10_000),
)


def placed(lips: np.ndarray, width: float) -> np.ndarray:
    """The landmarks, ``width`` pixels wide about the middle of a picture of SIDE pixels."""
    middle = (lips.max(0) + lips.min(0)) / 2
    return (lips - middle) * (width / np.ptp(lips[:, 0])) + SIDE / 2


@settings(max_examples=20, deadline=None)
@given(mouths, st.integers(-40, 40), st.integers(-40, 40))
def test_points_move_with_the_mask(lips, right, down):
    labels = label_map(placed(lips, 120), SIDE, SIDE)
    moved = np.roll(labels, (down, right), (0, 1))
    np.testing.assert_allclose(trace(moved), trace(labels) + np.array([right, down]), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(mouths, st.floats(1.2, 2.0))
def test_a_larger_mouth_has_the_larger_outline(lips, factor):
    small, large = (trace(label_map(placed(lips, width), SIDE, SIDE)) for width in (100, 100 * factor))
    grown = (small - SIDE / 2) * factor + SIDE / 2
    distance = np.hypot(*(grown - large).T)
    assert np.median(distance[scheme.OUTER]) < 1.2 * factor
    assert distance[scheme.OUTER].max() < 6 * factor
    # The same size, each in its own pixels.
    assert abs(np.ptp(grown[:, 0]) - np.ptp(large[:, 0])) < 4 * factor


@settings(max_examples=20, deadline=None)
@given(mouths)
def test_the_mirrored_mask_has_the_mirrored_points(lips):
    labels = label_map(placed(lips, 150), SIDE, SIDE)
    found = scheme.mirror(trace(np.ascontiguousarray(labels[:, ::-1])), SIDE)
    # Tips of equal worth may be settled differently by a rounding, and the points beside them follow.
    assert np.median(np.hypot(*(found - trace(labels)).T)) < 1.2
