"""Readers of annotated faces. One reader a dataset format; any module with a function ``read`` is another.

A reader is a function from a folder to an iterator of ``FaceSample`` (and of ``Unusable`` for lines or files that
cannot be read: one bad face never stops a reader). Readers import nothing heavy and decode no photographs.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError
from lipseg.numbers import plain_number
from lipseg.scheme import Points

Split = Literal["train", "test"]

# No picture reaches farther. What lies there is damage, which a distance between eyes would take for a huge face.
_FARTHEST_PX = 1e6


@dataclass(frozen=True, slots=True)
class FaceSample:
    """One annotated face.

    Attributes:
        name: identifies the face within its dataset (for Helen, the image name without its ending).
        image: the image file.
        points_px: (56, 2) float64 lip landmarks, image pixels (x, y), pixel centres at integers.
        inter_ocular_px: distance between the eyes' centres in image pixels, the normaliser of the NME.
        split: "train" or "test" where the dataset says so, else None (then split by a hash of the name).
        state: the known mouth state ("closed", "smile", ...) or "" where nobody knows.
        annotation: the annotation file, for messages.
        scale: pixels of this image over pixels of the one that was annotated, where it was made larger or smaller
            after that.
        group: faces of one dataset with the same group, as those of one photo, all train or all validate; "" for none.
        labels: of a face that is labelled by masks, a function that returns its label map, (height, width) uint8: 0
            background, 1 upper lip, 2 lower lip, 3 inner mouth, covering the picture from corner to corner with
            however many pixels. It is called in another process: let it be a ``functools.partial`` of a module's
            function.
    """

    name: str
    image: Path
    points_px: Points
    inter_ocular_px: float
    split: Split | None = None
    state: str = ""
    annotation: Path | None = None
    scale: float = 1.0
    group: str = ""
    labels: Callable[[], NDArray[np.uint8]] | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A face that could not be read: goes to ``skipped.csv``.

    Attributes:
        name: the face's name as far as it is known, else "".
        file: the offending file.
        line: 1-based line in ``file``, 0 where no line is to blame.
        reason: what is wrong with it.
    """

    name: str
    file: Path
    line: int
    reason: str


Reader = Callable[[Path], Iterator[FaceSample | Unusable]]


def coordinate(text: str) -> float | None:
    """Returns the coordinate in pixels that a text holds; None for no number and for one beyond any picture."""
    value = plain_number(text)
    return None if value is None or abs(value) > _FARTHEST_PX else value


_READERS: dict[str, Reader | str] = {
    "celebamask": "lipseg.data.annotations.celebamask",
    "helen": "lipseg.data.annotations.helen",
    "ibug": "lipseg.data.annotations.ibug",
    "masks": "lipseg.data.annotations.masks",
    "synthetic": "lipseg.data.annotations.synthetic",
}


def register(name: str, reader: Reader) -> None:
    """Adds a reader under ``name`` for the rest of this process.

    The pipeline's stages are processes of their own: there, name the reader's module in ``data.source`` instead.

    Raises:
        DataError: if the name is taken.
    """
    if name in _READERS:
        raise DataError(f"a dataset reader named '{name}' exists already; choose another name")
    _READERS[name] = reader


def reader_names() -> list[str]:
    """Returns the names of all registered readers, sorted."""
    return sorted(_READERS)


def get_reader(name: str) -> Reader:
    """Returns the reader registered under ``name``.

    Any other name is taken for an importable module with a function ``read``: a dataset of the user's own.

    Raises:
        DataError: if there is none; the message lists the names that exist.
    """
    found = _READERS.get(name, name)
    if not isinstance(found, str):
        return found
    try:
        return importlib.import_module(found).read
    except ModuleNotFoundError as error:
        if name in _READERS or error.name not in (name, name.split(".")[0]):
            raise DataError(f"data.source: cannot load the reader '{name}': {error}") from error
        known = ", ".join(reader_names())
        raise DataError(
            f"data.source: no dataset reader named '{name}', and no module of that name; there are: {known}"
        ) from error
    except (ImportError, AttributeError) as error:
        raise DataError(f"data.source: cannot load the reader '{name}': {error}") from error
