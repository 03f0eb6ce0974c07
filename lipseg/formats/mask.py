"""The labels of a picture's pixels as a picture."""

from pathlib import Path

from lipseg.formats.picture_file import PictureWriter, image_bytes
from lipseg.formats.record import PictureRecord
from lipseg.rendering import palette


class MaskWriter(PictureWriter):
    """An indexed PNG of the picture's size: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth."""

    name = "mask"
    ending = ".mask.png"

    def encode(self, record: PictureRecord, target: Path) -> bytes:
        import numpy as np
        from PIL import Image

        labels = np.zeros(record.picture_size, np.uint8)
        for lips in record.lips:
            own = lips.label_map()
            np.copyto(labels, own, where=own > 0)
        image = Image.fromarray(labels).convert("P")
        image.putpalette([channel for colour in palette.LABELS for channel in colour])
        return image_bytes(image, "PNG", optimize=True)
