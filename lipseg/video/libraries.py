"""The optional libraries behind video files."""

import importlib
from typing import Any

from lipseg.errors import MissingLibraryError


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
