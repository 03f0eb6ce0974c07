"""Faces by dlib's frontal face detector; needs the extra ``dlib``."""

import math
from collections.abc import Iterator
from typing import Any

from lipseg.boxes import Box, overlap, without_doubles
from lipseg.errors import MissingLibraryError
from lipseg.inference.resampling import Pixels, shrunk, turned

# dlib's sliding window is 80 pixels; a face smaller than this in the shrunk picture is noise more often than not.
_LONG_SIDE = 640
_SMALLEST_PX = 12.0
# Angles, in degrees, of the copies that are searched when the upright picture shows no face: rolled heads first.
_TURNS = (30.0, -30.0, 90.0, -90.0, 180.0, 60.0, -60.0)
# Two boxes that share more than this of the smaller one are of one face.
_SAME_FACE = 0.5
# Sides of the squares of ``relation.AVERAGE_FACE`` over dlib's: on Helen's training faces the mouth is .372 of dlib's
# wide.
_ENLARGED = 1.094


class DlibDetector:
    """dlib's HOG detector (Dalal and Triggs 2005; King, "Max-margin object detection", 2015): upright, frontal faces.

    The weights are compiled into the wheel. A picture is searched at a long side of 640 pixels at most. Only where
    that finds nothing are the slower attempts made: once more enlarged twofold, which finds smaller faces, and on
    turned copies, which finds heads that lie or stand on end.

    dlib's squares are enlarged to those of ``relation.AVERAGE_FACE``; their centres are the same on average.

    Args:
        long_side: pixels, at most, of the searched picture.
        threshold: dlib's detection threshold; lower finds more faces and more false ones.

    Raises:
        MissingLibraryError: without dlib.
    """

    def __init__(self, long_side: int = _LONG_SIDE, threshold: float = 0.0) -> None:
        try:
            import dlib
        except ImportError as error:
            raise MissingLibraryError(
                f"--detector dlib: dlib cannot be loaded ({error}); pip install 'lipseg[dlib]', or use --detector yunet"
            ) from error
        self._detector: Any = dlib.get_frontal_face_detector()  # type: ignore[attr-defined]
        self._long_side, self._threshold = long_side, threshold

    def __call__(self, image: Pixels) -> list[Box]:
        """Returns the faces of the first attempt that finds any."""
        return next((faces for faces in self.attempts(image) if faces), [])

    def attempts(self, image: Pixels) -> Iterator[list[Box]]:
        """Yields the faces that each attempt finds, the cheapest attempt first; runs only as far as it is asked."""
        small, scale = shrunk(image, self._long_side)
        yield self._search(small, 0, 0.0, scale)
        if max(small.shape[:2]) <= 2 * self._long_side:
            yield self._search(small, 1, 0.0, scale)
        for degrees in _TURNS:
            yield self._search(small, 0, math.radians(degrees), scale)

    def _search(self, small: Pixels, enlarged: int, roll: float, scale: float) -> list[Box]:
        """Returns the faces of a shrunk picture turned upright by ``roll``, in pixels of the picture itself."""
        upright, back = turned(small, roll)
        rectangles, scores, _ = self._detector.run(upright, enlarged, self._threshold)
        source = "dlib" + ("+enlarged" if enlarged else "") + (f"+turned {math.degrees(roll):.0f}" if roll else "")
        faces = []
        for box, score in zip(rectangles, scores, strict=True):
            # dlib's rectangles hold whole pixels, both edges included.
            side = (box.width() + box.height()) / 2
            centre = back[:, :2] @ [(box.left() + box.right()) / 2, (box.top() + box.bottom()) / 2] + back[:, 2]
            # Half pixels: a pixel's centre in the shrunk picture is the centre of a block of the picture's.
            centre = (centre + 0.5) * scale - 0.5
            if side >= _SMALLEST_PX:
                enlarged_side = _ENLARGED * side * scale
                x, y = centre.tolist()
                faces.append(Box(x, y, enlarged_side, enlarged_side, roll, float(score), source))
        kept = without_doubles(faces, [face.score for face in faces], lambda a, b: overlap(a, b) > _SAME_FACE)
        return [faces[at] for at in kept]
