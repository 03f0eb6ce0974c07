"""What must hold of every sampled view."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lipseg import scheme
from lipseg.data.augment import sample_views
from lipseg.data.regions import region_maps
from lipseg.geometry import View, from_unit
from lipseg.params import Augment

shares = st.floats(0, 1)
augments = st.builds(
    Augment,
    shift=st.floats(0, 0.3),
    scale=st.floats(0, 0.4),
    roll=st.floats(0, 180),
    stretch=st.floats(0, 0.4),
    warp=st.just(0.0),  # a warped view is no affine picture of the image
    mirror=shares,
    colour=shares,
    blur=shares,
    occlude=shares,
)
views = st.one_of(
    st.builds(View, size=st.sampled_from([16, 32, 40]), shape=st.just("square"), margin=st.floats(1, 3)),
    st.builds(View, size=st.sampled_from([16, 32, 40]), shape=st.just("stretch"), margin=st.floats(0, 30)),
)
quiet = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quiet
@given(view=views, augment=augments, seed=st.integers(0, 2**32))
def test_landmarks_are_the_image_s_seen_through_the_view(crops, view, augment, seed):
    faces = np.array([0, 5, 5, 11])
    found = sample_views(crops, faces, view, augment, np.random.default_rng(seed))
    assert found.images.shape == (4, view.size, view.size, 3)
    for k, i in enumerate(faces):
        matrix = found.to_image[k]
        points = from_unit(found.points_unit[k].astype(float), view.size) @ matrix[:, :2].T + matrix[:, 2]
        mirrored = np.linalg.det(matrix[:, :2]) < 0
        expected = scheme.retrace(crops.points_px[i]) if mirrored else crops.points_px[i]
        assert found.mirrored[k] == mirrored
        np.testing.assert_allclose(points, expected, atol=1e-3)
        # An area in the view over one in the image is the square of a length over a length.
        length = np.sqrt(np.abs(np.linalg.det(matrix[:, :2]))) * view.size
        np.testing.assert_allclose(found.iod_unit[k] * length, crops.inter_ocular_px[i], rtol=1e-4)


@quiet
@given(view=views, augment=augments, seed=st.integers(0, 2**32))
def test_a_view_is_that_of_its_seed(crops, view, augment, seed):
    one, two = (sample_views(crops, np.array([2, 3]), view, augment, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.to_image, two.to_image)


@quiet
@given(shift=st.tuples(st.floats(-1, 1), st.floats(-1, 1)), size=st.sampled_from([8, 16, 20]))
def test_region_maps_are_shares_wherever_the_mouth_lies(crops, shift, size):
    points = (crops.points_px[0] - crops.points_px[0].min(0)) / np.ptp(crops.points_px[0], axis=0).max() + shift
    maps = region_maps(points[None].astype(np.float32), size)
    assert maps.shape == (1, size, size, 3)
    assert maps.min() >= 0
    assert maps.max() <= 1
