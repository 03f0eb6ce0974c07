"""Video files in and out: times, rotation, sound, damage, odd sizes, and nothing half-written."""

import json
import os
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import DataError, MissingLibraryError
from lipseg.geometry import View
from lipseg.inference.lips import Lips
from lipseg.inference.predictor import Prediction
from lipseg.inference.runtime import Runtime
from lipseg.inference.segmenter import LipSegmenter
from lipseg.tracking import TrackedFrame, TrackedLips, TrackParams
from lipseg.video import libraries
from lipseg.video.process import process_video
from lipseg.video.reading import VideoReader
from lipseg.video.rows import frame_row, open_rows

av = pytest.importorskip("av")

WIDTH, HEIGHT = 96, 64
_ANGLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
RING = np.stack([-np.cos(_ANGLE), -0.5 * np.sin(_ANGLE)], 1)
OVAL = np.concatenate([RING, 0.5 * RING])  # about (0, 0), two wide


class SeesRed:
    """A model whose mouth is the red spot in its view: as wide as the spot is, where the spot is."""

    runtime = Runtime(View(40, "square", 1.6), 3)
    locator = None

    def __call__(self, views: NDArray[np.uint8]) -> Prediction:
        red = np.clip(views[..., 0].astype(float) - views[..., 1] - 60, 0, None)
        grid = (np.arange(40) + 0.5) / 40
        total = red.sum((1, 2)) + 1e-9
        x, y = (red.sum(1) @ grid) / total, (red.sum(2) @ grid) / total
        points = np.stack([x, y], 1)[:, None] + 0.3 * OVAL
        n = len(views)
        score = np.where(total > 1000, 0.8, 0.0).astype(np.float32)
        return Prediction(points.astype(np.float32), np.full(n, 2), np.ones((n, 3), np.float32) / 3, score)


def spot(x: float, y: float, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    image = np.full((height, width, 3), 70, np.uint8)
    image[((columns - x) / 10) ** 2 + ((rows - y) / 5) ** 2 < 1] = (220, 40, 40)
    return image


BOX = Box(30, 30, 20, 10)


def path(k: int) -> tuple[float, float]:
    return 30 + k, 30 + 0.5 * k


def encode(
    file: Path,
    ticks: list[int] | None = None,
    *,
    n: int = 12,
    base: Fraction = Fraction(1, 90_000),
    size: tuple[int, int] = (HEIGHT, WIDTH),
    rotation: int = 0,
    sound: str = "",
    damage: int | None = None,
    codec: str = "libx264",
) -> Path:
    """Writes a clip of a red spot that moves by (1, 0.5) pixels a frame."""
    ticks = ticks or [3000 * k for k in range(n)]
    with av.open(str(file), "w") as container:
        video = container.add_stream(codec, rate=30, options={"crf": "12", "bf": "0"} if codec == "libx264" else {})
        video.height, video.width, video.pix_fmt = *size, "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        video.codec_context.time_base = base
        if rotation:
            video.set_display_rotation(rotation)
        tone = container.add_stream(sound, rate=16_000, layout="mono") if sound else None
        packets = 0

        def put(packet: Any) -> None:
            nonlocal packets
            container.mux(garbage_like(packet) if packets == damage else packet)
            packets += 1

        for k, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(spot(*path(k), *size), format="rgb24").reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = tick, base
            for packet in video.encode(frame):
                put(packet)
        for packet in video.encode(None):
            put(packet)
        if tone is not None:
            wave = np.sin(np.arange(16_000 * 4 // 10) * 0.17)
            samples = (wave * 9000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
            container.mux([*tone.encode(frame), *tone.encode(None)])
    return file


def garbage_like(packet: Any) -> Any:
    garbage = av.Packet(b"\x00\x00\x00\x02\xff\xff" * (packet.size // 6 + 1))
    garbage.stream, garbage.time_base = packet.stream, packet.time_base
    garbage.pts, garbage.dts = packet.pts, packet.dts
    return garbage


@pytest.fixture
def segmenter() -> LipSegmenter:
    return LipSegmenter(SeesRed())


def run(source: Path, target: Path | None, segmenter: LipSegmenter, **options: Any) -> tuple[Any, list[TrackedFrame]]:
    seen: list[TrackedFrame] = []
    options = {"boxes": [BOX], "params": TrackParams(smooth=None, new_people=False)} | options
    summary = process_video(source, target, segmenter, **options, seen=seen.append)
    return summary, seen


def decoded(file: Path) -> tuple[list[float], list[NDArray[np.uint8]]]:
    with VideoReader(file) as reader:
        pictures = list(reader.frames())
    return [picture.time for picture in pictures], [picture.image for picture in pictures]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_mouth_is_followed_and_painted(tmp_path, segmenter):
    source = encode(tmp_path / "in.mp4")
    summary, seen = run(source, tmp_path / "out.mp4", segmenter)
    assert (summary.frames, summary.empty, summary.broken, summary.detections) == (12, 0, 0, 0)
    for k, frame in enumerate(seen):
        np.testing.assert_allclose(frame.mouths[0].landmarks.mean(0), path(k), atol=0.6)
    times, before = decoded(source)
    painted, after = decoded(tmp_path / "out.mp4")
    assert painted == pytest.approx(times, abs=1e-4)
    change = np.abs(after[5].astype(int) - before[5]).max(2)
    x, y = (round(value) for value in path(5))
    assert change[y - 8 : y + 9, x - 16 : x + 17].max() > 60
    assert np.median(change) <= 3  # colours come back as they were
    assert files(tmp_path) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path, segmenter, suffix):
    ticks = [0, 1500, 9000, 9300, 40_000, 43_003, 90_000, 91_000]
    source = encode(tmp_path / "in.mp4", ticks)
    _, seen = run(source, tmp_path / f"out{suffix}", segmenter)
    expected = np.array(ticks) / 90_000
    assert [frame.time for frame in seen] == pytest.approx(expected, abs=1e-6)
    # Matroska counts milliseconds.
    assert decoded(tmp_path / f"out{suffix}")[0] == pytest.approx(expected, abs=6e-4 if suffix == ".mkv" else 2e-5)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_applied(tmp_path, segmenter, rotation):
    source = encode(tmp_path / "in.mp4", rotation=rotation)
    upright = np.rot90(spot(*path(0)), rotation // 90)
    ys, xs = np.nonzero(upright[..., 0] > 200)
    box = Box.from_corners(xs.min() - 1, ys.min() - 1, xs.max() + 1, ys.max() + 1)
    _, seen = run(source, tmp_path / "out.mp4", segmenter, boxes=[box])
    assert seen[0].mouths[0].lips.picture_size == upright.shape[:2]
    np.testing.assert_allclose(seen[0].mouths[0].landmarks.mean(0), (xs.mean(), ys.mean()), atol=0.6)
    with VideoReader(tmp_path / "out.mp4") as reader:
        frame = next(iter(reader.container.decode(video=0)))
    assert (frame.height, frame.width, frame.rotation) == (*upright.shape[:2], 0)


@pytest.mark.parametrize(("sound", "container", "becomes"), [("aac", "mp4", "aac"), ("pcm_s16le", "mkv", "aac")])
def test_the_sound_is_kept(tmp_path, segmenter, sound, container, becomes):
    source = encode(tmp_path / f"in.{container}", sound=sound)
    summary, _ = run(source, tmp_path / "out.mp4", segmenter)
    assert summary.sound_lost == 0
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        (stream,) = after.streams.audio
        assert stream.codec_context.name == becomes
        if sound == becomes:
            packets = [[bytes(p) for p in file.demux(file.streams.audio[0]) if p.size] for file in (before, after)]
            assert packets[0] == packets[1]
        else:
            heard = np.concatenate([f.to_ndarray().ravel() for f in after.decode(stream)])
            assert len(heard) / 16_000 == pytest.approx(0.4, abs=0.15)
            assert np.abs(heard).max() == pytest.approx(9000 / 32768, rel=0.2)


def test_a_broken_frame_is_skipped_and_counted(tmp_path, segmenter):
    source = encode(tmp_path / "in.mp4", damage=6, codec="mpeg4", base=Fraction(1, 30), ticks=list(range(12)))
    summary, seen = run(source, tmp_path / "out.mp4", segmenter)
    assert summary.broken >= 1
    assert 10 <= summary.frames <= 11
    assert seen[-1].time == pytest.approx(11 / 30)
    assert len(decoded(tmp_path / "out.mp4")[0]) == summary.frames


def test_a_file_that_was_cut_off_gives_what_is_there(tmp_path, segmenter):
    source = encode(tmp_path / "in.mkv", n=30)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    summary, _ = run(source, tmp_path / "out.mp4", segmenter)
    assert 3 <= summary.frames < 30


@pytest.mark.parametrize("when", ["before", "while it is read"])
def test_frames_behind_the_end_of_a_file_that_was_cut_off_are_counted(tmp_path, when):
    """Its index is whole: half a download of a video that was made to be streamed."""
    source, noise = tmp_path / "in.mp4", np.random.default_rng(0)
    with av.open(str(source), "w", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.bit_rate = 160, 120, 10_000_000
        for _ in range(40):
            picture = noise.integers(0, 255, (120, 160, 3), np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    half = source.stat().st_size // 2
    if when == "before":
        os.truncate(source, half)
    with VideoReader(source) as reader:
        seen = 0
        for _ in reader.frames():
            seen += 1
            os.truncate(source, half)
        assert 10 <= seen < 30
        assert seen + reader.skipped == pytest.approx(40, abs=1)  # half a packet may count as both


def test_a_file_that_is_removed_while_it_is_read_is_read_to_its_end(tmp_path):
    source = encode(tmp_path / "in.mp4")
    with VideoReader(source) as reader:
        seen = 0
        for _ in reader.frames():
            seen += 1
            source.unlink(missing_ok=True)
        assert (seen, reader.skipped) == (12, 0)


@pytest.mark.parametrize("size", [(63, 95), (64, 95), (63, 96)])
def test_odd_sizes(tmp_path, segmenter, size):
    source = encode(tmp_path / "in.mp4", size=size, n=3)
    _, seen = run(source, tmp_path / "out.mp4", segmenter)
    assert seen[0].mouths[0].lips.picture_size == size
    assert decoded(tmp_path / "out.mp4")[1][0].shape == (64, 96, 3)


def test_every_nth_frame(tmp_path, segmenter):
    source = encode(tmp_path / "in.mp4")
    _, seen = run(source, tmp_path / "out.mp4", segmenter, every=5)
    assert [frame.index for frame in seen] == [0, 5, 10]
    assert decoded(tmp_path / "out.mp4")[0] == pytest.approx([0, 5 / 30, 10 / 30], abs=1e-4)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_interrupted_it_leaves_nothing(tmp_path, segmenter, stop):
    source = encode(tmp_path / "in.mp4", sound="aac")
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    painted = []

    def paint(image, mouths):
        painted.append(1)
        if len(painted) == 5:
            raise stop
        return image

    with pytest.raises(stop):
        process_video(source, target, segmenter, paint, boxes=[BOX])
    assert files(tmp_path) == ["in.mp4", "out.mp4"]
    assert target.read_bytes() == b"old"


def test_a_painter_gets_every_frame_and_may_return_another_picture(tmp_path, segmenter):
    source = encode(tmp_path / "in.mp4", n=3)
    got = []

    def paint(image, mouths):
        got.append([mouth.id for mouth in mouths])
        return np.zeros_like(image)

    process_video(source, tmp_path / "out.mp4", segmenter, paint, boxes=[BOX])
    assert got == [[1]] * 3
    assert max(image.max() for image in decoded(tmp_path / "out.mp4")[1]) < 5


def test_memory_stays_flat(tmp_path, segmenter):
    source = encode(tmp_path / "in.mp4", n=40)
    living: list[Any] = []
    most = 0

    def paint(image, mouths):
        nonlocal most
        living.append(weakref.ref(image))
        most = max(most, sum(ref() is not None for ref in living))
        return image

    process_video(source, tmp_path / "out.mp4", segmenter, paint, boxes=[BOX])
    assert len(living) == 40
    assert most <= 2


def test_what_is_no_video_is_named(tmp_path, segmenter):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(DataError, match=r"none\.mp4: not a video that can be read \(no such file\)"):
        run(tmp_path / "none.mp4", None, segmenter)
    with pytest.raises(DataError, match=r"text\.mp4: not a video"):
        run(tmp_path / "text.mp4", tmp_path / "out.mp4", segmenter)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        tone = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux([*tone.encode(frame), *tone.encode(None)])
    with pytest.raises(DataError, match="holds no video, only audio"):
        run(tmp_path / "sound.mp4", tmp_path / "out.mp4", segmenter)
    assert files(tmp_path) == ["sound.mp4", "text.mp4"]


def test_a_missing_library_says_how_to_get_it(monkeypatch, tmp_path):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(libraries.importlib, "import_module", refuse)
    with pytest.raises(MissingLibraryError, match=r"pip install 'lipseg\[video\]'"):
        VideoReader(tmp_path / "in.mp4")


def tracked(index: int, ids: list[int]) -> TrackedFrame:
    points = (20 * OVAL + 50).astype(np.float32)
    lips = Lips(Box.from_corners(30, 40, 70, 60), float("nan"), 1, np.ones(1, np.float32), points, (100, 100))
    return TrackedFrame(index, index / 30, [TrackedLips(i, lips, points) for i in ids])


def test_rows():
    row = frame_row(tracked(3, [1, 4]))
    assert (row["frame"], row["time"], [face["id"] for face in row["faces"]]) == (3, 0.1, [1, 4])
    face = row["faces"][0]
    assert face["width"] == pytest.approx(40, abs=0.6)
    assert face["opening_px"] == pytest.approx(10, abs=0.3)
    assert face["opening"] == pytest.approx(0.25, abs=0.01)
    assert face["areas"]["inner"] == pytest.approx(np.pi * 10 * 5, rel=0.02)
    assert face["score"] is None
    assert np.shape(face["outer"]) == np.shape(face["inner"]) == (28, 2)
    assert frame_row(tracked(0, [])) == {"frame": 0, "time": 0.0, "faces": []}


def test_json_lines_are_written_whole_or_not_at_all(tmp_path):
    with open_rows(tmp_path / "a.jsonl") as rows:
        for index in range(3):
            rows.write(tracked(index, [1] if index else []))
        assert files(tmp_path) == [".a.partial.jsonl"]
    assert [len(json.loads(line)["faces"]) for line in (tmp_path / "a.jsonl").open()] == [0, 1, 1]
    with pytest.raises(KeyboardInterrupt), open_rows(tmp_path / "b.jsonl"):
        raise KeyboardInterrupt
    assert files(tmp_path) == ["a.jsonl"]
    with pytest.raises(DataError, match=r"c\.csv: landmarks are written as \.jsonl"), open_rows(tmp_path / "c.csv"):
        pass


def test_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    with open_rows(tmp_path / "a.parquet") as rows:
        for index in range(600):
            rows.write(tracked(index, [1, 2] if index % 2 else []))
    table = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert table["frame"][:4] == [0, 1, 1, 2]
    assert table["id"][:4] == [None, 1, 2, None]
    assert len(table["frame"]) == 900
    np.testing.assert_allclose(np.reshape(table["outer"][1], (28, 2)), 20 * RING + 50, atol=1e-4)
    assert table["score"][1] is None
    assert (table["box"][1], table["roll"][1]) == ([30, 40, 70, 60], 0)
    assert list(table)[2:] == [
        *("id", "box", "roll", "score", "component", "opening", "opening_px", "width"),
        *("area_upper", "area_lower", "area_inner", "outer", "inner"),
    ]
    assert files(tmp_path) == ["a.parquet"]
