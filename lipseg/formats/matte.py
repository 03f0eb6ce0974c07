"""The soft alpha of the lips as a picture."""

from pathlib import Path

from lipseg.formats.picture_file import PictureWriter, image_bytes
from lipseg.formats.record import PictureRecord


class MatteWriter(PictureWriter):
    """A grey PNG of the picture's size: the share of each pixel that lips cover, 0 to 255; of all faces the largest."""

    name = "matte"
    ending = ".matte.png"

    def encode(self, record: PictureRecord, target: Path) -> bytes:
        import numpy as np
        from PIL import Image

        alpha = np.zeros(record.picture_size, np.uint8)
        for lips in record.lips:
            own = lips.matte()
            own *= 255
            np.maximum(alpha, np.round(own, out=own).astype(np.uint8), out=alpha)
        return image_bytes(Image.fromarray(alpha), "PNG", optimize=True)
