"""Lip segmentation: 56 lip landmarks and masks from pictures of people.

>>> import lipseg
>>> segmenter = lipseg.LipSegmenter()
>>> for lips in segmenter("photo.jpg"):
...     print(lips.landmarks.shape, lips.mask("lips").shape)
(56, 2) (480, 640)

Where the mouth is known no face is looked for; where no lips are found the answer has a reason:

>>> (lips,) = segmenter("photo.jpg", boxes=[(210, 305, 298, 351)])
>>> (lips,) = segmenter("photo.jpg", boxes=[lipseg.Box(254, 328, width=88, height=46, roll=0.1)])
>>> segmenter("empty.jpg").reason
'no face found'

In a video the same mouth keeps its id, and its landmarks are steadied:

>>> tracker = lipseg.Tracker(segmenter)
>>> for frame in frames:  # RGB arrays
...     print([(mouth.id, round(mouth.opening, 2)) for mouth in tracker(frame).mouths])
[(1, 0.33)]
[(1, 0.33)]

``lipseg.follow(segmenter, frames)`` does the same for an iterable of frames. And lipstick:

>>> red = lipseg.paint_lips(frame, lips, (176, 48, 96), opacity=0.8)

The public names are imported when they are first used, so that ``import lipseg`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipseg.boxes import Box
    from lipseg.errors import LipsegError
    from lipseg.inference.lips import Detections, Lips
    from lipseg.inference.segmenter import LipSegmenter
    from lipseg.makeup.lipstick import paint_lips
    from lipseg.tracking.tracker import Tracker, follow

    __version__: str

__all__ = ["Box", "Detections", "LipSegmenter", "Lips", "LipsegError", "Tracker", "__version__", "follow", "paint_lips"]

_HOMES = {
    "Box": "lipseg.boxes",
    "Detections": "lipseg.inference.lips",
    "LipSegmenter": "lipseg.inference.segmenter",
    "Lips": "lipseg.inference.lips",
    "LipsegError": "lipseg.errors",
    "Tracker": "lipseg.tracking.tracker",
    "follow": "lipseg.tracking.tracker",
    "paint_lips": "lipseg.makeup.lipstick",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("lipseg")
        except PackageNotFoundError:  # run from a checkout that is not installed
            return "0+unknown"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
