"""Readers of annotated faces. One reader a dataset format; any module with a function ``read`` is another.

A reader is a function from a folder to an iterator of ``FaceSample`` (and of ``Unusable`` for lines or files that
cannot be read: one bad face never stops a reader). Readers import nothing heavy and decode no photographs.

Where reading an annotation takes time, the module has a second function, ``unread``: it lists the same faces in the
same order as ``Unread``, and the crop stage reads them on all cores.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
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


@dataclass(frozen=True, slots=True)
class Unread:
    """A face whose annotation is still to be read, or all faces of one annotation.

    Attributes:
        name: the name that the face will have; of several the first one's, and the others add ``#2``, ``#3``, ….
        image: its image file.
        read: returns the face or a list of the faces, or why one is unusable. It is called in another process: let it
            be a ``functools.partial`` of a module's function.
    """

    name: str
    image: Path
    read: Callable[[], FaceSample | Unusable | list[FaceSample | Unusable]]


class Listing(Iterator[Unread | Unusable]):
    """The faces of a folder, of which is known how many they are (``operator.length_hint``)."""

    def __init__(self, faces: Iterator[Unread | Unusable], count: int) -> None:
        self._faces = faces
        self._left = count

    def __next__(self) -> Unread | Unusable:
        face = next(self._faces)
        self._left -= 1
        return face

    def __length_hint__(self) -> int:
        return self._left


Reader = Callable[[Path], Iterator[FaceSample | Unusable]]
Lister = Callable[[Path], Iterator[Unread | FaceSample | Unusable]]


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


def get_lister(name: str) -> Lister:
    """Returns what lists the faces of the reader registered under ``name`` without reading those that take time.

    That is the function ``unread`` beside it where there is one, else the reader itself.

    Raises:
        DataError: as ``get_reader`` does.
    """
    reader = get_reader(name)
    module = sys.modules.get(getattr(reader, "__module__", None) or "")
    return getattr(module, "unread", reader) if getattr(module, "read", None) is reader else reader


def read_all(items: Iterable[Unread | FaceSample | Unusable]) -> Iterator[FaceSample | Unusable]:
    """Yields the faces of all that a lister yields, read where they are not yet."""
    for item in items:
        yield from faces_of(item)


def faces_of(item: Unread | FaceSample | Unusable) -> list[FaceSample | Unusable]:
    """Returns the faces of what a lister yields, read where they are not yet."""
    found = item.read() if isinstance(item, Unread) else item
    return found if isinstance(found, list) else [found]
