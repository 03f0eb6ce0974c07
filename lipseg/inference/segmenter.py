"""The public class: pictures in, lips in pixels of the picture out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from lipseg.boxes import Box, as_boxes, near, without_doubles
from lipseg.errors import DataError
from lipseg.geometry import from_unit
from lipseg.images import Picture, as_rgb
from lipseg.inference.card import DEFAULT_DETECTOR, DEFAULT_MODEL
from lipseg.inference.detector import FaceDetector, make_detector
from lipseg.inference.lips import Detections, Lips
from lipseg.inference.mouths import Candidate, find_mouths, whole_picture
from lipseg.inference.predictor import Predictor, load_predictor
from lipseg.inference.session import check_threads
from lipseg.inference.views import MouthView, MouthViews, cut_views, second_views

Boxes = ArrayLike | Box | Sequence[Box] | None


class LipSegmenter:
    """Finds lips: a callable that takes a picture and returns a ``Lips`` for every mouth in it.

    Several threads may share one. A pickle of it holds what it was made with: another process opens the model's folder
    anew.

    Attributes:
        predictor: the model behind it.
        convention: as it was asked for, by its name.
    """

    def __init__(
        self,
        model: Path | str | Predictor = DEFAULT_MODEL,
        detector: str | FaceDetector | None = DEFAULT_DETECTOR,
        min_score: float | None = None,
        *,
        threads: int = 1,
        convention: str | None = None,
    ) -> None:
        """Loads a model.

        Args:
            model: the model's folder, by default the one that comes with the package, or a model that is loaded
                already.
            detector: how faces are found in pictures that come without boxes: "yunet", "yunet:FILE.onnx" (another file
                of OpenCV's YuNet), "dlib", or a callable that takes an RGB uint8 (height, width, 3) array and returns
                ``lipseg.Box`` objects. None or "none" takes such a picture for a mouth crop.
            min_score: mouths with a lower score are dropped, where no boxes are given; None for the model's own
                choice, which keeps all mouths that are clearly visible in a detected face; 0 to drop none.
            threads: of ONNX Runtime, and of OpenCV, whose number is that of the whole process: between two calls its
                waiting threads would take a third of the CPU time.
            convention: a source of training faces, whose annotators' way to draw lips the landmarks follow; None for
                the lips as the model's reference has them.

        Raises:
            DataError: if there is no such detector or convention, or min_score or threads is out of range.
            ModelError: if the folder holds no usable model, or the detector's file is not one of YuNet's.
            MissingLibraryError: for the detector dlib, without its extra.
        """
        if min_score is not None and not 0 <= min_score <= 1:
            raise DataError(f"the least score must be from 0 to 1, not {min_score}")
        check_threads(threads)
        # The model that comes along may lie elsewhere where a pickle is opened.
        given = {} if model == DEFAULT_MODEL else {"model": model}
        self._made_with: dict[str, Any] = {**given, "detector": detector, "min_score": min_score}
        self._made_with |= {"threads": threads, "convention": convention}
        self.predictor: Predictor = (
            model if not isinstance(model, (str, Path)) else load_predictor(Path(model), threads)
        )
        cv2.setNumThreads(threads)
        self._min_score = min_score
        self.convention = convention
        self._convention = self.predictor.runtime.convention(convention)
        # The usual detector is loaded when the first picture comes without boxes; a wrong name or file is told at once.
        lazy = detector == DEFAULT_DETECTOR
        self._detector = make_detector(detector) if isinstance(detector, str) and not lazy else detector

    def __reduce__(self) -> tuple[Callable[[], "LipSegmenter"], tuple[()]]:
        return partial(type(self), **self._made_with), ()

    @property
    def min_score(self) -> float:
        """The least score that the caller asked for, else 0."""
        return self._min_score or 0.0

    @property
    def finds_faces(self) -> bool:
        """Whether faces are looked for in pictures without boxes; where not, these are mouth crops."""
        return self._detector is not None

    @property
    def detector(self) -> FaceDetector | None:
        """What finds the faces; None where pictures without boxes are mouth crops."""
        found = self._detector  # read once: another thread may replace it meanwhile
        if isinstance(found, str):
            self._detector = found = make_detector(found)
        return found

    def __call__(self, image: Picture, boxes: Boxes = None) -> Detections:
        """Returns the lips of one picture; where there are none, ``reason`` of the result says why.

        Args:
            image: RGB uint8 (height, width, 3) array, a file's path or a PIL image; files and PIL images are turned
                upright by their EXIF orientation first.
            boxes: (n, 4) or (4,) mouth boxes x0, y0, x1, y1 in pixels of the upright picture, or ``Box`` objects: the
                lips come one for each and in their order, whatever their scores. None looks for faces; the lips come
                surest face first, and there may be none.

        Raises:
            DataError: if the picture or a box cannot be used.
        """
        return self.predict_views([self._cut(image, boxes, later=True)])[0]

    def as_reference(self, image: Picture, boxes: Boxes = None) -> Detections:
        """Returns the lips of one picture as ``__call__`` does, but as the model's reference has them."""
        return self._as_reference([self._cut(image, boxes, later=True)])[0]

    def in_convention(self, lips: Lips) -> Lips:
        """Returns lips that are as the reference has them in the convention that was asked for."""
        drawn = self._convention
        return lips if drawn is None else replace(lips, landmarks=drawn(lips.landmarks))

    def predict_batch(self, images: Sequence[Picture], boxes: Sequence[Boxes] | None = None) -> list[Detections]:
        """Returns the lips of several pictures; all their mouths go through the model at once.

        Paths are read one after the other, so that only one picture is in memory at a time.

        Args:
            images: pictures as ``__call__`` takes them.
            boxes: the mouth boxes of each picture, or None where faces are to be looked for.

        Raises:
            DataError: if a picture or a box cannot be used, or one picture is given where several belong.
            ValueError: if there are not as many entries in ``boxes`` as in ``images``.
        """
        if isinstance(images, (str, Path, Image.Image)):
            raise DataError("several pictures go through the model here; for one, call the segmenter itself")
        each = [None] * len(images) if boxes is None else boxes
        return self.predict_views([self.cut(image, its) for image, its in zip(images, each, strict=True)])

    def find(self, image: Picture) -> list[Box]:
        """Returns the boxes of the mouths that a picture shows, surest face first: those that the lips come from.

        Raises:
            DataError: if the picture cannot be used.
        """
        return [replace(lips.box, score=lips.score, origin="found") for lips in self.as_reference(image)]

    def cut(self, image: Picture, boxes: Boxes = None) -> MouthViews:
        """Returns the views of a picture's mouths. Arguments and errors as of ``__call__``.

        Without boxes these are candidates: ``predict_views`` drops those whose scores are too low. The picture itself
        is not kept.
        """
        return self._cut(image, boxes, later=False)

    def _cut(self, image: Picture, boxes: Boxes, later: bool) -> MouthViews:
        pixels = as_rgb(image)
        height, width = pixels.shape[:2]
        runtime = self.predictor.runtime
        if boxes is not None:
            given = as_boxes(boxes)
            for box in given:
                box.check_inside(height, width)
            return cut_views(pixels, [Candidate(box) for box in given], runtime.view)
        if (detector := self.detector) is None:
            return cut_views(pixels, [Candidate(whole_picture(height, width, runtime.view))], runtime.view)
        found = find_mouths(pixels, detector, runtime, self.predictor.locator, self._min_score)
        again = runtime.thresholds.calibrated
        return cut_views(pixels, found.mouths, runtime.view, found=True, reason=found.reason, again=again, later=later)

    def predict_views(self, cuts: Sequence[MouthViews]) -> list[Detections]:
        """Returns the lips of several pictures from their views, all views through the model at once.

        A detected mouth with a low score gets second views: in the box of its own landmarks, and where an average face
        has its mouth. The prediction with the highest score is kept.
        """
        # The convention comes last: second views, scores and which mouths are kept do not depend on it.
        answers = self._as_reference(cuts)
        return [replace(found, lips=tuple(map(self.in_convention, found.lips))) for found in answers]

    def _as_reference(self, cuts: Sequence[MouthViews]) -> list[Detections]:
        runtime = self.predictor.runtime
        first = [view for cut in cuts for view in cut.first()]
        best = self._lips(first)
        again = [(at, view) for at, lips in enumerate(best) for view in second_views(first[at], lips, runtime)]
        for (at, _), other in zip(again, self._lips([view for _, view in again]), strict=True):
            if other.score > best[at].score:
                best[at] = other
        each = iter(best)
        return [self._accepted(cut, [next(each) for _ in cut.mouths]) for cut in cuts]

    def _lips(self, views: Sequence[MouthView]) -> list[Lips]:
        """Returns the model's predictions for views, in pixels of their pictures."""
        if not views:
            return []
        predicted = self.predictor(np.stack([view.pixels for view in views]))
        points_crop = from_unit(predicted.points_unit.astype(np.float64), self.predictor.runtime.view.size)
        return [
            Lips(
                box=view.box,
                score=float(predicted.score[row]),
                component=int(predicted.component[row]),
                responsibilities=predicted.responsibilities[row],
                landmarks=view.to_image(points_crop[row]).astype(np.float32),
                picture_size=view.cut.picture_size,
            )
            for row, view in enumerate(views)
        ]

    def _accepted(self, cut: MouthViews, lips: list[Lips]) -> Detections:
        """Returns the lips that are kept: of detected mouths those that reach their least scores, each mouth once."""
        if cut.found:
            lips = [found for found, mouth in zip(lips, cut.mouths, strict=True) if found.score >= mouth.least]
            same = near(self.predictor.runtime.thresholds.same_mouth)
            kept = without_doubles([found.extent for found in lips], [found.score for found in lips], same)
            lips = [lips[at] for at in sorted(kept)]
        return Detections(tuple(lips), cut.picture_size, "" if lips else cut.reason)
