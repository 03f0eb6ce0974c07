"""A face as columns of an Arrow table: the same in a video's landmarks and in the rows of ``lipseg batch``."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipseg.inference.lips import Lips

_MEASURES = ("opening", "opening_px", "width", "area_upper", "area_lower", "area_inner")


def face_fields(arrow: Any) -> list[tuple[str, Any]]:
    """Returns names and types of a face's columns; numbers are float32, in the frame of ``Lips``.

    ``box`` is a list of x0, y0, x1, y1, and ``roll`` is 0 degrees for an upright box; ``outer`` and ``inner`` are lists
    of 56 numbers: x and y of the 28 points, alternating.

    Args:
        arrow: the module ``pyarrow``.
    """
    real, contour = arrow.float32(), arrow.list_(arrow.float32(), 56)
    return [
        *(("box", arrow.list_(real, 4)), ("roll", real), ("score", real), ("component", arrow.int32())),
        *((name, real) for name in _MEASURES),
        *(("outer", contour), ("inner", contour)),
    ]


def face_cells(lips: "Lips") -> dict[str, Any]:
    """Returns a face's cells by column; the score is None where it is no number."""
    return {
        "box": list(lips.box.corners),
        "roll": math.degrees(lips.box.roll),
        "score": lips.score if math.isfinite(lips.score) else None,
        "component": lips.component,
        "opening": lips.opening,
        "opening_px": lips.opening_px,
        "width": lips.width,
        **{f"area_{name}": area for name, area in lips.areas.items()},
        "outer": lips.outer.ravel().tolist(),
        "inner": lips.inner.ravel().tolist(),
    }
