"""A callable that turns a table of picture files into rows of lips: for Ray Data's ``map_batches`` and for Spark."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow

from lipseg.batch.rows import Answer, table_of
from lipseg.errors import DataError
from lipseg.images import decode_image
from lipseg.inference.card import DEFAULT_DETECTOR, DEFAULT_MODEL
from lipseg.inference.segmenter import LipSegmenter
from lipseg.inference.views import MouthViews

if TYPE_CHECKING:
    import pandas

# A picture's name, and its file's bytes or why they cannot be had.
PictureFile = tuple[str, bytes | DataError]


class LipFinder:
    """Finds the lips in picture files that come as columns of a table.

    The model is loaded where and when the first picture comes, so that an instance can be sent to other processes. To
    Ray Data give the class, to Spark an instance:

        pictures = ray.data.read_binary_files("s3://bucket/photos", include_paths=True)
        rows = pictures.map_batches(LipFinder, batch_size=64, concurrency=8)

        rows = pictures.mapInPandas(LipFinder(content="content").in_pandas, SPARK_SCHEMA)
    """

    def __init__(
        self,
        model: Path | str = DEFAULT_MODEL,
        detector: str = DEFAULT_DETECTOR,
        min_score: float | None = None,
        *,
        convention: str | None = None,
        content: str = "bytes",
        name: str = "path",
        views_of: int = 32,
    ) -> None:
        """Keeps the options; nothing is loaded yet.

        Args:
            model: as of ``LipSegmenter``; a folder must be there on every machine.
            detector: likewise, by its name.
            min_score: likewise.
            convention: likewise.
            content: column of the picture files' bytes.
            name: column of the pictures' names, which rows and messages are to carry.
            views_of: pictures whose mouths go through the model at once.
        """
        self.options = {"model": str(model), "detector": detector, "min_score": min_score, "convention": convention}
        self._content, self._name, self.views_of = content, name, views_of
        self._loaded: LipSegmenter | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}

    @property
    def segmenter(self) -> LipSegmenter:
        """The model, loaded when it is first asked for.

        Raises:
            DataError: if an option cannot be used.
            ModelError: if the model cannot.
        """
        if self._loaded is None:
            self._loaded = LipSegmenter(**self.options)
        return self._loaded

    def __call__(self, batch: "pyarrow.Table | pandas.DataFrame | Mapping[str, Any]") -> pyarrow.Table:
        """Returns the rows of ``rows.SCHEMA`` of a batch of pictures; a picture that fails has a row with its error.

        Args:
            batch: a table of Arrow or pandas, or arrays by column; without the column of names these are the numbers
                of the rows.

        Raises:
            DataError: if there is no column of bytes.
        """
        return table_of(self.answers(self._files(batch)))

    def in_pandas(self, batches: "Iterable[pandas.DataFrame]") -> "Iterator[pandas.DataFrame]":
        """Yields the rows of each batch, as ``pyspark.sql.DataFrame.mapInPandas`` wants them.

        Args:
            batches: tables as ``__call__`` takes them.
        """
        for batch in batches:
            # Nullable types: pandas' own would make floats of whole numbers that are null.
            yield self(batch).to_pandas(types_mapper=_nullable)

    def answers(self, files: Iterable[PictureFile]) -> Iterator[Answer]:
        """Yields the answer to each picture in order.

        One picture is decoded at a time; of the others only the views of their mouths are kept.
        """
        source = iter(files)
        while group := [(name, self.cut(name, content)) for name, content in islice(source, self.views_of)]:
            yield from self.predicted(group)

    def cut(self, name: str, content: bytes | DataError) -> MouthViews | DataError:
        """Returns the views of a picture's mouths, or why there are none; see ``LipSegmenter.cut``."""
        if isinstance(content, DataError):
            return content
        try:
            return self.segmenter.cut(decode_image(content, name))
        except DataError as error:
            return error

    def predicted(self, cuts: Sequence[tuple[str, MouthViews | DataError]]) -> Iterator[Answer]:
        """Yields the answers to pictures whose mouths go through the model at once."""
        found = iter(self.segmenter.predict_views([cut for _, cut in cuts if isinstance(cut, MouthViews)]))
        for name, cut in cuts:
            yield name, next(found) if isinstance(cut, MouthViews) else cut

    def _files(self, batch: Any) -> Iterator[PictureFile]:
        columns = batch.column_names if isinstance(batch, pyarrow.Table) else list(batch)
        if self._content not in columns:
            raise DataError(f"no column {self._content!r} of picture files' bytes; there are {', '.join(columns)}")
        contents = _listed(batch[self._content])
        names = _listed(batch[self._name]) if self._name in columns else [str(at) for at in range(len(contents))]
        for name, content in zip(names, contents, strict=True):
            yield picture_file(name, content)


def picture_file(name: str, content: Any) -> PictureFile:
    """Returns the picture file of a cell of bytes, which may be null."""
    return name, DataError(f"{name}: no picture, its bytes are null") if content is None else bytes(content)


def _listed(column: Any) -> list[Any]:
    return column.to_pylist() if isinstance(column, pyarrow.ChunkedArray) else list(column)


def _nullable(kind: pyarrow.DataType) -> Any:
    import pandas

    return pandas.Int32Dtype() if pyarrow.types.is_int32(kind) else None
