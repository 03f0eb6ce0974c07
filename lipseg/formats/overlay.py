"""The picture with the lips drawn over it."""

from pathlib import Path

from lipseg.formats.picture_file import PictureWriter, image_bytes
from lipseg.formats.record import PictureRecord

_QUALITY = 92


class OverlayWriter(PictureWriter):
    """The picture with the regions tinted and the contours drawn, to look at."""

    name = "overlay"
    ending = ".overlay.jpg"

    def encode(self, record: PictureRecord, target: Path) -> bytes:
        from PIL import Image

        from lipseg.images import decode_image, read_image
        from lipseg.rendering.overlay import draw_lips

        # Read once more: the search for the lips keeps no picture in memory.
        name, content = str(record.path), record.content
        canvas = read_image(record.path) if content is None else decode_image(content, name)
        for lips in record.lips:
            draw_lips(canvas, lips.landmarks, tinted=True)
        # Colours at full resolution: the usual halving would smear the thin coloured contours.
        return image_bytes(Image.fromarray(canvas), "JPEG", quality=_QUALITY, subsampling=0)
