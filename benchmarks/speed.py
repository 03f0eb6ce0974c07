"""CPU time of lipseg on a folder of photographs, split into its parts.

    python -m benchmarks.speed photos/
    python -m benchmarks.speed photos/ --model models/lipseg --limit 50

CPU time (all threads of the process, medians), which other work on the machine disturbs less than the clock. Where
lipseg finds faces itself, "find and cut" holds the detection; else every photograph counts as one mouth crop.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from lipseg.boxes import Box
from lipseg.errors import DataError, LipsegError
from lipseg.images import IMAGE_SUFFIXES, read_image
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.progress import progress
from lipseg.tracking import follow

_Result = TypeVar("_Result")


class Stopwatch:
    """Collects the CPU milliseconds of named parts."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}

    def __call__(self, part: str, work: Callable[[], _Result]) -> _Result:
        """Returns what ``work`` returns and keeps the CPU time that it took."""
        began = time.process_time()
        result = work()
        self.add(part, 1000 * (time.process_time() - began))
        return result

    def add(self, part: str, milliseconds: float) -> None:
        """Keeps a time measured elsewhere."""
        self.parts.setdefault(part, []).append(milliseconds)

    def table(self) -> str:
        """Returns the parts as a Markdown table."""
        lines = ["| part | CPU ms, median | 95th percentile | times |", "| --- | --- | --- | --- |"]
        for part, times in self.parts.items():
            ordered = sorted(times)
            p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
            lines.append(f"| {part} | {statistics.median(ordered):.1f} | {p95:.1f} | {len(ordered)} |")
        return "\n".join(lines)


def photographs(folder: Path, limit: int) -> list[Path]:
    """Returns up to ``limit`` pictures of a folder, spread evenly over their names.

    Raises:
        DataError: if it holds none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise DataError(f"{folder}: holds no picture")
    count = min(limit, len(found))
    return [found[i * len(found) // count] for i in range(count)]


def measure(segmenter: Any, paths: list[Path], frames: int) -> Stopwatch:
    """Returns the times of single photographs and of the frames of still videos.

    Args:
        segmenter: a ``LipSegmenter``.
        paths: of the photographs.
        frames: of each still video; 0 for none.
    """
    watch = Stopwatch()
    finds = getattr(segmenter, "detector", None) is not None
    cut_part = "find and cut" if finds else "cut"
    segmenter(read_image(paths[0]))  # compiles
    for path in progress(paths, total=len(paths), desc="photos", unit="photos"):
        pixels = watch("decode", lambda path=path: read_image(path))
        cut = watch(cut_part, lambda pixels=pixels: segmenter.cut(pixels))
        (lips,) = watch("cascade", lambda cut=cut: segmenter.predict_views([cut]))
        watch.add("all", sum(watch.parts[part][-1] for part in ("decode", cut_part, "cascade")))
        if frames and lips:
            for milliseconds in _tracked(segmenter, pixels, Box.around(lips[0].landmarks), frames):
                watch.add("tracked frame", milliseconds)
    return watch


def _tracked(segmenter: Any, pixels: Any, box: Box, frames: int) -> Iterator[float]:
    """Yields the CPU milliseconds of each frame after the first of a video that stands still."""
    video = follow(segmenter, (pixels for _ in range(frames)), boxes=[box])
    next(video)
    while True:
        began = time.process_time()
        if next(video, None) is None:
            return
        yield 1000 * (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of photographs")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="folder of a lipseg model")
    parser.add_argument("--limit", type=int, default=60, help="photographs, spread over the folder")
    parser.add_argument("--frames", type=int, default=12, help="frames of each still video")
    at = parser.parse_args()
    from lipseg.inference.segmenter import LipSegmenter

    try:
        watch = measure(LipSegmenter(at.model), photographs(at.folder, at.limit), at.frames)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    print(watch.table())


if __name__ == "__main__":
    main()
