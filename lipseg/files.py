"""Files and folders that are whole or absent: written beside their place and then moved into it.

What a killed process leaves behind is hidden and ends in ``.partial``, or holds it before the ending; the next write
of the same thing replaces it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lipseg.errors import OutputError


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
        path: replaced where it exists.

    Yields:
        The path to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Gives a new, empty folder to fill, beside its own place; at the block's end it takes ``folder``'s place.

    Where the block fails, what was written goes and ``folder`` stays as it was.

    Args:
        folder: replaced where it exists.

    Yields:
        The folder to write to.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        # A folder cannot be moved onto one that holds files.
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
