"""Runs that are killed at random moments, and disks that fill up: what is left is gone on with, and nothing is lost.

    python -m benchmarks.faults            # 50 kills of `lipseg predict` and of `lipseg video`, and a small disk

After each kill, no file under a final name may be cut off; after the last, `--resume` (or the same command again) must
give the bytes of a run that nobody disturbed, and leave nothing half-written.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LIPSEG = (sys.executable, "-m", "lipseg.cli.app")
FORMATS = "json,mask,svg,labelme,coco,csv"


def pictures(folder: Path, count: int) -> None:
    """Writes small pictures of noise and colour, each another."""
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(noise(number)).save(folder / f"{number:04d}.png")


def noise(seed: int) -> NDArray[np.uint8]:
    """Returns a smooth (96, 128, 3) picture."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((128, 96), Image.Resampling.BICUBIC))


def content_of(path: Path) -> dict[str, bytes]:
    """Returns the bytes of every file below a folder, hidden ones too, or of a file (under the name ".")."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def killed_after(seconds: float, command: list[str], place: Path) -> int:
    """Runs a command in a folder and kills it after so many seconds; returns its exit code, which may be its own."""
    running = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(seconds)
    running.send_signal(signal.SIGKILL)
    return running.wait()


def kills_of_predict(place: Path, count: int, kills: int, seed: int = 0) -> tuple[int, list[str]]:
    """Kills ``lipseg predict`` again and again, each time going on with --resume.

    Args:
        place: an empty folder.
        count: pictures.
        kills: how often it is killed; a run that ends by itself does not count and is begun anew, and of three times as
            many runs there are no more.
        seed: of the moments.

    Returns:
        How often it was killed, and what was wrong.
    """
    rng = random.Random(seed)
    pictures(place / "in", count)
    command = [*LIPSEG, "predict", "in", "--detector", "none", "--format", FORMATS, "--batch-size", "4", "-o"]
    began = time.monotonic()
    subprocess.run([*command, "whole"], cwd=place, check=True, capture_output=True)
    took = time.monotonic() - began
    expected, wrong, killed = content_of(place / "whole"), [], 0
    for _ in range(3 * kills):
        if killed == kills:
            break
        # Most of a short run is its start: the moments lie between that and its end.
        code = killed_after(took * rng.uniform(0.2, 1.1), [*command, "out", "--resume"], place)
        killed += code == -signal.SIGKILL
        found = content_of(place / "out") if (place / "out").exists() else {}
        for name, content in found.items():
            if not Path(name).name.startswith(".") and content != expected.get(name):
                wrong.append(f"{name} is cut off or another")
        if code == 0:
            for path in (place / "out").rglob("*"):
                path.unlink()
    subprocess.run([*command, "out", "--resume"], cwd=place, check=True, capture_output=True)
    found = content_of(place / "out")
    wrong += [f"{name} differs at the end" for name in sorted(found.keys() ^ expected.keys())]
    wrong += [f"{name} differs at the end" for name in found.keys() & expected.keys() if found[name] != expected[name]]
    return killed, wrong


def kills_of_video(place: Path, frames: int, kills: int, seed: int = 0) -> tuple[int, list[str]]:
    """Kills ``lipseg video`` again and again; returns as ``kills_of_predict`` does."""
    rng = random.Random(seed)
    place.mkdir(parents=True, exist_ok=True)
    write_video(place / "a.mp4", frames)
    options = ["--detector", "none", "--mouth-box", "40,40,80,70"]

    def command(name: str) -> list[str]:
        return [*LIPSEG, "video", "a.mp4", *options, "-o", f"{name}.mp4", "--landmarks", f"{name}.jsonl", "--force"]

    began = time.monotonic()
    subprocess.run(command("whole"), cwd=place, check=True, capture_output=True)
    took = time.monotonic() - began
    wrong, killed = [], 0
    expected = {ending: (place / f"whole.{ending}").read_bytes() for ending in ("mp4", "jsonl")}
    for _ in range(3 * kills):
        if killed == kills:
            break
        killed += killed_after(took * rng.uniform(0.2, 1.0), command("out"), place) == -signal.SIGKILL
        for ending in expected:
            path = place / f"out.{ending}"
            if path.exists() and path.read_bytes() != expected[ending]:
                wrong.append(f"{path.name} is cut off or another")
            path.unlink(missing_ok=True)
    subprocess.run(command("out"), cwd=place, check=True, capture_output=True)
    wrong += [f"{end} differs" for end, want in expected.items() if (place / f"out.{end}").read_bytes() != want]
    names = {"a.mp4", *(f"{name}.{ending}" for name in ("whole", "out") for ending in expected)}
    wrong += [f"{path.name} is left" for path in place.iterdir() if path.name not in names and path.is_file()]
    return killed, wrong


def write_video(path: Path, frames: int) -> None:
    """Writes a video of a picture that slides to the side."""
    import av

    picture = noise(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, number, 1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def plain_user() -> list[str] | None:
    """Returns what to put before a command for which permissions are to hold, also where this is root.

    Root's own right to write everywhere is given up, as ``setpriv`` of util-linux can. None where that cannot be done.
    """
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0:
            return prefix
    return None


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[bool]:
    """Mounts a small disk in memory at a folder; gives False where this user may not."""
    place.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], check=False, capture_output=True
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", str(place)], check=True)


def full_disk(place: Path) -> list[str] | None:
    """Predicts onto a disk that fills up, makes room, goes on; returns what was wrong, None if it cannot be tried."""
    pictures(place / "in", 60)
    command = [*LIPSEG, "predict", "in", "--detector", "none", "--format", FORMATS, "-o"]
    # As deep as the other folder: a labelme file holds the way to its picture.
    subprocess.run([*command, "undisturbed/out"], cwd=place, check=True, capture_output=True)
    expected, wrong = content_of(place / "undisturbed/out"), []
    with small_disk(place / "disk", "200k") as mounted:
        if not mounted:
            return None
        done = subprocess.run([*command, "disk/out"], cwd=place, check=False, capture_output=True, text=True)
        if done.returncode != 1 or "No space left" not in done.stderr or "Traceback" in done.stderr:
            wrong.append(f"exit code {done.returncode}: {done.stderr[-300:]}")
        for name, content in content_of(place / "disk/out").items():
            if not Path(name).name.startswith(".") and content != expected[name]:
                wrong.append(f"{name} is cut off")
        subprocess.run(["mount", "-o", "remount,size=100m", str(place / "disk")], check=True)
        subprocess.run([*command, "disk/out", "--resume"], cwd=place, check=True, capture_output=True)
        if content_of(place / "disk/out") != expected:
            wrong.append("another result after going on")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--predict", type=int, default=50, help="kills of lipseg predict")
    parser.add_argument("--video", type=int, default=50, help="kills of lipseg video")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        killed, wrong = kills_of_predict(place / "predict", 300, given.predict)
        print(f"predict: killed {killed} times, {len(wrong)} wrong {wrong[:5]}", flush=True)
        killed, wrong = kills_of_video(place / "video", 200, given.video)
        print(f"video: killed {killed} times, {len(wrong)} wrong {wrong[:5]}", flush=True)
        wrong = full_disk(place / "full")
        print(f"full disk: {'cannot be mounted here' if wrong is None else f'{len(wrong)} wrong {wrong}'}")


if __name__ == "__main__":
    main()
