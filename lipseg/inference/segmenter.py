"""The public class: pictures in, lips in pixels of the picture out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from lipseg import scheme
from lipseg.data.frames import Affine, View, from_unit, warp
from lipseg.data.images import from_pil, read_image, to_rgb8
from lipseg.errors import DataError
from lipseg.inference import contours
from lipseg.inference.detect import FaceDetector, make_detector
from lipseg.inference.find import Candidates, distinct_mouths, find_mouths
from lipseg.inference.locate import MouthBox, as_boxes, whole_picture
from lipseg.inference.part import Part, part_shown
from lipseg.model.annotation_bias import without_bias
from lipseg.model.confidence import Confidence
from lipseg.model.folder import DEFAULT_MODEL, check_model_folder
from lipseg.model.predictor import MouthLocator, Predictor

if TYPE_CHECKING:
    from lipseg.inference.track import Detect, TrackedFrame, TrackParams

# A mouth that was found with a lower score is looked at again.
_DOUBT = 0.6
# What is kept for that, in sides of the first view.
_AROUND = 2.5

Picture = NDArray[Any] | Path | str | Image.Image
Boxes = ArrayLike | Sequence[MouthBox] | None


@dataclass(frozen=True, slots=True, eq=False)
class Lips:
    """The lips of one face.

    Everything is in pixels of the picture (after EXIF rotation), (x, y), pixel centres at integers.

    Attributes:
        box: x0, y0, x1, y1 of the mouth box that the model was shown.
        score: 0..1, the estimated probability that the contours are right: that their mean distance from the true
            ones is below the bound on the model's card (``calibrate.bound``, a share of the inter-ocular distance).
            Of a model without calibration, how typical the mouth is of those that it was trained on.
        component: the mixture component whose head placed the landmarks.
        responsibilities: (K,) float32 posterior over the components, sums to 1.
        landmarks: (56, 2) float32, in the order of ``lipseg.scheme``.
        picture_size: (height, width) of the picture, for the masks.
        roll: angle in radians of the box about its centre, see ``locate.MouthBox``.
    """

    box: tuple[float, float, float, float]
    score: float
    component: int
    responsibilities: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    picture_size: tuple[int, int]
    roll: float = 0.0

    @property
    def state(self) -> int:
        """The mouth's state: the mixture component whose head placed the landmarks."""
        return self.component

    @property
    def outer(self) -> NDArray[np.float32]:
        """(28, 2) closed outer contour, from the image-left corner over the upper lip."""
        return self.landmarks[scheme.OUTER]

    @property
    def inner(self) -> NDArray[np.float32]:
        """(28, 2) closed inner contour, from the image-left corner over the upper lip."""
        return self.landmarks[scheme.INNER]

    def label_map(self) -> NDArray[np.uint8]:
        """Returns (height, width) labels: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth."""
        return contours.label_map(self.landmarks, *self.picture_size)

    def matte(self, region: str = "lips") -> NDArray[np.float32]:
        """Returns (height, width) in 0..1: the share of each pixel that "lips", "mouth" or "inner" covers.

        Raises:
            ValueError: for another region.
        """
        return contours.matte(self.landmarks, *self.picture_size, region)

    def mask(self, region: str = "lips") -> NDArray[np.bool_]:
        """Returns the (height, width) mask of "mouth", "lips", "inner", "upper" or "lower".

        Raises:
            ValueError: for another region.
        """
        return contours.region(self.label_map(), region)


@dataclass(frozen=True, slots=True, eq=False)
class MouthViews:
    """What the model is shown of one picture; the picture itself is no longer needed.

    Attributes:
        boxes: the n mouth boxes.
        pixels: (n, size, size, 3) uint8 RGB views.
        picture_size: (height, width) of the picture.
        found: what is known of the mouths beside their boxes; None where the boxes were given: then all count.
        around: n parts of the picture around the mouths, for a second look; none where there is no second look.
    """

    boxes: list[MouthBox]
    pixels: NDArray[np.uint8]
    picture_size: tuple[int, int]
    found: Candidates | None = None
    around: Sequence[Part] = ()

    @property
    def reason(self) -> str:
        """Why the picture has no lips, where none of its mouths counts; "" where the boxes were given."""
        return "" if self.found is None else self.found.reason


# A mouth of a cut, by its position, and the box to look at instead of its own.
_Look = tuple[MouthViews, int, MouthBox | None]


class LipSegmenter:
    """Finds lips: a callable that takes a picture and returns a ``Lips`` for every mouth in it.

    Attributes:
        predictor: the model behind it.
        min_score: the score that a mouth must reach where the segmenter looks for faces itself.
    """

    def __init__(
        self,
        model: Path | str | Predictor = DEFAULT_MODEL,
        detector: str | FaceDetector | None = "yunet",
        min_score: float | None = None,
        *,
        unbiased: bool = False,
    ) -> None:
        """Loads a model.

        Args:
            model: the model's folder, by default the one that comes with the package, or a model that is loaded
                already.
            detector: how faces are found in pictures that come without boxes: "yunet", "yunet:FILE.onnx" (another copy
                of its file), "dlib" (needs the extra ``dlib``), or a callable that takes an RGB uint8 (height, width,
                3) array and returns ``lipseg.inference.detect.FaceBox`` objects. None or "none" takes such a
                picture for a mouth crop.
            min_score: mouths with a lower score are dropped, where no boxes are given; None for the model's own
                choice, which keeps all mouths that are clearly visible in a detected face; 0 to drop none.
            unbiased: whether to take out what annotators have placed to one side (on Helen 1.5 % of the inter-ocular
                distance): nearer to the lips as they are, and farther from such annotations.

        Raises:
            DataError: if the detector or the least score is none.
            ModelError: if the folder holds no usable model, or the detector's file is none.
        """
        self.predictor: Predictor = load_predictor(Path(model)) if isinstance(model, (str, Path)) else model
        self._locator: MouthLocator | None = getattr(self.predictor, "locator", None)
        self._confidence: Confidence | None = getattr(self.predictor, "confidence", None)
        self._bias: NDArray[np.float32] | None = getattr(self.predictor, "bias", None) if unbiased else None
        if min_score is not None and not 0 <= min_score <= 1:
            raise DataError(f"the least score must be from 0 to 1, not {min_score}")
        own = 0.0 if self._confidence is None else float(self._confidence.min_score[0])
        self.min_score = own if min_score is None else float(min_score)
        self._clear_score = 0.0 if min_score is None else float(min_score)
        # YuNet is loaded when the first picture comes without boxes; a wrong name or file is told at once.
        self._detector = make_detector(detector) if isinstance(detector, str) and detector != "yunet" else detector

    @property
    def finds_faces(self) -> bool:
        """Whether faces are looked for in pictures without boxes; where not, these are mouth crops."""
        return self._detector is not None

    @property
    def detector(self) -> FaceDetector | None:
        """What finds the faces; None where pictures without boxes are mouth crops."""
        if isinstance(self._detector, str):
            self._detector = make_detector(self._detector)
        return self._detector

    def __call__(self, image: Picture, boxes: Boxes = None) -> list[Lips]:
        """Returns the lips of one picture.

        Args:
            image: RGB uint8 (height, width, 3) array, a file's path or a PIL image; files and PIL images are turned
                upright by their EXIF orientation first.
            boxes: (n, 4) or (4,) mouth boxes x0, y0, x1, y1 in pixels of the upright picture, or ``MouthBox`` objects:
                the lips come one for each and in their order, whatever their scores. None looks for faces; the lips
                come surest face first, and there may be none.

        Raises:
            DataError: if the picture or a box cannot be used.
        """
        return self.predict_batch([image], None if boxes is None else [boxes])[0]

    def predict_batch(self, images: Sequence[Picture], boxes: Sequence[Boxes] | None = None) -> list[list[Lips]]:
        """Returns the lips of several pictures; all their mouths go through the model at once.

        Paths are read one after the other, so that only one picture is in memory at a time.

        Args:
            images: pictures as ``__call__`` takes them.
            boxes: the mouth boxes of each picture, or None where faces are to be looked for.

        Raises:
            DataError: if a picture or a box cannot be used.
            ValueError: if there are not as many entries in ``boxes`` as in ``images``.
        """
        each = [None] * len(images) if boxes is None else boxes
        return self.predict_views([self.cut(image, its) for image, its in zip(images, each, strict=True)])

    def track(
        self,
        frames: Iterable[NDArray[np.uint8] | tuple[float, NDArray[np.uint8]]],
        detect: "Detect | None" = None,
        *,
        boxes: Sequence[MouthBox] = (),
        params: "TrackParams | None" = None,
    ) -> "Iterator[TrackedFrame]":
        """Yields the mouths of each frame of a video with ids that last; see ``lipseg.inference.track.follow``.

        Args:
            frames: RGB uint8 (height, width, 3) arrays, or pairs of a time in seconds and such an array.
            detect: from a frame to the boxes of the mouths in it; None takes the segmenter's own ``find``.
            boxes: the mouths in the first frame, which then need not be searched.
            params: how to follow and smooth.

        Raises:
            DataError: if there is neither a detector nor a box to begin with, or a frame cannot be used.
        """
        from lipseg.inference.track import follow

        return follow(self, frames, detect, boxes=boxes, params=params)

    def find(self, image: Picture) -> list[MouthBox]:
        """Returns the boxes of the mouths that a picture shows, surest face first: those that the lips come from.

        Raises:
            DataError: if the picture cannot be used.
        """
        return [MouthBox(*lips.box, origin="found", roll=lips.roll) for lips in self(image)]

    def cut(self, image: Picture, boxes: Boxes = None) -> MouthViews:
        """Returns what the model is to be shown of a picture. Arguments and errors as of ``__call__``.

        Of a picture without boxes that may be more than counts in the end: ``predict_views`` drops what turns out to
        be no mouth.
        """
        pixels = _rgb(image)
        height, width = pixels.shape[:2]
        view = self.predictor.view
        found: Candidates | None = None
        if boxes is not None:
            checked = _as_mouth_boxes(boxes)
            for box in checked:
                box.check_inside(height, width)
        elif (detector := self.detector) is None:
            checked = [whole_picture(height, width, view)]
        else:
            found = find_mouths(
                pixels,
                detector,
                view,
                locator=self._locator,
                confidence=self._confidence,
                min_score=self.min_score,
                clear_score=self._clear_score,
            )
            checked = found.boxes
        to_image = [view.to_image(box.as_array(), box.roll) for box in checked]
        views = np.empty((len(checked), view.size, view.size, 3), np.uint8)
        for index, transform in enumerate(to_image):
            views[index] = warp(pixels, transform, view.size)
        around: list[Part] = []
        if found is not None and self._confidence is not None and view.shape == "square":
            wide = View(round(_AROUND * view.size), view.shape, _AROUND * view.margin)
            around = [part_shown(pixels, wide.to_image(box.as_array(), box.roll), wide.size) for box in checked]
        return MouthViews(checked, views, (height, width), found, around)

    def predict_views(self, cuts: Sequence[MouthViews]) -> list[list[Lips]]:
        """Returns the lips of several pictures from their views, all views through the model at once.

        A mouth that was found and whose score is low is looked at a second time: in the box that its own landmarks
        have, and where the mouth of an average face would be. The best of the answers counts.
        """
        best = self._lips([(cut, index, None) for cut in cuts for index in range(len(cut.boxes))])
        again = [(position, look) for position, found in enumerate(best) for look in self._second_looks(*found)]
        for (position, _), other in zip(again, self._lips([look for _, look in again]), strict=True):
            if other[2].score > best[position][2].score:
                best[position] = other
        # Last, so that what was looked at, and with it the scores, are the same with the bias and without.
        answers = iter(self._without_bias(lips) for *_, lips in best)
        results: list[list[Lips]] = []
        for cut in cuts:
            lips = [next(answers) for _ in cut.boxes]
            results.append(lips if cut.found is None else _counting(lips, cut.found.least))
        return results

    def _lips(self, wanted: Sequence[_Look]) -> list[tuple[MouthViews, int, Lips]]:
        """Returns the lips of mouths of cuts, on their own boxes or on the ones that are given instead."""
        if not wanted:
            return []
        size = self.predictor.view.size
        transforms: list[tuple[MouthBox, Affine]] = []
        views: list[NDArray[np.uint8]] = []
        for cut, index, box in wanted:
            shown = cut.boxes[index] if box is None else box
            to_image = self.predictor.view.to_image(shown.as_array(), shown.roll)
            transforms.append((shown, to_image))
            views.append(cut.pixels[index] if box is None else cut.around[index].view(to_image, size))
        prediction = self.predictor(np.stack(views))
        points_crop = from_unit(prediction.points_unit.astype(np.float64), size)
        found = []
        for row, ((cut, index, _), (box, to_image)) in enumerate(zip(wanted, transforms, strict=True)):
            lips = Lips(
                box=box.corners,
                score=self._score(float(prediction.score[row]), cut, index),
                component=int(prediction.component[row]),
                responsibilities=prediction.responsibilities[row],
                landmarks=to_image(points_crop[row]).astype(np.float32),
                picture_size=cut.picture_size,
                roll=box.roll,
            )
            found.append((cut, index, lips))
        return found

    def _second_looks(self, cut: MouthViews, index: int, lips: Lips) -> list[_Look]:
        """Returns the looks at a doubtful mouth that may show it better; none for one that is not doubtful."""
        if cut.found is None or not cut.around or lips.score >= _DOUBT:
            return []
        given = cut.boxes[index]
        looks: list[_Look] = []
        width = np.hypot(*(lips.landmarks[scheme.OUTER_CORNERS[1]] - lips.landmarks[scheme.OUTER_CORNERS[0]]))
        if 0.5 < float(width) / (given.x1 - given.x0) < 2.0:  # beyond that its surroundings show too little
            looks.append((cut, index, MouthBox.around(lips.landmarks, given.origin)))
        if (average := cut.found.average[index]) != given:
            looks.append((cut, index, average))
        return looks

    def _without_bias(self, lips: Lips) -> Lips:
        """Returns the lips as they were asked for: as annotators would have placed them, or without their bias."""
        return lips if self._bias is None else replace(lips, landmarks=without_bias(lips.landmarks, self._bias))

    def _score(self, score: float, cut: MouthViews, index: int) -> float:
        """Returns the model's score, joined with the locator's word where it was asked."""
        presence = np.nan if cut.found is None else float(cut.found.presence[index])
        if self._confidence is None or np.isnan(presence):
            return score
        return self._confidence.join(score, presence)


def _counting(lips: list[Lips], least: NDArray[np.float32]) -> list[Lips]:
    """Returns the lips that reach their least scores, without those that are the same as surer ones."""
    lips = [found for found, low in zip(lips, least, strict=True) if found.score >= low]
    if len(lips) < 2:
        return lips
    points = np.stack([found.landmarks for found in lips]).astype(np.float64)
    widths = np.linalg.norm(points[:, scheme.OUTER_CORNERS[1]] - points[:, scheme.OUTER_CORNERS[0]], axis=1)
    return [lips[i] for i in distinct_mouths(points.mean(1), widths, np.array([found.score for found in lips]))]


def load_predictor(folder: Path) -> Predictor:
    """Returns the model of a folder; the one place where inference meets JAX.

    Raises:
        ModelError: if the folder holds no usable model.
    """
    check_model_folder(folder)
    from lipseg.model.bundle import load_cascade

    return load_cascade(folder)


def _as_mouth_boxes(boxes: ArrayLike | Sequence[MouthBox]) -> list[MouthBox]:
    if isinstance(boxes, MouthBox):
        return [boxes]
    if isinstance(boxes, Sequence) and any(isinstance(box, MouthBox) for box in boxes):
        mixed: list[MouthBox] = []
        for box in boxes:
            mixed += [box] if isinstance(box, MouthBox) else as_boxes(np.asarray([box]))
        return mixed
    return as_boxes(boxes)  # type: ignore[arg-type]


def _rgb(image: Picture) -> NDArray[np.uint8]:
    """Returns any accepted picture as upright (height, width, 3) uint8 RGB."""
    if isinstance(image, (str, Path)):
        return read_image(Path(image))
    if isinstance(image, Image.Image):
        try:
            return from_pil(image)
        except OSError as error:  # Pillow decodes a file when its pixels are first asked for
            raise DataError(f"the picture cannot be decoded ({error})") from error
    return to_rgb8(image)
