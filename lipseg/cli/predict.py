"""``lipseg predict``: lips in pictures."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipseg.cli.exit_codes import ExitCode
from lipseg.cli.inputs import InputImage, find_images
from lipseg.cli.models import (
    ConventionOption,
    DetectorOption,
    MinScoreOption,
    ModelOption,
    ThreadsOption,
    load_segmenter,
)
from lipseg.cli.mouths import BoxesOf, MouthBoxesOption, MouthBoxOption, boxes_of
from lipseg.cli.plan import check_folder, parse_formats, plan_gathered, plan_targets
from lipseg.cli.printing import print_result, tell, tell_failure
from lipseg.errors import DataError, UsageError
from lipseg.files import claimed, output_errors
from lipseg.formats.gathered import Gathering
from lipseg.formats.picture_file import PictureWriter
from lipseg.formats.record import PictureRecord
from lipseg.formats.registry import WRITERS
from lipseg.inference.card import DEFAULT_DETECTOR, DEFAULT_MODEL

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
    detector: DetectorOption = DEFAULT_DETECTOR,
    min_score: MinScoreOption = None,
    model: ModelOption = DEFAULT_MODEL,
    threads: ThreadsOption = 1,
    convention: ConventionOption = None,
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

    Where neither --mouth-box nor --mouth-boxes says where a mouth is, faces are looked for. --detector none looks for
    none and takes each picture for a mouth crop: the mouth in its middle, with the margin that the model was trained
    with.

    Without -o, one JSON object a picture is printed: {"image", "width", "height", "faces"}. "faces" holds for each face
    {"box", "roll", "score", "component", "opening", "opening_px", "width", "areas", "outer", "inner"}. A picture
    without a face has a "reason", one that failed an "error". With -o, the objects are printed only with --json, and
    not for pictures that were skipped.

    \b
      box         x0, y0, x1, y1 of the mouth box that the model was shown
      roll        by how many degrees the box is turned; missing where it is upright
      score       0 to 1, the probability that the contours are right
      component   the mixture component (the mouth's state) whose head placed the landmarks
      opening     opening_px over width; 0 is closed
      opening_px  pixels between the lips in the middle of the mouth
      width       pixels between the corners of the mouth
      areas       square pixels of "upper", "lower" and "inner"
      outer       28 points x, y of the outer contour; inner: of the inner one

    Coordinates are pixels of the picture after EXIF rotation, and (0, 0) is the centre of the first pixel. COCO and
    labelme count from that pixel's corner instead, so their x and y are larger by 0.5.

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

    Every file is whole or absent, and --resume goes on with a run that was stopped.

    Exit codes: 0 all done, also where no face was found; 1 unexpected error, such as a full disk; 2 wrong usage,
    nothing was done; 3 some pictures failed, the others were written; 4 model unusable; 130 interrupted.
    """
    if formats is not None and output is None and formats.strip().lower() != "json":
        raise UsageError("--format: give the folder to write to with -o DIR")
    if resume and force:
        raise UsageError(
            "--resume and --force: give one of them; --resume keeps files that exist, --force replaces them"
        )
    if resume and output is None:
        raise UsageError("--resume: give the folder to go on in with -o DIR")
    writers, gathered_writers = parse_formats(formats or _DEFAULT_FORMATS)
    images = find_images(paths)
    with ExitStack() as claim:
        targets: list[dict[str, Path]] = [{} for _ in images]
        gatherings: list[Gathering] = []
        if output is not None:
            check_folder(output)
            if output.is_dir():
                claim.enter_context(claimed(output))
            targets = plan_targets(output, [image.place for image in images], writers, overwrite=force, resume=resume)
            gatherings = plan_gathered(output, gathered_writers, overwrite=force, resume=resume)
        boxes = boxes_of([image.path for image in images], mouth_box, mouth_boxes)
        todo = [
            (image, its)
            for image, its in zip(images, targets, strict=True)
            if not resume or its or any(image.place.as_posix() not in gathering for gathering in gatherings)
        ]
        if resume and not todo:
            tell(f"nothing to do: {len(images)} of {len(images)} pictures were written to {output} before")
        elif resume:
            tell(f"{len(images) - len(todo)} of {len(images)} pictures skipped: their files are there already")

        failed = 0
        if todo:
            segmenter = load_segmenter(model, detector, min_score, threads, convention)
            if output is not None:
                with output_errors(output):
                    if not output.is_dir():
                        output.mkdir(parents=True, exist_ok=True)
                        claim.enter_context(claimed(output))
            records = _records(segmenter, [image for image, _ in todo], boxes, batch_size)
            try:
                failed = _deliver(
                    records,
                    todo,
                    writers,
                    gatherings,
                    to_folder=output is not None,
                    print_rows=as_json or output is None,
                )
            finally:
                for gathering in gatherings:
                    gathering.close()
        for gathering in gatherings:
            gathering.finish([image.place.as_posix() for image in images])
        if output is not None and todo:
            tell(f"{len(todo) - failed} of {len(todo)} pictures written to {output}")
        elif failed:
            tell(f"{failed} of {len(todo)} pictures failed")
        if failed:
            raise typer.Exit(ExitCode.SOME_FAILED)


def _deliver(
    records: Iterator[PictureRecord],
    todo: list[tuple[InputImage, dict[str, Path]]],
    writers: list[PictureWriter],
    gatherings: list[Gathering],
    *,
    to_folder: bool,
    print_rows: bool,
) -> int:
    """Writes and prints the records in order; returns how many pictures failed."""
    from lipseg.progress import progress

    failed = no_face = 0
    # A bar would be noise in a log, and on a terminal it would overwrite the rows that are printed there.
    if sys.stderr.isatty() and not (print_rows and sys.stdout.isatty()):
        records = iter(progress(records, total=len(todo), unit="image"))
    for record, (image, targets) in zip(records, todo, strict=True):
        if to_folder and not record.error:
            record = _written(record, writers, targets)
        if record.error:
            failed += 1
            tell_failure(record.path, record.error)
        else:
            no_face += not record.lips
            place = image.place.as_posix()
            for gathering in gatherings:
                if place not in gathering:
                    gathering.add(place, record)
        if print_rows:
            print_result(record.as_json_line())
    if no_face:
        tell(f"{no_face} of {len(todo)} pictures without a face")
    return failed


def _records(
    segmenter: "LipSegmenter", images: Iterable[InputImage], boxes: BoxesOf, batch_size: int
) -> Iterator[PictureRecord]:
    """Yields the record of each picture in order, a batch at a time.

    While the model looks at one batch and its files are written, a thread reads the pictures of the next. It keeps
    only the views of their mouths, so that one decoded picture at most is in memory.
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


def _solved(
    segmenter: "LipSegmenter", batch: "list[tuple[InputImage, MouthViews | DataError]]"
) -> Iterator[PictureRecord]:
    """Yields the records of a batch in order."""
    solved = iter(segmenter.predict_views([cut for _, cut in batch if not isinstance(cut, DataError)]))
    for image, cut in batch:
        if isinstance(cut, DataError):
            yield PictureRecord(image.path, error=str(cut))
        else:
            found = next(solved)
            reason = "" if found else found.reason or "no face found"
            yield PictureRecord(image.path, cut.picture_size, list(found), reason=reason, content=image.content)


def _written(record: PictureRecord, writers: list[PictureWriter], targets: dict[str, Path]) -> PictureRecord:
    """Writes the files of a picture and returns its record, with the error if it can no longer be read."""
    try:
        for writer in writers:
            if writer.name in targets:
                writer.write(targets[writer.name], record)
    except DataError as error:
        return PictureRecord(record.path, error=str(error))
    return record
