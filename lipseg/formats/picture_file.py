"""Formats of a file a picture."""

import io
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lipseg.files import output_errors, whole_file
from lipseg.formats.record import PictureRecord

if TYPE_CHECKING:
    from PIL import Image


class PictureWriter(ABC):
    """Writes what is known of one picture in one format.

    Attributes:
        name: the format's name on the command line.
        ending: what follows the picture's name in the file's name.
    """

    name: ClassVar[str]
    ending: ClassVar[str]

    @abstractmethod
    def encode(self, record: PictureRecord, target: Path) -> bytes:
        """Returns the content of the file ``target``.

        Args:
            record: without an error.
            target: where the file will lie.
        """

    def write(self, target: Path, record: PictureRecord) -> None:
        """Writes the file whole or not at all, replacing what is there.

        Raises:
            OutputError: if it cannot be written.
        """
        content = self.encode(record, target)
        with output_errors(target), whole_file(target) as partial:
            partial.write_bytes(content)


def image_bytes(image: "Image.Image", kind: str, **options: Any) -> bytes:
    """Returns the content of a picture file.

    Args:
        image: the picture.
        kind: Pillow's name of the format.
        options: as Pillow takes them for this format.
    """
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
