"""Lip segmentation: 56 lip landmarks and masks from pictures of mouths.

The public names are imported when they are first used, so that ``import lipseg`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipseg.inference.segmenter import Lips, LipSegmenter

    __version__: str

__all__ = ["LipSegmenter", "Lips", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("LipSegmenter", "Lips"):
        from lipseg.inference import segmenter

        return getattr(segmenter, name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("lipseg")
        except PackageNotFoundError:  # run from a checkout that is not installed
            return "0+unknown"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
