"""The options for the model and the face detector, and the segmenter that they ask for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipseg.errors import DataError, UsageError

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
        "--min-score", min=0.0, max=1.0, help="Drop mouths found with a lower score. [default: the model's own]"
    ),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, metavar="N", help="Threads of the networks; more than one gain little.")
]
UnbiasedOption = Annotated[
    bool,
    typer.Option(
        "--unbiased",
        help="Undo the sideways shift that the model learnt from its annotators: the contours then lie nearer to the "
        "lips in the picture, and farther from such annotations.",
    ),
]


def load_segmenter(
    model: Path, detector: str, min_score: float | None, threads: int, *, unbiased: bool = False
) -> "LipSegmenter":
    """Returns what the options ask for.

    Raises:
        ModelError: if the model, or the detector's file, cannot be used.
        UsageError: if there is no such detector.
    """
    from lipseg.inference.segmenter import LipSegmenter

    try:
        return LipSegmenter(model, detector, min_score, threads=threads, unbiased=unbiased)
    except DataError as error:
        raise UsageError(f"--detector: {error}") from error
