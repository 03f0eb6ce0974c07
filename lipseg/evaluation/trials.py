"""The data that the score is calibrated on: trials of the whole way from a face box to the lips, good and bad ones.

Every trial goes through the tool's own ``LipSegmenter`` and the exported networks, as a user's picture does; only the
face detector is replaced by a box that is known.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.boxes import Box
from lipseg.data.corruptions import patched
from lipseg.data.crop_set import CropSet
from lipseg.data.face_set import FaceSet
from lipseg.data.negatives import draw_negative
from lipseg.evaluation.metrics import outline_distance
from lipseg.geometry import Affine, Array, view_to_image, warp
from lipseg.images import read_image
from lipseg.inference.predictor import Predictor
from lipseg.inference.segmenter import LipSegmenter
from lipseg.inference.views import MouthViews
from lipseg.progress import progress

# A face shown in one of these ways has a contour that can be right; of the others none can.
SEEN = ("plain", "jittered", "degraded", "occluded")
# Here the face box leads astray, beside the mouth or turned away from it; the picture shows the mouth all the same.
ASTRAY = ("elsewhere", "turned")
UNSEEN = ("covered", "background", "drawn")
# How often each is shown in a round.
_SHOWN = {"plain": 2, "jittered": 1, "degraded": 1, "occluded": 1, "covered": 1, "elsewhere": 1, "turned": 1}
_REACH = 2.4  # sides of the face box that are cut out of the photo
_MOST_PX = 288  # of that part
_CHUNK = 32
# Outlines this far off, as a share of the inter-ocular distance, are not of the mouth at all.
_OFF_THE_MOUTH = 0.15
# Presence logit of a trial in which the locator saw nothing that could be a mouth.
_NOWHERE = -20.0

Pixels = NDArray[np.uint8]
# (N, S, S, 3) uint8 views to (N, E) evidence.
Evidence = Callable[[Pixels], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Trials:
    """N trials.

    Attributes:
        evidence: (N, E) float32 of the first look, see ``lipseg.model.evidence``; zeros where there was none.
        presence: (N,) float32 logit of the locator; infinite where no mouth was seen in the face and a calibrated model
            took the whole picture for one.
        score: (N,) float64 of the answer that a user gets, of the best look; 0 where there is none.
        contour: (N,) float64 mean distance between true outlines and those of that answer over the inter-ocular
            distance; infinite where no mouth can be seen, or none was found.
        kind: (N,) str, one of ``SEEN``, ``ASTRAY`` and ``UNSEEN``.
    """

    evidence: NDArray[np.float32]
    presence: NDArray[np.float32]
    score: NDArray[np.float64]
    contour: NDArray[np.float64]
    kind: NDArray[np.str_]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,) whether there is a mouth to be seen where the face box says."""
        return np.isin(self.kind, SEEN)

    @property
    def false(self) -> NDArray[np.bool_]:
        """(N,) whether the prediction, if there is one, lies on no mouth, so that it ought to be dropped."""
        return ~self.seen & (self.contour > _OFF_THE_MOUTH)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A picture with a known face box, and its true landmarks where a mouth is visible."""

    kind: str
    face: Box
    cut: MouthViews
    truth: Array | None
    inter_ocular: float


def run_trials(
    predictor: Predictor,
    evidence: Evidence,
    crops: CropSet,
    faces: FaceSet,
    photos: dict[int, Path],
    split: str,
    rounds: int,
    seed: int,
) -> Trials:
    """Returns the trials on the faces of a split.

    Args:
        predictor: the model with its locator and its thresholds; no mouth is dropped for its score.
        evidence: of the model's views.
        crops: the wide crops, for the truth.
        faces: the detector's boxes and the backgrounds.
        photos: the file of each face of the crops.
        split: "validation" or "test".
        rounds: how often every face is shown in each way.
        seed: of all randomness.
    """
    wanted = np.isin(faces.face, crops.indices(split))
    shown_face: list[Box] = []
    segmenter = LipSegmenter(predictor, lambda image: shown_face, min_score=0.0)
    rows: list[tuple[Any, ...]] = []
    pending: list[_Trial] = []

    def flush() -> None:
        found = segmenter.predict_views([trial.cut for trial in pending])
        first = _first_looks(evidence, [trial.cut for trial in pending])
        for trial, lips, look in zip(pending, found, first, strict=True):
            contour = np.inf
            if len(lips) and trial.truth is not None:
                contour = _contour(lips[0].landmarks, trial.truth, trial.inter_ocular)
            presence = _presence(trial)
            rows.append((look, presence, lips[0].score if len(lips) else 0.0, contour, trial.kind))
        pending.clear()

    positions = np.unique(faces.face[wanted])
    for i in progress(positions.tolist(), total=len(positions), desc=f"trials, {split}", unit="faces"):
        rng = np.random.default_rng((seed, 25, i))
        photo = read_image(photos[i])
        for row in np.flatnonzero(wanted & (faces.face == i)):
            part, to_photo = _part(photo, faces.face_boxes[row])
            centre = (len(part) - 1) / 2
            face = Box.square(centre, centre, len(part) / _REACH)
            if faces.background[row]:
                shown = [("background", part, _moved(face, rng, 0.15, 0.25, np.pi), None) for _ in range(rounds)]
            else:
                truth = to_photo.inverse()(crops.points_px[i])
                shown = [show for _ in range(rounds) for show in _shows(part, face, truth, rng)]
            for kind, picture, box, landmarks in shown:
                shown_face[:] = [box]
                iod = float(crops.inter_ocular_px[i]) / to_photo.scale
                pending.append(_Trial(kind, box, segmenter.cut(picture), landmarks, iod))
            if len(pending) >= _CHUNK:
                flush()
    flush()
    looks, presence, score, contour, kind = zip(*rows, strict=True)
    return Trials(
        # A batch in which no mouth was found says nothing of how many kinds of evidence there are.
        evidence=np.stack([np.pad(look, (0, max(map(len, looks)) - len(look))) for look in looks]).astype(np.float32),
        presence=np.array(presence, np.float32),
        score=np.array(score, np.float64),
        contour=np.array(contour, np.float64),
        kind=np.array(kind, np.str_),
    )


def _presence(trial: _Trial) -> float:
    """Returns the logit of the locator on the trial's own face; infinite where the whole picture was tried instead."""
    if not trial.cut.mouths:
        return _NOWHERE
    first = trial.cut.mouths[0]
    return first.presence if first.face == trial.face else np.inf


def _first_looks(evidence: Evidence, cuts: list[MouthViews]) -> NDArray[np.float32]:
    """Returns (N, E) the evidence of the first mouth of each picture, zeros where there is none."""
    there = [at for at, cut in enumerate(cuts) if cut.mouths]
    if not there:
        return np.zeros((len(cuts), 0), np.float32)
    found = evidence(np.stack([cuts[at].pixels[0] for at in there]))
    every = np.zeros((len(cuts), found.shape[1]), np.float32)
    every[there] = found
    return every


def _shows(
    part: Pixels, face: Box, truth: Array, rng: np.random.Generator
) -> list[tuple[str, Pixels, Box, Array | None]]:
    """Returns (kind, picture, face box, landmarks or None) of one round of a face."""
    shows: list[tuple[str, Pixels, Box, Array | None]] = []
    for kind, times in _SHOWN.items():
        for _ in range(times):
            box = _moved(face, rng, 0.05, 0.08, 0.05)
            if kind == "plain":
                shows.append((kind, part, box, truth))
            elif kind == "jittered":
                shows.append((kind, part, _moved(face, rng, 0.12, 0.2, 0.5), truth))
            elif kind == "degraded":
                shows.append((kind, _degraded(part, face.side, rng), box, truth))
            elif kind == "occluded":
                shows.append((kind, _hidden(part, truth, rng, whole=False), box, truth))
            elif kind == "covered":
                shows.append((kind, _hidden(part, truth, rng, whole=True), box, None))
            elif kind == "elsewhere":
                shows.append((kind, part, _beside(face, truth, rng), truth))
            else:
                turned = _moved(face, rng, 0.1, 0.15, 0.3)
                turned = replace(turned, roll=turned.roll + rng.uniform(0.6, 1.4) * np.pi)
                shows.append((kind, part, turned, truth))
    # Each round one picture with nothing in it.
    size = int(rng.integers(120, 400))
    drawn = draw_negative(rng, size, size)
    box = Box.square(size / 2, size / 2, size * rng.uniform(0.3, 0.7), rng.uniform(-0.5, 0.5))
    return [*shows, ("drawn", drawn, box, None)]


def _part(photo: Pixels, square: Array) -> tuple[Pixels, Affine]:
    """Returns the part of a photo around a face box (3,) and the map from its pixels to the photo's."""
    size = int(np.clip(round(_REACH * square[2]), 64, _MOST_PX))
    to_photo = view_to_image(square[:2], np.full(2, _REACH * square[2]), size)
    return warp(photo, to_photo, size), to_photo


def _moved(face: Box, rng: np.random.Generator, shift: float, scale: float, roll: float) -> Box:
    dx, dy = rng.uniform(-shift, shift, 2) * face.side
    side = face.side * np.exp(rng.uniform(-scale, scale))
    return Box.square(face.cx + dx, face.cy + dy, side, face.roll + rng.uniform(-roll, roll))


def _beside(face: Box, truth: Array, rng: np.random.Generator) -> Box:
    """A box of the size of a face or of a part of one that ends before the mouth."""
    mouth, width = truth.mean(0), float(np.ptp(truth[:, 0]))
    side = face.side * rng.uniform(0.4, 1.0)
    angle = rng.normal(-np.pi / 2, 0.8)
    away = np.array([np.cos(angle), np.sin(angle)])
    reach = (0.75 * side + 0.6 * width) / np.abs(away).max()
    x, y = mouth + away * reach
    return Box.square(x, y, side, rng.normal(0, 0.2))


def _degraded(part: Pixels, side: float, rng: np.random.Generator) -> Pixels:
    """The picture dark, noisy, out of focus or of few pixels."""
    x = part.astype(np.float32)
    how = rng.integers(4)
    if how == 0:
        x = 255 * (x / 255) ** np.float32(rng.uniform(1.5, 3.5))
    if how in (0, 1):
        x = x + rng.normal(0, rng.uniform(5, 30), x.shape)
    elif how == 2:
        x = cv2.GaussianBlur(x, (0, 0), float(side * rng.uniform(0.008, 0.04)))
    else:
        few = max(24, round(len(part) * rng.uniform(20, 60) / side))
        x = cv2.resize(cv2.resize(x, (few, few), interpolation=cv2.INTER_AREA), part.shape[:2])
    return np.clip(x, 0, 255).astype(np.uint8)


def _hidden(part: Pixels, truth: Array, rng: np.random.Generator, *, whole: bool) -> Pixels:
    """The picture with a patch over the whole mouth, or over a part of it."""
    low, high = truth.min(0), truth.max(0)
    centre, extent = (low + high) / 2, high - low
    if whole:
        extent = np.maximum(extent * rng.uniform(1.2, 2.2, 2), 0.6 * extent[0])
    else:
        centre = centre + rng.uniform(-0.7, 0.7, 2) * np.maximum(extent, 0.5 * extent[0])
        extent = extent[0] * rng.uniform(0.15, 0.7, 2)
    corners = truth[scheme.OUTER_CORNERS[1]] - truth[scheme.OUTER_CORNERS[0]]
    angle = float(np.degrees(np.arctan2(corners[1], corners[0]))) if whole else float(rng.uniform(0, 180))
    oval = rng.random() < 0.5 and not whole
    draw = rng.random()
    if draw < 0.4:
        at = np.clip(np.round(centre + rng.normal(0, 0.8, 2) * (high[0] - low[0])), 0, len(part) - 1).astype(int)
        cover = part[at[1], at[0]] + rng.normal(0, rng.uniform(0, 12), part.shape)
    elif draw < 0.6:
        cover = draw_negative(rng, *part.shape[:2])
    elif draw < 0.8:  # another part of the picture: hair, hands, clothes, the other way round
        cover = np.roll(part[::-1, ::-1], int(rng.integers(len(part))), axis=0)
    else:
        cover = rng.uniform(0, 255, 3) + rng.normal(0, 5, part.shape)
    return patched(part, cover, centre, extent, angle, oval=oval)


def _contour(found: Array, truth: Array, iod: float) -> float:
    return float(np.mean([outline_distance(found[c], truth[c]) for c in (scheme.OUTER, scheme.INNER)])) / iod
