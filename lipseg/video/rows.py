"""Landmarks of every frame as JSON Lines or Parquet; a face has the keys that it has in a photo, after its id."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lipseg.errors import DataError
from lipseg.files import whole_file
from lipseg.formats.face_columns import face_cells, face_fields
from lipseg.formats.record import face_record
from lipseg.tracking.tracker import TrackedFrame
from lipseg.video.libraries import need

_TIME_DECIMALS = 6
# Frames of a Parquet row group: some seconds of video, some megabytes.
_GROUP = 512


def frame_row(frame: TrackedFrame) -> dict[str, Any]:
    """Returns a frame as it stands in the JSON Lines; coordinates in pixels of the upright frame.

    A frame without a mouth has an empty list of faces.
    """
    faces = [{"id": mouth.id, **face_record(mouth.lips)} for mouth in frame.mouths]
    return {"frame": frame.index, "time": round(frame.time, _TIME_DECIMALS), "faces": faces}


def frame_line(frame: TrackedFrame) -> str:
    """Returns ``frame_row`` as one line of text without its end."""
    return json.dumps(frame_row(frame), allow_nan=False)


class RowWriter(ABC):
    """Writes the rows of frames into a file that was opened with it."""

    @abstractmethod
    def __init__(self, path: Path) -> None:
        """Begins the file.

        Raises:
            OSError: if it cannot be written.
            MissingLibraryError: if the format needs a library that is not installed.
        """

    @abstractmethod
    def write(self, frame: TrackedFrame) -> None:
        """Writes the rows of a frame."""

    @abstractmethod
    def close(self) -> None:
        """Writes what is left and ends the file."""


class JsonLinesWriter(RowWriter):
    """A line a frame, see ``frame_row``."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8")

    def write(self, frame: TrackedFrame) -> None:
        self._file.write(frame_line(frame) + "\n")

    def close(self) -> None:
        self._file.close()


class ParquetWriter(RowWriter):
    """A row a frame and mouth; a frame without a mouth has one row, its columns from ``id`` on null.

    Numbers are not rounded; the columns of a mouth are those of ``face_fields``.
    """

    def __init__(self, path: Path) -> None:
        self._arrow = need("pyarrow", "parquet", "writing Parquet")
        parquet = need("pyarrow.parquet", "parquet", "writing Parquet")
        place = [("frame", self._arrow.int64()), ("time", self._arrow.float64()), ("id", self._arrow.int32())]
        self._schema = self._arrow.schema(place + face_fields(self._arrow))
        self._rows: list[dict[str, Any]] = []
        self._file: Any = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, frame: TrackedFrame) -> None:
        place = {"frame": frame.index, "time": frame.time}
        faces = [{**place, "id": mouth.id, **face_cells(mouth.lips)} for mouth in frame.mouths]
        self._rows += faces or [place]
        if len(self._rows) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
            self._rows = []

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._file.close()


WRITERS: dict[str, type[RowWriter]] = {
    ".jsonl": JsonLinesWriter,
    ".ndjson": JsonLinesWriter,
    ".parquet": ParquetWriter,
}


@contextmanager
def open_rows(path: Path) -> Iterator[RowWriter]:
    """Gives a writer of rows; at the block's end the file is in its place, where the block fails it stays as it was.

    Args:
        path: its ending, one of ``WRITERS``, says the format.

    Yields:
        The writer.

    Raises:
        DataError: for an ending that is not known.
        OSError: if the file cannot be written.
        MissingLibraryError: if the format needs a library that is not installed.
    """
    kind = WRITERS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path}: landmarks are written as {', '.join(WRITERS)}")
    with whole_file(path) as partial:
        writer = kind(partial)
        try:
            yield writer
        finally:
            writer.close()
