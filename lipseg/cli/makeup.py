"""``lipseg makeup``: lipstick on photos."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipseg.cli.exit_codes import ExitCode, OutputError, UsageError
from lipseg.cli.inputs import find_images
from lipseg.errors import DataError
from lipseg.model.folder import DEFAULT_MODEL

if TYPE_CHECKING:
    from lipseg.inference.locate import MouthBox
    from lipseg.inference.makeup import Painter
    from lipseg.inference.segmenter import LipSegmenter

# What stands before the ending of a painted picture; a folder's pictures that have it are no inputs.
MARK = ".makeup"

_QUALITY = 95
# Pictures of these endings are painted to JPEG, all others to PNG.
_LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif", ".avif"})
# What -o may name a single picture's file, and Pillow's name of the format.
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})

_BoxesOf = dict[Path, "list[MouthBox] | DataError | None"]


def makeup(
    paths: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos, or folders of them.")],
    colour: Annotated[
        str, typer.Option("--color", "--colour", metavar="COLOR", help="Of the lipstick: #rgb, #rrggbb or a CSS name.")
    ] = "#b03060",
    opacity: Annotated[
        float, typer.Option("--opacity", min=0.0, max=1.0, help="0 changes nothing, 1 covers the lips' own colour.")
    ] = 0.6,
    finish: Annotated[str, typer.Option("--finish", metavar="NAME", help="matte, satin or gloss.")] = "satin",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="The file to write; with several photos or a folder, the folder."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    mouth_box: Annotated[
        list[str] | None,
        typer.Option(
            "--mouth-box", metavar="X0,Y0,X1,Y1", help="Where a mouth is, in every photo; once for each mouth."
        ),
    ] = None,
    mouth_boxes: Annotated[
        Path | None,
        typer.Option(
            "--mouth-boxes", metavar="FILE.csv", help="Where the mouths are: columns image,x0,y0,x1,y1; a row a face."
        ),
    ] = None,
    model: Annotated[Path, typer.Option("--model", metavar="DIR", help="Folder of the model.")] = DEFAULT_MODEL,
) -> None:
    """Put lipstick on the lips in photos: on all faces, and not on teeth, tongue or skin.

    Without -o, NAME.jpg becomes NAME.makeup.jpg beside it, and photos of other formats NAME.makeup.png. Everything
    but the lips stays as it is in PNG; JPEG is written at quality 95 with the photo's EXIF data and colour profile.
    Prints the path of each file that was written. A photo without a face is not written: exit code 3.
    """
    painter = _painter(colour, opacity, finish)
    if mouth_box and mouth_boxes is not None:
        raise UsageError("--mouth-box and --mouth-boxes: give one of them")
    found = find_images([str(path) for path in paths])
    images = [image for image in found if image.path in paths or not image.path.stem.endswith(MARK)]
    if not images:
        raise UsageError(f"{paths[0]}: no photos in this folder but painted ones (NAME{MARK}.jpg)")
    targets = _targets(paths, [(image.path, image.place) for image in images], output, overwrite=force)
    boxes = _boxes([image.path for image in images], mouth_box or [], mouth_boxes)

    from lipseg.inference.segmenter import LipSegmenter
    from lipseg.progress import progress

    process_video = _video_processor() if any(_is_video(image.path) for image in images) else None
    segmenter = LipSegmenter(model)
    failed = 0
    jobs = list(zip((image.path for image in images), targets, strict=True))
    for path, target in progress(jobs, total=len(jobs), unit="image") if len(jobs) > 1 else jobs:
        try:
            if process_video is not None and _is_video(path):
                process_video(path, target, segmenter, paint=_painter(colour, opacity, finish))
            else:
                its_boxes = boxes[path]
                if isinstance(its_boxes, DataError):
                    raise its_boxes
                _write(target, _painted(path, target, segmenter, its_boxes, painter))
        except DataError as error:
            failed += 1
            _tell(str(error) if str(path) in str(error) else f"{path}: {error}")
        else:
            typer.echo(str(target))
    if failed:
        if len(jobs) > 1:
            _tell(f"{failed} of {len(jobs)} photos failed")
        raise typer.Exit(ExitCode.SOME_FAILED)


def _painter(colour: str, opacity: float, finish: str) -> "Painter":
    from lipseg.inference.makeup import Painter, parse_colour, parse_finish

    try:
        rgb = parse_colour(colour)
    except DataError as error:
        raise UsageError(f"--color: {error}") from None
    try:
        return Painter(rgb, opacity, parse_finish(finish))
    except DataError as error:
        raise UsageError(f"--finish: {error}") from None


def _targets(paths: list[Path], images: list[tuple[Path, Path]], output: Path | None, *, overwrite: bool) -> list[Path]:
    """Returns the file to write for each picture; writes nothing.

    Args:
        paths: as given on the command line.
        images: path and place below the output folder of each picture.
        output: as given.
        overwrite: whether the files may be there already.

    Raises:
        UsageError: if the output cannot be what the inputs ask for, two pictures have the same one, one is an input,
            or one exists and may not be overwritten.
    """
    single = len(paths) == 1 and not paths[0].is_dir()
    endings = _VIDEOS if single and _is_video(paths[0]) else frozenset(_FORMATS)
    if output is not None and single and not output.is_dir() and output.suffix:
        if output.suffix.lower() not in endings:
            raise UsageError(f"{output}: -o must be a folder or end in one of {', '.join(sorted(endings))}")
        targets = [output]
    elif output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"{output}: -o must name a folder for several photos, and this is a file")
    else:
        targets = [
            (path.parent if output is None else (output / place).parent) / f"{path.stem}{MARK}{_ending(path)}"
            for path, place in images
        ]
    inputs = {path.resolve() for path, _ in images}
    for index, target in enumerate(targets):
        if target in targets[:index]:
            other = images[targets.index(target)][0]
            raise UsageError(
                f"{target}: two of the photos ({other} and {images[index][0]}) would be written here; paint them into "
                "different folders"
            )
        if target.resolve() in inputs:
            raise UsageError(f"{target}: is one of the photos to paint; write elsewhere with -o")
        if os.path.lexists(target) and not overwrite:
            raise UsageError(f"{target}: exists already; give --force to overwrite, or another place with -o")
    return targets


def _ending(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in _VIDEOS:
        return ".mp4"
    if suffix in (".jpg", ".jpeg"):
        return path.suffix
    return ".jpg" if suffix in _LOSSY else ".png"


def _boxes(paths: list[Path], texts: list[str], file: Path | None) -> _BoxesOf:
    """Returns the mouth boxes of each picture as the options give them, None where they say nothing."""
    from lipseg.inference.locate import MouthBox, match_boxes, read_boxes

    if texts:
        same = [MouthBox.parse(text, "--mouth-box") for text in texts]
        return {path: same for path in paths}
    if file is None:
        return {path: None for path in paths}
    found = match_boxes(read_boxes(file), paths)
    if not found:
        raise UsageError(f"{file}: no row is of a photo given; the column image holds file names")
    return {path: found.get(path, DataError(f"no row for '{path.name}' in {file}")) for path in paths}


def _painted(
    path: Path, target: Path, segmenter: "LipSegmenter", boxes: "list[MouthBox] | None", painter: "Painter"
) -> bytes:
    """Returns the content of the file of a painted picture.

    Raises:
        DataError: if the picture cannot be read or shows no face.
    """
    import numpy as np
    from PIL import Image, ImageOps

    from lipseg.data.images import read_image
    from lipseg.inference.makeup import paint_over

    pixels = read_image(path)
    faces = segmenter(pixels, boxes)
    if not faces:
        raise DataError(f"{path}: no face found")
    kind = _FORMATS[target.suffix.lower()]
    options: dict[str, Any] = {"PNG": {"optimize": False}, "TIFF": {"compression": "tiff_deflate"}}.get(kind, {})
    if kind in ("JPEG", "WEBP"):
        options = {"quality": _QUALITY}
    if kind == "JPEG":
        options["subsampling"] = 0  # the colour of lips is finer than half the pixels
    alpha = None
    with Image.open(path) as original:
        upright = original
        with contextlib.suppress(Exception):  # as in reading: a damaged EXIF block does not make a photo unusable
            upright = ImageOps.exif_transpose(original)  # says no longer that it is to be turned
        if exif := upright.info.get("exif"):
            options["exif"] = exif
        if original.mode in ("RGB", "RGBA") and (profile := upright.info.get("icc_profile")):
            options["icc_profile"] = profile
        if original.has_transparency_data and kind != "JPEG":
            layers = np.asarray(upright.convert("RGBA"))
            pixels, alpha = layers[..., :3], layers[..., 3:]
    pixels = pixels.copy()  # what Pillow decodes may be read-only
    for lips in faces:
        paint_over(pixels, lips, painter.colour, painter.opacity, painter.finish)
    buffer = io.BytesIO()
    Image.fromarray(pixels if alpha is None else np.concatenate([pixels, alpha], 2)).save(buffer, kind, **options)
    return buffer.getvalue()


def _write(target: Path, content: bytes) -> None:
    """Writes a file whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
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


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in _VIDEOS


def _video_processor() -> Callable[..., Any]:
    """Returns the function that paints a video: ``process_video(source, target, segmenter, paint=painter)``.

    Raises:
        UsageError: if this version has none.
    """
    import importlib

    try:
        return importlib.import_module("lipseg.inference.video").process_video
    except (ImportError, AttributeError):
        raise UsageError("videos cannot be painted by this version; give photos") from None


def _tell(message: str) -> None:
    """Prints a line on standard error without tearing the progress bar."""
    from tqdm import tqdm

    tqdm.write(message, file=sys.stderr)
