"""The picture files of a shard, one after the other."""

import tarfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetFile

from lipseg.batch.finder import PictureFile, picture_file
from lipseg.batch.sources import PICTURES, TAR, Shard, is_picture
from lipseg.batch.stores import Store
from lipseg.batch.table_columns import TableColumns
from lipseg.errors import DataError, in_brief

# Pictures that are fetched ahead of the one that is worked on, several at once: a store far away answers late, and
# many requests at a time.
_AHEAD = 8
# Seconds to wait before a file that could not be read is asked for again.
_PAUSES = (0.5, 2.0)
# Bytes read of a tar or table at once, and rows of a table: of its row group no more is in memory.
_BUFFER, _ROWS = 1 << 20, 16


def read_shard(shard: Shard, store: Store, columns: TableColumns) -> Iterator[PictureFile]:
    """Yields name and content of each picture of a shard, in the same order each time; of one that cannot be read, why.

    A tar or table that cannot be read on has one entry of its own name with the reason, after those before.

    Args:
        shard: what to read.
        store: that holds it.
        columns: of a table.
    """
    if shard.kind == PICTURES:
        yield from _pictures(shard, store)
        return
    name = store.name(shard.paths[0])
    try:
        yield from (_members if shard.kind == TAR else _rows)(shard, store, columns)
    except (OSError, tarfile.TarError, EOFError, pyarrow.ArrowException, DataError) as error:
        yield name, DataError(f"{name}: cannot be read to its end ({in_brief(error)})")


def _pictures(shard: Shard, store: Store) -> Iterator[PictureFile]:
    paths = iter(shard.paths)
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="fetch") as pool:
        waiting: deque[Future[PictureFile]] = deque(pool.submit(_fetched, store, p) for p in islice(paths, _AHEAD))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(_fetched, store, path) for path in islice(paths, 1))


def _fetched(store: Store, path: str) -> PictureFile:
    name = store.name(path)
    for pause in (*_PAUSES, None):
        try:
            with store.filesystem.open_input_stream(path, compression=None) as file:
                return name, file.read()
        except FileNotFoundError:
            return name, DataError(f"{name}: no such file")
        except (OSError, pyarrow.ArrowException) as error:
            if pause is None:
                return name, DataError(f"{name}: cannot be read ({in_brief(error)})")
            time.sleep(pause)
    raise AssertionError("unreachable")


def _members(shard: Shard, store: Store, columns: TableColumns) -> Iterator[PictureFile]:
    path = shard.paths[0]
    with (
        store.filesystem.open_input_stream(path, buffer_size=_BUFFER) as file,
        tarfile.open(fileobj=file, mode="r|*") as tar,
    ):
        headers: list[tarfile.TarInfo] = getattr(tar, "members")  # noqa: B009  (not in typeshed)
        for member in tar:
            headers.clear()  # or all that were seen would be kept
            if member.isfile() and is_picture(member.name):
                content: Any = tar.extractfile(member)
                yield f"{store.name(path)}#{member.name}", content.read()


def _rows(shard: Shard, store: Store, columns: TableColumns) -> Iterator[PictureFile]:
    path = shard.paths[0]
    row = shard.first_row
    with (
        store.filesystem.open_input_file(path) as file,
        ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as table,
    ):
        wanted = columns.of(table.schema_arrow, store.name(path))
        for batch in table.iter_batches(_ROWS, row_groups=[shard.group], columns=wanted.names, use_threads=False):
            for name, content in wanted.pictures(batch):
                yield picture_file(f"{store.name(path)}#{row}" if name is None else name, content)
                row += 1
