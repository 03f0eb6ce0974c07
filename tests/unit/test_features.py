"""The features that mixture and heads learn from."""

from dataclasses import replace

import numpy as np

from lipseg.geometry import View
from lipseg.model.offsets import SourceOffsets
from lipseg.params import Net
from lipseg.training.features import extract_features


def test_landmarks_are_made_what_the_first_source_s_annotators_would_have_given(
    crops, normaliser, no_augment, drawn_net
):
    """The vanilla network's frame is the view: an offset of 1 moves every landmark by the view's side."""
    names = np.array([name.replace("synthetic", "other") if i % 2 else name for i, name in enumerate(crops.names)])
    crops = replace(crops, names=names, scale=np.full(len(crops), 0.5))
    net, augment = drawn_net(Net(kind="tcnn", width=4, fc5=16), 0), replace(no_augment, mirror=1.0)
    none = np.zeros(112, np.float32)
    offsets = {
        crops.sources[0]: {"mirrored": none + 9},
        crops.sources[1]: {"plain": none + 20, "mirrored": none + 40, "pixels": np.array([1.0, 2.0], np.float32)},
    }
    found = extract_features(
        crops, normaliser, net, offsets, view=View(40, "square", 1.6), augment=augment, views=1, seed=0
    )
    mirrored = (found.split == "train") & (found.boxes == "jittered")
    assert 0 < mirrored.sum() < len(mirrored)
    centred = crops.points_px - crops.points_px.mean(1, keepdims=True)
    pixels = 30 / (2 * np.sqrt((centred**2).sum(-1).mean(1)))[found.face]  # annotated at twice this size
    too_much = 0.5 - found.points_unit.mean(1)
    first = crops.source[found.face] == 0
    for rows, x, y in (
        (first & ~mirrored, 0, 0),
        (first & mirrored, 9, 9),
        (~first & ~mirrored, 20 + pixels, 20 + 2 * pixels),
        (~first & mirrored, 40 - pixels, 40 + 2 * pixels),
    ):
        assert rows.any()
        expected = np.stack(np.broadcast_arrays(x, y, too_much[:, 0])[:2], axis=1)
        np.testing.assert_allclose(too_much[rows], expected[rows], atol=0.3)


def test_every_view_has_its_sampled_channels(features, base):
    assert features.sampled.shape == (len(features), 56, base.channels)
    assert features.sampled.dtype == np.float16
    assert np.ptp(features.sampled.astype(float), axis=1).max() > 0


def test_a_network_without_a_decoder_has_none(crops, normaliser, no_augment, drawn_net):
    net, augment = drawn_net(Net(kind="tcnn", width=4, fc5=16), 0), replace(no_augment, mirror=1.0)
    offsets = SourceOffsets(crops.sources).start()
    found = extract_features(
        crops, normaliser, net, offsets, view=View(40, "square", 1.6), augment=augment, views=1, seed=0
    )
    assert found.sampled.shape == (len(found), 56, 0)
    assert found.features.shape == (len(found), 576)
