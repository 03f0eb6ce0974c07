"""From a picture to mouth boxes: the detected faces' mouths, or guesses where no face is detected."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box, near, overlap, without_doubles
from lipseg.geometry import View
from lipseg.inference.detector import FaceDetector, attempts_of
from lipseg.inference.locator import MouthLocator
from lipseg.inference.relation import AVERAGE_FACE
from lipseg.inference.runtime import Runtime, Thresholds

NO_FACE = "no face found"
NO_MOUTH = "faces found, but no mouth"

# Sides, over the picture's shorter one, of the face boxes tried in its middle where the detector found nothing.
_WHOLE_FACES = (1.0, 0.65)
# Widths of a mouth in sides of its face box, between which 99 % of Helen's training faces lie: where the locator says
# another, most often of a profile, the mouth of an average face is the better guess.
_WIDTHS = (0.22, 0.48)
# Faces of two attempts that share more than this of the smaller box are one.
_SAME_FACE = 0.5
# A mouth is at least this high against its width; for pictures too flat to hold the view's margins.
_FLATTEST = 0.25


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a mouth may be.

    Attributes:
        box: the mouth's.
        least: least score of its lips; with a lower one they are dropped.
        average: where an average face in the same box has its mouth, for a second view; None for none.
        presence: the locator's logit that a mouth is visible; infinite where the locator was not run.
        face: the box of the face; None where the mouth's box was given.
    """

    box: Box
    least: float = 0.0
    average: Box | None = None
    presence: float = math.inf
    face: Box | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """The mouths that a picture may show, surest first.

    Attributes:
        mouths: the candidates.
        reason: why the picture shows no lips, in case that all candidates are dropped.
    """

    mouths: list[Candidate]
    reason: str


def find_mouths(
    image: NDArray[np.uint8],
    detector: FaceDetector,
    runtime: Runtime,
    locator: MouthLocator | None,
    min_score: float | None = None,
) -> Candidates:
    """Returns the mouths that a picture may show.

    The detector's attempts are made one after the other until a face whose mouth is surely visible turns up; where none
    does, the mouths of all attempts are candidates. Where there are none either, the whole picture is tried as a face
    crop and as a mouth crop, if the model is calibrated: the score then tells whether it is one.

    Args:
        image: (height, width, 3) uint8 RGB.
        detector: finds faces.
        runtime: the model's constants.
        locator: of the model; without one the mouth is where it lies in an average face.
        min_score: that every mouth must reach; None for the thresholds of the model.
    """
    rules = runtime.thresholds
    clear, unclear = (0.0, rules.min_score) if min_score is None else (min_score, min_score)
    size = image.shape[:2]
    seen: list[Candidate] = []
    found: list[Candidate] = []
    for faces in attempts_of(detector, image):
        seen += _located(image, faces, locator)
        found = _accepted(seen, size, rules, rules.min_presence)
        if found and found[0].presence >= rules.sure_presence:
            break
    if found:
        least = [clear if mouth.presence >= rules.clear_presence else unclear for mouth in found]
        reason = NO_MOUTH if min_score is None else f"{NO_MOUTH} of the least score {min_score:g}"
        return Candidates([replace(m, least=low) for m, low in zip(found, least, strict=True)], reason)
    reason = NO_MOUTH if seen else NO_FACE
    if not rules.calibrated or locator is None:
        return Candidates([], reason)
    guesses = _located(image, _whole_faces(*size), locator)
    found = _accepted(guesses, size, rules, max(rules.min_presence, 0.0))
    mouths = [replace(mouth, least=max(clear, rules.face_guess)) for mouth in found]
    mouths.append(Candidate(whole_picture(size[0], size[1], runtime.view), max(clear, rules.mouth_guess)))
    return Candidates(mouths, reason)


def _located(image: NDArray[np.uint8], faces: list[Box], locator: MouthLocator | None) -> list[Candidate]:
    """Returns the mouth of each face; without a locator where an average face has it, of infinite presence."""
    if not faces:
        return []
    average = [AVERAGE_FACE.mouth(face) for face in faces]
    if locator is None:
        return [Candidate(mouth, face=face) for mouth, face in zip(average, faces, strict=True)]
    sighting = locator(image, faces)
    found = zip(sighting.mouths, average, sighting.presence, faces, strict=True)
    return [
        Candidate(
            mouth if _WIDTHS[0] < mouth.width / face.side < _WIDTHS[1] else fixed,
            average=fixed,
            presence=float(presence),
            face=face,
        )
        for mouth, fixed, presence, face in found
    ]


def _accepted(
    seen: list[Candidate], size: tuple[int, int], rules: Thresholds, least_presence: float
) -> list[Candidate]:
    """Returns the candidates that are kept, surest first.

    Dropped are mouths below the least presence, beyond the picture of (height, width), too small, or the same as a
    surer one.
    """
    height, width = size
    kept = [
        mouth
        for mouth in seen
        if -0.5 <= mouth.box.cx <= width - 0.5
        and -0.5 <= mouth.box.cy <= height - 0.5
        and mouth.box.width >= rules.smallest_mouth_px
        and mouth.presence >= least_presence
    ]
    same_box = near(rules.same_mouth)

    def same(one: Candidate, other: Candidate) -> bool:
        if same_box(one.box, other.box):
            return True
        # One face that two attempts have read in different ways.
        return (
            one.face is not None
            and other.face is not None
            and one.face.origin != other.face.origin
            and overlap(one.face, other.face) > _SAME_FACE
        )

    return [kept[at] for at in without_doubles(kept, [mouth.presence for mouth in kept], same)]


def whole_picture(height: int, width: int, view: View) -> Box:
    """Returns the mouth box of a picture that is a mouth crop: the one whose view shows the whole picture.

    A mouth crop is taken to be framed as the model's own views are, the mouth in the middle with the view's margin
    around it. A picture that is not square lies in the middle of a square view, its edge pixels repeated beyond it.
    A picture cut tightly at the lips is no such crop: give its extent as the mouth box instead.

    Args:
        height: pixels of the picture.
        width: pixels of the picture.
        view: the geometry of the model's views.
    """
    if view.shape == "square":
        box_width, box_height = width / view.margin, height / view.margin
    else:
        box_width = max(width - 2 * view.margin, _FLATTEST * width)
        box_height = max(height - 2 * view.margin, _FLATTEST * box_width)
    return Box((width - 1) / 2, (height - 1) / 2, box_width, box_height, origin="whole picture")


def _whole_faces(height: int, width: int) -> list[Box]:
    """Returns the face boxes of a picture that is itself a face crop: one tight, one with room around the face."""
    x, y = (width - 1) / 2, (height - 1) / 2
    return [Box.square(x, y, share * min(height, width), origin="whole picture as a face") for share in _WHOLE_FACES]
