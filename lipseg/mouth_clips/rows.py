"""What is known of each frame of a clip, as JSON or Parquet beside it, and as arrays."""

import json
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.errors import DataError, in_brief
from lipseg.formats.record import rounded
from lipseg.mouth_clips.cutting import ClipFrame
from lipseg.video.libraries import need

_TIME_DECIMALS = 6
_MAP_DECIMALS = 6
_RATIO_DECIMALS = 4
# Frames of a Parquet row group.
_GROUP = 512


def frame_row(frame: ClipFrame) -> dict[str, Any]:
    """Returns what is known of a frame, as it stands in the JSON beside its clip."""
    landmarks = frame.landmarks
    return {
        "index": frame.index,
        "time": round(frame.time, _TIME_DECIMALS),
        "source_frame": frame.source_frame,
        "found": frame.found,
        "inside": frame.inside,
        "to_picture": None if frame.to_picture is None else np.round(frame.to_picture, _MAP_DECIMALS).tolist(),
        "opening": None if frame.opening is None else round(frame.opening, _RATIO_DECIMALS),
        "score": _finite(frame.score, _RATIO_DECIMALS),
        "outer": None if landmarks is None else [rounded(point) for point in landmarks[scheme.OUTER].tolist()],
        "inner": None if landmarks is None else [rounded(point) for point in landmarks[scheme.INNER].tolist()],
    }


def _finite(value: float | None, decimals: int) -> float | None:
    return round(value, decimals) if value is not None and math.isfinite(value) else None


class ClipRows(ABC):
    """Writes the rows of one clip."""

    @abstractmethod
    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        """Begins the file.

        Args:
            path: of it.
            about: what is known of the clip as a whole.
        """

    @abstractmethod
    def write(self, frame: ClipFrame) -> None:
        """Writes the row of a frame."""

    @abstractmethod
    def close(self) -> None:
        """Ends the file."""


class JsonRows(ClipRows):
    """One object: what is known of the clip, and ``rows``, a line a frame."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8")
        self._file.write(json.dumps(about, allow_nan=False)[:-1] + ', "rows": [')
        self._between = "\n"

    def write(self, frame: ClipFrame) -> None:
        self._file.write(self._between + json.dumps(frame_row(frame), allow_nan=False))
        self._between = ",\n"

    def close(self) -> None:
        with self._file:
            self._file.write("\n]}\n")


class ParquetRows(ClipRows):
    """A row a frame, numbers not rounded; lists alternate x and y, and ``to_picture`` is row by row.

    What is known of the clip is the file's metadata ``lipseg``, as JSON.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._arrow = need("pyarrow", "parquet", "writing Parquet")
        parquet = need("pyarrow.parquet", "parquet", "writing Parquet")
        arrow = self._arrow
        contour = arrow.list_(arrow.float32(), 56)
        self._schema = arrow.schema(
            {
                "index": arrow.int32(),
                "time": arrow.float64(),
                "source_frame": arrow.int64(),
                "found": arrow.bool_(),
                "inside": arrow.bool_(),
                "to_picture": arrow.list_(arrow.float64(), 6),
                "opening": arrow.float32(),
                "score": arrow.float32(),
                "outer": contour,
                "inner": contour,
            },
            metadata={"lipseg": json.dumps(about, allow_nan=False)},
        )
        self._rows: list[dict[str, Any]] = []
        self._file: Any = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, frame: ClipFrame) -> None:
        landmarks, score = frame.landmarks, frame.score
        self._rows.append(
            {
                "index": frame.index,
                "time": frame.time,
                "source_frame": frame.source_frame,
                "found": frame.found,
                "inside": frame.inside,
                "to_picture": None if frame.to_picture is None else frame.to_picture.ravel().tolist(),
                "opening": frame.opening,
                "score": score if score is not None and math.isfinite(score) else None,
                "outer": None if landmarks is None else landmarks[scheme.OUTER].ravel().tolist(),
                "inner": None if landmarks is None else landmarks[scheme.INNER].ravel().tolist(),
            }
        )
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


ROW_WRITERS: dict[str, type[ClipRows]] = {"json": JsonRows, "parquet": ParquetRows}


class Columns:
    """The rows of a clip as arrays; what a frame lacks is NaN, and -1 in ``source_frame``."""

    def __init__(self, n: int) -> None:
        self._arrays: dict[str, NDArray[Any]] = {
            "time": np.full(n, np.nan),
            "source_frame": np.full(n, -1, np.int64),
            "found": np.zeros(n, np.bool_),
            "inside": np.zeros(n, np.bool_),
            "to_picture": np.full((n, 2, 3), np.nan),
            "opening": np.full(n, np.nan, np.float32),
            "score": np.full(n, np.nan, np.float32),
            "landmarks": np.full((n, scheme.N_POINTS, 2), np.nan, np.float32),
        }

    def put(self, frame: ClipFrame) -> None:
        """Takes a frame."""
        for name, values in self._arrays.items():
            value = getattr(frame, name)
            if value is not None:
                values[frame.index] = value

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays, (n, ...) each."""
        return self._arrays


def read_rows(path: Path) -> dict[str, NDArray[Any]]:
    """Returns the rows beside a clip as arrays, see ``Columns``.

    Args:
        path: .json or .parquet.

    Raises:
        DataError: if they cannot be read.
        MissingLibraryError: for Parquet without pyarrow.
    """
    try:
        if path.suffix == ".parquet":
            rows = need("pyarrow.parquet", "parquet", "reading Parquet").read_table(path).to_pylist()
        else:
            rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        arrays = Columns(len(rows)).arrays()
        for at, row in enumerate(rows):
            for name, values in arrays.items():
                if name != "landmarks" and row[name] is not None:
                    values[at] = np.reshape(row[name], values.shape[1:])
            if row["outer"] is not None:
                arrays["landmarks"][at] = np.concatenate(
                    [np.reshape(row[name], (-1, 2)) for name in ("outer", "inner")]
                )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: not the rows of a clip ({in_brief(error)})") from error
    return arrays
