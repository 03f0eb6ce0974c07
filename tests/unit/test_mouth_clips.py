"""Mouth clips: the grid of times, gaps, the frames, the sound, the files and the data set made of them."""

import json
import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.geometry import View
from lipseg.inference.predictor import Prediction
from lipseg.inference.runtime import Runtime
from lipseg.inference.segmenter import LipSegmenter
from lipseg.mouth_clips import PRESETS, ClipParams, MouthClips, cut_clips, mouth_frames
from lipseg.mouth_clips.observing import Observed, Track
from lipseg.mouth_clips.planning import plan_clips

av = pytest.importorskip("av")

WIDTH, HEIGHT, RATE = 96, 64, 30
_ANGLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_RING = np.stack([-np.cos(_ANGLE), -0.5 * np.sin(_ANGLE)], 1)
OVAL = np.concatenate([_RING, 0.5 * _RING])  # about (0, 0), two wide
SMALL = ClipParams(width=32, height=32, fps=0, shortest_s=0.0)
BLIP = 8_000  # the sample, at 16000 a second, at which the sound begins


class SeesRed:
    """A model whose mouth is the red spot in its view: as wide as the spot is, where the spot is."""

    runtime = Runtime(View(40, "square", 1.6), 3)
    locator = None

    def __call__(self, views):
        red = np.clip(views[..., 0].astype(float) - views[..., 1] - 60, 0, None)
        grid = (np.arange(40) + 0.5) / 40
        total = red.sum((1, 2)) + 1e-9
        x, y = (red.sum(1) @ grid) / total, (red.sum(2) @ grid) / total
        points = np.stack([x, y], 1)[:, None] + 0.3 * OVAL
        n = len(views)
        score = np.where(total > 1000, 0.8, 0.0).astype(np.float32)
        return Prediction(points.astype(np.float32), np.full(n, 2), np.ones((n, 3), np.float32) / 3, score)


def spots(*places):
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    image = np.full((HEIGHT, WIDTH, 3), 70, np.uint8)
    for x, y in places:
        image[((columns - x) / 10) ** 2 + ((rows - y) / 5) ** 2 < 1] = (220, 40, 40)
    return image


def find_red(image):
    """Boxes of the red spots, one in each half of the picture."""
    found = []
    for start in (0, WIDTH // 2):
        rows, columns = np.nonzero(
            image[:, start : start + WIDTH // 2, 0].astype(int) - image[:, start : start + WIDTH // 2, 1] > 90
        )
        if len(rows) > 50:
            found.append(Box(columns.mean() + start, rows.mean(), 20, 10))
    return found


def write(path, images, *, rate=RATE, sound=False, times=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if sound:
            heard = container.add_stream("pcm_s16le", rate=16_000)
            heard.codec_context.layout = "mono"
        for k, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = round(1000 * (times[k] if times is not None else k / rate)), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if sound:
            samples = np.zeros(16_000, np.int16)
            samples[BLIP:] = 10_000
            for start in range(0, len(samples), 1000):
                piece = av.AudioFrame.from_ndarray(samples[None, start : start + 1000], format="s16", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = 16_000, start, Fraction(1, 16_000)
                container.mux(heard.encode(piece))
            container.mux(heard.encode(None))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def segmenter():
    return LipSegmenter(SeesRed(), find_red_faces)


def find_red_faces(image):
    return find_red(image)


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """A second: one mouth moves right and is hidden in frames 12 to 15; another is there from frame 10 on."""
    images = []
    for k in range(RATE):
        places = [] if 12 <= k < 16 else [(20 + 0.5 * k, 20)]
        images.append(spots(*places, *([(74, 44)] if k >= 10 else [])))
    return write(tmp_path_factory.mktemp("talk") / "talk.mkv", images, sound=True)


def frames_of(video, segmenter, params=SMALL, **more):
    found = {}
    for frame in mouth_frames(video, segmenter, params, detect=find_red, **more):
        found.setdefault(frame.person, []).append(frame)
    return found


def test_every_mouth_stays_in_the_middle_and_gaps_are_black_and_marked(talk, segmenter):
    found = frames_of(talk, segmenter)
    assert sorted(found) == [1, 2]
    first, second = found[1], found[2]
    assert [frame.index for frame in first] == list(range(30))
    assert [frame.source_frame for frame in second] == list(range(10, 30))
    hidden = [frame.index for frame in first if not frame.found]
    assert set(range(12, 16)) <= set(hidden)
    assert len(hidden) <= 8
    for frame in first:
        assert frame.image.shape == (32, 32, 3)
        assert frame.found == (frame.landmarks is not None) == (frame.to_picture is not None)
        if frame.found:
            red = frame.image[..., 0].astype(float) - frame.image[..., 1] > 60
            rows, columns = np.nonzero(red)
            assert (columns.mean(), rows.mean()) == pytest.approx((15.5, 15.5), abs=0.7)
            assert frame.score == pytest.approx(0.8)
        else:
            assert not frame.image.any()
    assert [frame.time for frame in first] == pytest.approx(np.arange(30) / 30, abs=1e-3)


def test_gaps_can_be_bridged_and_stay_marked(talk, segmenter):
    frames = frames_of(talk, segmenter, replace(SMALL, gaps="interpolate"))[1]
    hidden = [frame for frame in frames if not frame.found]
    assert {12, 13, 14, 15} <= {frame.index for frame in hidden}
    for frame in hidden:
        assert frame.landmarks is None
        assert frame.image.any()
        x, y = frame.to_picture @ [15.5, 15.5, 1]
        assert (x, y) == pytest.approx((20 + 0.5 * frame.index, 20), abs=1.0)


def test_transforms_lead_back_to_the_picture_and_landmarks_fit(talk, segmenter):
    for frame in frames_of(talk, segmenter, replace(SMALL, grey=True))[2]:
        assert frame.image.shape == (32, 32)
        x, y = frame.to_picture @ np.array([[-0.5, 31.5, 31.5, -0.5], [-0.5, -0.5, 31.5, 31.5], [1, 1, 1, 1]])
        assert frame.inside == (min(*x, *y) >= -0.5 and max(x) <= WIDTH - 0.5 and max(y) <= HEIGHT - 0.5)
        assert frame.landmarks.mean(0) == pytest.approx(frame.to_picture @ [15.5, 15.5, 1], abs=0.5)


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_another_rate_takes_the_nearest_frame_of_each_tick(talk, segmenter, fps):
    for frames in frames_of(talk, segmenter, replace(SMALL, fps=fps)).values():
        ticks = np.array([frame.time * fps for frame in frames])
        np.testing.assert_allclose(ticks, np.arange(len(frames)) + ticks[0].round(), atol=1e-9)
        assert all(abs(frame.source_frame / RATE - frame.time) <= 0.5 / RATE + 1e-3 for frame in frames)


def observed(times, seen):
    track = Track(1, list(seen), [OVAL.astype(np.float32) * 20 + 50] * len(seen), [0.9] * len(seen))
    return Observed(np.asarray(times, float), [track], 0)


def test_a_hole_in_the_video_is_a_gap_and_a_still_picture_of_usual_length_is_not():
    times = [0, 0.04, 0.08, 0.12, 1.0, 1.04, 1.08]
    ((plan,), short) = plan_clips(observed(times, range(7)), ClipParams(shortest_s=0))
    assert short == 0
    assert len(plan.times) == 28
    shown = plan.frames >= 0
    assert shown[[0, 1, 2, 3, 25, 26, 27]].all()
    assert not shown[6:23].any()
    assert (plan.seen[~shown] == -1).all()
    assert (plan.start_s, plan.end_s) == pytest.approx((0.0, 1.12))


def test_people_seen_too_shortly_get_no_clip():
    plans, short = plan_clips(observed(np.arange(50) / 25, [3, 4, 5, 40]), ClipParams())
    assert (plans, short) == ([], 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 2}, "8 to 2048"),
        ({"fps": -1.0}, "fps must be"),
        ({"fps": float("nan")}, "fps must be"),
        ({"align": "affine"}, "similarity or none"),
        ({"gaps": "fill"}, "blank or interpolate"),
        ({"mouth_width": 0.0}, "the mouth must be"),
        ({"smooth_s": 0.0}, "positive"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        replace(SMALL, **change)


def test_presets_are_what_the_public_lip_readers_take():
    for name in ("auto_avsr", "lipreading_tcn", "av_hubert"):
        preset = PRESETS[name]
        assert (preset.width, preset.height, preset.fps, preset.mouth_px) == (96, 96, 25.0, 48.0)
    assert (PRESETS["lipnet"].width, PRESETS["lipnet"].height, PRESETS["lipnet"].align) == (100, 50, "none")
    assert ClipParams().mouth_px == 48.0


@pytest.fixture(scope="module")
def cut(talk, segmenter, tmp_path_factory):
    """The clips of ``talk`` in every format, at the video's own rate."""
    folder = tmp_path_factory.mktemp("cut") / "talk"
    summary = cut_clips(talk, folder, segmenter, SMALL, formats=["mp4", "npz", "png"], detect=find_red)
    return folder, summary


def test_the_files_and_the_summary(cut):
    folder, summary = cut
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["1", "1.json", "1.mp4", "1.npz", "2", "2.json", "2.mp4", "2.npz", "clips.json"]
    )
    assert (summary.clips, summary.frames, summary.reason, summary.broken) == (2, 50, "", 0)
    assert summary.gaps >= 4
    index = json.loads((folder / "clips.json").read_text())
    assert index["settings"]["mouth_width"] == 16.0
    assert [clip["frames"] for clip in index["clips"]] == [30, 20]
    one = json.loads((folder / "1.json").read_text())
    assert len(one["rows"]) == 30
    assert one["rows"][13]["found"] is False
    assert one["rows"][13]["outer"] is one["rows"][13]["to_picture"] is one["rows"][13]["opening"] is None
    assert np.shape(one["rows"][0]["outer"]) == (28, 2)


def test_formats_hold_the_same_frames(cut):
    folder, _ = cut
    with np.load(folder / "1.npz") as arrays:
        data, found = arrays["data"], arrays["found"]
        assert data.shape == (30, 32, 32, 3)
        assert arrays["landmarks"].shape == (30, 56, 2)
        assert np.isnan(arrays["to_picture"][~found]).all()
    item = MouthClips(folder)[0]
    np.testing.assert_array_equal(item["frames"], data)
    np.testing.assert_array_equal(item["found"], found)
    index = json.loads((folder / "clips.json").read_text())
    for kind, tolerance in (("png", 0), ("mp4", 12)):
        for clip in index["clips"]:
            clip["files"] = {kind: f"{clip['person']}" + (".mp4" if kind == "mp4" else "")}
        (folder / "clips.json").write_text(json.dumps(index))
        frames = MouthClips(folder)[0]["frames"]
        assert frames.shape == data.shape
        assert np.abs(frames.astype(int) - data).mean() <= tolerance
    for clip in index["clips"]:
        clip["files"] = {kind: f"{clip['person']}{ending}" for kind, ending in (("mp4", ".mp4"), ("npz", ".npz"))}
    (folder / "clips.json").write_text(json.dumps(index))


def test_the_sound_is_cut_to_the_clip(talk, segmenter, cut, tmp_path):
    folder, _ = cut
    cut_clips(talk, tmp_path / "wav", segmenter, SMALL, formats=["npz"], detect=find_red)
    assert (tmp_path / "wav" / "2.wav").exists()
    for place, exact in ((tmp_path / "wav", 0), (folder, 600)):
        for item in MouthClips(place, sound=True):
            samples, start = item["sound"], round(item["time"][0] * 16_000)
            assert item["rate"] == 16_000
            assert len(samples) == pytest.approx(round(len(item["frames"]) / RATE * 16_000), abs=200)
            begins = int(np.argmax(np.abs(samples[:, 0].astype(int)) > 5_000))
            assert begins + start == pytest.approx(BLIP, abs=max(exact, 20))


def test_no_sound_where_none_is_wanted_or_there_is_none(talk, segmenter, tmp_path):
    silent = write(tmp_path / "silent.mkv", [spots((20, 20))] * 5)
    cut_clips(silent, tmp_path / "silent", segmenter, SMALL, formats=["npz"], detect=find_red)
    cut_clips(talk, tmp_path / "unwanted", segmenter, SMALL, formats=["npz"], sound=False, detect=find_red)
    assert not list(tmp_path.rglob("*.wav"))
    with pytest.raises(DataError, match="no sound"):
        MouthClips(tmp_path / "silent", sound=True)[0]


def test_parquet_holds_what_json_holds(talk, segmenter, cut, tmp_path):
    pytest.importorskip("pyarrow")
    cut_clips(talk, tmp_path / "parquet", segmenter, SMALL, formats=["npz"], rows="parquet", detect=find_red)
    for one, other in zip(MouthClips(cut[0]), MouthClips(tmp_path / "parquet"), strict=True):
        for name in ("time", "source_frame", "found", "inside", "to_picture", "opening", "score", "landmarks"):
            np.testing.assert_allclose(one[name].astype(float), other[name].astype(float), atol=6e-3)


def test_windows_of_clips(cut):
    folder, _ = cut
    windows = MouthClips(folder, length=10, step=5)
    assert [window["start"] for window in windows] == [0, 5, 10, 15, 20, 0, 5, 10]
    assert all(len(window[name]) == 10 for window in windows for name in ("frames", "found", "landmarks"))
    assert windows[0]["name"] == "1"
    whole = MouthClips(folder, length=10, complete=True)
    assert all(window["found"].all() for window in whole)
    assert 0 < len(whole) < 5
    again = pickle.loads(pickle.dumps(windows))
    np.testing.assert_array_equal(again[3]["frames"], windows[3]["frames"])
    with pytest.raises(IndexError):
        windows[8]
    assert MouthClips(folder, transform=len)[0] == len(windows[0])


def test_folders_without_clips_and_spoilt_ones(cut, tmp_path):
    with pytest.raises(DataError, match="no mouth clips"):
        MouthClips(tmp_path)
    with pytest.raises(ValueError, match="at least 1"):
        MouthClips(cut[0], length=0)
    index = json.loads((cut[0] / "clips.json").read_text())
    (tmp_path / "clips.json").write_text(json.dumps(index))
    (tmp_path / "1.npz").write_bytes(b"spoilt")
    with pytest.raises(DataError, match=r"1\.npz: not the frames"):
        MouthClips(tmp_path)[0]


def test_a_video_without_a_mouth_says_so(segmenter, tmp_path):
    empty = write(tmp_path / "empty.mkv", [spots()] * 5)
    summary = cut_clips(empty, tmp_path / "clips", segmenter, SMALL, detect=find_red)
    assert (summary.clips, summary.reason) == (0, "no mouth found")
    assert json.loads((tmp_path / "clips" / "clips.json").read_text())["reason"] == "no mouth found"


def test_what_fails_leaves_nothing(talk, segmenter, tmp_path):
    def stop(calls=[0]):  # noqa: B006
        calls[0] += 1
        if calls[0] == 45:  # in the second pass
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_clips(talk, tmp_path / "clips", segmenter, SMALL, formats=["mp4", "npz"], detect=find_red, seen=stop)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="expected any of mp4, npz, png"):
        cut_clips(talk, tmp_path / "clips", segmenter, SMALL, formats=["gif"])


def test_an_odd_size_fits_into_an_mp4(talk, segmenter, tmp_path):
    cut_clips(talk, tmp_path / "odd", segmenter, replace(SMALL, width=33, height=21, grey=True), detect=find_red)
    assert MouthClips(tmp_path / "odd")[1]["frames"].shape == (20, 21, 33)
