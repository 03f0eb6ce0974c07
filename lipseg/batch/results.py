"""The folder of results: Parquet files under names that the plan gives them, each whole or absent."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from uuid import uuid4

import pyarrow
from pyarrow import parquet
from pyarrow.fs import FileInfo, FileSelector, FileType, LocalFileSystem

from lipseg.batch.stores import Store, output_errors, store_errors

_PART = re.compile(r"part-(\d+)-(\d+)(-end)?\.parquet")
_COUNTS = b"lipseg"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many pictures there were.

    Attributes:
        pictures: all of them.
        faces: lips found in them.
        failed: pictures with an error.
    """

    pictures: int = 0
    faces: int = 0
    failed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.pictures + other.pictures, self.faces + other.faces, self.failed + other.failed)


@dataclass(frozen=True, slots=True)
class Results:
    """The folder.

    Attributes:
        store: that holds it.
        folder: path in the store.
    """

    store: Store
    folder: str

    @property
    def name(self) -> str:
        """Of the folder, for messages."""
        return self.store.name(self.folder)

    def path(self, file: str) -> str:
        """Returns the path of a file of the folder."""
        return f"{self.folder}/{file}"

    def files(self) -> list[FileInfo]:
        """Returns the files that lie in the folder itself; none where it does not exist.

        Raises:
            UsageError: if the folder cannot be listed.
        """
        with store_errors(self.name):
            found = self.store.filesystem.get_file_info(FileSelector(self.folder, allow_not_found=True))
        return [file for file in found if file.type is FileType.File]

    def ended(self) -> set[int]:
        """Returns the numbers of the shards whose last file is there."""
        parts = (_PART.fullmatch(file.base_name) for file in self.files())
        return {int(part[1]) for part in parts if part and part[3]}

    def remove(self, names: Iterable[str] = ()) -> None:
        """Removes the parts of an earlier run, and files of these names, and nothing else."""
        gone = set(names)
        with output_errors(self.name):
            for file in self.files():
                if _PART.fullmatch(file.base_name) or file.base_name in gone:
                    self.store.filesystem.delete_file(file.path)

    def written(self, shard: int, batch: int) -> tuple[Counts, bool] | None:
        """Returns the counts of a part that is there already and whether it is its shard's last; None without it."""
        for last in (False, True):
            path = self.path(part_name(shard, batch, last))
            with output_errors(self.name):
                if self.store.filesystem.get_file_info(path).is_file:
                    with self.store.filesystem.open_input_file(path) as file:
                        metadata = parquet.read_schema(file).metadata
                    return Counts(**json.loads(metadata[_COUNTS])), last
        return None

    def write(self, shard: int, batch: int, last: bool, rows: pyarrow.Table, counts: Counts) -> None:
        """Writes a part, whole or not at all; one that is there has the same rows and is replaced.

        Raises:
            OutputError: if it cannot be written.
        """
        self.put(part_name(shard, batch, last), rows.replace_schema_metadata({_COUNTS: json.dumps(asdict(counts))}))

    def put(self, file: str, table: pyarrow.Table) -> None:
        """Writes a table as a Parquet file of the folder, whole or not at all.

        Raises:
            OutputError: if it cannot be written.
        """
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd")
        content, system, target = sink.getvalue(), self.store.filesystem, self.path(file)
        with output_errors(self.store.name(target)):
            # An object store shows an object when it is whole; elsewhere a file is, once it is moved to its place. Two
            # workers may write the same one, where the engine took the first for dead: each has its own partial file.
            if not isinstance(system, LocalFileSystem):
                with system.open_output_stream(target) as stream:
                    stream.write(content)
                return
            system.create_dir(self.folder, recursive=True)
            partial = self.path(f".{file}.{uuid4().hex}.partial")
            try:
                with system.open_output_stream(partial) as stream:
                    stream.write(content)
                system.move(partial, target)
            except BaseException:
                if system.get_file_info(partial).type is FileType.File:
                    system.delete_file(partial)
                raise


def part_name(shard: int, batch: int, last: bool) -> str:
    """Returns the name of the file with the rows of a batch of a shard; that of the shard's last batch says so."""
    return f"part-{shard:07d}-{batch:05d}{'-end' if last else ''}.parquet"
