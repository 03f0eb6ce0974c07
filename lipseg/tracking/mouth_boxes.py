"""Until ``LipSegmenter`` takes and returns ``Box``: the one place that turns its ``MouthBox`` into it and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from lipseg.boxes import Box
from lipseg.inference.locate import MouthBox

if TYPE_CHECKING:
    from lipseg.inference.segmenter import LipSegmenter

AnyBox = Box | MouthBox


def as_box(box: AnyBox) -> Box:
    """Returns the same box as a ``Box``."""
    return box if isinstance(box, Box) else Box.from_corners(*box.corners, roll=box.roll, origin=box.origin)


class Adapted:
    """A ``LipSegmenter`` with ``Box`` in and out."""

    def __init__(self, segmenter: "LipSegmenter") -> None:
        self._segmenter = segmenter
        self.finds_faces, self.min_score = segmenter.finds_faces, segmenter.min_score

    def find(self, image: Any) -> list[Box]:
        return [as_box(box) for box in self._segmenter.find(image)]

    def __call__(self, image: Any, boxes: Sequence[Box]) -> Any:
        return self._segmenter(image, [MouthBox(*box.corners, box.origin, box.roll) for box in boxes])


def adapted(segmenter: "LipSegmenter") -> Adapted:
    """Returns the segmenter with ``Box`` in and out; what is no ``LipSegmenter`` has them already."""
    from lipseg.inference.segmenter import LipSegmenter

    return Adapted(segmenter) if isinstance(segmenter, LipSegmenter) else cast("Adapted", segmenter)
