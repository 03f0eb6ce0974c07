"""The contours as smooth curves."""

from pathlib import Path
from xml.sax.saxutils import escape

from lipseg.errors import one_line
from lipseg.formats.picture_file import PictureWriter
from lipseg.formats.record import PictureRecord
from lipseg.rendering import palette


class SvgWriter(PictureWriter):
    """Smooth closed curves in pixels of the picture, a group of paths for each face, without the picture itself."""

    name = "svg"
    ending = ".svg"

    def encode(self, record: PictureRecord, target: Path) -> bytes:
        from lipseg.rendering.curves import svg_path

        height, width = record.picture_size
        colour = palette.css(palette.LIPS)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">',
            f"<title>{escape(one_line(record.path.name))}</title>",
            # The coordinates are the JSON's: pixel centres at integers, whereas SVG counts from the pixel's corner.
            f'<g transform="translate(0.5 0.5)" stroke="{colour}" stroke-linejoin="round">',
        ]
        for lips in record.lips:
            outer, inner = svg_path(lips.outer), svg_path(lips.inner)
            lines += [
                f'<g class="face" data-component="{lips.component}" data-score="{lips.score:.4f}">',
                f'<path class="lips" fill="{colour}" fill-opacity="0.4" fill-rule="evenodd" stroke="none" '
                f'd="{outer}{inner}"/>',
                f'<path class="outer" fill="none" d="{outer}"/>',
                f'<path class="inner" fill="none" d="{inner}"/>',
                "</g>",
            ]
        return "\n".join([*lines, "</g>", "</svg>", ""]).encode("utf-8", errors="replace")
