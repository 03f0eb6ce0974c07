"""What ``lipseg predict`` writes for each picture: one class a format, each file whole or not at all."""

import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from xml.sax.saxutils import quoteattr

from lipseg.cli.exit_codes import output_errors
from lipseg.files import whole_file

if TYPE_CHECKING:
    from lipseg.inference.lips import Lips

# RGB of the labels 0 background, 1 upper lip, 2 lower lip, 3 inner mouth: told apart by the colour-blind too
# (Okabe and Ito, "Color universal design", 2008).
PALETTE = ((0, 0, 0), (213, 94, 0), (240, 228, 66), (86, 180, 233))

_OVERLAY_OPACITY = 0.35
_OVERLAY_QUALITY = 92
# Decimals of pixel coordinates and of scores in JSON.
_PIXEL_DECIMALS = 2
_SCORE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of one picture when it is done.

    Attributes:
        path: the picture.
        picture_size: (height, width) in pixels, upright; (0, 0) if ``error`` is set.
        lips: the faces found; empty if ``error`` is set.
        error: why there is no result, or "".
        reason: why no face was found though there was no error, or "".
        content: the picture file's bytes where it came from standard input, and ``path`` is "-".
    """

    path: Path
    picture_size: tuple[int, int] = (0, 0)
    lips: "list[Lips]" = field(default_factory=list)
    error: str = ""
    reason: str = ""
    content: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the picture's row of the JSON Lines; coordinates in pixels of the upright picture."""
        row: dict[str, Any] = {"image": str(self.path)}
        if self.error:
            return row | {"faces": [], "error": self.error}
        height, width = self.picture_size
        row |= {"width": width, "height": height, "faces": [_face_json(lips) for lips in self.lips]}
        return row | {"reason": self.reason} if self.reason else row

    def as_json_line(self) -> str:
        """Returns the row as one line of text without its end."""
        return json.dumps(self.as_json(), allow_nan=False)


def _face_json(lips: "Lips") -> dict[str, Any]:
    """Returns a face of a picture's row; ``roll`` in degrees, only where the box is turned."""
    roll = round(math.degrees(lips.roll), _PIXEL_DECIMALS)
    return {
        "box": rounded(lips.box),
        **({"roll": roll} if roll else {}),
        "score": finite_score(lips),
        "component": lips.component,
        "outer": [rounded(point) for point in lips.outer.tolist()],
        "inner": [rounded(point) for point in lips.inner.tolist()],
    }


class Writer(ABC):
    """Writes the results of one picture in one format.

    Attributes:
        name: the format's name on the command line.
        ending: what follows the picture's name in the file's name.
    """

    name: ClassVar[str]
    ending: ClassVar[str]

    @abstractmethod
    def encode(self, result: Result, target: Path) -> bytes:
        """Returns the content of the file ``target``."""

    def write(self, target: Path, result: Result) -> None:
        """Writes the file whole or not at all, replacing what is there.

        Raises:
            OutputError: if it cannot be written.
        """
        content = self.encode(result, target)
        with output_errors(target), whole_file(target) as partial:
            partial.write_bytes(content)


class JsonWriter(Writer):
    """The picture's row of the JSON Lines as a file."""

    name = "json"
    ending = ".json"

    def encode(self, result: Result, target: Path) -> bytes:
        return (result.as_json_line() + "\n").encode()


class MaskWriter(Writer):
    """An indexed PNG of the picture's size: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth."""

    name = "mask"
    ending = ".mask.png"

    def encode(self, result: Result, target: Path) -> bytes:
        import numpy as np
        from PIL import Image

        labels = np.zeros(result.picture_size, np.uint8)
        for lips in result.lips:
            own = lips.label_map()
            np.copyto(labels, own, where=own > 0)
        image = Image.fromarray(labels).convert("P")
        image.putpalette([channel for colour in PALETTE for channel in colour])
        return _encoded(image, "PNG", optimize=True)


class MatteWriter(Writer):
    """A grey PNG of the picture's size: the share of each pixel that lips cover, 0 to 255; of all faces the largest."""

    name = "matte"
    ending = ".matte.png"

    def encode(self, result: Result, target: Path) -> bytes:
        import numpy as np
        from PIL import Image

        alpha = np.zeros(result.picture_size, np.float32)
        for lips in result.lips:
            np.maximum(alpha, lips.matte(), out=alpha)
        return _encoded(Image.fromarray(np.round(255 * alpha).astype(np.uint8)), "PNG", optimize=True)


class OverlayWriter(Writer):
    """The picture with the regions tinted and the contours drawn, to look at."""

    name = "overlay"
    ending = ".overlay.jpg"

    def encode(self, result: Result, target: Path) -> bytes:
        from PIL import Image

        from lipseg.images import decode_image, read_image

        # Read once more: predicting keeps no picture in memory.
        name = str(result.path)
        canvas = read_image(result.path) if result.content is None else decode_image(result.content, name)
        for lips in result.lips:
            canvas = _drawn(canvas, lips)
        return _encoded(Image.fromarray(canvas), "JPEG", quality=_OVERLAY_QUALITY, subsampling=0)


class SvgWriter(Writer):
    """Smooth closed curves in pixels of the picture, a group of paths for each face, without the picture itself."""

    name = "svg"
    ending = ".svg"

    def encode(self, result: Result, target: Path) -> bytes:
        from lipseg.rendering.masks import svg_path

        height, width = result.picture_size
        upper_lip = "#{:02x}{:02x}{:02x}".format(*PALETTE[1])
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">',
            f"<title>{_text(result.path.name)}</title>",
            # The coordinates are the JSON's: pixel centres at integers, whereas SVG counts from the pixel's corner.
            f'<g transform="translate(0.5 0.5)" stroke="{upper_lip}" stroke-linejoin="round">',
        ]
        for lips in result.lips:
            outer, inner = svg_path(lips.outer), svg_path(lips.inner)
            score = f"{lips.score:.{_SCORE_DECIMALS}f}"
            lines += [
                f'<g class="face" data-component="{lips.component}" data-score={quoteattr(score)}>',
                f'<path class="lips" fill="{upper_lip}" fill-opacity="0.4" fill-rule="evenodd" stroke="none" '
                f'd="{outer}{inner}"/>',
                f'<path class="outer" fill="none" d="{outer}"/>',
                f'<path class="inner" fill="none" d="{inner}"/>',
                "</g>",
            ]
        return "\n".join([*lines, "</g>", "</svg>", ""]).encode("utf-8", errors="replace")


# Of the pictures among the outputs, which a later run must not take for inputs.
PICTURE_ENDINGS = (MaskWriter.ending, MatteWriter.ending, OverlayWriter.ending)


def _drawn(image: Any, lips: "Lips") -> Any:
    """Returns a copy of an RGB picture with the regions of one face tinted and its contours drawn, anti-aliased."""
    import cv2
    import numpy as np

    from lipseg import scheme
    from lipseg.rendering.masks import smooth

    shift = 4

    def fixed(points: Any) -> Any:
        return np.round(np.clip(points, -1e6, 1e6) * 2**shift).astype(np.int32)

    tinted = image.copy()
    regions = scheme.region_polygons(lips.landmarks)
    for region, colour in zip(("upper", "lower", "inner"), PALETTE[1:], strict=True):
        cv2.fillPoly(tinted, [fixed(regions[region])], colour, cv2.LINE_AA, shift)
    blended = cv2.addWeighted(tinted, _OVERLAY_OPACITY, image, 1 - _OVERLAY_OPACITY, 0)
    # Lines as wide for the mouth in a large photo as in a small one.
    thickness = max(1, round(float(np.ptp(lips.outer[:, 0])) / 120))
    for contour, colour in ((lips.outer, PALETTE[1]), (lips.inner, PALETTE[3])):
        cv2.polylines(blended, [fixed(smooth(contour))], True, colour, thickness, cv2.LINE_AA, shift)
    return blended


def _encoded(image: Any, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rounded(values: Iterable[float]) -> list[float]:
    """Returns coordinates in pixels with as many decimals as are worth writing."""
    return [round(float(value), _PIXEL_DECIMALS) for value in values]


def finite_score(lips: "Lips") -> float | None:
    """Returns the score with as many decimals as are worth writing, None where it is no number."""
    return round(lips.score, _SCORE_DECIMALS) if math.isfinite(lips.score) else None


def _text(text: str) -> str:
    return quoteattr(text)[1:-1]
