"""``lipseg makeup`` as a user runs it, with a known model behind it."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_model import ELSEWHERE, Ellipses, two_ellipses
from PIL import Image, ImageCms

from lipseg.boxes import Box
from lipseg.cli.app import main
from lipseg.cli.exit_codes import ExitCode
from lipseg.inference import segmenter
from lipseg.inference.runtime import Thresholds


class Open(Ellipses):
    unit = two_ellipses(0.15)


@pytest.fixture
def lips(capsys, tmp_path, monkeypatch):
    """Runs ``lipseg makeup`` in the test's folder with the known model: exit code, standard output, standard error.

    Pictures without boxes are mouth crops.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads=1: Open())

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["makeup", "--detector", "none", *map(str, arguments)])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


def save(path: str | Path, height: int = 60, width: int = 100, mode: str = "RGB", **options) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = np.add.outer(np.arange(height), np.arange(width))
    pixels = np.stack([150 + shade % 20, 90 + shade % 20, 90 + shade % 20], 2).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def files(folder: str | Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_a_photo_is_painted_beside_itself(lips):
    save("a.png")
    code, out, err = lips("a.png", "--color", "#0000ff", "--opacity", 1)
    assert (code, out, err) == (0, "a.makeup.png\n", "")
    before, after = pixels("a.png"), pixels("a.makeup.png")
    # The mouth crop's view covers the long side: 100 pixels about the middle. The lower lip is painted, not the mouth.
    assert after[41, 50, 2] - after[41, 50, 0] > 60
    np.testing.assert_array_equal(after[30, 50], before[30, 50])
    np.testing.assert_array_equal(after[:12], before[:12])
    assert files(".") == ["a.makeup.png", "a.png"]


def test_the_paint_goes_where_the_lips_are_and_not_where_annotators_drew_them(lips, monkeypatch):
    save("a.png")
    assert lips("a.png", "-o", "plain.png")[0] == 0
    monkeypatch.setattr(Open, "runtime", replace(Open.runtime, reference="mine", conventions=ELSEWHERE))
    assert lips("a.png", "-o", "same.png")[0] == 0
    np.testing.assert_array_equal(pixels("same.png"), pixels("plain.png"))
    assert lips("a.png", "-o", "b.png", "--convention", "elsewhere")[0] == ExitCode.USAGE


def test_every_mouth_box_is_painted(lips):
    save("a.png", 100, 200)
    code, _, _ = lips(
        "a.png", "--mouth-box", "20,30,80,60", "--mouth-box", "120,30,180,60", "-o", "b.png", "--finish", "gloss"
    )
    assert code == 0
    changed = np.abs(pixels("b.png") - pixels("a.png")).max(2) > 5
    # Upper and lower lip of both.
    assert changed[[35, 55, 35, 55], [50, 50, 150, 150]].all()
    assert not changed[:, 95:105].any()


def test_boxes_from_a_file(lips):
    save("a.png")
    save("b.png")
    Path("boxes.csv").write_text("image,x0,y0,x1,y1\na.png,30,20,70,40\n")
    code, out, err = lips("a.png", "b.png", "--mouth-boxes", "boxes.csv")
    assert code == ExitCode.SOME_FAILED
    assert out == "a.makeup.png\n"
    assert "no row for 'b.png' in boxes.csv" in err
    assert "1 of 2 files failed" in err


def test_a_jpeg_stays_one_with_its_exif_data_and_profile(lips):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    save("a.JPG", exif=exif, icc_profile=profile, quality=97)
    assert lips("a.JPG")[0] == 0
    painted = Image.open("a.makeup.JPG")
    assert (painted.format, painted.size) == ("JPEG", (60, 100))  # upright
    assert painted.getexif()[0x010F] == "a camera"
    assert painted.getexif().get(0x0112, 1) == 1
    assert painted.info["icc_profile"] == profile
    turned = np.rot90(pixels("a.JPG"), -1)
    assert np.abs(pixels("a.makeup.JPG") - turned)[:20].mean() < 4


def test_transparency_is_kept(lips):
    image = Image.open(save("a.png", mode="RGBA"))
    image.putalpha(200)
    image.save("a.png")
    assert lips("a.png", "--opacity", 1)[0] == 0
    painted = np.asarray(Image.open("a.makeup.png"))
    assert painted.shape == (60, 100, 4)
    assert (painted[..., 3] == 200).all()
    np.testing.assert_array_equal(painted[:12, :, :3], np.asarray(image)[:12, :, :3])


@pytest.mark.parametrize(("name", "mode"), [("a.png", "L"), ("a.gif", "P"), ("a.jpg", "CMYK"), ("a.bmp", "RGB")])
def test_other_kinds_of_pictures(lips, name, mode):
    save(name, mode=mode)
    code, out, _ = lips(name, "--color", "blue", "--opacity", 1)
    assert code == 0
    painted = pixels(out.strip())
    assert painted[41, 50, 2] - painted[41, 50, 0] > 40


def test_folders_are_mirrored_and_painted_pictures_are_no_inputs(lips):
    save("in/a.png")
    save("in/sub/b.jpeg")
    code, out, _ = lips("in", "-o", "out")
    assert code == 0
    assert out.splitlines() == [str(Path("out/a.makeup.png")), str(Path("out/sub/b.makeup.jpeg"))]
    assert files("out") == ["a.makeup.png", "sub/b.makeup.jpeg"]
    assert lips("in")[0] == 0
    assert lips("in", "--force")[0] == 0
    assert files("in") == ["a.makeup.png", "a.png", "sub/b.jpeg", "sub/b.makeup.jpeg"]
    assert lips("out")[0] == ExitCode.USAGE
    assert lips("out/a.makeup.png")[0] == 0  # named outright, it is


@pytest.mark.parametrize("name", ["b.jpg", "b.webp", "b.tiff", "new/b.png"])
def test_the_file_to_write_names_its_format(lips, name):
    save("a.png")
    code, out, _ = lips("a.png", "-o", name)
    assert (code, out) == (0, f"{Path(name)}\n")
    assert Image.open(name).size == (100, 60)


def test_nothing_is_overwritten_without_force(lips):
    save("a.png")
    Path("a.makeup.png").write_text("mine")
    code, _, err = lips("a.png")
    assert code == ExitCode.USAGE
    assert err == "error: a.makeup.png: exists already; give --force to overwrite, or another place with -o\n"
    assert Path("a.makeup.png").read_text() == "mine"
    assert lips("a.png", "--force")[0] == 0
    assert Image.open("a.makeup.png").size == (100, 60)


class Scored(Open):
    """A calibrated model with a score for each of its mouths."""

    runtime = replace(Open.runtime, thresholds=Thresholds(calibrated=True, min_score=0.5, doubt=0.0))
    scores: tuple[float, ...] = ()

    def __call__(self, views):
        return replace(super().__call__(views), score=np.array(self.scores[: len(views)], np.float32))


@pytest.fixture
def scored(lips, monkeypatch):
    """Runs ``lipseg makeup`` where faces with mouths of these scores are found."""

    def run(scores: tuple[float, ...], *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(Scored, "scores", scores)
        monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads=1: Scored())
        faces = [Box.square(60 + 120 * k, 50, 90) for k in range(len(scores))]
        monkeypatch.setattr(segmenter, "make_detector", lambda name: lambda image: faces)
        return lips(*arguments, "--detector", "faces")

    return run


def painted_columns(before: str, after: str) -> list[bool]:
    changed = np.abs(pixels(before) - pixels(after)).max(2) > 5
    return [bool(changed[:, left : left + 120].any()) for left in range(0, changed.shape[1], 120)]


def test_mouths_that_are_probably_none_are_left_unpainted(scored):
    save("a.png", 100, 360)
    code, out, err = scored((0.9, 0.04, 0.06), "a.png", "--opacity", 1)
    assert (code, out) == (0, "a.makeup.png\n")
    assert err == "a.png: 1 of 3 mouths left unpainted (score 0.040, below --min-score 0.05)\n"
    assert painted_columns("a.png", "a.makeup.png") == [True, False, True]

    code, _, err = scored((0.9, 0.04, 0.06), "a.png", "--min-score", 0.5, "--force")
    assert err == "a.png: 2 of 3 mouths left unpainted (scores 0.040 to 0.060, below --min-score 0.5)\n"
    assert painted_columns("a.png", "a.makeup.png") == [True, False, False]

    assert scored((0.9, 0.04, 0.06), "a.png", "--min-score", 0, "--force", "--opacity", 1)[2] == ""
    assert painted_columns("a.png", "a.makeup.png") == [True, True, True]


def test_a_photo_whose_mouths_are_all_doubtful_is_not_written(scored):
    save("a.png", 100, 120)
    code, out, err = scored((0.01,), "a.png")
    assert (code, out) == (ExitCode.SOME_FAILED, "")
    assert "a.png: nothing painted: no mouth is sure enough (score 0.010, below --min-score 0.05)" in err
    assert files(".") == ["a.png"]
    assert scored((0.01,), "a.png", "--mouth-box", "30,20,70,40")[0] == 0  # given, and so wanted


def test_a_photo_without_a_face_is_not_written(scored):
    save("a.png")
    code, out, err = scored((), "a.png")
    assert (code, out) == (ExitCode.SOME_FAILED, "")
    assert "a.png: no face found" in err
    assert files(".") == ["a.png"]


def test_a_broken_photo_fails_alone(lips):
    save("b.png")
    Path("a.jpg").write_bytes(b"not a picture")
    code, out, err = lips("a.jpg", "b.png")
    assert (code, out) == (ExitCode.SOME_FAILED, "b.makeup.png\n")
    assert [line for line in err.splitlines() if line.startswith("a.jpg: not a picture")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png"], "none.png: no such file or folder"),
        (["a.png", "--color", "lipstick"], "--color: 'lipstick' is no colour; write #rrggbb, #rgb or a CSS name"),
        (["a.png", "--finish", "wet"], "--finish: 'wet' is no finish; choose matte, satin, gloss"),
        (["a.png", "-o", "a.png", "--force"], "a.png: is one of the photos to paint"),
        (["a.png", "-o", "b.xyz"], "b.xyz: -o must be a folder or end in one of .jpeg, .jpg"),
        (["a.png", "b.png", "-o", "b.png"], "b.png: -o must name a folder for several photos"),
        (["a.png", "a.bmp"], "a.makeup.png: two of the photos (a.png and a.bmp)"),
        (["a.png", "--mouth-box", "1,2,3"], "--mouth-box: expected four numbers"),
        (["a.png", "--mouth-box", "1,2,3,4", "--mouth-boxes", "b.csv"], "--mouth-box and --mouth-boxes: give one"),
        (["a.png", "--mouth-boxes", "none.csv"], "none.csv: cannot be read"),
        (["a.png", "--detector", "eyes"], "--detector: unknown face detector 'eyes'"),
        (["-"], "-: makeup reads no photo from standard input"),
    ],
)
def test_wrong_usage_does_nothing_and_says_so_in_one_line(lips, arguments, message):
    for name in ("a.png", "a.bmp", "b.png"):
        save(name)
    code, out, err = lips(*arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert files(".") == ["a.bmp", "a.png", "b.png"]


@pytest.mark.parametrize("opacity", ["1.2", "-0.1", "much"])
def test_opacities_outside_their_range(lips, opacity):
    save("a.png")
    assert lips("a.png", f"--opacity={opacity}")[0] == ExitCode.USAGE


def clip(name: str, frames: int = 4) -> Path:
    """Writes a video of the picture that ``save`` writes, with a tone."""
    av = pytest.importorskip("av")
    image = pixels(save("frame.png")).astype(np.uint8)
    Path("frame.png").unlink()
    with av.open(name, "w") as container:
        video, tone = container.add_stream("libx264", rate=10), container.add_stream("aac", rate=16_000, layout="mono")
        video.height, video.width = image.shape[:2]
        for _ in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1600 * frames), np.int16), format="s16", layout="mono")
        sound.sample_rate = 16_000
        container.mux([*tone.encode(sound), *tone.encode(None)])
    return Path(name)


def decoded(name: str) -> list[np.ndarray]:
    from lipseg.video.reading import VideoReader

    with VideoReader(Path(name)) as reader:
        assert reader.container.streams.audio
        return [picture.image.astype(int) for picture in reader.frames()]


def test_a_video_is_painted_with_its_sound(lips):
    clip("a.mov")
    arguments = ("--mouth-box", "30,20,70,40", "--color", "blue", "--opacity", 1)
    code, out, err = lips("a.mov", *arguments)
    assert (code, out) == (0, "a.makeup.mp4\n")
    assert "4" in err  # of the bar
    before, after = decoded("a.mov"), decoded("a.makeup.mp4")
    assert len(after) == 4
    for old, new in zip(before, after, strict=True):
        # The view of 60 pixels about (50, 30) has the lower lip's middle 7 pixels below.
        assert new[37, 50, 2] - new[37, 50, 0] > 40
        assert np.abs(new[:12] - old[:12]).mean() < 4
    assert files(".") == ["a.makeup.mp4", "a.mov"]
    assert lips("a.mov", *arguments, "-o", "b.mkv")[:2] == (0, "b.mkv\n")
    assert len(decoded("b.mkv")) == 4


def test_what_stops_a_video(lips, monkeypatch):
    clip("a.mp4")
    Path("broken.mp4").write_bytes(b"no video")
    code, _, err = lips("a.mp4")
    assert code == ExitCode.SOME_FAILED
    assert "a.mp4: following mouths needs a detector, or the mouths' boxes in the first frame" in err
    assert lips("broken.mp4", "--mouth-box", "30,20,70,40")[0] == ExitCode.SOME_FAILED
    code, _, err = lips("a.mp4", "-o", "a.webm")
    assert code == ExitCode.USAGE
    assert err.startswith("error: a.webm: -o must be a folder or end in one of .m4v")
    monkeypatch.setitem(sys.modules, "av", None)
    code, _, err = lips("a.mp4", "--mouth-box", "30,20,70,40")
    assert code == ExitCode.USAGE
    assert "pip install 'lipseg[video]'" in err
    assert files(".") == ["a.mp4", "broken.mp4"]
