"""The model that comes along, through the public class and the commands: what it says does not change unnoticed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import golden_landmarks
import numpy as np
import pytest
from golden_landmarks import STATES, face, landmarks
from PIL import Image

import lipseg
from lipseg.boxes import Box
from lipseg.cli.exit_codes import ExitCode
from lipseg.inference.card import CASCADE, DEFAULT_MODEL, LOCATOR
from lipseg.inference.predictor import load_predictor


@pytest.fixture(scope="module")
def segmenter():
    return lipseg.LipSegmenter()


@pytest.fixture(scope="module")
def golden():
    known = json.loads(golden_landmarks.FILE.read_text(encoding="utf-8"))
    return {name: np.array(points) for name, points in known.items()}


@pytest.mark.parametrize("state", STATES)
def test_landmarks_are_where_they_were(segmenter, golden, state):
    for way, points in landmarks(segmenter, state).items():
        far = np.abs(points - golden[f"{state} by {way}"]).max()
        # Other processors and versions of the libraries round otherwise: the oldest permitted by .053 of a pixel.
        assert far < 0.08, f"{way}: {far:.3f} px off; if that is meant, run python tests/golden_landmarks.py"


def test_golden_landmarks_are_those_of_the_drawn_mouths(golden):
    for name, points in golden.items():
        truth = face(name.split()[0])[1]
        assert np.linalg.norm(points - truth, axis=1).mean() < 0.06 * np.ptp(truth[:, 0])


def test_two_threads_say_the_same(segmenter, lips):
    threaded = lipseg.LipSegmenter(threads=2)
    for state in STATES[:2]:
        one, two = landmarks(segmenter, state), landmarks(threaded, state)
        for way in one:
            np.testing.assert_allclose(one[way], two[way], rtol=0, atol=1e-3)

    Image.fromarray(face("smile")[0]).save("face.png")
    printed = [lips("predict", "face.png", *more) for more in ((), ("--threads", "2"))]
    assert [code for code, _, _ in printed] == [ExitCode.OK] * 2
    (one,), (two,) = (json.loads(out)["faces"] for _, out, _ in printed)
    for contour in ("outer", "inner"):
        # As they are printed: rounded to a hundredth, which may fall to either side.
        np.testing.assert_allclose(one[contour], two[contour], rtol=0, atol=0.0101)


def test_a_view_gets_the_same_numbers_alone_and_in_a_batch_and_on_any_number_of_threads(segmenter):
    rng = np.random.default_rng(0)
    views = []
    for state in STATES:
        image, truth = face(state)
        for _ in range(7):
            box = Box.around(truth)
            box = replace(
                box.moved(*rng.normal(0, 6, 2)), width=box.width * rng.uniform(0.8, 1.2), roll=rng.normal(0, 0.2)
            )
            views.append(segmenter.cut(image, [box]).pixels[0])
    shown = np.stack(views)  # more than go through the network at once
    alone = [segmenter.predictor(view[None]) for view in shown]
    size = segmenter.predictor.runtime.view.size
    for found in (segmenter.predictor(shown), load_predictor(DEFAULT_MODEL, threads=2)(shown)):
        # As promised in docs/reliability.md. Here the landmarks are the same to the last bit.
        for row, one in enumerate(alone):
            np.testing.assert_allclose(size * found.points_unit[row], size * one.points_unit[0], rtol=0, atol=0.01)
            assert found.component[row] == one.component[0]
            np.testing.assert_allclose(found.responsibilities[row], one.responsibilities[0], rtol=0, atol=5e-4)
            assert found.score[row] == pytest.approx(one.score[0], abs=5e-4)
    assert len({int(one.component[0]) for one in alone}) > 1


@pytest.mark.parametrize("name", [CASCADE, LOCATOR])
@pytest.mark.parametrize("where", [0.001, 0.5, 0.999])
def test_a_flipped_byte_is_noticed_before_anything_is_predicted(lips, name, where):
    shutil.copytree(DEFAULT_MODEL, "model")
    path = Path("model", name)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1
    path.write_bytes(content)
    Image.fromarray(face("smile")[0]).save("face.png")
    code, out, err = lips("predict", "face.png", "--model", "model")
    assert (code, out) == (ExitCode.MODEL, "")
    said = f"error: {path}: not the file that card.json describes (another SHA-256); get the folder again\n"
    assert err == said


def test_a_picture_without_a_face_says_why_there_are_no_lips(lips):
    grain = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(grain).save("grain.png")
    code, out, err = lips("predict", "grain.png")
    assert code == ExitCode.OK
    row = json.loads(out)
    assert row["faces"] == []
    assert row["reason"].startswith("no face"), row
    assert "error" not in row
    assert "Traceback" not in err
