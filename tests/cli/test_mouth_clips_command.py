"""``lipseg mouths`` as a user runs it, with a known model behind it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_model import ELSEWHERE, Ellipses

from lipseg.cli import mouth_clips as command
from lipseg.cli.exit_codes import ExitCode
from lipseg.inference import segmenter

av = pytest.importorskip("av")

BOX = ("--mouth-box", "30,22,60,37", "--detector", "none")
SMALL = (*BOX, "--size", "24x16", "--fps", "0", "--shortest", "0", "--format", "npz")


@pytest.fixture
def model(monkeypatch):
    """Puts the known model in the place of whatever ``--model`` names."""
    monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads=1: Ellipses())


@pytest.fixture
def video(tmp_path):
    def write(name: str, frames: int = 6) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
            stream.width, stream.height = 96, 64
            for k in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 96, 3), 80 + k, np.uint8))))
            container.mux(stream.encode(None))
        return Path(name)

    return write


def tree(folder: str = ".") -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_a_folder_of_videos_its_layout_and_resume(lips, model, video):
    video("in/a.mp4")
    video("in/sub/b.mkv")
    Path("in/broken.mp4").write_bytes(b"no video")
    code, out, err = lips("mouths", "in", "-o", "out", *SMALL)
    assert (code, out) == (ExitCode.SOME_FAILED, "")
    assert "in/broken.mp4: not a video" in err
    assert "in/a.mp4: 1 clip with 6 frames written to out/a.mouths" in err
    assert "1 of 3 videos failed" in err
    assert tree("out") == [
        f"{name}/{file}" for name in ("a.mouths", "sub/b.mouths") for file in ("1.json", "1.npz", "clips.json")
    ]
    index = json.loads(Path("out/a.mouths/clips.json").read_text())
    assert index["settings"]["mouth_width"] == 12.0
    assert index["clips"][0]["found"] == 6

    code, _, err = lips("mouths", "in", "-o", "out", *SMALL)
    assert code == ExitCode.USAGE
    assert "a.mouths: exists already" in err
    code, _, err = lips("mouths", "in", "-o", "out", *SMALL, "--resume")
    assert code == ExitCode.SOME_FAILED
    assert "2 of 3 videos skipped" in err
    code, _, err = lips("mouths", "in", "-o", "out", *SMALL, "--resume", "--grey")
    assert code == ExitCode.USAGE
    assert "a.mouths: was cut with grey False, not True; give --force" in err
    assert lips("mouths", "in/a.mp4", "-o", "out", *SMALL, "--force", "--format", "png")[0] == 0
    assert "a.mouths/1/000005.png" in tree("out")
    assert "a.mouths/1.npz" not in tree("out")


def test_clips_among_the_videos_are_no_videos(lips, model, video):
    video("a.mp4")
    assert lips("mouths", ".", "-o", ".", *BOX, "--size", "24", "--shortest", "0")[0] == 0
    assert "a.mouths/1.mp4" in tree()
    again = lips("mouths", ".", "-o", ".", *BOX, "--size", "24", "--shortest", "0", "--resume")
    assert again == (0, "", "nothing to do: the clips of 1 of 1 videos were written to . before\n")


def test_videos_of_one_name_keep_their_endings(lips, model, video):
    video("a.mp4")
    video("a.mkv")
    assert lips("mouths", "a.mp4", "a.mkv", "-o", "out", *SMALL)[0] == 0
    assert {path.split("/")[0] for path in tree("out")} == {"a.mp4.mouths", "a.mkv.mouths"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.mp4"], "none.mp4: no such file or folder"),
        (["a.mp4", "--preset", "best"], "--preset: expected any of auto_avsr, lipreading_tcn, av_hubert, lipnet"),
        (["a.mp4", "--size", "big"], "--size: expected pixels such as 96 or 100x50, not 'big'"),
        (["a.mp4", "--size", "2"], "a clip must be 8 to 2048 pixels"),
        (["a.mp4", "--align", "affine"], "align must be similarity or none, not 'affine'"),
        (["a.mp4", "--gaps", "fill"], "gaps must be blank or interpolate, not 'fill'"),
        (["a.mp4", "--format", "mp4,gif"], "--format: expected any of mp4,npz,png, not 'gif'"),
        (["a.mp4", "--rows", "csv"], "--rows: expected json or parquet, not 'csv'"),
        (["a.mp4", "--resume", "--force"], "--resume and --force: give one of them"),
        (["a.mp4", "--detector", "none"], "--mouth-box: say where the mouth is"),
        (["a.mp4", "-o", "a.mp4"], "a.mp4: -o must name a folder"),
    ],
)
def test_wrong_usage_does_nothing_and_says_so_in_one_line(lips, model, video, arguments, message):
    video("a.mp4", 2)
    output = () if "-o" in arguments else ("-o", "out")
    code, out, err = lips("mouths", *arguments, *output)
    assert (code, out) == (ExitCode.USAGE, "")
    assert [line for line in err.splitlines() if line.startswith(f"error: {message}")]
    assert tree() == ["a.mp4"]


def test_a_folder_of_something_else_is_not_replaced(lips, model, video):
    video("a.mp4", 2)
    Path("out/a.mouths").mkdir(parents=True)
    Path("out/a.mouths/thesis.txt").write_text("mine")
    for more in ("--force", "--resume"):
        code, _, err = lips("mouths", "a.mp4", "-o", "out", *SMALL, more)
        assert code == ExitCode.USAGE
        assert "is no folder of mouth clips" in err
    assert tree("out") == ["a.mouths/thesis.txt"]


def test_a_preset_and_what_is_given_beside_it(lips, model, video):
    video("a.mp4")
    assert (
        lips("mouths", "a.mp4", "-o", "out", *BOX, "--preset", "lipnet", "--size", "50x24", "--shortest", "0")[0] == 0
    )
    settings = json.loads(Path("out/a.mouths/clips.json").read_text())["settings"]
    wanted = {"width": 50, "height": 24, "align": "none", "mouth_width": 21.0, "fps": 25.0, "grey": False}
    assert {key: settings[key] for key in wanted} == wanted


def test_landmarks_in_a_convention(lips, model, video, monkeypatch):
    monkeypatch.setattr(Ellipses, "runtime", replace(Ellipses.runtime, reference="mine", conventions=ELSEWHERE))
    video("a.mp4", 2)
    assert lips("mouths", "a.mp4", "-o", "plain", *SMALL)[0] == 0
    code, _, err = lips("mouths", "a.mp4", "-o", "out", *SMALL, "--convention", "nobody")
    assert (code, "no convention 'nobody'" in err) == (ExitCode.USAGE, True)
    assert lips("mouths", "a.mp4", "-o", "out", *SMALL, "--convention", "elsewhere")[0] == 0
    with np.load("plain/a.mouths/1.npz") as plain, np.load("out/a.mouths/1.npz") as moved:
        np.testing.assert_allclose(moved["landmarks"] - plain["landmarks"], np.full((2, 56, 2), [7, -3]), atol=1e-3)
    code, _, err = lips("mouths", "a.mp4", "-o", "out", *SMALL, "--resume")
    assert (code, "was cut with convention elsewhere, not None" in err) == (ExitCode.USAGE, True)


def test_a_place_that_cannot_be_written_to(lips, model, video):
    video("a.mp4", 2)
    Path("file").write_text("")
    code, _, err = lips("mouths", "a.mp4", "-o", "file/out", *SMALL)
    assert code == ExitCode.UNEXPECTED
    assert "cannot be written" in err
    assert "Traceback" not in err


def test_without_the_library(lips, model, video, monkeypatch):
    video("a.mp4", 2)
    monkeypatch.setitem(sys.modules, "av", None)
    code, _, err = lips("mouths", "a.mp4", "-o", "out", *SMALL)
    assert code == ExitCode.USAGE
    assert "pip install 'lipseg[video]'" in err


def test_the_names_of_the_help_are_the_room_s_own():
    from lipseg.mouth_clips import PRESETS
    from lipseg.mouth_clips.frames import FRAME_WRITERS
    from lipseg.mouth_clips.rows import ROW_WRITERS

    assert tuple(PRESETS) == command.PRESET_NAMES
    assert tuple(FRAME_WRITERS) == command.FORMAT_NAMES
    assert tuple(ROW_WRITERS) == ("json", "parquet")
