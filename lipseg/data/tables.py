"""Small tables, records and arrays on disk, written whole or not at all."""

import csv
import json
import math
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError
from lipseg.files import whole_file

# What NumPy raises for a damaged file. EOFError: an empty one; the last two: one cut off; TypeError: one bare array;
# MemoryError: a head that asks for any size; NotImplementedError and RuntimeError: packed or locked in another way.
_DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows as CSV under the keys of the first one; floats with six digits, None as an empty field."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]) if rows else [])
        table.writeheader()
        for row in rows:
            table.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})


def read_columns(path: Path) -> dict[str, list[Any]]:
    """Returns the columns of a CSV file, as floats where the whole column is numeric.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if any(None in row or None in row.values() for row in rows):
            raise csv.Error("rows of different lengths")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); run the stage that writes it again") from error
    columns: dict[str, list[Any]] = {}
    for name in rows[0] if rows else []:
        values = [row[name] for row in rows]
        try:
            columns[name] = [float(value) for value in values]
        except ValueError:
            columns[name] = values
    return columns


def write_json(path: Path, content: Any, digits: int = 6) -> None:
    """Writes JSON, floats rounded to ``digits`` decimals so that versions compare well; null for any not finite."""

    def rounded(text: str) -> float | None:
        return round(float(text), digits) if math.isfinite(float(text)) else None

    plain = json.loads(json.dumps(content), parse_float=rounded, parse_constant=lambda _: None)
    with whole_file(path) as partial:
        partial.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error}); run the stage that writes it again") from error


def write_arrays(path: Path, **arrays: Any) -> None:
    """Writes named arrays as an npz file."""
    # By way of a file: given a path, NumPy appends its ending where the path has another.
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def read_arrays(path: Path, names: Iterable[str], stage: str) -> dict[str, NDArray[Any]]:
    """Returns the named arrays of an npz file.

    Args:
        path: the file.
        names: of the arrays.
        stage: of the pipeline, that writes the file: for the message.

    Raises:
        DataError: if the file is missing, damaged or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except _DAMAGE as error:
        raise DataError(f"{path}: missing or damaged ({error}); run the {stage} stage again") from error
