"""The normalisation of the views."""

import numpy as np
import pytest

from lipseg.data.feature_set import FeatureSet, load_features, save_features
from lipseg.data.statistics import fit_normaliser, load_normaliser, save_normaliser
from lipseg.errors import DataError


@pytest.fixture
def views():
    return np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3)).astype(np.uint8)


def test_pixel_statistics_are_numpy_s(views):
    normaliser, pixel = fit_normaliser(views, "pixel")
    np.testing.assert_allclose(normaliser.mean, views.astype(float).mean(0), rtol=1e-6)
    np.testing.assert_allclose(normaliser.deviation, views.astype(float).std(0), rtol=1e-5)
    assert pixel is normaliser


def test_channel_statistics_are_numpy_s(views):
    normaliser, pixel = fit_normaliser(views, "channel")
    assert normaliser.mean.shape == normaliser.deviation.shape == (3,)
    np.testing.assert_allclose(normaliser.mean, views.astype(float).mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(normaliser.deviation, views.astype(float).std((0, 1, 2)), rtol=1e-5)
    assert pixel.mean.shape == (6, 6, 3)


@pytest.mark.parametrize("per", ["pixel", "channel"])
def test_normalised_views_have_mean_0_and_deviation_1(views, per):
    x = fit_normaliser(views, per)[0](views)
    axes = 0 if per == "pixel" else (0, 1, 2)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axes), 1, atol=1e-5)


def test_pixels_that_never_change_divide_by_one():
    normaliser, _ = fit_normaliser(np.full((4, 5, 5, 3), 77, np.uint8), "pixel")
    assert (normaliser.deviation == 1).all()
    assert (normaliser(np.full((1, 5, 5, 3), 77, np.uint8)) == 0).all()


def test_there_and_back(tmp_path, views):
    normaliser, _ = fit_normaliser(views, "pixel")
    save_normaliser(tmp_path / "n.npz", normaliser)
    found = load_normaliser(tmp_path / "n.npz")
    np.testing.assert_array_equal(found.mean, normaliser.mean)
    np.testing.assert_array_equal(found.deviation, normaliser.deviation)


def damaged(path, how):
    """Damages an npz file in one of the ways that files are damaged."""
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "other arrays":
        np.savez(path, other=np.zeros(3))
    else:
        middle = bytes(len(whole) // 2)
        path.write_bytes({"empty": b"", "cut off": whole[: len(whole) // 2], "text": b"text", "zeros": middle}[how])


HOW = ["missing", "empty", "cut off", "text", "zeros", "other arrays"]


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_statistics_file_is_named(tmp_path, views, how):
    path = tmp_path / "n.npz"
    save_normaliser(path, fit_normaliser(views, "pixel")[0])
    damaged(path, how)
    with pytest.raises(DataError, match=r"n\.npz: .*run the statistics stage again"):
        load_normaliser(path)


@pytest.fixture
def feature_set():
    n = 6
    return FeatureSet(
        features=np.arange(2 * n, dtype=np.float32).reshape(n, 2),
        sampled=np.zeros((n, 56, 3), np.float16),
        frame=np.zeros((n, 4), np.float32),
        points_unit=np.zeros((n, 56, 2), np.float32),
        iod_unit=np.ones(n, np.float32),
        face=np.arange(n),
        split=np.array(["train", "train", "train", "validation", "validation", "test"]),
        boxes=np.array(["exact", "jittered", "exact", "exact", "jittered", "exact"]),
    )


def test_features_are_selected_by_split_and_boxes(feature_set):
    assert feature_set.select(split="train").face.tolist() == [0, 1, 2]
    assert feature_set.select(split="train", boxes="exact").face.tolist() == [0, 2]
    assert feature_set.select(split="validation", boxes="jittered").features.tolist() == [[8, 9]]
    assert len(feature_set.select(split="test", boxes="jittered")) == 0


def test_features_there_and_back(tmp_path, feature_set):
    save_features(tmp_path / "f.npz", feature_set)
    found = load_features(tmp_path / "f.npz")
    for name in vars(feature_set):
        np.testing.assert_array_equal(getattr(found, name), getattr(feature_set, name))


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_features_file_is_named(tmp_path, feature_set, how):
    path = tmp_path / "f.npz"
    save_features(path, feature_set)
    damaged(path, how)
    with pytest.raises(DataError, match=r"f\.npz: .*run the extract stage again"):
        load_features(path)
