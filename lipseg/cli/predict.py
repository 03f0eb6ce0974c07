"""``lipseg predict``: lips in pictures."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipseg.cli.exit_codes import ExitCode, UsageError, output_errors
from lipseg.cli.inputs import InputImage, find_images
from lipseg.cli.models import DetectorOption, MinScoreOption, ModelOption, UnbiasedOption, load_segmenter
from lipseg.cli.mouths import BoxesOf, MouthBoxesOption, MouthBoxOption, boxes_of
from lipseg.cli.printing import print_result, tell
from lipseg.errors import DataError
from lipseg.formats.gathered import Gathering
from lipseg.formats.plan import WRITERS, parse_formats, plan_gathered, plan_targets
from lipseg.formats.writers import Result, Writer
from lipseg.inference.card import DEFAULT_MODEL

if TYPE_CHECKING:
    from lipseg.inference.segmenter import LipSegmenter, MouthViews

# What is written to a folder when --format does not say.
_DEFAULT_FORMATS = "json,mask,overlay"


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Pictures, folders of them, patterns such as 'photos/**/*.jpg', or - for stdin."
        ),
    ],
    mouth_box: MouthBoxOption = None,
    mouth_boxes: MouthBoxesOption = None,
    detector: DetectorOption = "dlib",
    min_score: MinScoreOption = None,
    model: ModelOption = DEFAULT_MODEL,
    unbiased: UnbiasedOption = False,
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep files that exist, and skip pictures that have all of theirs.")
    ] = False,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, metavar="N", help="Pictures that go through the model at once.")
    ] = 32,
) -> None:
    """Find the lips in pictures of people.

    Boxes and results are in pixels of the picture after EXIF rotation, pixel centres at integers. In a picture without
    a box faces are looked for; with --detector none it is taken for a mouth crop: the mouth in its middle, with the
    model's own margin around it.

    Without -o, prints one JSON object a picture: {"image", "width", "height", "faces": [{"box", "roll" (degrees, where
    the box is turned), "score", "component", "outer", "inner"}]}, a "reason" where no face was found, an
    "error" for a picture that failed. With -o, prints them only with --json, and not for pictures that were skipped.

    \b
    Formats:
      json     NAME.json, what is printed without -o
      mask     NAME.mask.png: 0 background, 1 upper lip, 2 lower lip, 3 inner mouth
      matte    NAME.matte.png, the soft alpha of the lips: 0 to 255
      overlay  NAME.overlay.jpg, to look at
      svg      NAME.svg, smooth curves
      labelme  NAME.labelme.json, polygons
      coco     coco.json for the whole run, polygons and named landmarks
      csv      landmarks.csv for the whole run
    COCO and labelme count from the first pixel's corner: 0.5 more than the others.

    Every file is whole or absent, and a run that was stopped goes on with --resume.

    Exit codes: 0 all done, also where no face was found; 1 unexpected error, such as a full disk; 2 wrong usage,
    nothing was done; 3 some pictures failed, the others were written; 4 model unusable; 130 interrupted.
    """
    if formats is not None and output is None and formats.strip().lower() != "json":
        raise UsageError("--format: give the folder to write to with -o DIR")
    if resume and force:
        raise UsageError("--resume and --force: give one of them; the one keeps files, the other replaces them")
    if resume and output is None:
        raise UsageError("--resume: give the folder to go on in with -o DIR")
    writers, gathered_writers = parse_formats(formats or _DEFAULT_FORMATS)
    images = find_images(paths)
    targets: list[dict[str, Path]] = [{} for _ in images]
    gatherings: list[Gathering] = []
    if output is not None:
        if output.exists() and not output.is_dir():
            raise UsageError(f"{output}: -o must name a folder, and this is a file")
        targets = plan_targets(output, [image.place for image in images], writers, overwrite=force, resume=resume)
        gatherings = plan_gathered(output, gathered_writers, overwrite=force, resume=resume)
    boxes = boxes_of([image.path for image in images], mouth_box, mouth_boxes)
    todo = [
        (image, its)
        for image, its in zip(images, targets, strict=True)
        if not resume or its or any(image.place.as_posix() not in gathering for gathering in gatherings)
    ]
    if resume:
        tell(f"{len(images) - len(todo)} of {len(images)} pictures skipped: their files are there already")

    failed = 0
    if todo:
        segmenter = load_segmenter(model, detector, min_score, unbiased=unbiased)
        if output is not None:
            with output_errors(output):
                output.mkdir(parents=True, exist_ok=True)
        results = _results(segmenter, [image for image, _ in todo], boxes, batch_size)
        try:
            failed = _deliver(
                results, todo, writers, gatherings, to_folder=output is not None, print_rows=as_json or output is None
            )
        finally:
            for gathering in gatherings:
                gathering.close()
    for gathering in gatherings:
        gathering.finish([image.place.as_posix() for image in images])
    if output is not None:
        tell(f"{len(todo) - failed} of {len(todo)} pictures written to {output}")
    elif failed:
        tell(f"{failed} of {len(todo)} pictures failed")
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _deliver(
    results: Iterator[Result],
    todo: list[tuple[InputImage, dict[str, Path]]],
    writers: list[Writer],
    gatherings: list[Gathering],
    *,
    to_folder: bool,
    print_rows: bool,
) -> int:
    """Writes and prints the results in order; returns how many pictures failed."""
    from lipseg.progress import progress

    failed = no_face = 0
    # In a log a bar is noise; rows that run over a terminal and a bar on the same one would overwrite each other.
    if sys.stderr.isatty() and not (print_rows and sys.stdout.isatty()):
        results = iter(progress(results, total=len(todo), unit="image"))
    for result, (image, targets) in zip(results, todo, strict=True):
        if to_folder and not result.error:
            result = _written(result, writers, targets)
        if result.error:
            failed += 1
            tell(result.error if str(result.path) in result.error else f"{result.path}: {result.error}")
        else:
            no_face += not result.lips
            place = image.place.as_posix()
            for gathering in gatherings:
                if place not in gathering:
                    gathering.add(place, result)
        if print_rows:
            print_result(result.as_json_line())
    if no_face:
        tell(f"{no_face} of {len(todo)} pictures without a face")
    return failed


def _results(
    segmenter: "LipSegmenter", images: Iterable[InputImage], boxes: BoxesOf, batch_size: int
) -> Iterator[Result]:
    """Yields the result of each picture in order, a batch at a time.

    While the model looks at one batch and its files are written, a thread reads the next: of a picture only its views
    are kept, so that no more than one decoded picture is in memory for it.
    """
    from lipseg.images import decode_image
    from lipseg.prefetch import prefetch

    def cut(image: InputImage) -> "tuple[InputImage, MouthViews | DataError]":
        its_boxes = boxes[image.path]
        if isinstance(its_boxes, DataError):
            return image, its_boxes
        try:
            picture = image.path if image.content is None else decode_image(image.content, str(image.path))
            return image, segmenter.cut(picture, its_boxes)
        except DataError as error:
            return image, error

    cuts = prefetch(cut, images, batch_size)
    while batch := list(islice(cuts, batch_size)):
        yield from _solved(segmenter, batch)


def _solved(segmenter: "LipSegmenter", batch: "list[tuple[InputImage, MouthViews | DataError]]") -> Iterator[Result]:
    """Yields the results of a batch in order."""
    solved = iter(segmenter.predict_views([cut for _, cut in batch if not isinstance(cut, DataError)]))
    for image, cut in batch:
        if isinstance(cut, DataError):
            yield Result(image.path, error=str(cut))
        else:
            found = next(solved)
            reason = "" if found else found.reason or "no face found"
            yield Result(image.path, cut.picture_size, list(found), reason=reason, content=image.content)


def _written(result: Result, writers: list[Writer], targets: dict[str, Path]) -> Result:
    """Writes the files of a picture and returns its result, a failed one if the picture cannot be read any more."""
    try:
        for writer in writers:
            if writer.name in targets:
                writer.write(targets[writer.name], result)
    except DataError as error:
        return Result(result.path, error=str(error))
    return result
