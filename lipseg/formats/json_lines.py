"""What is known of a picture as JSON."""

from pathlib import Path

from lipseg.formats.picture_file import PictureWriter
from lipseg.formats.record import PictureRecord


class JsonWriter(PictureWriter):
    """The picture's object of the JSON Lines as a file of its own."""

    name = "json"
    ending = ".json"

    def encode(self, record: PictureRecord, target: Path) -> bytes:
        return (record.as_json_line() + "\n").encode()
