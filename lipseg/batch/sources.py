"""What to work on: from words to shards, each of which one worker reads from its beginning to its end."""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from fsspec.utils import glob_translate
from pyarrow import ArrowException
from pyarrow.fs import FileType
from pyarrow.parquet import ParquetFile

from lipseg.batch.stores import Store, Stores, store_errors
from lipseg.batch.table_columns import TableColumns
from lipseg.errors import DataError, UsageError
from lipseg.formats.registry import PICTURE_ENDINGS
from lipseg.images import IMAGE_SUFFIXES

PICTURES, TAR, TABLE = "pictures", "tar", "table"
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
TABLE_ENDINGS = (".parquet", ".pq")
LIST_ENDINGS = (".txt", ".lst")
_MAGIC = re.compile(r"[*?\[]")
# Footers of Parquet files that are read at once: each is a wait for the storage.
_FOOTERS = 16


@dataclass(frozen=True, slots=True)
class Shard:
    """Pictures that one worker reads one after the other.

    Attributes:
        kind: of the files: ``PICTURES``, a WebDataset ``TAR`` or a Parquet ``TABLE``.
        store: number of the store that holds them.
        paths: of the pictures, or of the one tar or table.
        group: row group of the table.
        first_row: of the row group, in the table.
    """

    kind: str
    store: int
    paths: tuple[str, ...]
    group: int = 0
    first_row: int = 0


def find_shards(words: Sequence[str], stores: Stores, size: int, columns: TableColumns) -> list[Shard]:
    """Returns the shards of files, folders, patterns and lists; every file once: tars, then Parquet files, then loose
    pictures, each in the order of the words.

    A folder is searched to any depth, and a pattern (``*``, ``**``, ``[``) stands for files, for pictures, tars and
    Parquet files; hidden ones and the pictures that lipseg itself writes are left out. A list is a text file
    (``LIST_ENDINGS``) with a path or URI a line. A picture that is named outright is looked for when its turn comes.

    Args:
        words: paths, or URIs of any file system that pyarrow knows.
        stores: gets the file systems.
        size: most pictures of a shard of loose pictures.
        columns: of Parquet files, which must have them.

    Raises:
        UsageError: if a word finds nothing, or a file system or a Parquet file cannot be read.
    """
    files = dict.fromkeys(_files(words, stores))
    shards: list[Shard] = []
    loose: dict[int, list[str]] = {}
    tables: list[tuple[int, str]] = []
    for store, path in files:
        if path.lower().endswith(TAR_ENDINGS):
            shards.append(Shard(TAR, store, (path,)))
        elif path.lower().endswith(TABLE_ENDINGS):
            tables.append((store, path))
        else:
            loose.setdefault(store, []).append(path)
    with ThreadPoolExecutor(_FOOTERS) as pool:
        for groups in pool.map(lambda table: _row_groups(table[0], table[1], stores.stores[table[0]], columns), tables):
            shards += groups
    for store, paths in loose.items():
        shards += [Shard(PICTURES, store, tuple(paths[at : at + size])) for at in range(0, len(paths), size)]
    return shards


def _files(words: Iterable[str], stores: Stores) -> Iterator[tuple[int, str]]:
    for word in words:
        at, path = stores.find(word)
        store = stores.stores[at]
        if path.lower().endswith(LIST_ENDINGS):
            yield from (stores.find(line) for line in _lines(store, path))
        elif store.kind(path) is FileType.Directory:
            yield from _wanted(at, store, path)
        elif store.kind(path) is FileType.File:
            yield at, path
        elif magic := _MAGIC.search(path):
            yield from _wanted(at, store, path[: magic.start()].rpartition("/")[0], path)
        else:
            raise UsageError(f"{store.name(path)}: no such file or folder")


def _wanted(at: int, store: Store, folder: str, pattern: str = "") -> Iterator[tuple[int, str]]:
    fits = re.compile(glob_translate(pattern) if pattern else "")
    found = [file.path for file in store.below(folder) if _is_source(file.path) and fits.match(file.path)]
    if not found:
        raise UsageError(f"{store.name(pattern or folder)}: no picture, tar or Parquet file there")
    yield from ((at, path) for path in found)


def _is_source(path: str) -> bool:
    if path.lower().endswith(TAR_ENDINGS + TABLE_ENDINGS):
        return True
    return is_picture(path)


def is_picture(path: str) -> bool:
    """Returns whether a path ends as pictures do, and not as those that lipseg itself writes."""
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES and not path.endswith(PICTURE_ENDINGS)


def open_stores(words: Iterable[str], stores: Stores) -> None:
    """Opens the file systems of words and of what lists among them name, in the order in which ``find_shards`` does.

    Raises:
        UsageError: if there is no such file system, or a list cannot be read.
    """
    for word in words:
        at, path = stores.find(word)
        if path.lower().endswith(LIST_ENDINGS):
            for line in _lines(stores.stores[at], path):
                stores.find(line)


def _lines(store: Store, path: str) -> Iterator[str]:
    """Yields the lines of a list; a picture that is not there will have a row that says so."""
    with store_errors(store.name(path)), store.filesystem.open_input_stream(path) as file:
        content = file.read()
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{store.name(path)}: not a text file in UTF-8 with a path a line") from error
    for line in lines:
        if line.strip():
            yield line.strip()


def _row_groups(at: int, path: str, store: Store, columns: TableColumns) -> list[Shard]:
    with store_errors(store.name(path)):
        try:
            with store.filesystem.open_input_file(path) as file, ParquetFile(file) as table:
                columns.of(table.schema_arrow, store.name(path))
                rows = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
        except ArrowException as error:
            raise UsageError(f"{store.name(path)}: not a Parquet file ({error})") from error
        except DataError as error:
            raise UsageError(str(error)) from error
    return [Shard(TABLE, at, (path,), group, sum(rows[:group])) for group in range(len(rows))]
