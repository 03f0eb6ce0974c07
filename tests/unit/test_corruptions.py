"""Lights from one side and patches: where they lie and how strong they are."""

import numpy as np
import pytest

from lipseg.data.corruptions import patched, side_lit


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
