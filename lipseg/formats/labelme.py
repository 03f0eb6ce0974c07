"""The lips of a picture as labelme reads them (https://github.com/wkentaro/labelme)."""

import json
import os
from pathlib import Path

from lipseg.formats.picture_file import PictureWriter
from lipseg.formats.record import PictureRecord, rounded

# Of the file format; labelme reads older ones.
_VERSION = "5.5.0"


class LabelmeWriter(PictureWriter):
    """Polygons of upper lip, lower lip and inner mouth, grouped by face, beside a link to the picture.

    labelme counts from the corner of the first pixel: 0.5 more in x and y than lipseg's own coordinates, whose pixel
    centres are at integers. Polygons are cut off at the picture's edge.
    """

    name = "labelme"
    ending = ".labelme.json"

    def encode(self, record: PictureRecord, target: Path) -> bytes:
        from lipseg.rendering.polygons import regions_in_picture

        height, width = record.picture_size
        shapes = [
            {
                "label": label,
                "points": [rounded(point) for point in polygon.tolist()],
                "group_id": face,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
            for face, lips in enumerate(record.lips)
            for label, polygon in regions_in_picture(lips.landmarks, height, width).items()
        ]
        content = {
            "version": _VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": _link(record, target),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        return (json.dumps(content, allow_nan=False, indent=1) + "\n").encode()


def _link(record: PictureRecord, target: Path) -> str:
    """Returns the way from the file to its picture, with slashes."""
    if record.content is not None:
        return str(record.path)
    try:
        # Both resolved: ".." behind a linked folder leads elsewhere than it reads.
        link = os.path.relpath(record.path.resolve(), target.parent.resolve())
    except ValueError:  # on another drive (Windows)
        link = str(record.path.resolve())
    return Path(link).as_posix()
