"""From a picture to mouth boxes: faces, their mouths, and what to try where no face is found."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lipseg.data.frames import View
from lipseg.inference.detect import FaceBox, attempts_of
from lipseg.inference.locate import MouthBox, whole_picture
from lipseg.model.confidence import Confidence
from lipseg.model.predictor import MouthLocator
from lipseg.model.relation import FACE_RELATION

NO_FACE = "no face found"
NO_MOUTH = "faces found, but no mouth"

# A narrower mouth, in pixels of the picture, shows too little to say where its contours are.
SMALLEST_MOUTH_PX = 6.0
# Two mouths nearer to each other than this share of the wider one's width are one.
_SAME_MOUTH = 0.5
# Sides, over the picture's shorter one, of the face boxes tried in its middle where the detector found nothing.
_WHOLE_FACES = (1.0, 0.65)
# What is only a guess must convince more: least scores of a picture that is taken for a face and for a mouth.
_FACE_GUESS, _MOUTH_GUESS = 0.35, 0.8
# Presence logit from which a detected face shows its mouth sooner than not: then its lips count however unsure their
# contours are. None of 600 pictures without faces had such a face, while some faces of the training set score near 0.
_CLEAR = 0.0

Detector = Callable[[NDArray[np.uint8]], list[FaceBox]]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Where mouths may be.

    Attributes:
        boxes: n mouth boxes, surest first.
        presence: (n,) float32 logit of a visible mouth, nan where the locator was not asked.
        least: (n,) float32 the score that each must reach to count.
        reason: why the picture shows no lips, in case that none of them counts.
        average: n boxes where the mouths would be in average faces, for a second look.
    """

    boxes: list[MouthBox]
    presence: NDArray[np.float32]
    least: NDArray[np.float32]
    reason: str
    average: list[MouthBox]


def find_mouths(
    image: NDArray[np.uint8],
    detector: Detector,
    view: View,
    *,
    locator: MouthLocator | None,
    confidence: Confidence | None,
    min_score: float,
    clear_score: float,
) -> Candidates:
    """Returns the mouths that a picture may show.

    The detector's attempts are made one after the other until a face with a visible mouth turns up. After the last
    one the whole picture is taken for a face crop and for a mouth crop, if the model is calibrated and can so tell
    whether it is one.

    Args:
        image: (height, width, 3) uint8 RGB.
        detector: finds faces.
        view: what the model looks at.
        locator: of the model; without one the mouth is where it lies in an average face.
        confidence: of the model.
        min_score: that the lips of a face must reach.
        clear_score: the same of a detected face whose mouth is clearly visible.
    """
    least_presence = -np.inf if confidence is None else float(confidence.min_presence[0])
    seen: list[FaceBox] = []
    for faces in attempts_of(detector, image):
        seen += faces
        boxes, presence, average = mouths_in(image, faces, locator, least_presence)
        if boxes:
            least = np.where(presence >= _CLEAR, clear_score, min_score).astype(np.float32)
            return Candidates(boxes, presence, least, NO_MOUTH, average)
    reason = NO_MOUTH if seen else NO_FACE
    if confidence is None or locator is None:
        return Candidates([], np.empty(0, np.float32), np.empty(0, np.float32), reason, [])
    height, width = image.shape[:2]
    boxes, presence, average = mouths_in(image, whole_faces(height, width), locator, max(least_presence, 0.0))
    boxes.append(whole_picture(height, width, view))
    average.append(boxes[-1])
    least = [*([max(min_score, _FACE_GUESS)] * (len(boxes) - 1)), max(min_score, _MOUTH_GUESS)]
    return Candidates(boxes, np.r_[presence, np.float32(np.nan)], np.array(least, np.float32), reason, average)


def mouths_in(
    image: NDArray[np.uint8], faces: list[FaceBox], locator: MouthLocator | None, least_presence: float
) -> tuple[list[MouthBox], NDArray[np.float32], list[MouthBox]]:
    """Returns the mouths (n) of faces, their presence logits (n,), and where an average face would have them (n).

    Dropped are mouths below ``least_presence``, beyond the picture, too small, or the same as a surer one.
    """
    if not faces:
        return [], np.empty(0, np.float32), []
    given = np.array([[*face.centre, face.side, face.roll] for face in faces])
    average = np.stack([FACE_RELATION.mouth(face) for face in given])
    if locator is None:
        mouths = average
        presence = np.full(len(faces), np.nan, np.float32)
        order = np.arange(len(faces))
    else:
        sighting = locator(image, given)
        mouths, presence = sighting.mouths, sighting.presence
        order = np.argsort(-presence, kind="stable")
    height, width = image.shape[:2]
    kept: list[int] = []
    for i in order:
        x, y, wide = mouths[i, :3]
        inside = -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5
        if not inside or wide < SMALLEST_MOUTH_PX or presence[i] < least_presence:
            continue
        if all(np.hypot(*(mouths[i, :2] - mouths[k, :2])) > _SAME_MOUTH * max(wide, mouths[k, 2]) for k in kept):
            kept.append(int(i))
    return (
        [mouth_box(mouths[i], faces[i].source) for i in kept],
        presence[kept].astype(np.float32),
        [mouth_box(average[i], faces[i].source) for i in kept],
    )


def mouth_box(mouth: NDArray[np.float64], origin: str) -> MouthBox:
    """Returns the box of a mouth (5,) centre x, y, width, height, roll."""
    x, y, width, height, roll = map(float, mouth)
    return MouthBox(x - width / 2, y - height / 2, x + width / 2, y + height / 2, origin, roll)


def whole_faces(height: int, width: int) -> list[FaceBox]:
    """Returns the face boxes of a picture that is itself a face crop: one tight, one with room around the face."""
    x, y = (width - 1) / 2, (height - 1) / 2
    halves = [share * min(height, width) / 2 for share in _WHOLE_FACES]
    return [FaceBox(x - h, y - h, x + h, y + h, score=0.0, source="whole picture as a face") for h in halves]


def distinct_mouths(
    centres: NDArray[np.float64], widths: NDArray[np.float64], scores: NDArray[np.float64]
) -> list[int]:
    """Returns the positions, in order, of mouths that are not the same as one with a higher score.

    Args:
        centres: (n, 2).
        widths: (n,) in the same unit.
        scores: (n,).
    """
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        apart = [np.hypot(*(centres[i] - centres[k])) > _SAME_MOUTH * max(widths[i], widths[k]) for k in kept]
        if all(apart):
            kept.append(int(i))
    return sorted(kept)
