"""Files and folders that are whole or absent: written beside their place and then moved into it.

What a killed process leaves behind is hidden and ends in ``.partial``, or holds it before the ending; the next write
of the same thing replaces it. Of two processes that write the same thing at once the second is refused.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOENT, ENOSPC, EROFS
from pathlib import Path

from lipseg.errors import OutputError

try:
    import fcntl
except ImportError:  # not a POSIX system: there nobody keeps two runs apart
    fcntl = None

# A path keeps one slash of a URL's two.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def not_there(path: Path | str, what: str = "file") -> str:
    """Returns what is said of a path at which there is nothing, for a message that names it."""
    return f"no such {what}" + ("; a URL is not opened: download it first" if _URL.match(str(path)) else "")


@contextmanager
def output_errors(path: Path | str) -> Iterator[None]:
    """Turns what the system says about writing a file into an ``OutputError``.

    Args:
        path: the file, as the user knows it; what the system names may be what is written beside it.

    Raises:
        OutputError: for every OSError of the block.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a place to write a file to, beside its own, with its ending; at the block's end it takes ``path``'s place.

    Missing folders are made. Where the block fails, what was written goes and ``path`` stays as it was.

    Args:
        path: replaced where it exists; a link itself, not what it leads to.

    Yields:
        The path to write to: an empty file.

    Raises:
        OutputError: if another process is writing the same file, or it cannot be written.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    with _claimed(partial, path, folder=False):
        try:
            os.truncate(partial, 0)
            os.utime(partial, (1, 1))
            with _unwritable(path):
                yield partial
            written = partial.stat()
            if not written.st_size and written.st_mtime == 1:
                raise FileNotFoundError(ENOENT, "nothing was written", str(path))
            with output_errors(path):
                os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Gives a new, empty folder to fill, beside its own place; at the block's end it takes ``folder``'s place.

    Missing folders above it are made. Where the block fails, what was written goes and ``folder`` stays as it was.

    Args:
        folder: replaced where it exists; a link itself, not what it leads to.

    Yields:
        The folder to write to.

    Raises:
        OutputError: if another process is writing the same folder, or it cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    # A folder cannot be moved onto one that holds files. The old one is moved away and not emptied in its place: a kill
    # amid that would leave a part of it.
    before = folder.with_name(f".{folder.name}.before.partial")
    with _claimed(partial, folder, folder=True):
        try:
            with output_errors(folder):
                _put_back(before, folder)  # of a run that was killed between the two moves
                for left in partial.iterdir():
                    remove(left)
            with _unwritable(folder):
                yield partial
            with output_errors(folder):
                if folder.is_dir() or folder.is_symlink():
                    os.replace(folder, before)
                os.replace(partial, folder)
        finally:
            with suppress(OSError):
                _put_back(before, folder)
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _unwritable(path: Path) -> Iterator[None]:
    """Turns the system's errors that only writing has into an ``OutputError``; a block may read files, too.

    Raises:
        OutputError: if a disk is full, may not be written, or takes no file that large.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT, EROFS, EFBIG):
            raise
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def _put_back(before: Path, folder: Path) -> None:
    """Moves what was moved away to its place again, or removes it where that has been taken."""
    if before.is_symlink() or before.exists():
        if folder.is_symlink() or folder.exists():
            remove(before)
        else:
            os.replace(before, folder)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keeps other processes from claiming the same folder, which exists, until the block's end.

    Raises:
        OutputError: if another process has claimed it.
    """
    if fcntl is None:
        yield
        return
    claim = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _locked(claim):
            raise OutputError(f"{folder}: another run is writing into it; wait for its end, or name another folder")
        yield
    finally:
        os.close(claim)


@contextmanager
def _claimed(partial: Path, whole: Path, *, folder: bool) -> Iterator[None]:
    """Makes what is written beside its place, or takes over what a killed process has left there, and locks it.

    The lock is the system's own: it ends with the process, however that ends.
    """
    if fcntl is None:
        with output_errors(whole):
            whole.parent.mkdir(parents=True, exist_ok=True)
            remove(partial)
            partial.mkdir() if folder else partial.touch()
        yield
        return
    with output_errors(whole):
        whole.parent.mkdir(parents=True, exist_ok=True)
        claim = _claim(partial, whole, folder=folder)
    try:
        yield
    finally:
        os.close(claim)


def _claim(partial: Path, whole: Path, *, folder: bool) -> int:
    """Returns the descriptor of a locked partial file or folder, which it makes where there is none."""
    flags = os.O_RDONLY | os.O_DIRECTORY if folder else os.O_RDWR | os.O_CREAT
    while True:
        # A link there leads somewhere else: whoever put it there does not choose what is overwritten.
        if partial.is_symlink() or (partial.exists() and partial.is_dir() != folder):
            remove(partial)
        if folder:
            partial.mkdir(exist_ok=True)
        claim = os.open(partial, flags | os.O_NOFOLLOW, 0o666)
        try:
            if not _locked(claim):
                raise OutputError(f"{whole}: another run is writing it; wait for its end, or write elsewhere")
            # Between the two steps, another process may have ended and moved or removed it.
            if _is_at(partial, claim):
                return claim
        except BaseException:
            os.close(claim)
            raise
        os.close(claim)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _locked(claim: int) -> bool:
    """Locks an open file or folder until it is closed; False where another process has it locked."""
    assert fcntl is not None
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def remove(path: Path) -> None:
    """Removes a file, a link itself, or a folder with all that it holds; nothing where there is nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
