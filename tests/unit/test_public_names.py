"""What ``import lipseg`` offers, and the examples in its docstring."""

import doctest

import numpy as np
import pytest
from PIL import Image

import lipseg
from lipseg.boxes import Box
from lipseg.geometry import View
from lipseg.inference import segmenter
from lipseg.inference.predictor import Prediction
from lipseg.inference.runtime import Runtime

_ANGLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_RING = np.stack([-np.cos(_ANGLE), -0.5 * np.sin(_ANGLE)], 1)


class Ellipses:
    """A model that sees the same mouth in every view."""

    runtime = Runtime(View(24, "square", 1.6), 1)
    locator = None

    def __call__(self, views):
        n = len(views)
        points = np.repeat(0.5 + np.concatenate([0.3 * _RING, 0.2 * _RING])[None], n, 0).astype(np.float32)
        return Prediction(points, np.zeros(n, np.int64), np.ones((n, 1), np.float32), np.ones(n, np.float32))


def faces_of(image):
    return [Box.square(320, 220, 240)] if image.mean() > 100 else []


def test_the_docstring_s_examples_are_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = np.full((480, 640, 3), 128, np.uint8)
    Image.fromarray(picture).save("photo.jpg")
    Image.fromarray(picture // 4).save("empty.jpg")
    monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads: Ellipses())
    monkeypatch.setattr(segmenter, "make_detector", lambda name: faces_of)
    failed, tried = doctest.testmod(lipseg, extraglobs={"frames": [picture, picture]})
    assert tried >= 6
    assert failed == 0


def test_every_public_name_is_there():
    for name in lipseg.__all__:
        assert getattr(lipseg, name) is not None
        assert name in dir(lipseg)
    with pytest.raises(AttributeError, match="no attribute 'segment'"):
        lipseg.segment  # noqa: B018
