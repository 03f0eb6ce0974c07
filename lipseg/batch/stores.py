"""File systems: from a path or a URI to the file system that holds it, and back to the name that it has in rows."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from pyarrow import ArrowException
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, LocalFileSystem

from lipseg.errors import LipsegError, OutputError, UsageError, in_brief

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class Store:
    """A file system with what stands before its paths to make them names.

    Attributes:
        filesystem: of pyarrow.
        prefix: such as "s3://"; "" for local paths.
        place: scheme and host, to tell it from others. Neither holds a secret.
    """

    filesystem: FileSystem
    prefix: str = ""
    place: str = ""

    def name(self, path: str) -> str:
        """Returns the name of a path of the file system."""
        return self.prefix + path

    def kind(self, path: str) -> FileType:
        """Returns whether a path is a file, a folder or neither.

        Raises:
            UsageError: if the file system cannot say.
        """
        with store_errors(self.name(path)):
            return self.filesystem.get_file_info(path).type

    def below(self, folder: str) -> list[FileInfo]:
        """Returns the files in a folder and below it, sorted by path, hidden ones left out.

        Raises:
            UsageError: if the folder cannot be listed.
        """
        with store_errors(self.name(folder)):
            found = self.filesystem.get_file_info(FileSelector(folder, recursive=True))
        start = len(folder.rstrip("/")) + 1
        shown = (file for file in found if not any(part.startswith(".") for part in file.path[start:].split("/")))
        return sorted((file for file in shown if file.is_file), key=lambda file: file.path)


def store_errors(name: str) -> AbstractContextManager[None]:
    """Turns what a file system says about reading in a block into a ``UsageError`` that names the place."""
    return _told(name, "reached", UsageError)


def output_errors(name: str) -> AbstractContextManager[None]:
    """Turns what a file system says about writing in a block into an ``OutputError`` that names the place."""
    return _told(name, "written", OutputError)


@contextmanager
def _told(name: str, done: str, kind: type[LipsegError]) -> Iterator[None]:
    try:
        yield
    except (OSError, ArrowException) as error:
        raise kind(f"{name}: cannot be {done} ({in_brief(error)})") from error


class Stores:
    """Finds the file systems of words; words of one place share one.

    Args:
        filesystem: for words without a scheme; None for the local one.
    """

    def __init__(self, filesystem: FileSystem | None = None) -> None:
        self.stores: list[Store] = [Store(LocalFileSystem() if filesystem is None else filesystem)]
        self._local = filesystem is None
        self._known: dict[tuple[str, str, str], tuple[int, str]] = {}

    def find(self, word: str) -> tuple[int, str]:
        """Returns the number of the store in ``stores`` and the path there.

        Args:
            word: a local path, or a URI as ``pyarrow.fs.FileSystem.from_uri`` takes it, such as
                ``s3://bucket/photos?region=eu-west-1``.

        Raises:
            UsageError: if no file system fits the URI.
        """
        if not _SCHEME.match(word):
            return 0, os.path.abspath(word) if self._local else word
        split = urlsplit(word)
        if split.scheme == "file" and self._local:
            return 0, split.path.rstrip("/")
        place = (split.scheme, split.netloc, split.query)
        if place not in self._known:
            self._known[place] = self._opened(word)
        at, before = self._known[place]
        return at, (before + split.path).rstrip("/")

    def _opened(self, word: str) -> tuple[int, str]:
        split = urlsplit(word)
        plain = split.path.split("*")[0].split("[")[0].rstrip("/")
        query = f"?{split.query}" if split.query else ""
        try:
            system, path = FileSystem.from_uri(f"{split.scheme}://{split.netloc}{quote(plain)}{query}")
        except (OSError, ArrowException, ValueError) as error:
            user, _, host = split.netloc.rpartition("@")
            reason = in_brief(error)
            for secret in filter(None, (user, split.query)):
                reason = reason.replace(secret, "...")
            name = f"{split.scheme}://{host}{split.path}"
            raise UsageError(f"{name}: no file system that can be used ({reason})") from None
        # What pyarrow puts before the path of the URI: a bucket, or nothing.
        before = path[: len(path) - len(plain)] if path.endswith(plain) else ""
        self.stores.append(Store(system, f"{split.scheme}://", f"{split.scheme}://{split.netloc.rpartition('@')[2]}"))
        return len(self.stores) - 1, before
