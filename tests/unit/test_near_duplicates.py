"""Which faces count as the same: hardly changed by light, a pixel or the place; told from others."""

import numpy as np
import pytest

from lipseg.data import near_duplicates
from lipseg.data.near_duplicates import alike, fingerprint, groups


def found(prints):
    return [(i, j) for pairs in alike(prints) for i, j in pairs.tolist()]


def test_the_same_face_again_is_found_and_others_are_not(crops):
    images = [np.array(image) for image in crops.images[:4]]
    images.append(np.clip(images[1] * 0.8 + 5, 0, 255).astype(np.uint8))
    images.append(np.roll(images[2], 1, axis=1))
    prints = np.array([fingerprint(image, 2.8) for image in images])
    assert prints.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(prints, axis=1), 1, atol=1e-5)
    assert {(1, 4), (2, 5)} <= set(found(prints))
    assert found(prints[:0]) == []


def test_pairs_are_found_across_blocks():
    prints = np.random.default_rng(0).normal(size=(2500, 64)).astype(np.float32)
    prints[2300], prints[7], prints[1100] = prints[40], prints[3], prints[1099]
    prints /= np.linalg.norm(prints, axis=1, keepdims=True)
    assert found(prints) == [(3, 7), (40, 2300), (1099, 1100)]


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
    assert groups(5, [np.array(pairs, np.int64).reshape(-1, 2)]).tolist() == expected
    assert groups(5, [np.array([pair], np.int64) for pair in pairs]).tolist() == expected


@pytest.mark.parametrize("sample", [500, 4096], ids=["bounds", "all in full"])
def test_no_pair_is_lost(monkeypatch, sample):
    """Several of each of many faces, so that very many products lie near the threshold, over several blocks."""
    monkeypatch.setattr(near_duplicates, "_SAMPLE", sample)
    rng = np.random.default_rng(1)
    faces = rng.normal(size=(450, 200)) * np.geomspace(1, 0.05, 200)
    noise = rng.normal(size=(2500, 200)) * np.geomspace(1, 0.05, 200)
    prints = (faces[rng.integers(450, size=2500)] + 0.42 * noise).astype(np.float32)
    prints /= np.linalg.norm(prints, axis=1, keepdims=True)
    exact = prints.astype(np.float64)
    product = np.triu(exact @ exact.T, 1)
    sure = {(int(i), int(j)) for i, j in zip(*np.nonzero(product > 0.85 + 1e-6), strict=True)}
    pairs = found(prints)
    assert len(sure) > 1000
    assert pairs == sorted(pairs)
    assert sure <= set(pairs)
    assert all(product[pair] > 0.85 - 1e-6 for pair in pairs)
