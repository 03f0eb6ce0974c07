"""``lipseg batch``: very many pictures on Ray."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipseg.cli.exit_codes import ExitCode
from lipseg.cli.models import ConventionOption, DetectorOption, MinScoreOption, ModelOption, load_segmenter
from lipseg.cli.printing import tell
from lipseg.errors import UsageError
from lipseg.inference.card import DEFAULT_DETECTOR, DEFAULT_MODEL
from lipseg.video.libraries import need

if TYPE_CHECKING:
    from tqdm import tqdm


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Pictures, folders, patterns, lists (.txt), Parquet files and WebDataset tars; paths or URIs.",
        ),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DEST", help="Folder, or URI of one, for the Parquet files.")
    ],
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, metavar="N", help="Processes, a CPU each. [default: one a CPU]"),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="Join the Ray cluster that runs there; auto finds the one of this machine. [default: start one here]",
        ),
    ] = None,
    part: Annotated[
        int,
        typer.Option("--part", min=1, metavar="N", help="Pictures of a file of rows, which a worker's death costs."),
    ] = 256,
    tries: Annotated[
        int, typer.Option("--tries", min=1, metavar="N", help="Give up a picture over which so many processes died.")
    ] = 3,
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            metavar="NAME",
            help="Column of Parquet files with the pictures' bytes, such as image.bytes. [default: the only one]",
        ),
    ] = None,
    name_column: Annotated[
        str | None,
        typer.Option("--name-column", metavar="NAME", help="Column with their names. [default: FILE#ROW]"),
    ] = None,
    detector: DetectorOption = DEFAULT_DETECTOR,
    min_score: MinScoreOption = None,
    model: ModelOption = DEFAULT_MODEL,
    convention: ConventionOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the results of an earlier run.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
) -> None:
    """Find the lips in very many pictures, on one machine or on a Ray cluster.

    DEST gets Parquet files: a row a face, and one row of every picture without a face, with its reason, or that
    failed, with its error. docs/batch.md explains the columns, the sources, object storage and what a run costs.

    Every file is whole or absent. A run that was killed goes on with --resume; a worker or a machine that dies costs
    the pictures of the file that it was at.

    Exit codes: as of lipseg predict.
    """
    if resume and force:
        raise UsageError("--resume and --force: give one of them; --resume keeps results that exist, --force does not")
    need("pyarrow", "ray", "lipseg batch")
    load_segmenter(model, detector, min_score, 1, convention)  # what is wrong with an option is told here

    from lipseg.batch.finder import LipFinder
    from lipseg.batch.process import find_lips
    from lipseg.batch.results import Counts
    from lipseg.batch.table_columns import TableColumns
    from lipseg.progress import progress

    bars: list[tqdm[Any]] = []

    def show(done: Counts) -> None:
        bars[:] = bars or [progress(unit="image")]  # made when there is something to show
        bars[0].update(done.pictures)

    try:
        summary = find_lips(
            sources,
            output,
            LipFinder(model, detector, min_score, convention=convention),
            columns=TableColumns(column, name_column),
            size=part,
            tries=tries,
            workers=workers,
            address=address,
            resume=resume,
            overwrite=force,
            tell=show,
        )
    finally:
        for bar in bars:
            bar.close()
    counts = summary.counts
    if summary.before == summary.shards:
        tell(f"nothing to do: all pictures were written to {output} before")
        return
    if summary.before:
        tell(f"{summary.before} of {summary.shards} shards skipped: their files are there already")
    tell(f"{counts.pictures} pictures, {counts.faces} faces, {counts.failed} failed, written to {output}")
    if counts.failed:
        raise typer.Exit(ExitCode.SOME_FAILED)
