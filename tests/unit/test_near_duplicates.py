"""Which faces count as the same: hardly changed by light, a pixel or the place; told from others."""

import numpy as np
import pytest

from lipseg.data.near_duplicates import alike, fingerprint, groups


def test_the_same_face_again_is_found_and_others_are_not(crops):
    images = [np.array(image) for image in crops.images[:4]]
    images.append(np.clip(images[1] * 0.8 + 5, 0, 255).astype(np.uint8))
    images.append(np.roll(images[2], 1, axis=1))
    prints = np.array([fingerprint(image, 2.8) for image in images])
    assert prints.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(prints, axis=1), 1, atol=1e-5)
    assert {(1, 4), (2, 5)} <= set(alike(prints))
    assert alike(prints[:0]) == []


def test_pairs_are_found_across_blocks():
    prints = np.random.default_rng(0).normal(size=(2500, 64)).astype(np.float32)
    prints[2300], prints[7], prints[1100] = prints[40], prints[3], prints[1099]
    prints /= np.linalg.norm(prints, axis=1, keepdims=True)
    assert alike(prints) == [(3, 7), (40, 2300), (1099, 1100)]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([(3, 4), (1, 3)], [0, 1, 2, 1, 1]),
        ([(1, 2), (3, 4), (2, 4)], [0, 1, 1, 1, 1]),
        ([(0, 4), (1, 3), (2, 2)], [0, 1, 2, 1, 0]),
    ],
)
def test_groups_are_named_by_their_first_face(pairs, expected):
    assert groups(5, pairs) == expected
