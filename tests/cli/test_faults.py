"""Runs that are killed, disks that fill up, files that go: the next run ends as if nothing had happened."""

import os
import resource
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.faults import (
    FORMATS,
    LIPSEG,
    content_of,
    kills_of_predict,
    kills_of_video,
    pictures,
    plain_user,
    write_video,
)

pytestmark = pytest.mark.slow

PREDICT = (*LIPSEG, "predict", "in", "--detector", "none", "--format", FORMATS)


def run(place: Path, *arguments: str, largest: int | None = None) -> "subprocess.CompletedProcess[str]":
    """Runs a command, whose files may have so many bytes at most: a disk that fills up in the midst of one."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest or 0, resource.RLIM_INFINITY))

    options = {"preexec_fn": limit} if largest else {}
    return subprocess.run(arguments, cwd=place, capture_output=True, text=True, timeout=120, check=False, **options)


def test_a_run_that_is_killed_is_gone_on_with(tmp_path):
    killed, wrong = kills_of_predict(tmp_path / "here", 40, 4)
    assert wrong == []
    assert killed > 0


def test_a_video_that_is_killed_leaves_nothing_half_written(tmp_path):
    pytest.importorskip("av")
    killed, wrong = kills_of_video(tmp_path / "here", 80, 3)
    assert wrong == []
    assert killed > 0


@pytest.mark.parametrize("largest", [300, 2_500, 8_000])
def test_a_disk_that_fills_up_is_told_and_leaves_whole_files(tmp_path, largest):
    pictures(tmp_path / "in", 12)
    assert run(tmp_path, *PREDICT, "-o", "whole").returncode == 0
    expected = content_of(tmp_path / "whole")
    done = run(tmp_path, *PREDICT, "-o", "out", largest=largest)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("error: out/")
    assert "cannot be written (File too large)" in last
    assert "Traceback" not in done.stderr
    found = content_of(tmp_path / "out")
    assert all(content == expected[name] for name, content in found.items() if not Path(name).name.startswith("."))
    assert run(tmp_path, *PREDICT, "-o", "out", "--resume").returncode == 0
    assert content_of(tmp_path / "out") == expected


def test_a_disk_that_fills_up_under_a_video_is_told_and_nothing_is_left(tmp_path):
    pytest.importorskip("av")
    write_video(tmp_path / "a.mp4", 40)
    command = [*LIPSEG, "video", "a.mp4", "--detector", "none", "--mouth-box", "40,40,80,70", "-o", "out.mp4"]
    done = run(tmp_path, *command, largest=3_000)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: out.mp4: cannot be written (File too large)"
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_of_two_runs_in_one_folder_the_second_is_refused(tmp_path):
    pictures(tmp_path / "in", 120)
    command = [*PREDICT, "-o", "out"]
    first = subprocess.Popen([*command, "--json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert first.stdout is not None
    first.stdout.readline()
    second = run(tmp_path, *command, "--resume")
    first.communicate()
    assert (first.returncode, second.returncode) == (0, 1)
    assert second.stderr == "error: out: another run is writing into it; wait for its end, or name another folder\n"
    assert len(list((tmp_path / "out").glob("*.json"))) == 120 * 2 + 1
    assert run(tmp_path, *PREDICT, "-o", "whole").returncode == 0
    assert content_of(tmp_path / "whole") == content_of(tmp_path / "out")


def test_an_interrupted_run_says_so_and_leaves_nothing_half_written(tmp_path):
    pictures(tmp_path / "in", 120)
    running = subprocess.Popen(
        [*PREDICT, "-o", "out", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores Ctrl-C, and so would the command within tests that run there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130
    assert "Traceback" not in said
    partial = [name for name in content_of(tmp_path / "out") if ".partial" in name]
    # The journals are what --resume goes on from.
    assert set(partial) <= {".coco.partial.jsonl", ".landmarks.partial.jsonl"}
    assert run(tmp_path, *PREDICT, "-o", "out", "--resume").returncode == 0
    assert run(tmp_path, *PREDICT, "-o", "whole").returncode == 0
    assert content_of(tmp_path / "whole") == content_of(tmp_path / "out")


def test_pictures_that_go_or_change_under_way_are_told_and_the_others_written(lips, tmp_path, monkeypatch):
    import lipseg.images

    pictures(tmp_path / "in", 6)
    read = lipseg.images.read_image

    def disturbed(path: Path) -> np.ndarray:
        # When the first picture is read, the second is gone and the third half there.
        if path.name == "0000.png":
            Path("in/0001.png").unlink()
            os.truncate("in/0002.png", 100)
        return read(path)

    monkeypatch.setattr(lipseg.images, "read_image", disturbed)
    code, _, err = lips("predict", "in", "--detector", "none", "-o", "out", "--format", "json")
    assert code == 3
    assert "in/0001.png: no such file" in err
    assert "in/0002.png: not a picture that can be read" in err
    assert sorted(path.name for path in Path("out").iterdir()) == [f"000{n}.json" for n in (0, 3, 4, 5)]


def test_a_picture_that_goes_before_its_overlay_is_drawn_is_told(lips, tmp_path, monkeypatch):
    from lipseg.formats.overlay import OverlayWriter

    pictures(tmp_path / "in", 2)
    encode = OverlayWriter.encode

    def late(self: OverlayWriter, record: object, target: Path) -> bytes:
        Path("in/0000.png").unlink(missing_ok=True)
        return encode(self, record, target)  # type: ignore[arg-type]

    monkeypatch.setattr(OverlayWriter, "encode", late)
    code, _, err = lips("predict", "in", "--detector", "none", "-o", "out", "--format", "overlay")
    assert code == 3
    assert "in/0000.png: no such file" in err
    assert [path.name for path in Path("out").iterdir()] == ["0001.overlay.jpg"]


@pytest.mark.parametrize("kind", ["predict", "video"])
def test_a_folder_that_may_not_be_written_is_told(tmp_path, kind):
    if (prefix := plain_user()) is None:
        pytest.skip("root may write everywhere, and setpriv cannot take that away")
    (tmp_path / "out").mkdir(mode=0o500)
    if kind == "video":
        pytest.importorskip("av")
        write_video(tmp_path / "a.mp4", 3)
        command, file = [*LIPSEG, "video", "a.mp4", "--mouth-box", "40,40,80,70", "-o", "out/a.mp4"], "out/a.mp4"
    else:
        pictures(tmp_path / "in", 1)
        command, file = [*PREDICT, "-o", "out"], "out/0000.json"
    done = run(tmp_path, *prefix, *command, "--detector", "none")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {file}: cannot be written (Permission denied)")
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_an_output_folder_behind_a_file_is_told(lips, tmp_path):
    pictures(tmp_path / "in", 1)
    (tmp_path / "file").touch()
    code, _, err = lips("predict", "in", "--detector", "none", "-o", "file/out")
    assert code == 1
    assert err == "error: file/out: cannot be written (Not a directory)\n"


def test_what_is_no_file_is_no_picture(lips, tmp_path):
    """A pipe would never end, a device neither."""
    os.mkfifo(tmp_path / "a.png")
    code, _, err = lips("predict", "a.png", "--detector", "none")
    assert code == 3
    assert "a.png: not a file" in err
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("/dev/zero")
    assert lips("predict", "c.png", "b.png", "--detector", "none")[0] == 3
