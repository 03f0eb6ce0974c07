"""``lipseg predict``: lips in pictures."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipseg.cli.exit_codes import ExitCode, OutputError, UsageError
from lipseg.cli.inputs import InputImage, find_images
from lipseg.cli.writers import WRITERS, Result, Writer, parse_formats, plan_targets
from lipseg.errors import DataError
from lipseg.model.folder import DEFAULT_MODEL

if TYPE_CHECKING:
    from lipseg.inference.locate import MouthBox
    from lipseg.inference.segmenter import LipSegmenter, MouthViews

# What is written to a folder when --format does not say.
_DEFAULT_FORMATS = "json,mask,overlay"

# For each picture: its mouth boxes, None where it is a mouth crop, or why it cannot be used.
_BoxesOf = dict[Path, "list[MouthBox] | DataError | None"]


def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Pictures, or folders of them.")],
    mouth_box: Annotated[
        str | None,
        typer.Option("--mouth-box", metavar="X0,Y0,X1,Y1", help="Where the mouth is, in every picture given."),
    ] = None,
    mouth_boxes: Annotated[
        Path | None,
        typer.Option(
            "--mouth-boxes", metavar="FILE.csv", help="Where the mouths are: columns image,x0,y0,x1,y1; a row a face."
        ),
    ] = None,
    detector: Annotated[
        str,
        typer.Option(
            "--detector",
            metavar="NAME",
            help="Finds the faces where no boxes are given: dlib, yunet:FILE.onnx, or none (mouth crops).",
        ),
    ] = "dlib",
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score", min=0.0, max=1.0, help="Drop mouths found with a lower score. [default: the model's own]"
        ),
    ] = None,
    model: Annotated[Path, typer.Option("--model", metavar="DIR", help="Folder of the model.")] = DEFAULT_MODEL,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write files here, laid out as the input folders are."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines, one a picture; without -o that is the default.")
    ] = False,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAMES",
            help=f"What to write to DIR: any of {','.join(WRITERS)}, with commas. [default: {_DEFAULT_FORMATS}]",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, metavar="N", help="Pictures that go through the model at once.")
    ] = 32,
) -> None:
    """Find the lips in pictures of people.

    Boxes and results are in pixels of the picture after EXIF rotation. In a picture without a box faces are looked
    for; with --detector none it is taken for a mouth crop: the mouth in its middle, with the model's own margin.

    Without -o, prints one JSON object a picture: {"image": ..., "faces": [{"box", "score", "component", "outer",
    "inner"}]}, and an "error" for a picture that failed. With -o, writes NAME.json, NAME.mask.png (0 background,
    1 upper lip, 2 lower lip, 3 inner mouth), NAME.overlay.jpg, NAME.svg, and prints JSON Lines only with --json.
    """
    if mouth_box is not None and mouth_boxes is not None:
        raise UsageError("--mouth-box and --mouth-boxes: give one of them")
    if formats is not None and output is None and formats.strip().lower() != "json":
        raise UsageError("--format: give the folder to write to with -o DIR")
    writers = parse_formats(formats or _DEFAULT_FORMATS)
    images = find_images(paths)
    targets: list[dict[str, Path]] = [{} for _ in images]
    if output is not None:
        if output.exists() and not output.is_dir():
            raise UsageError(f"{output}: -o must name a folder, and this is a file")
        targets = plan_targets(output, [image.place for image in images], writers, overwrite=force)
    boxes = _boxes([image.path for image in images], mouth_box, mouth_boxes)

    from lipseg.inference.segmenter import LipSegmenter
    from lipseg.progress import progress

    try:
        segmenter = LipSegmenter(model, detector, min_score)
    except DataError as error:
        raise UsageError(f"--detector: {error}") from error
    if output is not None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{output}: cannot be made ({error.strerror or error})") from error

    print_rows = as_json or output is None
    failed = 0
    # Rows that run over a terminal and a bar on the same one would overwrite each other.
    results = _results(segmenter, images, boxes, batch_size)
    if not (print_rows and sys.stdout.isatty()):
        results = progress(results, total=len(images), unit="image")
    for result, its_targets in zip(results, targets, strict=True):
        if output is not None and not result.error:
            result = _written(result, writers, its_targets)
        if result.error:
            failed += 1
            _tell(result.error if str(result.path) in result.error else f"{result.path}: {result.error}")
        if print_rows:
            _print_row(result)
    if output is not None:
        _tell(f"{len(images) - failed} of {len(images)} pictures written to {output}")
    elif failed:
        _tell(f"{failed} of {len(images)} pictures failed")
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _boxes(paths: list[Path], mouth_box: str | None, mouth_boxes: Path | None) -> _BoxesOf:
    """Returns the boxes of each picture as the options give them."""
    from lipseg.inference.locate import MouthBox, match_boxes, read_boxes

    if mouth_box is not None:
        box = MouthBox.parse(mouth_box, "--mouth-box")
        return {path: [box] for path in paths}
    if mouth_boxes is None:
        return {path: None for path in paths}
    table = read_boxes(mouth_boxes)
    found = match_boxes(table, paths)
    if not found:
        raise UsageError(f"{mouth_boxes}: no row is of a picture given; the column image holds file names")
    return {path: found.get(path, DataError(f"no row for '{path.name}' in {mouth_boxes}")) for path in paths}


def _results(
    segmenter: "LipSegmenter", images: Iterable[InputImage], boxes: _BoxesOf, batch_size: int
) -> Iterator[Result]:
    """Yields the result of each picture in order, a batch at a time; of a picture only its views are kept."""
    batch: list[tuple[Path, MouthViews | DataError]] = []
    for image in images:
        its_boxes = boxes[image.path]
        try:
            if isinstance(its_boxes, DataError):
                raise its_boxes
            batch.append((image.path, segmenter.cut(image.path, its_boxes)))
        except DataError as error:
            batch.append((image.path, error))
        if len(batch) == batch_size:
            yield from _solved(segmenter, batch)
            batch = []
    yield from _solved(segmenter, batch)


def _solved(segmenter: "LipSegmenter", batch: "list[tuple[Path, MouthViews | DataError]]") -> Iterator[Result]:
    """Yields the results of a batch in order."""
    solved = iter(segmenter.predict_views([cut for _, cut in batch if not isinstance(cut, DataError)]))
    for path, cut in batch:
        if isinstance(cut, DataError):
            yield Result(path, error=str(cut))
        else:
            yield Result(path, cut.picture_size, next(solved))


def _written(result: Result, writers: list[Writer], targets: dict[str, Path]) -> Result:
    """Writes the files of a picture and returns its result, a failed one if the picture cannot be read any more."""
    try:
        for writer in writers:
            writer.write(targets[writer.name], result)
    except DataError as error:
        return Result(result.path, error=str(error))
    return result


def _tell(message: str) -> None:
    """Prints a line on standard error without tearing the progress bar."""
    from tqdm import tqdm

    tqdm.write(message, file=sys.stderr)


def _print_row(result: Result) -> None:
    """Prints a picture's row on standard output; when nobody reads it any more, ends the command quietly."""
    try:
        sys.stdout.write(result.as_json_line() + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered must not raise once more when Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.PIPE_CLOSED) from None
