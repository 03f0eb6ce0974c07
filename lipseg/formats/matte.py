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

        alpha = np.zeros(record.picture_size, np.float32)
        for lips in record.lips:
            np.maximum(alpha, lips.matte(), out=alpha)
        return image_bytes(Image.fromarray(np.round(255 * alpha).astype(np.uint8)), "PNG", optimize=True)
