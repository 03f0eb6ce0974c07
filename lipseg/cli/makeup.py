"""``lipseg makeup``: lipstick on photos and videos."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipseg.cli.exit_codes import ExitCode
from lipseg.cli.inputs import PAINTED_MARK, STANDARD_INPUT, VIDEO_SUFFIXES, find_images
from lipseg.cli.models import DetectorOption, ModelOption, ThreadsOption, load_segmenter
from lipseg.cli.mouths import MouthBoxesOption, MouthBoxOption, boxes_of
from lipseg.cli.printing import print_result, tell, tell_failure, tell_losses
from lipseg.cli.termination import terminated_as_interrupted
from lipseg.errors import DataError, UsageError
from lipseg.files import output_errors, whole_file
from lipseg.formats.photo import PHOTO_FORMATS, Photo
from lipseg.inference.card import DEFAULT_DETECTOR, DEFAULT_MODEL

if TYPE_CHECKING:
    from lipseg.boxes import Box
    from lipseg.inference.segmenter import LipSegmenter
    from lipseg.makeup.lipstick import Painter
    from lipseg.tracking.tracker import TrackedFrame

# Pictures of these endings are painted to JPEG, all others to PNG.
_LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif", ".avif"})


def makeup(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PHOTO", help="Photos, folders of them, patterns such as '*.jpg', videos.")
    ],
    colour: Annotated[
        str, typer.Option("--color", "--colour", metavar="COLOR", help="Of the lipstick: #rgb, #rrggbb or a CSS name.")
    ] = "#b03060",
    opacity: Annotated[
        float,
        typer.Option(
            "--opacity", min=0.0, max=1.0, metavar="SHARE", help="0 changes nothing, 1 covers the lips' own colour."
        ),
    ] = 0.6,
    finish: Annotated[str, typer.Option("--finish", metavar="NAME", help="matte, satin or gloss.")] = "satin",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="The file to write; with several photos or a folder, the folder."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    mouth_box: MouthBoxOption = None,
    mouth_boxes: MouthBoxesOption = None,
    detector: DetectorOption = DEFAULT_DETECTOR,
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=0.0,
            max=1.0,
            metavar="SCORE",
            help="Paint no mouth found with a lower score, and say so. [default: 0.05; 0 paints all]",
        ),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    threads: ThreadsOption = 1,
) -> None:
    """Put lipstick on the lips in photos and videos: on all faces, and not on teeth, tongue or skin.

    Without -o, the result lies beside its source: NAME.jpg becomes NAME.makeup.jpg, photos that are not JPEG become
    NAME.makeup.png (HEIC and AVIF: .jpg), and videos NAME.makeup.mp4 with their sound. PNG leaves every pixel but the
    lips' as it was; JPEG is written at quality 95. EXIF data and colour profile are kept. Mouth boxes given for a video
    are those of its first frame, and only these mouths are painted.

    Mouths that are probably none, such as covered ones, stay as they are, and standard error says which. Prints the
    path of each file that was written. Nothing is written of a photo in which nothing was painted, and the exit code is
    then 3.

    Exit codes: as of lipseg predict.
    """
    painter = _painter(colour, opacity, finish)
    if Path(STANDARD_INPUT) in paths:
        raise UsageError(f"{STANDARD_INPUT}: makeup reads no photo from standard input; name a file")
    images = find_images([str(path) for path in paths])
    targets = _targets(paths, [(image.path, image.place) for image in images], output, overwrite=force)
    boxes = boxes_of([image.path for image in images], mouth_box, mouth_boxes)

    from lipseg.progress import progress
    from lipseg.tracking.params import TrackParams

    # Everything that is found is wanted here, in order to say what is left unpainted.
    segmenter = load_segmenter(model, detector, None if min_score is None else 0.0, threads)
    least = TrackParams().min_score if min_score is None else min_score  # below it, a video's mouths are lost too
    failed = 0
    jobs = list(zip((image.path for image in images), targets, strict=True))
    for path, target in progress(jobs, total=len(jobs), unit="file") if len(jobs) > 1 else jobs:
        try:
            its_boxes = boxes[path]
            if isinstance(its_boxes, DataError):
                raise its_boxes
            if _is_video(path):
                # A painter remembers people by their ids, and every video counts them from 1: each gets its own.
                _paint_video(path, target, segmenter, its_boxes, least, _painter(colour, opacity, finish))
            else:
                content = _painted(path, target, segmenter, its_boxes, least, painter)
                with output_errors(target), whole_file(target) as partial:
                    partial.write_bytes(content)
        except DataError as error:
            failed += 1
            tell_failure(path, str(error))
        else:
            print_result(str(target))
    if failed:
        if len(jobs) > 1:
            tell(f"{failed} of {len(jobs)} files failed")
        raise typer.Exit(ExitCode.SOME_FAILED)


def _painter(colour: str, opacity: float, finish: str) -> "Painter":
    from lipseg.makeup.lipstick import Painter, parse_colour, parse_finish

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
    endings = set(PHOTO_FORMATS)
    if single and _is_video(paths[0]):
        from lipseg.video.writing import SUFFIXES

        endings = set(SUFFIXES)
    if output is not None and single and not output.is_dir() and output.suffix:
        if output.suffix.lower() not in endings:
            raise UsageError(f"{output}: -o must be a folder or end in one of {', '.join(sorted(endings))}")
        targets = [output]
    elif output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"{output}: -o must name a folder for several photos, and this is a file")
    else:
        targets = [
            (path.parent if output is None else (output / place).parent) / f"{path.stem}{PAINTED_MARK}{_ending(path)}"
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
    if suffix in VIDEO_SUFFIXES:
        return ".mp4"
    if suffix in (".jpg", ".jpeg"):
        return path.suffix
    return ".jpg" if suffix in _LOSSY else ".png"


def _painted(
    path: Path, target: Path, segmenter: "LipSegmenter", boxes: "list[Box] | None", least: float, painter: "Painter"
) -> bytes:
    """Returns the content of the file of a painted picture; says which mouths were left as they are.

    Raises:
        DataError: if the picture cannot be read or shows no face, or every mouth scores less than ``least``.
    """
    from lipseg.makeup.lipstick import paint_over

    photo = Photo(path, target.suffix)
    faces = segmenter(photo.shown, boxes)
    if not faces:
        raise DataError(f"{path}: {faces.reason}")
    found = boxes is None and segmenter.finds_faces  # what is given counts, whatever its score
    sure = [lips for lips in faces if not found or lips.score >= least]
    if len(sure) < len(faces):
        doubtful = sorted(lips.score for lips in faces if lips.score < least)
        scores = f"score {doubtful[0]:.3f}" if len(doubtful) == 1 else f"scores {doubtful[0]:.3f} to {doubtful[-1]:.3f}"
        why = f"{scores}, below --min-score {least:g}"
        if not sure:
            raise DataError(f"{path}: nothing painted: no mouth is sure enough ({why}); --min-score 0 paints all")
        tell(f"{path}: {len(doubtful)} of {len(faces)} mouths left unpainted ({why})")
    for lips in sure:
        paint_over(photo.pixels, lips, painter.colour, painter.opacity, painter.finish)
    return photo.encode()


def _paint_video(
    path: Path, target: Path, segmenter: "LipSegmenter", boxes: "list[Box] | None", least: float, painter: "Painter"
) -> None:
    """Writes a painted video.

    Raises:
        DataError: if the video cannot be read, or nothing says where a mouth is.
        MissingLibraryError: without PyAV.
        OutputError: if the file cannot be written.
    """
    from lipseg.progress import progress
    from lipseg.tracking.tracker import TrackParams
    from lipseg.video.process import process_video
    from lipseg.video.reading import VideoReader

    params = TrackParams(new_people=not boxes, min_score=least)
    with (
        terminated_as_interrupted(),
        VideoReader(path) as reader,
        progress(total=reader.expected, unit="frame") as bar,
        output_errors(target),
    ):

        def seen(frame: "TrackedFrame") -> None:
            bar.update()

        summary = process_video(reader, target, segmenter, painter, boxes=boxes or (), params=params, seen=seen)
    if summary.empty == summary.frames:
        tell(f"{path}: nothing painted: no mouth found in any of its {summary.frames} frames")
    tell_losses(path, summary)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES
