"""Trials of the whole way from a face box to the contours, good and bad ones: what a confidence is calibrated on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.corruptions import patched
from lipseg.data.crop_set import CropSet
from lipseg.data.face_set import FaceSet
from lipseg.data.negatives import draw_faceless
from lipseg.evaluation.metrics import outline_distance
from lipseg.geometry import Affine, Array, from_unit, view_to_image, warp
from lipseg.images import read_image
from lipseg.inference.mouths import mouth_box
from lipseg.model.cascade import Cascade
from lipseg.progress import progress

# A face shown in one of these ways has a contour that can be right; of the others none can.
SEEN = ("plain", "jittered", "degraded", "occluded")
UNSEEN = ("covered", "elsewhere", "turned", "background", "drawn")
# How often each is shown in a round.
_SHOWN = {"plain": 2, "jittered": 1, "degraded": 1, "occluded": 1, "covered": 1, "elsewhere": 1, "turned": 1}
_REACH = 2.4  # sides of the face box that are cut out of the photo
_MOST_PX = 288  # of that part
_CHUNK = 32

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Trials:
    """N trials.

    Attributes:
        evidence: (N, E) float32, see ``lipseg.model.evidence``.
        typicality: (N,) float32, the score of a model without calibration.
        presence: (N,) float32 logit of the locator.
        contour: (N,) float64 mean distance between true and found outlines over the inter-ocular distance; infinite
            where no mouth can be seen.
        kind: (N,) str, one of ``SEEN`` and ``UNSEEN``.
    """

    evidence: NDArray[np.float32]
    typicality: NDArray[np.float32]
    presence: NDArray[np.float32]
    contour: NDArray[np.float64]
    kind: NDArray[np.str_]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,) whether there is a mouth to be seen."""
        return np.isin(self.kind, SEEN)


def run_trials(
    cascade: Cascade, crops: CropSet, faces: FaceSet, photos: dict[int, Path], split: str, rounds: int, seed: int
) -> Trials:
    """Returns the trials on the faces of a split.

    Args:
        cascade: with a locator and without a confidence.
        crops: the wide crops, for the truth.
        faces: the detector's boxes and the backgrounds.
        photos: the file of each face of the crops.
        split: "validation" or "test".
        rounds: how often every face is shown in each way.
        seed: of all randomness.
    """
    wanted = np.isin(faces.face, crops.indices(split))
    rows: list[tuple[Any, ...]] = []
    pending: list[tuple[Pixels, Affine, Array | None, float, float, str]] = []

    def flush() -> None:
        if not pending:
            return
        answers = cascade.outputs(np.stack([view for view, *_ in pending]))
        points = from_unit(answers.cascade.astype(np.float64), cascade.view.size)
        for k, (_, to_part, truth, iod, presence, kind) in enumerate(pending):
            contour = np.inf if truth is None else _contour(to_part(points[k]), truth, iod)
            rows.append((answers.evidence[k], answers.score[k], presence, contour, kind))
        pending.clear()

    positions = np.unique(faces.face[wanted])
    for i in progress(positions.tolist(), total=len(positions), desc=f"trials, {split}", unit="faces"):
        rng = np.random.default_rng((seed, 25, i))
        photo = read_image(photos[i])
        for row in np.flatnonzero(wanted & (faces.face == i)):
            part, to_photo = _part(photo, faces.face_boxes[row])
            centre = np.full(2, (len(part) - 1) / 2)
            face = np.array([*centre, len(part) / _REACH, 0.0])
            if faces.background[row]:
                shown = [("background", part, _moved(face, rng, 0.15, 0.25, np.pi), None) for _ in range(rounds)]
            else:
                truth = to_photo.inverse()(crops.points_px[i])
                shown = [show for _ in range(rounds) for show in _shows(part, face, truth, rng)]
            for kind, picture, box, landmarks in shown:
                iod = float(crops.inter_ocular_px[i]) / to_photo.scale
                pending.append(_looked(cascade, kind, picture, box, landmarks, iod))
                if len(pending) == _CHUNK:
                    flush()
    flush()
    evidence, typicality, presence, contour, kind = zip(*rows, strict=True)
    return Trials(
        evidence=np.stack(evidence).astype(np.float32),
        typicality=np.array(typicality, np.float32),
        presence=np.array(presence, np.float32),
        contour=np.array(contour, np.float64),
        kind=np.array(kind, np.str_),
    )


def _looked(
    cascade: Cascade, kind: str, picture: Pixels, face: NDArray[np.float64], truth: Array | None, iod: float
) -> tuple[Pixels, Affine, Array | None, float, float, str]:
    assert cascade.locator is not None
    sighting = cascade.locator(picture, face[None])
    box = mouth_box(sighting.mouths[0], kind)
    to_part = cascade.view.to_image(box.as_array(), box.roll)
    return warp(picture, to_part, cascade.view.size), to_part, truth, iod, float(sighting.presence[0]), kind


def _shows(
    part: Pixels, face: NDArray[np.float64], truth: Array, rng: np.random.Generator
) -> list[tuple[str, Pixels, NDArray[np.float64], Array | None]]:
    """Returns (kind, picture, face box, landmarks or None) of one round of a face."""
    shows: list[tuple[str, Pixels, NDArray[np.float64], Array | None]] = []
    for kind, times in _SHOWN.items():
        for _ in range(times):
            box = _moved(face, rng, 0.05, 0.08, 0.05)
            if kind == "plain":
                shows.append((kind, part, box, truth))
            elif kind == "jittered":
                shows.append((kind, part, _moved(face, rng, 0.12, 0.2, 0.5), truth))
            elif kind == "degraded":
                shows.append((kind, _degraded(part, face[2], rng), box, truth))
            elif kind == "occluded":
                shows.append((kind, _hidden(part, truth, rng, whole=False), box, truth))
            elif kind == "covered":
                shows.append((kind, _hidden(part, truth, rng, whole=True), box, None))
            elif kind == "elsewhere":
                shows.append((kind, part, _beside(face, truth, rng), None))
            else:
                turned = _moved(face, rng, 0.1, 0.15, 0.3)
                turned[3] += rng.uniform(0.6, 1.4) * np.pi
                shows.append((kind, part, turned, None))
    # Each round one picture with nothing in it.
    size = int(rng.integers(120, 400))
    drawn = draw_faceless(rng, size, size)
    box = np.array([size / 2, size / 2, size * rng.uniform(0.3, 0.7), rng.uniform(-0.5, 0.5)])
    return [*shows, ("drawn", drawn, box, None)]


def _part(photo: Pixels, square: Array) -> tuple[Pixels, Affine]:
    """Returns the part of a photo around a face box (3,) and the map from its pixels to the photo's."""
    size = int(np.clip(round(_REACH * square[2]), 64, _MOST_PX))
    to_photo = view_to_image(square[:2], np.full(2, _REACH * square[2]), size)
    return warp(photo, to_photo, size), to_photo


def _moved(face: Array, rng: np.random.Generator, shift: float, scale: float, roll: float) -> NDArray[np.float64]:
    moved = rng.uniform(-shift, shift, 2) * face[2]
    size = face[2] * np.exp(rng.uniform(-scale, scale))
    return np.array([*(face[:2] + moved), size, face[3] + rng.uniform(-roll, roll)])


def _beside(face: Array, truth: Array, rng: np.random.Generator) -> NDArray[np.float64]:
    """A box of the size of a face or of a part of one that ends before the mouth."""
    mouth, width = truth.mean(0), float(np.ptp(truth[:, 0]))
    side = face[2] * rng.uniform(0.4, 1.0)
    angle = rng.normal(-np.pi / 2, 0.8)
    away = np.array([np.cos(angle), np.sin(angle)])
    reach = (0.75 * side + 0.6 * width) / np.abs(away).max()
    return np.array([*(mouth + away * reach), side, rng.normal(0, 0.2)])


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
        cover = draw_faceless(rng, *part.shape[:2])
    elif draw < 0.8:  # another part of the picture: hair, hands, clothes, the other way round
        cover = np.roll(part[::-1, ::-1], int(rng.integers(len(part))), axis=0)
    else:
        cover = rng.uniform(0, 255, 3) + rng.normal(0, 5, part.shape)
    return patched(part, cover, centre, extent, angle, oval=oval)


def _contour(found: Array, truth: Array, iod: float) -> float:
    return float(np.mean([outline_distance(found[c], truth[c]) for c in (scheme.OUTER, scheme.INNER)])) / iod
