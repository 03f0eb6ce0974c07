"""The options for the model and the face detector, and the segmenter that they ask for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipseg.errors import ConventionError, DataError, UsageError

if TYPE_CHECKING:
    from lipseg.inference.segmenter import LipSegmenter

ModelOption = Annotated[
    Path, typer.Option("--model", metavar="DIR", help="Folder of the model.", show_default="lipseg's own")
]
DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        metavar="NAME",
        help="Finds the faces where no boxes are given: yunet, yunet:FILE.onnx, dlib (needs lipseg[dlib]), or none "
        "(mouth crops).",
    ),
]
MinScoreOption = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        min=0.0,
        max=1.0,
        metavar="SCORE",
        help="Drop mouths found with a lower score. [default: the model's own, and only for what may be no mouth]",
    ),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, metavar="N", help="Threads of the networks; more than one gain little.")
]
ConventionOption = Annotated[
    str | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="Place the contours as the annotators of this data set would have, such as helen: `lipseg info` lists "
        "those that the model knows. [default: the lips as the model's reference has them]",
    ),
]


def load_segmenter(
    model: Path, detector: str, min_score: float | None, threads: int, convention: str | None = None
) -> "LipSegmenter":
    """Returns what the options ask for.

    Raises:
        ModelError: if the model, or the detector's file, cannot be used.
        UsageError: if there is no such detector or convention.
        MissingLibraryError: if the detector needs an extra that is not installed.
    """
    from lipseg.inference.segmenter import LipSegmenter

    try:
        return LipSegmenter(model, detector, min_score, threads=threads, convention=convention)
    except ConventionError as error:
        raise UsageError(f"--convention: {error}") from error
    except DataError as error:
        raise UsageError(f"--detector: {error}") from error
