"""A photo written anew with other pixels: with the EXIF data, the colour profile and the transparency that it had."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipseg.formats.picture_file import image_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        pixels: the same without transparency, which is kept apart; to be changed in place.
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
        from PIL import ImageOps

        from lipseg.images import open_picture, read_image

        self.shown = pixels = read_image(path)
        self._kind = PHOTO_FORMATS[ending.lower()]
        self._options = dict(_OPTIONS[self._kind])
        self._alpha: NDArray[np.uint8] | None = None
        with open_picture(path) as original:
            upright = original
            with contextlib.suppress(Exception):  # as in reading: a damaged EXIF block does not make a photo unusable
                upright = ImageOps.exif_transpose(original)  # its EXIF data no longer say that it is to be turned
            if exif := upright.info.get("exif"):
                self._options["exif"] = exif
            if original.mode in ("RGB", "RGBA") and (profile := upright.info.get("icc_profile")):
                self._options["icc_profile"] = profile
            if original.has_transparency_data and self._kind != "JPEG":
                layers = np.asarray(upright.convert("RGBA"))
                pixels, self._alpha = layers[..., :3], layers[..., 3:]
        self.pixels = pixels.copy()  # what Pillow decodes may be read-only

    def encode(self) -> bytes:
        """Returns the content of the file to write."""
        import numpy as np
        from PIL import Image

        layers = self.pixels if self._alpha is None else np.concatenate([self.pixels, self._alpha], 2)
        return image_bytes(Image.fromarray(layers), self._kind, **self._options)
