"""The rows of pictures in Arrow: one a face, and one of every picture without a face or that failed."""

from collections.abc import Iterable
from typing import Any

import pyarrow

from lipseg.errors import DataError
from lipseg.formats.face_columns import face_cells, face_fields
from lipseg.inference.lips import Detections

# A picture's name, and what is found in it or why it failed.
Answer = tuple[str, Detections | DataError]

SCHEMA = pyarrow.schema(
    [
        ("image", pyarrow.string()),
        ("image_width", pyarrow.int32()),
        ("image_height", pyarrow.int32()),
        ("face", pyarrow.int32()),
        *face_fields(pyarrow),
        ("reason", pyarrow.string()),
        ("error", pyarrow.string()),
    ]
)
"""Columns of the result.

``image`` is the picture's name, ``image_width`` and ``image_height`` its size in pixels, upright; ``face`` counts its
faces from 0, the surest face first, and the columns that follow are those of ``face_fields``. A picture without a face
has one row with a ``reason``, one that failed one row with an ``error`` and without a size. What does not apply
is null.
"""


def rows_of(name: str, found: Detections | DataError) -> list[dict[str, Any]]:
    """Returns the rows of a picture, at least one; what is missing in a row is null."""
    if isinstance(found, DataError):
        return [{"image": name, "error": str(found)}]
    height, width = found.picture_size
    picture = {"image": name, "image_width": width, "image_height": height}
    if not found:
        return [{**picture, "reason": found.reason or "no face found"}]
    return [{**picture, "face": face, **face_cells(lips)} for face, lips in enumerate(found)]


def table_of(answers: Iterable[Answer]) -> pyarrow.Table:
    """Returns the rows of pictures as a table of ``SCHEMA``."""
    return pyarrow.Table.from_pylist([row for name, found in answers for row in rows_of(name, found)], SCHEMA)


def _spark(kind: pyarrow.DataType) -> str:
    if pyarrow.types.is_fixed_size_list(kind):
        return f"array<{_spark(kind.value_type)}>"
    return {"string": "string", "int32": "int", "float": "float"}[str(kind)]


SPARK_SCHEMA = ", ".join(f"{field.name} {_spark(field.type)}" for field in SCHEMA)
"""The columns of ``SCHEMA`` as Spark wants them written."""
