"""The features that mixture and heads learn from: which landmarks come with them."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from lipseg.geometry import View
from lipseg.model.nets import Tcnn
from lipseg.params import Net
from lipseg.training.features import extract_features


def test_landmarks_of_mirrored_views_are_made_as_unmirrored_ones_would_be(
    crops, normaliser, no_augment, drawn_net, monkeypatch
):
    def moved(self, points, mirrored, frame):
        return points + jnp.where(mirrored[:, None, None], 9.0, 0.0)

    monkeypatch.setattr(Tcnn, "as_unmirrored", moved)
    net, augment = drawn_net(Net(kind="tcnn", width=4, fc5=16), 0), replace(no_augment, mirror=1.0)
    found = extract_features(crops, normaliser, net, view=View(40, "square", 1.6), augment=augment, views=1, seed=0)
    mirrored = (found.split == "train") & (found.boxes == "jittered")
    assert 0 < mirrored.sum() < len(mirrored)
    np.testing.assert_array_equal(found.points_unit.mean((1, 2)) > 5, mirrored)
