"""Batches of a few sizes only: every view comes back once, in order, whatever their number."""

import numpy as np
import pytest

from lipseg.model.buckets import in_buckets


class Doubles:
    """Returns twice the views and their sums; keeps the sizes of the batches that it was given."""

    def __init__(self):
        self.sizes = []

    def __call__(self, views):
        self.sizes.append(len(views))
        return 2 * views.astype(int), views.sum(1)


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(1, [1]), (2, [4]), (4, [4]), (5, [16]), (16, [16]), (17, [16, 1]), (20, [16, 4]), (50, [16, 16, 16, 4])],
)
def test_only_batches_of_the_given_sizes_are_run(n, sizes):
    run, views = Doubles(), np.random.default_rng(n).integers(0, 256, (n, 3), dtype=np.uint8)
    doubled, sums = in_buckets(run, views, (1, 4, 16))
    assert run.sizes == sizes
    np.testing.assert_array_equal(doubled, 2 * views.astype(int))
    np.testing.assert_array_equal(sums, views.sum(1))


def test_a_batch_is_filled_up_with_its_last_view():
    given = []

    def run(views):
        given.append(views.copy())
        return (views,)

    in_buckets(run, np.array([[3], [5]], np.uint8), (4,))
    np.testing.assert_array_equal(given[0], [[3], [5], [5], [5]])
