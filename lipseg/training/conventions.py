"""Where each source's annotators draw lips, against the cascade's own answers: fitted by least squares."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.augment import fixed_batches, views_on_boxes
from lipseg.data.crop_set import CropSet
from lipseg.data.tables import read_json
from lipseg.errors import DataError
from lipseg.geometry import Affine, Array, from_unit
from lipseg.inference.conventions import Convention, mouth_frames
from lipseg.model.cascade import Cascade
from lipseg.progress import progress

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Answers:
    """The faces of one source and what the cascade says of them.

    Attributes:
        face: (N,) positions in the crops.
        annotated_px: (N, 56, 2) landmarks as they were annotated, pixels of the image as it is given.
        answered_px: (N, 56, 2) the cascade's.
    """

    face: NDArray[np.intp]
    annotated_px: Array
    answered_px: Array


def answers_of_all(crops: CropSet, cascade: Cascade) -> dict[str, Answers]:
    """Returns for every source, the reference first, the cascade's answers on its faces' true boxes.

    Training and validation faces alone: nothing is learnt from test faces.
    """
    faces = crops.indices("train", "validation")
    points = []
    for rows in progress(list(fixed_batches(len(faces), _BATCH)), desc="conventions", unit="batches"):
        views = views_on_boxes(crops, faces[rows], None, cascade.view)
        found = from_unit(cascade.outputs(views.images).cascade.astype(np.float64), cascade.view.size)
        points += [Affine(matrix)(one) for matrix, one in zip(views.to_image, found, strict=True)]
    answered = np.stack(points)[: len(faces)]
    which = crops.source[faces]
    return {
        source: Answers(faces[mine], crops.points_px[faces[mine]], answered[mine])
        for i, source in enumerate(crops.sources)
        if (mine := which == i).any() or i == 0
    }


@dataclass(frozen=True, slots=True)
class Residuals:
    """What N annotations differ by from N answers, in the frames of the answers' mouths.

    Attributes:
        landmarks: (N, 56, 2) the differences.
        per_pixel: (N, 2, 2) what a pixel to the right and one down in the picture come to: its columns.
    """

    landmarks: Array
    per_pixel: Array

    @classmethod
    def of(cls, annotated_px: Array, answered_px: Array) -> "Residuals":
        """Returns the residuals of (N, 56, 2) annotations and answers, pixels of one and the same picture."""
        _, radius, along = mouth_frames(answered_px)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        per_pixel = np.stack([along, across], axis=1) / radius[:, None, None]
        return cls(np.einsum("nij,nkj->nki", per_pixel, annotated_px - answered_px), per_pixel)

    def equations(self) -> tuple[Array, Array]:
        """Returns the normal equations (N, 4, 4) and (N, 4) of each face's mean difference.

        The unknowns are the mean offset (2) in the mouth's frame and the pixels (2). The landmarks' own offsets follow
        from these: all landmarks of a face see the same pixels.
        """
        ones = np.broadcast_to(np.eye(2), self.per_pixel.shape)
        design = np.concatenate([ones, self.per_pixel], axis=2)
        return np.einsum("nij,nik->njk", design, design), np.einsum("nij,ni->nj", design, self.landmarks.mean(1))


def solved(equations: Array, values: Array) -> Array:
    """Returns (..., 4) the least squares of sums (..., 4, 4) and (..., 4) of ``Residuals.equations``.

    The smallest solution where there are several: faces whose mouths are all of one size do not tell offset from
    pixels.
    """
    return (np.linalg.pinv(equations, rcond=1e-9, hermitian=True) @ values[..., None])[..., 0]


def fit_convention(residuals: Residuals) -> Convention:
    """Returns the offset in the mouth's frame and the pixels of the picture that explain the residuals best."""
    equations, values = residuals.equations()
    pixels = solved(equations.sum(0), values.sum(0))[2:]
    offset = (residuals.landmarks - (residuals.per_pixel @ pixels)[:, None]).mean(0)
    return Convention(tuple(offset.ravel().tolist()), (float(pixels[0]), float(pixels[1])))


def fit_all(answers: Mapping[str, Answers]) -> dict[str, Convention]:
    """Returns the convention of every source but the first, which is the reference."""
    return {
        source: fit_convention(Residuals.of(found.annotated_px, found.answered_px))
        for source, found in list(answers.items())[1:]
    }


def as_json(reference: str, conventions: dict[str, Convention], measured: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns what ``load_conventions`` reads back, and what was measured of it beside it, JSON-able."""
    plain = {source: asdict(convention) for source, convention in conventions.items()}
    return {"reference": reference, "conventions": plain, "measured": measured}


def load_conventions(path: Path) -> tuple[str, dict[str, Convention]]:
    """Returns the reference's name and the conventions of the other sources.

    Raises:
        DataError: if the file cannot be read or holds something else.
    """
    raw = read_json(path)
    try:
        return str(raw["reference"]), {name: Convention.from_json(one) for name, one in raw["conventions"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: no conventions ({error}); run the stage conventions again") from error
