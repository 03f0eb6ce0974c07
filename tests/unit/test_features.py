"""The features that mixture and heads learn from."""

from dataclasses import replace

import numpy as np

from lipseg.geometry import View
from lipseg.params import Net
from lipseg.training.features import extract_features


def test_every_view_has_its_sampled_channels(features, base):
    assert features.sampled.shape == (len(features), 56, base.channels)
    assert features.sampled.dtype == np.float16
    assert np.ptp(features.sampled.astype(float), axis=1).max() > 0


def test_a_network_without_a_decoder_has_none(crops, normaliser, no_augment, drawn_net):
    net, augment = drawn_net(Net(kind="tcnn", width=4, fc5=16), 0), replace(no_augment, mirror=1.0)
    found = extract_features(crops, normaliser, net, view=View(40, "square", 1.6), augment=augment, views=1, seed=0)
    assert found.sampled.shape == (len(found), 56, 0)
    assert found.features.shape == (len(found), 576)
