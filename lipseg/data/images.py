"""Reading and writing pictures."""

import os
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lipseg.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})


def read_image(path: Path) -> NDArray[np.uint8]:
    """Returns a picture as (height, width, 3) uint8 RGB, turned upright by its EXIF orientation.

    Grey pictures are repeated over the channels, alpha is laid on white, deeper than 8 bits is scaled down, and of an
    animation the first frame is taken.

    Raises:
        DataError: if the file is missing or not a picture that can be decoded.
    """
    try:
        with iio.imopen(path, "r", plugin="pillow") as file:
            # `rotate` applies EXIF orientation; index 0 takes the first frame of an animation.
            image = np.asarray(file.read(index=0, rotate=True))  # type: ignore[call-arg]
            mode = file.metadata(index=0, exclude_applied=False).get("mode", "")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "can not handle the given uri" in reason:  # what imageio says of a file that Pillow does not know
            reason = "damaged, or in no picture format that is known"
        raise DataError(f"{path}: not a picture that can be read ({reason})") from error
    return to_rgb8(image, cmyk=mode == "CMYK")


def to_rgb8(image: NDArray[Any], *, cmyk: bool = False) -> NDArray[np.uint8]:
    """Returns any of grey, grey + alpha, RGB, RGBA, CMYK, at 8 or 16 bits or as floats in 0..1, as RGB uint8.

    Args:
        image: (height, width) or (height, width, 1 to 4).
        cmyk: whether four channels are ink (as Pillow decodes them, 255 = full ink) and not RGB + alpha.

    Raises:
        DataError: for any other shape or type.
    """
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 2, 3, 4) or 0 in image.shape:
        raise DataError(f"a picture must be height x width x 1, 2, 3 or 4, not an array of shape {image.shape}")
    if image.dtype == bool:
        image = image.astype(np.uint8) * np.uint8(255)
    elif image.dtype.kind == "f":
        image = np.round(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)
    elif image.dtype in (np.uint16, np.int32):  # Pillow's modes "I;16" and "I" hold 16-bit greys
        image = (np.clip(image, 0, 65535) // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise DataError(f"a picture must hold uint8, uint16, float or bool, not {image.dtype}")
    channels = image.shape[2]
    if channels == 4 and cmyk:
        ink = image.astype(np.float32) / 255
        return np.round(255 * (1 - ink[..., :3]) * (1 - ink[..., 3:])).astype(np.uint8)
    if channels in (2, 4):
        alpha = image[..., -1:].astype(np.float32) / 255
        image = np.round(image[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image)


def write_image(path: Path, image: NDArray[np.uint8], *, quality: int = 90) -> None:
    """Writes a picture whole or not at all; the format follows the ending.

    Args:
        path: .png or .jpg.
        image: (height, width), or (height, width, 3 or 4) uint8 RGB(A).
        quality: of a JPEG.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    options: dict[str, Any] = {"quality": quality} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    try:
        iio.imwrite(partial, image, plugin="pillow", **options)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
