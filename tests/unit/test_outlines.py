"""The distance between outlines agrees with the evaluation's."""

import jax
import numpy as np

from lipseg.evaluation.metrics import face_metrics
from lipseg.training.outlines import outline_error


def test_it_is_nearly_the_evaluation_s_contour_distance(crops):
    rng = np.random.default_rng(0)
    truth = crops.points_px[:6]
    found = truth + rng.normal(0, 1.5, truth.shape)
    iod = crops.inter_ocular_px[:6]
    expected = [face_metrics(t, p, float(i))["contour"] for t, p, i in zip(truth, found, iod, strict=True)]
    got = jax.jit(outline_error)(found.astype(np.float32), truth.astype(np.float32), iod.astype(np.float32))
    np.testing.assert_allclose(got, expected, rtol=0.15)


def test_sliding_along_the_outline_is_no_error():
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring, slid = (np.stack([np.cos(a), np.sin(a)], 1) for a in (t, t + np.pi / 28))
    one, two = (np.concatenate([part, 0.5 * part])[None].astype(np.float32) for part in (ring, slid))
    error = np.asarray(outline_error(two, one, np.ones(1, np.float32)))[0]
    assert error < 0.01  # the polygons' corners stand out by less; the points moved by .11 and .06
    grown = np.asarray(outline_error(1.1 * one, one, np.ones(1, np.float32)))[0]
    np.testing.assert_allclose(grown, 0.075, rtol=0.02)
