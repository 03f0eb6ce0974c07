"""CPU time of lipseg: what a caller waits for, and the parts that it is made of."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.stopwatch import Meter, Stopwatch
from lipseg.boxes import Box
from lipseg.images import read_image
from lipseg.inference.detector import FaceDetector, attempts_of
from lipseg.inference.locator import MouthLocator, Sighting
from lipseg.inference.predictor import Prediction, Predictor
from lipseg.inference.runtime import Runtime
from lipseg.inference.segmenter import LipSegmenter
from lipseg.tracking import Tracker

PHOTO, TRACKED, LOCATED = "a photo", "a tracked frame of a video", "a mouth whose box is given"
PARTS = ("decode", "find the faces", "locate the mouths", "cut the views", "cascade and score", "all but the decoding")

# Frames of each still video: those that find the mouth, and those that are timed.
_FINDING, _TIMED = 2, 6
# How often a mouth whose box is given is timed.
_REPEATS = 4
Pixels = NDArray[np.uint8]


class LipsegSpeed:
    """Times lipseg with its default settings on pictures.

    Attributes:
        calls: ``PHOTO``, ``TRACKED`` and ``LOCATED``, on pictures in memory.
        parts: ``PARTS`` of a photo, from its file on, and ``TRACKED``.
    """

    def __init__(self, model: Path | Predictor, detector: str | FaceDetector = "yunet") -> None:
        """Loads a model.

        Args:
            model: its folder, or one that is loaded already.
            detector: as ``LipSegmenter`` takes it.
        """
        self.calls, self.parts = Stopwatch(), Stopwatch()
        self._segmenter = LipSegmenter(model, detector)
        self._finding, self._locating = Meter(), Meter()
        assert self._segmenter.detector is not None
        self._opened = LipSegmenter(
            _WatchedPredictor(self._segmenter.predictor, self._locating),
            _WatchedDetector(self._segmenter.detector, self._finding),
        )

    def warm_up(self, paths: Sequence[Path]) -> None:
        """Runs both ways once on each picture, untimed."""
        for path in paths:
            self._segmenter(read_image(path))
            self._opened(read_image(path))
        self._finding.taken()
        self._locating.taken()

    def measure(self, paths: Sequence[Path]) -> None:
        """Adds the times of pictures; those without a mouth give none of a tracked frame or a given box."""
        images = [self._decoded(path) for path in paths]
        for image in images:
            self._parts_of(image)
        for image in images:
            found = self.calls(PHOTO, lambda image=image: self._segmenter(image))
            if found:
                self._given(image, found[0].landmarks)
                self._followed(image)

    def _decoded(self, path: Path) -> Pixels:
        return self.parts("decode", lambda: read_image(path))

    def _parts_of(self, image: Pixels) -> None:
        both = Stopwatch()
        cut = both("cut", lambda: self._opened.cut(image))
        both("cascade", lambda: self._opened.predict_views([cut]))
        find, locate = self._finding.taken(), self._locating.taken()
        cut_ms, cascade = both.parts["cut"][0], both.parts["cascade"][0]
        # "decode" is the first of the parts, and its time is there already.
        taken = (find, locate, cut_ms - find - locate, cascade, cut_ms + cascade)
        for part, milliseconds in zip(PARTS[1:], taken, strict=True):
            self.parts.add(part, [milliseconds])

    def _given(self, image: Pixels, landmarks: NDArray[np.float32]) -> None:
        box = [float(value) for value in (*landmarks.min(0), *landmarks.max(0))]
        self._segmenter(image, [box])
        for _ in range(_REPEATS):
            self.calls(LOCATED, lambda: self._segmenter(image, [box]))

    def _followed(self, image: Pixels) -> None:
        tracker = Tracker(self._segmenter)
        for _ in range(_FINDING):
            tracker(image)
        for _ in range(_TIMED):
            self.calls(TRACKED, lambda: tracker(image))
            self.parts.add(TRACKED, self.calls.parts[TRACKED][-1:])


class _WatchedDetector:
    """A face detector whose attempts are timed as far as they are made."""

    def __init__(self, detector: FaceDetector, meter: Meter) -> None:
        self._detector, self._meter = detector, meter

    def __call__(self, image: Pixels) -> list[Box]:
        return self._meter(lambda: self._detector(image))

    def attempts(self, image: Pixels) -> Iterator[list[Box]]:
        attempts = attempts_of(self._detector, image)
        while (faces := self._meter(lambda: next(attempts, None))) is not None:
            yield faces


class _WatchedPredictor:
    """A model whose locator is timed. Implements ``Predictor``."""

    def __init__(self, predictor: Predictor, meter: Meter) -> None:
        self._predictor = predictor
        self.runtime: Runtime = predictor.runtime
        locator = predictor.locator
        self.locator: MouthLocator | None = None if locator is None else _WatchedLocator(locator, meter)

    def __call__(self, views: Pixels) -> Prediction:
        return self._predictor(views)


class _WatchedLocator:
    """Implements ``MouthLocator``."""

    def __init__(self, locator: MouthLocator, meter: Meter) -> None:
        self._locator, self._meter = locator, meter

    def __call__(self, image: Pixels, faces: Sequence[Any]) -> Sighting:
        return self._meter(lambda: self._locator(image, faces))
