"""How still mouth clips are, and what they cost: videos of faces that move along a known path.

``python -m benchmarks.mouth_clips`` draws faces by formula; ``--helen /where/helen/lies`` takes test faces of Helen's.
Each face is scaled to a mouth 100 pixels wide and put into a video of 640 x 360 pixels at 30 frames a second,
compressed, with sensor noise of its own in every frame. It rests; or it swings to either side, nods, tilts and comes
nearer.

Printed is the jitter of the clips: the true landmarks are mapped into the clip by ``to_picture`` of each frame, and
their standard deviation over time is taken along each axis (root of the mean square), in pixels of a clip 96 pixels
wide. ``--seconds 60`` also cuts a video of that length, and prints CPU time and the peak of the memory.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import LipSegmenter
from lipseg.boxes import Box
from lipseg.data.annotations import FaceSample, get_reader
from lipseg.data.face_shape import STATES
from lipseg.data.synthesize import draw_face
from lipseg.geometry import Affine
from lipseg.images import read_image
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.mouth_clips import PRESETS, ClipParams, cut_clips, mouth_frames
from lipseg.scheme import HELEN_LIPS

MOUTH_PX, WIDTH, HEIGHT, RATE = 100.0, 640, 360, 30
NOISE = 5.0  # grey levels
Path2 = Callable[[float], tuple[float, float, float, float]]  # shift x and y in pixels, roll in radians, zoom


def still(time_s: float) -> tuple[float, float, float, float]:
    return 0.0, 0.0, 0.0, 1.0


def moving(time_s: float) -> tuple[float, float, float, float]:
    """Swings by 60 pixels in 2 s (1.9 mouth widths a second), nods at 1.5 Hz, tilts by 11 degrees, zooms by 15 %."""
    turn = 2 * np.pi * time_s
    return (
        60 * np.sin(turn / 2),
        8 * np.sin(1.5 * turn),
        0.2 * np.sin(turn / 3),
        1 + 0.15 * np.sin(turn / 5),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--helen", type=Path, metavar="ROOT", help="folder of the Helen dataset")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--faces", type=int, default=6)
    parser.add_argument("--clip-seconds", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=0.0, help="length of the video that is timed")
    at = parser.parse_args()
    segmenter = LipSegmenter(at.model)
    faces = _helen(at.helen, at.faces) if at.helen else _drawn(at.faces)
    kind = "Helen test faces" if at.helen else "drawn faces"
    print(f"{len(faces)} {kind}, mouth {MOUTH_PX:.0f} px, {RATE} frames/s, noise of {NOISE:.0f} grey levels")
    for fps in (25.0, 0.0):
        for path in (still, moving):
            found = [_jitter(segmenter, face, path, seed, at.clip_seconds, fps) for seed, face in enumerate(faces)]
            jitter, share = np.array([its[0] for its in found]), np.array([its[1] for its in found])
            print(
                f"{path.__name__} head, {fps or RATE:.0f} frames/s: jitter {jitter.mean():.2f} px, worst face "
                f"{jitter.max():.2f} px; mouth found in {share.mean():.1%} of the frames",
                flush=True,
            )
    if at.seconds:
        _cost(segmenter, faces[0], at.seconds)


def _drawn(count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    drawn = [draw_face(np.random.default_rng(seed), STATES[seed % len(STATES)], 512) for seed in range(count)]
    return [(image, np.asarray(points[HELEN_LIPS], float)) for image, points in drawn]


def _helen(root: Path, count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    samples = [sample for sample in get_reader("helen")(root) if isinstance(sample, FaceSample)]
    tests = [sample for sample in samples if sample.split == "test"]
    chosen = [tests[int(i)] for i in np.linspace(0, len(tests) - 1, min(count, len(tests))).round()]
    return [(read_image(sample.image), np.asarray(sample.points_px, float)) for sample in chosen]


def _to_frame(points: NDArray[np.float64], pose: tuple[float, float, float, float]) -> Affine:
    """The map from a face's pixels to the frame's in a pose; the mouth rests in the lower middle."""
    x, y, roll, zoom = pose
    scale = zoom * MOUTH_PX / np.ptp(points[:, 0])
    axes = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    place = np.array([WIDTH / 2 + x, 0.62 * HEIGHT + y])
    return Affine(np.column_stack([axes, place - axes @ points.mean(0)]))


def _write(
    file: Path,
    face: tuple[NDArray[np.uint8], NDArray[np.float64]],
    path: Path2,
    seed: int,
    seconds: float,
    noise: float = NOISE,
    crf: int = 18,
) -> list[NDArray[np.float64]]:
    """Writes a video; returns the true landmarks of every frame."""
    image, points = face
    shrink = MOUTH_PX / np.ptp(points[:, 0])
    if shrink < 0.8:  # averaged first: a moving picture must not flicker by aliasing
        small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        ratio = np.array(small.shape[1::-1]) / image.shape[1::-1]
        image, points = np.asarray(small), (points + 0.5) * ratio - 0.5
    cv2.setRNGSeed(seed)
    grain = np.empty((HEIGHT, WIDTH, 3), np.int16)
    oval = np.zeros(image.shape[:2], np.float32)
    rows, columns = image.shape[:2]
    cv2.ellipse(oval, (columns // 2, rows // 2), (int(columns * 0.46), int(rows * 0.48)), 0, 0, 360, 1.0, -1)
    oval = cv2.GaussianBlur(oval, (0, 0), 0.02 * columns)
    truth = []
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": str(crf), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", rate=16_000)
        sound.codec_context.layout = "mono"
        for k in range(round(seconds * RATE)):
            to_frame = _to_frame(points, path(k / RATE))
            size = (WIDTH, HEIGHT)
            alpha = cv2.warpAffine(oval, to_frame.matrix, size)[..., None]
            moved = cv2.warpAffine(image, to_frame.matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            cv2.randn(grain, np.zeros(3), np.full(3, noise))
            shown = np.clip(90 + alpha * (moved.astype(np.float32) - 90) + grain, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
            truth.append(to_frame(points))
        tone = (4000 * np.sin(np.arange(round(seconds * 16_000)) * 0.1)).astype(np.int16)
        for start in range(0, len(tone), 1024):
            heard = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 16_000, start, Fraction(1, 16_000)
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
        container.mux(stream.encode(None))
    return truth


def _jitter(
    segmenter: LipSegmenter,
    face: tuple[NDArray[np.uint8], NDArray[np.float64]],
    path: Path2,
    seed: int,
    seconds: float,
    fps: float,
) -> tuple[float, float]:
    """The jitter in pixels of the clip, and in which share of the frames the mouth was found."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made.mp4"
        truth = _write(file, face, path, seed, seconds)
        params = ClipParams(fps=fps)
        places, frames = [], 0
        for frame in mouth_frames(file, segmenter, params, boxes=[Box.around(truth[0])]):
            frames += 1
            if frame.to_picture is not None and frame.source_frame is not None:
                places.append(Affine(frame.to_picture).inverse()(truth[frame.source_frame]))
    deviation = np.stack(places).std(0)
    return float(np.sqrt(np.square(deviation).mean())), len(places) / frames


def _cost(segmenter: LipSegmenter, face: tuple[NDArray[np.uint8], NDArray[np.float64]], seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made.mp4"
        for length in (seconds / 6, seconds):
            # As a camera's video is that was compressed for the web: noise costs bits, and bits cost time to decode.
            _write(file, face, moving, 0, length, noise=2.0, crf=25)
            cpu, wall = time.process_time(), time.perf_counter()
            cut_clips(file, Path(folder) / "clips", segmenter, PRESETS["auto_avsr"])
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            bits = 8e-6 * file.stat().st_size / length
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{length:.0f} s of {WIDTH} x {HEIGHT} at {RATE} frames/s ({bits:.1f} Mbit/s): {cpu:.1f} s of CPU "
                f"({length / cpu:.1f} times real time on one core), {wall:.1f} s on the clock; peak of the "
                f"memory so far {peak:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
