"""README's examples and the documents: commands that exist, Python that compiles, a reader of the model folder."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import lipseg
from lipseg import scheme
from lipseg.data.synthesize import draw_face
from lipseg.inference.card import DEFAULT_MODEL

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "run_onnx.py"


@pytest.mark.parametrize("side", [120, 333, 900])  # pixels: the views are enlarged, and shrunk by much
def test_the_model_folder_is_read_without_lipseg(side):
    reader = runpy.run_path(str(EXAMPLE))
    segmenter = lipseg.LipSegmenter()
    for seed, state, off in ((3, "smile", 0.0), (8, "laugh", 0.1)):
        image, points = draw_face(np.random.default_rng(seed), state, side)
        lips = points[scheme.HELEN_LIPS]
        shift = off * np.ptp(lips[:, 0])
        box = [*(lips.min(0) + shift), *(lips.max(0) + shift)]
        (expected,) = segmenter(image, boxes=[box])
        found, score = reader["landmarks"](DEFAULT_MODEL, image, box)
        pixel = max(1.0, 1.6 * np.ptp(lips[:, 0]) / 80)  # of the view, where that is coarser than the picture
        np.testing.assert_allclose(found, expected.landmarks, atol=0.1 * pixel)
        assert score == pytest.approx(expected.score, abs=0.01)
