"""``lipseg video`` as a user runs it, with a known model behind it."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_model import ELSEWHERE, UNIT, Ellipses
from test_predict import FACE_KEYS

from lipseg.cli.exit_codes import ExitCode
from lipseg.geometry import View
from lipseg.inference import segmenter
from lipseg.inference.runtime import Runtime

av = pytest.importorskip("av")

BOX = ("--mouth-box", "30,22,60,37", "--detector", "none")


class Interrupting(Ellipses):
    """Does something at its fourth call."""

    runtime = Runtime(View(24, "square", 1 / 0.6), 3)

    def __init__(self):
        super().__init__()
        self.do = lambda: None

    def __call__(self, views):
        if len(self.batches) == 3:
            self.do()
        return super().__call__(views)


@pytest.fixture
def model(monkeypatch):
    """Puts the known model in the place of whatever ``--model`` names."""
    fake = Interrupting()
    monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads=1: fake)
    return fake


@pytest.fixture
def clip(tmp_path):
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height = 96, 64
        for k in range(9):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 80 + k, np.uint8))
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return Path("in.mp4")


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_rows_on_standard_output(lips, model, clip):
    code, out, err = lips("video", clip, *BOX)
    assert code == 0
    found = rows(out)
    assert [row["frame"] for row in found] == list(range(9))
    assert [row["time"] for row in found] == pytest.approx(np.arange(9) / 30, abs=1e-4)
    (face,) = found[4]["faces"]
    assert [key for key in face if key != "roll"] == ["id", *FACE_KEYS]
    assert (face["id"], face["component"], face["score"]) == (1, 2, 0.625)
    # The view's side is 50 pixels about (45, 29.5).
    np.testing.assert_allclose(face["outer"] + face["inner"], [45, 29.5] + (UNIT - 0.5) * 50, atol=0.02)
    assert "9 frames" in err
    assert files() == ["in.mp4"]


def test_the_convention_of_a_source_comes_on_demand_and_moves_no_view(lips, model, clip):
    model.runtime = replace(model.runtime, reference="mine", conventions=ELSEWHERE)
    plain, there = (
        [frame["faces"][0] for frame in rows(lips("video", clip, *BOX, *more)[1])]
        for more in ((), ("--convention", "elsewhere"))
    )
    assert [face["box"] for face in there] == [face["box"] for face in plain]
    for one, other in zip(plain, there, strict=True):
        np.testing.assert_allclose(np.subtract(other["outer"], one["outer"]), np.tile([7, -3], (28, 1)), atol=0.03)


def test_a_video_and_a_file_of_landmarks(lips, model, clip):
    code, out, err = lips("video", clip, *BOX, "-o", "out/painted.mp4", "--landmarks", "rows.jsonl", "--every", "2")
    assert (code, out) == (0, "")
    assert [row["frame"] for row in rows(Path("rows.jsonl").read_text())] == [0, 2, 4, 6, 8]
    with av.open("out/painted.mp4") as container:
        assert len(list(container.decode(video=0))) == 5
    assert "5 frames written to out/painted.mp4 and rows.jsonl" in err.replace(os.sep, "/")
    assert files() == ["in.mp4", "out", "rows.jsonl"]

    code, _, err = lips("video", clip, *BOX, "--landmarks", "rows.jsonl")
    assert (code, err.count("\n")) == (ExitCode.USAGE, 1)
    assert "rows.jsonl: exists already; give --force" in err
    assert lips("video", clip, *BOX, "--landmarks", "rows.jsonl", "--force", "--no-smooth")[0] == 0
    assert len(rows(Path("rows.jsonl").read_text())) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.mp4", *BOX], "none.mp4: not a video that can be read (no such file)"),
        ([".", *BOX], ".: not a video that can be read (it is a folder; give one video)"),
        (["in.mp4", "--detector", "none"], "--mouth-box: say where the mouth is"),
        (["in.mp4", "--detector", "eyes"], "--detector: unknown face detector 'eyes'"),
        (["in.mp4", "--mouth-box", "1,2,3"], "--mouth-box: expected four numbers"),
        (["in.mp4", "--mouth-box", "900,2,903,4"], "--mouth-box: 900,2,903,4 lies outside the picture"),
        (["in.mp4", "-o", "out.avi"], "-o: out.avi must end in .mp4"),
        (["in.mp4", "--landmarks", "out.csv"], "--landmarks: out.csv must end in .jsonl"),
        (["in.mp4", "-o", "in.mp4", "--force"], "-o: in.mp4 is the video itself"),
    ],
)
def test_wrong_usage_does_nothing_and_says_so_in_one_line(lips, model, clip, arguments, message):
    code, out, err = lips("video", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert [line for line in err.splitlines() if line.startswith(f"error: {message}")]
    assert files() == ["in.mp4"]


def test_a_picture_is_no_video(lips, model, tmp_path):
    (tmp_path / "a.JPG").write_bytes(b"a picture")
    code, _, err = lips("video", "a.JPG", *BOX)
    assert code == ExitCode.USAGE
    assert "a.JPG: not a video that can be read (it is called like a picture, which `lipseg predict` takes)" in err


@pytest.fixture
def hears_ctrl_c():
    """A shell starts what runs in its background deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_and_sigterm_leave_nothing(lips, model, clip):
    for number, code in ((signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, 143)):
        model.batches, model.do = [], lambda number=number: os.kill(os.getpid(), number)
        assert lips("video", clip, *BOX, "-o", "out.mp4", "--landmarks", "rows.jsonl")[0] == code
        assert files() == ["in.mp4"]


def test_a_place_that_cannot_be_written_to(lips, model, clip):
    Path("file").write_text("")
    code, _, err = lips("video", clip, *BOX, "--landmarks", "file/rows.jsonl")
    assert code == ExitCode.UNEXPECTED
    assert "cannot be written" in err
    assert "Traceback" not in err


def test_without_the_library(lips, model, clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    code, _, err = lips("video", clip, *BOX, "-o", "out.mp4")
    assert code == ExitCode.USAGE
    assert "pip install 'lipseg[video]'" in err
