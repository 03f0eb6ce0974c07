"""From a picture to mouth boxes: faces, their mouths, and what to try where no face is found."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box, near, overlap, without_doubles
from lipseg.geometry import View
from lipseg.inference.card import Runtime, Thresholds
from lipseg.inference.detector import FaceDetector, attempts_of
from lipseg.inference.locator import MouthLocator
from lipseg.inference.relation import AVERAGE_FACE

NO_FACE = "no face found"
NO_MOUTH = "faces found, but no mouth"

# Sides, over the picture's shorter one, of the face boxes tried in its middle where the detector found nothing.
_WHOLE_FACES = (1.0, 0.65)
# A mouth is at least this high against its width; for pictures too flat to hold the view's margins.
_FLATTEST = 0.25


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a mouth may be.

    Attributes:
        box: the mouth's.
        least: score that its lips must reach to count.
        average: where the mouth would be if the face were an average one, for another look; None for no other.
        presence: logit of the locator that a mouth can be seen there; infinite where it was not asked.
    """

    box: Box
    least: float = 0.0
    average: Box | None = None
    presence: float = math.inf


@dataclass(frozen=True, slots=True)
class Candidates:
    """The mouths that a picture may show, surest first.

    Attributes:
        mouths: what is to be looked at.
        reason: why the picture shows no lips, in case that none of them counts.
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
    does, the mouths of all attempts count. Where there are none either, the whole picture is taken for a face crop and
    for a mouth crop, if the model is calibrated and can so tell whether it is one.

    Args:
        image: (height, width, 3) uint8 RGB.
        detector: finds faces.
        runtime: the model's constants.
        locator: of the model; without one the mouth is where it lies in an average face.
        min_score: that every mouth must reach; None for the thresholds of the model.
    """
    rules = runtime.thresholds
    clear, unclear = (0.0, rules.min_score) if min_score is None else (min_score, min_score)
    height, width = image.shape[:2]
    seen: list[_Seen] = []
    kept: list[_Seen] = []
    for faces in attempts_of(detector, image):
        seen += _look(image, faces, locator)
        kept = _counting(seen, height, width, rules, rules.min_presence)
        if kept and kept[0].presence >= rules.sure_presence:
            break
    if kept:
        mouths = [one.candidate(clear if one.presence >= rules.clear_presence else unclear) for one in kept]
        return Candidates(mouths, NO_MOUTH)
    reason = NO_MOUTH if seen else NO_FACE
    if not rules.calibrated or locator is None:
        return Candidates([], reason)
    whole = _look(image, _whole_faces(height, width), locator)
    kept = _counting(whole, height, width, rules, max(rules.min_presence, 0.0))
    mouths = [one.candidate(max(unclear, rules.face_guess)) for one in kept]
    mouths.append(Candidate(whole_picture(height, width, runtime.view), max(unclear, rules.mouth_guess)))
    return Candidates(mouths, reason)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A face, its mouth as located and in an average face, and the locator's logit that it can be seen."""

    face: Box
    mouth: Box
    average: Box
    presence: float

    def candidate(self, least: float) -> Candidate:
        """Returns the mouth with the score that its lips must reach."""
        return Candidate(self.mouth, least, self.average, self.presence)


def _look(image: NDArray[np.uint8], faces: list[Box], locator: MouthLocator | None) -> list[_Seen]:
    """Returns faces with their mouths; without a locator these are average, and as sure as can be."""
    if not faces:
        return []
    average = [AVERAGE_FACE.mouth(face) for face in faces]
    if locator is None:
        return [_Seen(face, mouth, mouth, math.inf) for face, mouth in zip(faces, average, strict=True)]
    found = locator(image, faces)
    return list(map(_Seen, faces, found.mouths, average, found.presence.tolist()))


def _counting(seen: list[_Seen], height: int, width: int, rules: Thresholds, least_presence: float) -> list[_Seen]:
    """Returns, surest first, those of whatever score that may count.

    Dropped are mouths below the least presence, beyond the picture, too small, or the same as a surer one, and faces
    that another attempt reads more surely in another way.
    """
    there = [
        one
        for one in seen
        if -0.5 <= one.mouth.cx <= width - 0.5
        and -0.5 <= one.mouth.cy <= height - 0.5
        and one.mouth.width >= rules.smallest_mouth_px
        and one.presence >= least_presence
    ]
    close = near(rules.same_mouth)

    def same(a: _Seen, b: _Seen) -> bool:
        one_face = a.face.origin != b.face.origin and overlap(a.face, b.face) > rules.same_face
        return close(a.mouth, b.mouth) or one_face

    return [there[at] for at in without_doubles(there, [one.presence for one in there], same)]


def whole_picture(height: int, width: int, view: View) -> Box:
    """Returns the mouth box of a picture that is a mouth crop: the one whose view shows the whole picture.

    A mouth crop is taken to be framed as the model's own views are, the mouth in the middle with the view's margin
    around it. A picture that is not square lies in the middle of a square view, its edge pixels repeated beyond it.
    A picture cut tightly at the lips is no such crop: give its extent as the mouth box instead.

    Args:
        height: pixels of the picture.
        width: pixels of the picture.
        view: what the model looks at.
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
