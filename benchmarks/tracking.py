"""How still and how prompt tracked landmarks are: clips of a Helen folder's test faces whose truth is known.

``python -m benchmarks.tracking /where/helen/lies``. Each photo is scaled to a mouth 100 pixels wide. In one clip it
rests, in the other it swings sideways; every frame has sensor noise of its own. Printed are the jitter (standard
deviation of the landmarks over the resting clip) and the lag (by how many frames the swinging landmarks trail the
truth). The shipped model on 20 faces of Helen: jitter 0.05 px, lag 0.15 frames.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from lipseg import LipSegmenter
from lipseg.boxes import Box
from lipseg.data.annotations import FaceSample, get_reader
from lipseg.images import read_image
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.tracking import TrackParams, follow

MOUTH_PX, RATE, FRAMES, SETTLING = 100.0, 30.0, 75, 15
NOISE = 5.0  # grey levels
SWING, SECONDS = 60.0, 2.0  # pixels to either side, and of a whole swing: up to 1.9 mouth widths a second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of the Helen dataset")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--faces", type=int, default=20)
    at = parser.parse_args()
    segmenter = LipSegmenter(at.model)
    samples = [sample for sample in get_reader("helen")(at.root) if isinstance(sample, FaceSample)]
    tests = [sample for sample in samples if sample.split == "test"]
    chosen = [tests[int(i)] for i in np.linspace(0, len(tests) - 1, min(at.faces, len(tests))).round()]
    still = {True: [], False: []}
    lags, lost = [], []
    for number, sample in enumerate(chosen):
        photo, points = _scaled(sample)
        for smooth in (True, False):
            found, _ = _followed(segmenter, photo, points, number, swing=0.0, smooth=smooth)
            still[smooth].append(np.sqrt(np.nanvar(found[SETTLING:], axis=0).sum(-1)).mean() / np.sqrt(2))
            lost.append(np.isnan(found[:, 0, 0]).mean())
        found, truth = _followed(segmenter, photo, points, number, swing=SWING, smooth=True)
        lost.append(np.isnan(found[:, 0, 0]).mean())
        if not lost[-1]:
            lags.append(_lag(found.mean(1)[:, 0], truth))
    print(f"{len(chosen)} test faces, mouth {MOUTH_PX:.0f} px, {RATE:.0f} frames/s, noise of {NOISE:.0f} grey levels")
    for smooth, name in ((False, "unfiltered"), (True, "filtered")):
        values = np.array(still[smooth])
        print(f"still mouth, {name}: {values.mean():.2f} px on average, worst face {values.max():.2f} px")
    print(f"frames without the mouth: {np.mean(lost):.2%}, in {np.count_nonzero(lost)} of {len(lost)} clips")
    print(f"swinging head: {np.mean(lags):.2f} frames behind on average, at most {np.max(lags):.2f}")


def _scaled(sample: FaceSample) -> tuple[np.ndarray, np.ndarray]:
    """The photo and its landmarks with a mouth of the wanted width."""
    photo = read_image(sample.image)
    factor = MOUTH_PX / np.ptp(sample.points_px[:, 0])
    size = (round(photo.shape[1] * factor), round(photo.shape[0] * factor))
    scaled = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return np.asarray(scaled), (sample.points_px + 0.5) * factor - 0.5


def _followed(
    segmenter: LipSegmenter, photo: np.ndarray, points: np.ndarray, seed: int, *, swing: float, smooth: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (frames, 56, 2) of a clip, and how far it had been shifted in each frame."""
    shifts = swing * np.sin(2 * np.pi * np.arange(FRAMES) / RATE / SECONDS)

    def frames():
        rng = np.random.default_rng(seed)
        for k, shift in enumerate(shifts):
            moved = cv2.warpAffine(
                photo, np.array([[1, 0, shift], [0, 1, 0.0]]), photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE
            )
            noisy = moved + rng.normal(0, NOISE, photo.shape).astype(np.float32)
            yield k / RATE, np.clip(np.round(noisy), 0, 255).astype(np.uint8)

    params = TrackParams(new_people=False) if smooth else TrackParams(new_people=False, smooth=None)
    lost = np.full(points.shape, np.nan)
    tracked = follow(segmenter, frames(), boxes=[Box.around(points)], params=params)
    found = [frame.mouths[0].landmarks if frame.mouths else lost for frame in tracked]
    return np.stack(found).astype(float), shifts


def _lag(found: np.ndarray, truth: np.ndarray) -> float:
    """By how many frames one curve trails another, up to a constant offset: the best of a fine grid."""
    at = np.arange(len(truth))
    delays = np.arange(-2, 6, 0.02)
    errors = []
    for delay in delays:
        late = np.interp(at - delay, at, truth)[SETTLING:-3]
        off = found[SETTLING:-3] - late
        errors.append(off.std())
    return float(delays[int(np.argmin(errors))])


if __name__ == "__main__":
    main()
