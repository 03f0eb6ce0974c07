"""The optional libraries behind video files."""

import contextlib
import ctypes
import importlib
from typing import Any

from lipseg.errors import MissingLibraryError

# Bytes that ffmpeg may ask for at once: more than the deepest picture of ``reading.MOST_PIXELS`` takes. It believes the
# sizes in the head of a file, and would fill 2 GB for one of 6 KB.
MOST_BYTES = 400_000_000


def need_av(purpose: str) -> Any:
    """Returns PyAV, whose ffmpeg takes no more than ``MOST_BYTES`` at once from then on.

    Args:
        purpose: as of ``need``.

    Raises:
        MissingLibraryError: likewise.
    """
    av = need("av", "video", purpose)
    # PyAV does not have this function: it is found in the library that one of its modules is linked to. On Windows a
    # module does not show the functions of others, and there is no limit.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(av.logging.__file__).av_max_alloc(ctypes.c_size_t(MOST_BYTES))
    return av


def need(module: str, extra: str, purpose: str) -> Any:
    """Returns an optional module.

    Args:
        module: its import name.
        extra: the extra of this package that brings it.
        purpose: what it is needed for, as the beginning of a sentence.

    Raises:
        MissingLibraryError: if it is not installed or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingLibraryError(f"{purpose} needs {module}: pip install 'lipseg[{extra}]' ({error})") from error
