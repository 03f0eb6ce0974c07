"""What ``lipseg predict`` writes: one class a format, each file whole or not at all."""

import io
import json
import math
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from xml.sax.saxutils import quoteattr

from lipseg.cli.exit_codes import OutputError, UsageError

if TYPE_CHECKING:
    from lipseg.inference.segmenter import Lips

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
        picture_size: (height, width) in pixels, upright.
        lips: the faces found; empty if ``error`` is set.
        error: why there is no result, or "".
    """

    path: Path
    picture_size: tuple[int, int] = (0, 0)
    lips: "list[Lips]" = field(default_factory=list)
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns the picture's row of the JSON Lines; coordinates in pixels of the upright picture."""
        faces = [
            {
                "box": _rounded(lips.box),
                "score": round(lips.score, _SCORE_DECIMALS) if math.isfinite(lips.score) else None,
                "component": lips.component,
                "outer": [_rounded(point) for point in lips.outer.tolist()],
                "inner": [_rounded(point) for point in lips.inner.tolist()],
            }
            for lips in self.lips
        ]
        row: dict[str, Any] = {"image": str(self.path), "faces": faces}
        return row | {"error": self.error} if self.error else row

    def as_json_line(self) -> str:
        """Returns the row as one line of text without its end."""
        return json.dumps(self.as_json(), allow_nan=False)


class Writer(ABC):
    """Writes the results of one picture in one format.

    Attributes:
        name: the format's name on the command line.
        ending: what follows the picture's name in the file's name.
    """

    name: ClassVar[str]
    ending: ClassVar[str]

    @abstractmethod
    def encode(self, result: Result) -> bytes:
        """Returns the file's content."""

    def write(self, target: Path, result: Result) -> None:
        """Writes the file whole or not at all, replacing what is there.

        Raises:
            OutputError: if it cannot be written.
        """
        content = self.encode(result)
        partial = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(content)
                os.replace(partial, target)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error


class JsonWriter(Writer):
    """The picture's row of the JSON Lines as a file."""

    name = "json"
    ending = ".json"

    def encode(self, result: Result) -> bytes:
        return (result.as_json_line() + "\n").encode()


class MaskWriter(Writer):
    """An indexed PNG of the picture's size: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth."""

    name = "mask"
    ending = ".mask.png"

    def encode(self, result: Result) -> bytes:
        import numpy as np
        from PIL import Image

        labels = np.zeros(result.picture_size, np.uint8)
        for lips in result.lips:
            own = lips.label_map()
            np.copyto(labels, own, where=own > 0)
        image = Image.fromarray(labels).convert("P")
        image.putpalette([channel for colour in PALETTE for channel in colour])
        return _encoded(image, "PNG", optimize=True)


class OverlayWriter(Writer):
    """The picture with the regions tinted and the contours drawn, to look at."""

    name = "overlay"
    ending = ".overlay.jpg"

    def encode(self, result: Result) -> bytes:
        from PIL import Image

        from lipseg.data.images import read_image

        # Read once more: predicting keeps no picture in memory.
        canvas = read_image(result.path)
        for lips in result.lips:
            canvas = _drawn(canvas, lips)
        return _encoded(Image.fromarray(canvas), "JPEG", quality=_OVERLAY_QUALITY, subsampling=0)


class SvgWriter(Writer):
    """Smooth closed curves in pixels of the picture, a group of paths for each face, without the picture itself."""

    name = "svg"
    ending = ".svg"

    def encode(self, result: Result) -> bytes:
        from lipseg.inference.contours import svg_path

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


WRITERS: dict[str, type[Writer]] = {
    writer.name: writer for writer in (JsonWriter, MaskWriter, OverlayWriter, SvgWriter)
}

# Of the pictures among the outputs, which a later run must not take for inputs.
PICTURE_ENDINGS = (MaskWriter.ending, OverlayWriter.ending)


def parse_formats(text: str) -> list[Writer]:
    """Returns the writers named in a list with commas, each once.

    Raises:
        UsageError: if a name is unknown or there is none.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in WRITERS]
    if unknown or not names:
        raise UsageError(f"--format: expected any of {','.join(WRITERS)}, not '{unknown[0] if unknown else text}'")
    return [WRITERS[name]() for name in dict.fromkeys(names)]


def plan_targets(
    folder: Path, places: Sequence[Path], writers: Iterable[Writer], *, overwrite: bool
) -> list[dict[str, Path]]:
    """Returns where the files of each picture go, by the format's name; writes nothing.

    A picture at ``sub/a.jpg`` goes to ``sub/a.json`` and so on; where ``sub/a.png`` is among the pictures too, both
    keep their endings (``sub/a.jpg.json``, ``sub/a.png.json``).

    Args:
        folder: the output folder.
        places: relative path of each picture.
        writers: the formats.
        overwrite: whether files may be there already.

    Raises:
        UsageError: if two pictures have the same place, or a file exists and may not be overwritten.
    """
    shared = Counter(place.with_suffix("") for place in places)
    plan: list[dict[str, Path]] = []
    owner: dict[Path, Path] = {}
    existing: list[Path] = []
    for place in places:
        base = place if shared[place.with_suffix("")] > 1 else place.with_suffix("")
        targets = {writer.name: folder / base.with_name(base.name + writer.ending) for writer in writers}
        for target in targets.values():
            if target in owner:
                raise UsageError(
                    f"{target}: two of the pictures ({owner[target]} and {place}) would be written here; predict them "
                    "into different folders"
                )
            owner[target] = place
            if os.path.lexists(target):
                existing.append(target)
        plan.append(targets)
    if existing and not overwrite:
        more = f" (and {len(existing) - 1} more files)" if len(existing) > 1 else ""
        raise UsageError(f"{existing[0]}: exists already{more}; give --force to overwrite, or another folder with -o")
    return plan


def _drawn(image: Any, lips: "Lips") -> Any:
    """Returns a copy of an RGB picture with the regions of one face tinted and its contours drawn, anti-aliased."""
    import cv2
    import numpy as np

    from lipseg import scheme
    from lipseg.inference.contours import smooth

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


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), _PIXEL_DECIMALS) for value in values]


def _text(text: str) -> str:
    return quoteattr(text)[1:-1]
