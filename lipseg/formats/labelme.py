"""The lips of a picture as labelme reads them (https://github.com/wkentaro/labelme)."""

import json
import os
from pathlib import Path

from lipseg.formats.writers import Result, Writer, rounded

# Of the file format; labelme reads older ones.
_VERSION = "5.5.0"


class LabelmeWriter(Writer):
    """Polygons of upper lip, lower lip and inner mouth, grouped by face, beside a link to the picture.

    labelme counts from the corner of the first pixel: 0.5 more in x and y than lipseg's own coordinates, whose pixel
    centres are at integers. Polygons are cut off at the picture's edge.
    """

    name = "labelme"
    ending = ".labelme.json"

    def encode(self, result: Result, target: Path) -> bytes:
        from lipseg.rendering.polygons import regions_in_picture

        height, width = result.picture_size
        shapes = [
            {
                "label": label,
                "points": [rounded(point) for point in polygon.tolist()],
                "group_id": face,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
            for face, lips in enumerate(result.lips)
            for label, polygon in regions_in_picture(lips.landmarks, height, width).items()
        ]
        content = {
            "version": _VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": _link(result, target),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        return (json.dumps(content, allow_nan=False, indent=1) + "\n").encode()


def _link(result: Result, target: Path) -> str:
    """Returns the way from the file to its picture, with slashes."""
    if result.content is not None:
        return str(result.path)
    try:
        # Both resolved: ".." behind a linked folder leads elsewhere than it reads.
        link = os.path.relpath(result.path.resolve(), target.parent.resolve())
    except ValueError:  # on another drive (Windows)
        link = str(result.path.resolve())
    return Path(link).as_posix()
