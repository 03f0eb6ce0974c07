"""Landmarks of every frame as JSON Lines or Parquet."""

import json
import math
import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lipseg.errors import DataError
from lipseg.tracking.tracker import TrackedFrame, TrackedLips
from lipseg.video.libraries import need

_PIXEL_DECIMALS = 2
_RATIO_DECIMALS = 4
_TIME_DECIMALS = 6
# Frames of a Parquet row group: some seconds of video, some megabytes.
_GROUP = 512


def frame_row(frame: TrackedFrame) -> dict[str, Any]:
    """Returns a frame as it stands in the JSON Lines; coordinates in pixels of the upright frame.

    A frame without a mouth has an empty list of faces.
    """
    return {"frame": frame.index, "time": round(frame.time, _TIME_DECIMALS), "faces": [_face(m) for m in frame.mouths]}


def frame_line(frame: TrackedFrame) -> str:
    """Returns ``frame_row`` as one line of text without its end."""
    return json.dumps(frame_row(frame), allow_nan=False)


def _face(mouth: TrackedLips) -> dict[str, Any]:
    return {
        "id": mouth.id,
        "opening": round(mouth.opening, _RATIO_DECIMALS),
        "opening_px": round(mouth.opening_px, _PIXEL_DECIMALS),
        "width": round(mouth.width, _PIXEL_DECIMALS),
        "areas": {name: round(area, _PIXEL_DECIMALS) for name, area in mouth.areas.items()},
        "component": mouth.component,
        "score": round(mouth.score, _RATIO_DECIMALS) if math.isfinite(mouth.score) else None,
        "outer": _points(mouth.outer),
        "inner": _points(mouth.inner),
    }


def _points(points: Any) -> list[list[float]]:
    return [[round(x, _PIXEL_DECIMALS), round(y, _PIXEL_DECIMALS)] for x, y in points.tolist()]


class RowWriter(ABC):
    """A file of rows that is being written: beside its place, and moved there when all is well; a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")

    @abstractmethod
    def write(self, frame: TrackedFrame) -> None:
        """Writes the rows of a frame."""

    @abstractmethod
    def _close(self) -> None: ...

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close()
            if kind is None:
                os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)


class JsonLinesWriter(RowWriter):
    """A line a frame, see ``frame_row``."""

    def __init__(self, path: Path) -> None:
        """Begins the file.

        Raises:
            OSError: if it cannot be written.
        """
        super().__init__(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = self._partial.open("w", encoding="utf-8")

    def write(self, frame: TrackedFrame) -> None:
        self._file.write(frame_line(frame) + "\n")

    def _close(self) -> None:
        self._file.close()


class ParquetWriter(RowWriter):
    """A row a frame and mouth; a frame without a mouth has one row, its columns from ``id`` on null.

    ``outer`` and ``inner`` are lists of 56 numbers: x and y of the 28 points, alternating.
    """

    def __init__(self, path: Path) -> None:
        """Begins the file.

        Raises:
            OSError: if it cannot be written.
            MissingLibraryError: without pyarrow.
        """
        super().__init__(path)
        self._arrow = need("pyarrow", "parquet", "writing Parquet")
        parquet = need("pyarrow.parquet", "parquet", "writing Parquet")
        real, contour = self._arrow.float32(), self._arrow.list_(self._arrow.float32(), 56)
        columns = ("opening", "opening_px", "width", "area_upper", "area_lower", "area_inner")
        self._schema = self._arrow.schema(
            [("frame", self._arrow.int64()), ("time", self._arrow.float64()), ("id", self._arrow.int32())]
            + [(name, real) for name in columns]
            + [("component", self._arrow.int32()), ("score", real), ("outer", contour), ("inner", contour)]
        )
        self._rows: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: Any = parquet.ParquetWriter(self._partial, self._schema, compression="zstd")

    def write(self, frame: TrackedFrame) -> None:
        place = {"frame": frame.index, "time": frame.time}
        self._rows += [
            place
            | {"id": mouth.id, "opening": mouth.opening, "opening_px": mouth.opening_px, "width": mouth.width}
            | {f"area_{name}": area for name, area in mouth.areas.items()}
            | {"component": mouth.component, "score": mouth.score if math.isfinite(mouth.score) else None}
            | {"outer": mouth.outer.ravel().tolist(), "inner": mouth.inner.ravel().tolist()}
            for mouth in frame.mouths
        ] or [place]
        if len(self._rows) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
            self._rows = []

    def _close(self) -> None:
        try:
            self._flush()
        finally:
            self._file.close()


WRITERS: dict[str, type[RowWriter]] = {
    ".jsonl": JsonLinesWriter,
    ".ndjson": JsonLinesWriter,
    ".parquet": ParquetWriter,
}


def open_rows(path: Path) -> RowWriter:
    """Returns the writer for a file's ending.

    Raises:
        DataError: for an ending that is not known.
        OSError: if the file cannot be written.
        MissingLibraryError: if the format needs a library that is not installed.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise DataError(f"{path}: landmarks are written as {', '.join(WRITERS)}")
    return writer(path)
