"""Mouth clips and videos from a stranger: no other file is read, and nothing is unpacked that nobody announced."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lipseg.errors import DataError
from lipseg.mouth_clips.dataset import MouthClips
from lipseg.mouth_clips.process import INDEX, INDEX_FORMAT
from lipseg.video import reading
from lipseg.video.reading import VideoReader

av = pytest.importorskip("av")


def index_of(folder: Path, **changes: object) -> None:
    """Writes the index of one grey clip of four frames, 8 pixels a side."""
    entry = {"person": 1, "start": 0.0, "end": 0.16, "fps": 25.0, "width": 8, "height": 8, "frames": 4, "found": 0}
    entry |= {"rows": "1.json", "files": {"npz": "1.npz"}} | changes
    index = {"format": INDEX_FORMAT, "settings": {"grey": True}, "clips": [entry]}
    (folder / INDEX).write_text(json.dumps(index))


def archive(path: Path, shape: tuple[int, ...], content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("data.npy", "w", force_zip64=True) as data:
        np.lib.format.write_array_header_1_0(data, {"descr": "|u1", "fortran_order": False, "shape": shape})
        data.write(content)


def test_a_clip_is_read(tmp_path):
    index_of(tmp_path)
    archive(tmp_path / "1.npz", (4, 8, 8), bytes(range(256)))
    names = ("time", "source_frame", "found", "inside", "to_picture", "opening", "score", "outer", "inner")
    row = dict.fromkeys(names) | {"found": False, "inside": False}
    (tmp_path / "1.json").write_text(json.dumps({"rows": [row] * 4}))
    assert MouthClips(tmp_path)[0]["frames"].ravel().tolist() == list(range(256))


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        ((4, 8, 8), bytes(50_000_000)),  # a bomb: 50 KB on disk
        ((10**12,), bytes(256)),  # a header that asks for a terabyte
        ((2**62, 2**62), bytes(256)),
        ((4, 8, 8), bytes(100)),
        ((8, 8, 4), bytes(256)),
    ],
)
def test_an_archive_that_is_not_what_the_index_says_is_refused(tmp_path, shape, content):
    index_of(tmp_path)
    archive(tmp_path / "1.npz", shape, content)
    with pytest.raises(DataError, match=r"1\.npz: not the frames of a clip"):
        MouthClips(tmp_path)[0]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(40)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    index_of(tmp_path)
    (tmp_path / "1.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"1\.npz: not the frames of a clip"):
        MouthClips(tmp_path)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"npz": "/etc/hostname"}},
        {"files": {"npz": "../1.npz"}},
        {"rows": "../../rows.json"},
        {"rows": None},
        {"frames": 2**40},
        {"frames": -1},
        {"frames": True},
        {"width": 10**6},
        {"fps": 0},
        {"fps": float("nan")},
        {"files": []},
    ],
)
def test_an_index_that_leads_elsewhere_or_is_absurd_is_refused(tmp_path, changes):
    index_of(tmp_path, **changes)
    with pytest.raises(DataError, match=r"clips\.json: not an index of mouth clips"):
        MouthClips(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 100_000, '{"format": 1, "clips": 3, "settings": {}}'])
def test_what_is_no_index_is_not_left_out_silently(tmp_path, content):
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(DataError, match=r"clips\.json: not an index of mouth clips"):
        MouthClips(tmp_path)


def video(path: Path, width: int, height: int, kind: str | None = None) -> None:
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for grey in (0, 200):
            image = np.full((height, width, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def test_a_script_or_playlist_called_video_reads_no_other_file(tmp_path):
    video(tmp_path / "other.mp4", 32, 32)
    with VideoReader(tmp_path / "other.mp4") as reader:
        assert len(list(reader.frames())) == 2
    (tmp_path / "script.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n")
    for name in ("script.mp4", "list.mp4"):
        with pytest.raises(DataError, match=f"{name}: not a video that can be read"):
            VideoReader(tmp_path / name)


def test_frames_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    video(tmp_path / "a.mp4", 64, 48)
    monkeypatch.setattr(reading, "MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(DataError, match=r"a\.mp4: frames of 64 x 48 pixels"):
        VideoReader(tmp_path / "a.mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_size_in_a_file_s_head_takes_no_memory(tmp_path):
    video(tmp_path / "a.avi", 64, 48)
    content = (tmp_path / "a.avi").read_bytes()
    title = content.index(b"INFOISFT")
    sizes = [number.to_bytes(4, "little") for number in (0x7FFFFF00, 0x7FFFFE00)]
    lying = content[: title - 4] + sizes[0] + b"INFOISFT" + sizes[1] + content[title + 12 :]
    (tmp_path / "b.avi").write_bytes(lying)
    program = (
        "import sys; from pathlib import Path; from lipseg.video.reading import VideoReader\n"
        "with VideoReader(Path(sys.argv[1])) as reader: frames = len(list(reader.frames()))\n"
        "print(frames, open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "b.avi")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    frames, peak_kb = map(int, done.stdout.split())
    assert frames == 2
    assert peak_kb < 500_000  # it would take 2 GB


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi", "mpg", "ts", "flv", "ogv", "webm", "wmv", "3gp"])
def test_the_containers_of_videos_are_read(tmp_path, ending):
    kinds = {"mpg": "mpeg", "ts": "mpegts", "ogv": "ogg", "wmv": "asf", "mkv": "matroska"}
    codecs = {"mpg": "mpeg2video", "ts": "mpeg2video", "flv": "flv", "webm": "libvpx", "ogv": "libtheora"}
    path = tmp_path / f"a.{ending}"
    codec = codecs.get(ending, "mpeg4")
    if codec not in av.codecs_available:
        pytest.skip(f"this ffmpeg has no {codec}")
    with av.open(str(path), "w", format=kinds.get(ending)) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for seed in range(12):
            noise = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoReader(path) as reader:
        assert len(list(reader.frames())) == 12
