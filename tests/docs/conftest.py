"""A folder with what the pages speak of: photographs, drawn, and videos of drawn faces."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 640, 480


def _face(seed: int, state: str) -> Image.Image:
    """Returns a picture of 640 x 480 pixels with a drawn face whose mouth lies near (254, 328)."""
    from lipseg import scheme
    from lipseg.data.synthesize import draw_face

    image, points = draw_face(np.random.default_rng(seed), state, 400)
    x, y = points[scheme.HELEN_LIPS].mean(0)
    move = np.array([[1, 0, 254 - x], [0, 1, 328 - y]])
    return Image.fromarray(cv2.warpAffine(image, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE))


def _talk(file: Path, face: Image.Image, sound: bool) -> None:
    import av

    pixels = np.asarray(face.resize((WIDTH // 2, HEIGHT // 2)))
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height = WIDTH // 2, HEIGHT // 2
        track = container.add_stream("aac", rate=16000) if sound else None
        for k in range(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(pixels, k // 4, 1))))
        container.mux(stream.encode(None))
        if track is not None:
            tone = (8000 * np.sin(np.arange(21000) / 5)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate = 16000
            container.mux(track.encode(frame))
            container.mux(track.encode(None))


@pytest.fixture(scope="session")
def _drawn_material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av")
    root = tmp_path_factory.mktemp("material")
    for folder in ("photos/album", "mouths", "talks"):
        (root / folder).mkdir(parents=True)
    smile, laugh = _face(3, "smile"), _face(8, "laugh")
    smile.save(root / "photo.jpg", quality=95)
    smile.save(root / "photo.ppm")
    smile.save(root / "photos" / "one.jpg")
    laugh.save(root / "photos" / "album" / "two.png")
    smile.crop((184, 268, 324, 388)).save(root / "mouths" / "one.png")
    Image.new("RGB", (WIDTH, HEIGHT), (40, 40, 40)).save(root / "empty.jpg")
    (root / "boxes.csv").write_text("image,x0,y0,x1,y1\nphoto.jpg,210,305,298,351\n")
    _talk(root / "talk.mp4", smile, sound=True)
    _talk(root / "talks" / "one.mp4", smile, sound=False)
    _talk(root / "talks" / "two.mkv", laugh, sound=False)
    shutil.copytree(ROOT / "docs", root / "docs", ignore=shutil.ignore_patterns("*.md", "*.jpg", "__pycache__"))
    shutil.copytree(ROOT / "lipseg" / "shipped", root / "lipseg" / "shipped")
    return root


@pytest.fixture
def workplace(_drawn_material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a test, with photo.jpg, empty.jpg, photos/, mouths/, boxes.csv, talk.mp4 and talks/."""
    shutil.copytree(_drawn_material, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
