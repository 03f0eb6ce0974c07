"""From the words on the command line to the pictures and videos to work on."""

import glob
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lipseg.errors import UsageError
from lipseg.files import not_there
from lipseg.formats.registry import PICTURE_ENDINGS

# The word for a picture on standard input, which is also what results call it.
STANDARD_INPUT = "-"
_STANDARD_INPUT_PLACE = Path("stdin")
# What stands before the ending of a painted picture, whatever that is.
PAINTED_MARK = ".makeup"
# What a video's folder of mouth clips is called after its name.
CLIPS_MARK = ".mouths"
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".3gp", ".ogv"}
)


@dataclass(frozen=True, slots=True)
class InputImage:
    """A picture or a video to work on.

    Attributes:
        path: as given, or as found below the folder that was given; "-" for standard input.
        place: where its results go below the output folder: its path below the given folder, or its own name.
        content: the file's bytes where it came from standard input.
    """

    path: Path
    place: Path
    content: bytes | None = None


def find_images(words: Sequence[str]) -> list[InputImage]:
    """Returns the pictures of files, folders, patterns and standard input, each once.

    Folders are searched to any depth for the endings of pictures. A pattern is a word with ``*``, ``?`` or ``[`` that
    names no file itself; ``**`` stands for any folders; it finds pictures, and their place is below its last folder
    without such a sign. Both give their pictures sorted by path, and leave out hidden files and folders and the
    pictures that lipseg itself writes (``NAME.mask.png``, ``NAME.overlay.jpg``, ``NAME.makeup.jpg``). A file that is
    named outright is always taken.

    Args:
        words: paths and patterns; "-" takes a picture file from standard input.

    Raises:
        UsageError: if a path does not exist, or a folder or a pattern holds no picture.
    """
    found: dict[Path | str, InputImage] = {}
    for word in words:
        path = Path(word)
        if word == STANDARD_INPUT:
            if word not in found:
                found[word] = InputImage(path, _STANDARD_INPUT_PLACE, sys.stdin.buffer.read())
            continue
        for image in _found(word, _is_picture, "picture"):
            found.setdefault(image.path.resolve(), image)
    return list(found.values())


def find_videos(words: Sequence[str]) -> list[InputImage]:
    """Returns the videos of files, folders and patterns, each once, as ``find_images`` does with pictures.

    Left out are the videos that lipseg itself writes (``NAME.makeup.mp4``, and what lies in ``NAME.mouths``).

    Raises:
        UsageError: if a path does not exist, or a folder or a pattern holds no video.
    """
    found: dict[Path, InputImage] = {}
    for word in words:
        for video in _found(word, _is_video, "video"):
            found.setdefault(video.path.resolve(), video)
    return list(found.values())


def _found(word: str, wanted: Callable[[Path], bool], what: str) -> list[InputImage]:
    """Returns the files of a path or pattern; those of folders and patterns only where they are wanted."""
    path = Path(word)
    if path.is_dir():
        below = _placed(filter(wanted, _walk(path)), path)
        if not below:
            raise UsageError(f"{path}: no {what}s in this folder or below it")
    elif path.exists():
        below = [InputImage(path, Path(path.name))]
    elif glob.has_magic(word):
        matches = (Path(match) for match in glob.iglob(word, recursive=True))
        below = _placed((match for match in matches if match.is_file() and wanted(match)), _plain_part(path))
        if not below:
            raise UsageError(f"{word}: no {what} fits this pattern")
    else:
        raise UsageError(f"{word}: {not_there(word, 'file or folder')}")
    return below


def _walk(folder: Path) -> Iterable[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _plain_part(pattern: Path) -> Path:
    """Returns the folder before the first part of a pattern that stands for several."""
    plain = Path()
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        plain /= part
    return plain


def _is_picture(path: Path) -> bool:
    from lipseg.images import IMAGE_SUFFIXES

    own = path.name.endswith(PICTURE_ENDINGS) or path.stem.endswith(PAINTED_MARK)
    return path.suffix.lower() in IMAGE_SUFFIXES and not own


def _is_video(path: Path) -> bool:
    own = path.stem.endswith(PAINTED_MARK) or path.parent.name.endswith(CLIPS_MARK)
    return path.suffix.lower() in VIDEO_SUFFIXES and not own


def _placed(paths: Iterable[Path], folder: Path) -> list[InputImage]:
    """Returns files sorted, placed below ``folder``."""
    found = []
    for path in sorted(set(paths)):
        place = Path(os.path.relpath(path, folder))
        # "a*/../../b.jpg" leads out of its folder, and its results must not leave the output folder.
        found.append(InputImage(path, Path(path.name) if ".." in place.parts else place))
    return found
