"""Long runs: very many pictures, some of them broken, and a long video, with the memory that they take as they go on.

    python -m benchmarks.load                                # 10,000 pictures, 3 % broken, and 30 minutes of video
    python -m benchmarks.load --pictures 2000 --minutes 5    # less

Pictures and video are made by formula. Each picture must have its row or its error, and each frame one row, whose mouth
is where the formula put it: at the video's end no less than at its begin.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import lipseg
from benchmarks.faults import LIPSEG
from lipseg import scheme
from lipseg.data.face_shape import STATES
from lipseg.data.synthesize import draw_face

RATE = 25
# The mouth swings by so many pixels, once in so many frames: a rows' frame is told by its place.
SWING_PX, PERIOD = 30, 250


def watched(command: list[str], folder: Path) -> tuple[int, list[float], float]:
    """Returns a command's exit code, its memory in MB twenty times along the way, and the seconds that it took."""
    began = time.monotonic()
    with (folder / "said.txt").open("wb") as said:
        running = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=said)
        samples = []
        while running.poll() is None:
            # Pages of libraries do not count: only what is the process's own.
            status = Path(f"/proc/{running.pid}/status").read_text(encoding="ascii")
            own = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")]
            samples += [int(own[0]) / 1024] if own else []
            time.sleep(0.25)
    step = max(1, len(samples) // 20)
    return running.returncode, samples[::step], time.monotonic() - began


def many_pictures(place: Path, count: int, broken: float) -> str:
    """Predicts very many pictures; returns what came of it."""
    rng = random.Random(0)
    drawn = [draw_face(np.random.default_rng(seed), STATES[seed % len(STATES)], 160)[0] for seed in range(20)]
    (place / "in").mkdir()
    for seed, image in enumerate(drawn):
        Image.fromarray(image).save(place / f"{seed}.jpg", quality=90)
    bad = 0
    for number in range(count):
        content = (place / f"{number % len(drawn)}.jpg").read_bytes()
        if rng.random() < broken:
            bad += 1
            content = content[: rng.randrange(len(content) // 2)]
        (place / "in" / f"{number:05d}.jpg").write_bytes(content)
    command = [*LIPSEG, "predict", "in", "-o", "out", "--format", "json,coco,csv"]
    code, memory, seconds = watched(command, place)
    files = sum(1 for _ in (place / "out").glob("[0-9]*.json"))
    told = (place / "said.txt").read_text().count("not a picture that can be read")
    images = len(json.loads((place / "out/coco.json").read_text())["images"])
    return (
        f"{count} pictures, {bad} broken: exit code {code}, {files} files, {images} images in coco.json, "
        f"{told} errors, {seconds:.0f} s, memory {_told(memory)}"
    )


def long_video(place: Path, minutes: float) -> str:
    """Follows the mouth through a long video; returns what came of it."""
    import av

    picture, points = draw_face(np.random.default_rng(0), STATES[0], 160)
    truth = points[scheme.HELEN_LIPS]
    frames = round(minutes * 60 * RATE)
    with av.open(str(place / "long.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 224, 160, "yuv420p"
        wide = np.pad(picture, ((0, 0), (32, 32), (0, 0)), mode="edge")
        for number in range(frames):
            moved = np.roll(wide, _shift(number), 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode(None))
    x0, y0, x1, y1 = *truth.min(0), *truth.max(0)
    box = ",".join(f"{value:.1f}" for value in (x0 + 32, y0, x1 + 32, y1))
    command = [*LIPSEG, "video", "long.mp4", "--landmarks", "long.jsonl", "--mouth-box", box]
    code, memory, seconds = watched(command, place)
    rows, lost = 0, 0
    away: list[float] = []
    centre = truth.mean(0)[0] + 32
    with (place / "long.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            rows += row["frame"] == number and abs(row["time"] - number / RATE) < 1e-3
            lost += not row["faces"]
            for face in row["faces"][:1]:
                x = np.mean([point[0] for point in (*face["outer"], *face["inner"])])
                away.append(float(x - centre - _shift(number)))
    part = max(PERIOD, len(away) // 10 // PERIOD * PERIOD)  # whole swings
    first, last = np.abs(away[:part]).mean(), np.abs(away[-part:]).mean()
    return (
        f"{minutes:g} minutes, {frames} frames: exit code {code}, {rows} rows in their place and at their time, {lost} "
        f"without the mouth, {first:.2f} px off in the first tenth and {last:.2f} in the last, {seconds:.0f} s, "
        f"memory {_told(memory)}"
    )


def _shift(number: int) -> int:
    return round(SWING_PX * np.sin(2 * np.pi * number / PERIOD))


def _told(memory: list[float]) -> str:
    """Returns the memory in the run's second quarter and its last, which grows where something is kept."""
    quarter = max(1, len(memory) // 4)
    return f"{np.mean(memory[quarter : 2 * quarter] or memory):.0f} MB early, {np.mean(memory[-quarter:]):.0f} MB late"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--broken", type=float, default=0.03, help="share of the pictures")
    parser.add_argument("--minutes", type=float, default=30.0, help="of video")
    given = parser.parse_args()
    print(f"lipseg {lipseg.__version__}, Python {sys.version.split()[0]}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if given.pictures:
            print(many_pictures(Path(folder), given.pictures, given.broken), flush=True)
        if given.minutes:
            print(long_video(Path(folder), given.minutes), flush=True)


if __name__ == "__main__":
    main()
