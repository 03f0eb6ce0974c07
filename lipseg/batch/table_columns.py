"""Which columns of a Parquet file hold pictures and their names."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow

from lipseg.errors import DataError


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The columns that a user names; of a nested one the parts are joined by dots, as in ``image.bytes``.

    Attributes:
        content: of the picture files' bytes; None for the only column that holds bytes.
        name: of the pictures' names; None names them after file and row.
    """

    content: str | None = None
    name: str | None = None

    def of(self, schema: pyarrow.Schema, origin: str) -> "TableColumns":
        """Returns the columns that a table really has.

        Args:
            schema: of the table.
            origin: its name, for messages.

        Raises:
            DataError: if a column is missing or holds something else, or there are several and none is named.
        """
        leaves = dict(_leaves(schema))
        binary = [name for name, kind in leaves.items() if _is_binary(kind)]
        there = ", ".join(binary) or "none"
        if self.content is None and len(binary) != 1:
            raise DataError(f"{origin}: columns of bytes are {there}; name the pictures' with --column")
        content = self.content or binary[0]
        if content not in binary:
            raise DataError(f"{origin}: no column {content!r} of bytes (--column); there are {there}")
        if self.name is not None and self.name not in leaves:
            raise DataError(f"{origin}: no column {self.name!r} (--name-column); there are {', '.join(leaves)}")
        return TableColumns(content, self.name)

    @property
    def names(self) -> list[str]:
        """Returns the columns to read."""
        return [name for name in (self.content, self.name) if name is not None]

    def pictures(self, batch: pyarrow.RecordBatch) -> Iterator[tuple[str | None, bytes | None]]:
        """Yields name, None without a column of names, and bytes of each row."""
        contents = _leaf(batch, self.content or "").to_pylist()
        names = [None] * len(contents) if self.name is None else map(str, _leaf(batch, self.name).to_pylist())
        yield from zip(names, contents, strict=True)


def _is_binary(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


def _leaves(fields: pyarrow.Schema | pyarrow.StructType, before: str = "") -> Iterator[tuple[str, pyarrow.DataType]]:
    for field in fields:
        if pyarrow.types.is_struct(field.type):
            yield from _leaves(field.type, f"{before}{field.name}.")
        else:
            yield before + field.name, field.type


def _leaf(batch: pyarrow.RecordBatch, name: str) -> pyarrow.Array:
    if name in batch.schema.names:
        return batch.column(name)
    first, *rest = name.split(".")
    column = batch.column(first)
    for part in rest:
        column = column.field(part)
    return column
