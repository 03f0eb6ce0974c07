"""From the paths on the command line to the pictures to work on."""

import os
from dataclasses import dataclass
from pathlib import Path

from lipseg.cli.exit_codes import UsageError
from lipseg.cli.writers import PICTURE_ENDINGS


@dataclass(frozen=True, slots=True)
class InputImage:
    """A picture to work on.

    Attributes:
        path: as given, or as found below the folder that was given.
        place: where its results go below the output folder: its path below the given folder, or its own name.
    """

    path: Path
    place: Path


def find_images(paths: list[Path]) -> list[InputImage]:
    """Returns the pictures of files and folders, each once, those of a folder sorted by their path.

    Folders are searched to any depth for the endings of pictures. Left out are hidden files and folders, and the
    pictures that lipseg itself writes (``NAME.mask.png``, ``NAME.overlay.jpg``). A file that is named outright is
    always taken.

    Raises:
        UsageError: if a path does not exist or a folder holds no picture.
    """
    found: dict[Path, InputImage] = {}
    for path in paths:
        if path.is_dir():
            below = _search(path)
            if not below:
                raise UsageError(f"{path}: no pictures in this folder or below it")
        elif path.exists():
            below = [InputImage(path, Path(path.name))]
        else:
            raise UsageError(f"{path}: no such file or folder")
        for image in below:
            found.setdefault(image.path.resolve(), image)
    return list(found.values())


def _search(folder: Path) -> list[InputImage]:
    from lipseg.data.images import IMAGE_SUFFIXES

    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(parent, name)
            if name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES or name.endswith(PICTURE_ENDINGS):
                continue
            found.append(InputImage(path, path.relative_to(folder)))
    return sorted(found, key=lambda image: image.path)
