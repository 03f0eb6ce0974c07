"""Files that hold all pictures of a run: rows are gathered in a journal beside the file, which is made at the end.

The journal (``.NAME.partial.jsonl``) has a line a picture. A run that was killed goes on from it with ``--resume``.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from lipseg.errors import UsageError
from lipseg.files import output_errors, whole_file
from lipseg.formats.record import PictureRecord

Row = dict[str, Any]

# File names are bytes, and not always UTF-8: such a name is written as it is.
_ANY_NAME = "surrogateescape"


class GatheredWriter(ABC):
    """Makes one file of what is known of all pictures.

    Rows are JSON-able and hold the picture's place under "image".

    Attributes:
        name: the format's name on the command line.
        file_name: of the file in the output folder.
    """

    name: ClassVar[str]
    file_name: ClassVar[str]

    @abstractmethod
    def row(self, place: str, record: PictureRecord) -> Row:
        """Returns the row of a picture.

        Args:
            place: the picture's path below the folder that was given, with slashes: what the file calls it.
            record: without an error.
        """

    @abstractmethod
    def compose(self, rows: Iterable[Row]) -> Iterator[str]:
        """Yields the file's text piece by piece; runs through ``rows`` as often as it likes."""

    @abstractmethod
    def rows_of(self, text: str) -> list[Row]:
        """Returns the rows that ``compose`` made a text of.

        Raises:
            ValueError: if the text was not made so; also KeyError, TypeError, IndexError.
        """


class Gathering:
    """One gathered file of a run, from the plan to the file.

    Args:
        writer: the format.
        folder: the output folder.
        resume: whether to go on with what is there.
        overwrite: whether what is there may be replaced.

    Raises:
        UsageError: if an earlier run left a journal and neither ``resume`` nor ``overwrite`` is set, or if what is to
            be gone on with was not written by lipseg.
    """

    def __init__(self, writer: GatheredWriter, folder: Path, *, resume: bool, overwrite: bool) -> None:
        self.writer = writer
        self.target = folder / writer.file_name
        self.journal = self.target.with_name(f".{self.target.stem}.partial.jsonl")
        self._file: BinaryIO | None = None
        # Where each picture's line begins in the journal.
        self._at: dict[str, int] = {}
        self._end = 0
        # Of a finished file that is gone on with.
        self._finished: dict[str, Row] = {}
        if resume:
            self._read()
        elif not overwrite and self.journal.exists():
            raise UsageError(
                f"{self.journal}: left by a run that did not finish; give --resume to go on with it, or --force to "
                "start anew"
            )

    def __contains__(self, place: str) -> bool:
        """Whether a picture is gathered already."""
        return place in self._at or place in self._finished

    def _read(self) -> None:
        try:
            if self.journal.exists():
                with self.journal.open("rb") as file:
                    for line in file:
                        # A run that was killed may leave half a line: the last.
                        if not line.endswith(b"\n"):
                            break
                        row = json.loads(line)
                        # A row that nothing can be made of must be told now, not when the file is made.
                        for _ in self.writer.compose([row]):
                            pass
                        self._at[row["image"]] = self._end
                        self._end += len(line)
            if self.target.exists():
                rows = self.writer.rows_of(self.target.read_text(encoding="utf-8", errors=_ANY_NAME))
                self._finished = {row["image"]: row for row in rows}
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot be read ({error.strerror or error})") from error
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"{self.target}: this file or its journal {self.journal.name} was not written by lipseg and cannot be "
                "gone on with; give --force to replace it, or another folder with -o"
            ) from error

    def add(self, place: str, record: PictureRecord) -> None:
        """Puts a picture into the journal.

        Raises:
            OutputError: if it cannot be written.
        """
        self._append(self.writer.row(place, record))

    def _append(self, row: Row) -> None:
        line = (json.dumps(row, allow_nan=False) + "\n").encode()
        with output_errors(self.journal):
            if self._file is None:
                self.journal.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.journal.open("r+b" if self._end else "wb")
                self._file.truncate(self._end)
                self._file.seek(self._end)
            self._file.write(line)
            self._file.flush()
        self._at[row["image"]] = self._end
        self._end += len(line)

    def finish(self, places: Sequence[str]) -> None:
        """Makes the file and removes the journal; leaves a file alone that has nothing new to hold.

        Args:
            places: of the run's pictures; the file has their order, so that a run that was interrupted ends with the
                file of one that was not. Pictures of earlier runs come before them.

        Raises:
            OutputError: if it cannot be written.
        """
        with output_errors(self.target):
            if self._at or not self._finished:
                known = set(places)
                earlier = [place for place in (*self._finished, *self._at) if place not in known]
                order = [*dict.fromkeys(earlier), *(place for place in places if place in self)]
                with (
                    whole_file(self.target) as partial,
                    partial.open("w", encoding="utf-8", errors=_ANY_NAME, newline="") as file,
                ):
                    file.writelines(self.writer.compose(_Rows(self, order)))
            self.close()
            self.journal.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the journal and leaves it there."""
        if self._file is not None:
            # Every row was flushed; one that could not be written would only fail once more.
            with suppress(OSError):
                self._file.close()
            self._file = None

    def rows(self, order: Sequence[str]) -> Iterator[Row]:
        """Yields the rows of pictures, of those in the journal one at a time."""
        if not self._at:
            yield from (self._finished[place] for place in order)
            return
        with self.journal.open("rb") as file:
            for place in order:
                if place in self._at:
                    file.seek(self._at[place])
                    yield json.loads(file.readline())
                else:
                    yield self._finished[place]


class _Rows:
    """Rows that can be run through more than once without all of them in memory."""

    def __init__(self, gathering: Gathering, order: Sequence[str]) -> None:
        self._gathering, self._order = gathering, order

    def __iter__(self) -> Iterator[Row]:
        return self._gathering.rows(self._order)
