"""A photo written anew with other pixels: with the EXIF data, the colour profile and the transparency that it had."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipseg.formats.picture_file import image_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

# Endings that a photo can be written with, and Pillow's name of the format.
PHOTO_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}

_QUALITY = 95
_OPTIONS: dict[str, dict[str, Any]] = {
    # The colour of lips is finer than the half of the pixels that JPEG usually keeps it for.
    "JPEG": {"quality": _QUALITY, "subsampling": 0},
    "WEBP": {"quality": _QUALITY},
    "PNG": {"optimize": False},
    "TIFF": {"compression": "tiff_deflate"},
}


class Photo:
    """A photo whose pixels are to be changed.

    Attributes:
        shown: (height, width, 3) uint8 RGB as ``read_image`` gives it, transparency laid on white.
        pixels: the same without transparency, which is kept apart; to be changed in place. Without transparency the
            same array: find the lips first.
    """

    shown: "NDArray[np.uint8]"
    pixels: "NDArray[np.uint8]"

    def __init__(self, path: Path, ending: str) -> None:
        """Reads a photo.

        Args:
            path: the photo.
            ending: one of ``PHOTO_FORMATS``, of the file to write. JPEG holds no transparency: ``pixels`` are
                those shown.

        Raises:
            DataError: if it cannot be read.
        """
        import numpy as np
        from PIL import ExifTags, ImageOps

        from lipseg.images import open_picture, read_image

        self.shown = pixels = read_image(path)
        self._kind = PHOTO_FORMATS[ending.lower()]
        self._options = dict(_OPTIONS[self._kind])
        self._alpha: NDArray[np.uint8] | None = None
        with open_picture(path) as original:
            if original.format != "JPEG":  # of other formats, data may lie behind the pixels
                original.load()
            with contextlib.suppress(Exception):  # as in reading: a damaged EXIF block does not make a photo unusable
                exif = original.getexif()
                turned = exif.pop(ExifTags.Base.Orientation, 1) != 1
                # What is written is upright, and its EXIF data no longer say that it is to be turned.
                if content := exif.tobytes() if turned else original.info.get("exif"):
                    self._options["exif"] = content
            if original.mode in ("RGB", "RGBA") and (profile := original.info.get("icc_profile")):
                self._options["icc_profile"] = profile
            if original.has_transparency_data and self._kind != "JPEG":
                upright: Image.Image = original
                with contextlib.suppress(Exception):
                    upright = ImageOps.exif_transpose(original)
                layers = np.array(upright.convert("RGBA"))
                pixels, self._alpha = layers[..., :3], layers[..., 3:]
        self.pixels = pixels

    def encode(self) -> bytes:
        """Returns the content of the file to write."""
        import numpy as np
        from PIL import Image

        layers = self.pixels if self._alpha is None else np.concatenate([self.pixels, self._alpha], 2)
        return image_bytes(Image.fromarray(layers), self._kind, **self._options)
