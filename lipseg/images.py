"""Reading and writing pictures."""

import contextlib
import io
import math
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, features

from lipseg.errors import DataError
from lipseg.files import not_there, whole_file

# A picture as callers have it.
Picture = NDArray[Any] | Path | str | Image.Image

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".heic", ".heif", ".hif", ".avif"}
)

# The decoders that pictures are offered to, by Pillow's names. Pillow has more, and goes by the content alone: what is
# called photo.jpg could be PostScript, which it hands to Ghostscript, a program.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF")
# Pixels. A larger picture would not fit into 1 GB beside its own decoder: a few kilobytes can announce any size. The
# decoders of the last kinds hold the picture two or three times themselves.
MOST_PIXELS = 100_000_000
_MOST_PIXELS = {"WEBP": 50_000_000, "AVIF": 50_000_000, "HEIF": 50_000_000}
# Pixels that are converted at once, so that a large picture is in memory once as decoded and once as RGB.
_STRIP = 1_000_000
# What makes a picture upright, by its EXIF orientation (tag 0x0112), undone: a view of the upright array in the order
# in which the file stores the pixels.
_STORED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}

# What Pillow's modes "I;16*" and "I" are as arrays: 16-bit greys.
_DEEP = (np.uint16, np.int32)

# Floats of pictures lie in 0..1; filters overshoot a little. What goes further counts in 0..255, or was normalised for
# some network.
_DARKEST, _BRIGHTEST = -0.5, 2.0

# How other videos begin than those whose brands are none of a picture: Matroska and WebM, and AVI (RIFF, size, kind).
_MATROSKA, _AVI = b"\x1aE\xdf\xa3", b"AVI "

# Brands of ISO base media files that hold pictures (ISO/IEC 23008-12, annex B; the AV1 image file format, 6).
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def read_image(path: Path, box: tuple[float, float, float, float] | None = None) -> NDArray[np.uint8]:
    """Returns a picture as (height, width, 3) uint8 RGB, turned upright by its EXIF orientation.

    Grey pictures are repeated over the channels, alpha is laid on white, deeper than 8 bits is scaled down, and of an
    animation the first frame is taken. HEIC needs the extra ``heic``, AVIF Pillow 11.3 or later.

    Args:
        path: the file.
        box: x0, y0, x1, y1 in pixels, where only a part of the picture will be looked at: what lies outside it may be
            black, which saves a sixth of the time.

    Raises:
        DataError: if the file is missing or not a picture that can be decoded.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device might never end
            raise DataError(f"{path}: not a file that can be read as a picture")
        with path.open("rb") as file:
            return _decoded(file, str(path), box)
    except FileNotFoundError as error:
        raise DataError(f"{path}: {not_there(path)}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def picture_size(path: Path) -> tuple[int, int] | None:
    """Returns (height, width) of the picture that ``read_image`` would give, from the file's head; None without one."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file, _opened(file, str(path)) as image:
            width, height = image.size
            turned = _orientation(image) >= 5
    except Exception:  # decoders of damaged files raise whatever they like; read_image will say what it is
        return None
    return (width, height) if turned else (height, width)


def decode_image(content: bytes, name: str) -> NDArray[np.uint8]:
    """Returns the picture in the bytes of a picture file, as ``read_image`` does.

    Args:
        content: of the file.
        name: of the picture, for messages.

    Raises:
        DataError: if it is not a picture that can be decoded.
    """
    return _decoded(io.BytesIO(content), name)


def from_pil(image: Image.Image, box: tuple[float, float, float, float] | None = None) -> NDArray[np.uint8]:
    """Returns an opened picture as ``read_image`` does.

    Args:
        image: opened, decoded or not.
        box: as of ``read_image``.

    Raises:
        OSError: or whatever else Pillow raises for a damaged picture.
        DataError: if its kind is not known, or it has more pixels than can be read.
    """
    _check_size(image)
    image.load()
    width, height = image.size
    orientation = _orientation(image)
    x0, y0, x1, y1 = 0, 0, width, height
    # What other kinds hold, such as deep greys, is told by all of their pixels.
    if box is not None and orientation == 1 and image.mode == "RGB":
        x0, y0 = (max(0, math.floor(low + 0.5)) for low in box[:2])
        x1, y1 = (min(side, math.ceil(high + 0.5)) for high, side in zip(box[2:], (width, height), strict=True))
    # Memory that nobody writes to takes no time.
    upright = np.zeros((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    stored = _STORED.get(orientation, lambda same: same)(upright)
    rows = max(1, _STRIP // max(1, x1 - x0))
    for top in range(y0, y1 if x0 < x1 else y0, rows):
        bottom = min(top + rows, y1)
        strip = image if (x0, top, x1, bottom) == (0, 0, width, height) else image.crop((x0, top, x1, bottom))
        stored[top:bottom, x0:x1] = _rgb(strip)
    return upright


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Returns a loaded picture as RGB, as it is stored."""
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode not in ("1", "L", "LA", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"):
        image = image.convert("RGBA" if image.mode in ("PA", "La", "RGBa") else "RGB")
    return to_rgb8(np.asarray(image), cmyk=image.mode == "CMYK")


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 where a damaged EXIF block tells none: it makes no picture unusable."""
    with contextlib.suppress(Exception):
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
        return found if found in _STORED else 1
    return 1


def _check_size(image: Image.Image) -> None:
    """Refuses a picture with too many pixels, before it is decoded."""
    width, height = image.size
    most = _MOST_PIXELS.get(image.format or "", MOST_PIXELS)
    if width * height > most:
        raise DataError(_too_large(f"{width} x {height}", most))


def _too_large(size: str, most: int = MOST_PIXELS) -> str:
    return f"has {size} pixels, and at most {most // 1_000_000} million are read; make the picture smaller"


def as_rgb(image: Picture) -> NDArray[np.uint8]:
    """Returns a picture in any accepted form, a file's path, a PIL image or an array, as ``read_image`` does.

    Raises:
        DataError: if it cannot be used.
    """
    if isinstance(image, (str, Path)):
        return read_image(Path(image))
    if isinstance(image, Image.Image):
        try:
            return from_pil(image)
        except DataError:
            raise
        except Exception as error:  # Pillow decodes a file when its pixels are first asked for, and raises anything
            raise DataError(f"the picture cannot be decoded ({error})") from error
    if not isinstance(image, np.ndarray):
        several = "; several go to predict_batch" if isinstance(image, (list, tuple)) else ""
        raise DataError(f"a picture must be an array, a path or a PIL image, not {type(image).__name__}{several}")
    if image.dtype.newbyteorder("=") in _DEEP and 0 < image.max(initial=0) <= 255:
        raise DataError(
            f"a picture of {image.dtype} must lie in 0..65535, and this one reaches {image.max()}: make it uint8"
        )
    return to_rgb8(image)


def _decoded(file: BinaryIO, name: str, box: tuple[float, float, float, float] | None = None) -> NDArray[np.uint8]:
    try:
        with _opened(file, name) as image:
            return from_pil(image, box)
    except DataError as error:
        raise error if str(error).startswith(name) else DataError(f"{name}: {error}") from error
    except Exception as error:  # decoders of damaged files raise whatever they like
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, UnidentifiedImageError):  # its message holds no more than an address
            reason = "damaged, or in no picture format that is known"
        raise DataError(f"{name}: not a picture that can be read ({reason})") from error


def _opened(file: BinaryIO, name: str) -> Image.Image:
    """Opens a picture; the HEIF plugin is loaded when the first picture needs it."""
    try:
        image = open_picture(file)
    except UnidentifiedImageError:
        file.seek(0)
        head = file.read(64)
        if not head:
            raise DataError(f"{name}: not a picture that can be read (it is empty)") from None
        brands = {head[at : at + 4] for at in (8, *range(16, len(head), 4))} if head[4:8] == b"ftyp" else set()
        other_video = head.startswith(_MATROSKA) or head[8:12] == _AVI
        if other_video or (brands and not brands & (_HEIF_BRANDS | _AVIF_BRANDS)):
            raise DataError(f"{name}: a video, not a picture; `lipseg video` follows the lips in it") from None
        if brands & _AVIF_BRANDS and not features.check("avif"):
            raise DataError(f"{name}: AVIF needs Pillow 11.3 or later: pip install 'lipseg[heic]'") from None
        if not brands & _HEIF_BRANDS or ".heic" in Image.registered_extensions():
            raise
    else:
        return image
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise DataError(f"{name}: HEIC needs one more package: pip install 'lipseg[heic]'") from None
    register_heif_opener()
    file.seek(0)
    return open_picture(file)


def open_picture(file: BinaryIO | Path) -> Image.Image:
    """Returns a picture opened by one of the decoders of the formats that lipseg reads, not decoded yet.

    Raises:
        DataError: if it has more pixels than can be read.
        OSError: or whatever else Pillow raises for a damaged file.
    """
    try:
        # HEIF is known once its plugin is loaded.
        image = Image.open(file, formats=[*_FORMATS, *({"HEIF"} & Image.OPEN.keys())])
    except Image.DecompressionBombError as error:
        raise DataError(_too_large("far too many")) from error
    _check_size(image)
    return image


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
        if np.isnan(image).any():
            raise DataError("a picture must hold numbers, not NaN")
        if image.min() < _DARKEST:
            least = f"{image.min():.4g}"
            raise DataError(f"a picture of floats must lie in 0..1, and this one begins at {least}: was it normalised?")
        if image.max() > _BRIGHTEST:
            raise DataError(
                f"a picture of floats must lie in 0..1, and this one reaches {image.max():.4g}: divide by 255"
            )
        image = np.round(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)
    elif image.dtype.newbyteorder("=") in _DEEP:
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
        image: (height, width), or (height, width, 3 or 4) uint8 RGB(A); JPEG takes no alpha.
        quality: of a JPEG.
    """
    options: dict[str, Any] = {"quality": quality} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    with whole_file(path) as partial:
        Image.fromarray(image).save(partial, **options)
