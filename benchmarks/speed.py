"""How fast lipseg is beside MediaPipe FaceMesh with refined lips, on the same pictures in one run.

    python -m benchmarks.speed photos/
    python -m benchmarks.speed photos/ --mediapipe /path/to/its/environment/bin/python --json speed.json

Pictures are shrunk to at most 512 pixels and in memory before the clock starts. CPU time is that of one process, all
its threads, whose number is left as each system has it (lipseg: one): other work on the machine disturbs it less than
it disturbs the clock. The two take turns, ten pictures at a time. Only the seconds of whole processes are the clock's.
Medians everywhere.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import cv2

from benchmarks.lipseg_speed import LOCATED, PHOTO, TRACKED, LipsegSpeed
from benchmarks.mesh_worker import SCRIPT, MeshWorker
from benchmarks.prompt import LIPSEG, medians
from benchmarks.stopwatch import Stopwatch
from lipseg.errors import DataError, LipsegError, UsageError
from lipseg.images import IMAGE_SUFFIXES, read_image, write_image
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.progress import progress

FIRST_RESULT, HELP = "prompt to first result, second run", "`lipseg --help`"
LONGEST = 512  # pixels
_BLOCK = 10  # pictures
_WARMING = 6  # pictures
# Rows of the table: the unit of each, and what the face mesh calls it.
_ROWS = {PHOTO: "CPU ms", TRACKED: "CPU ms", LOCATED: "CPU ms", FIRST_RESULT: "s", HELP: "s"}
_OF_MESH = {"photo": PHOTO, "tracked": TRACKED}


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


def shrunk(path: Path, into: Path) -> Path:
    """Returns a picture's file, or that of a copy in the folder ``into`` where it is larger or no JPEG."""
    pixels = read_image(path)
    longest = max(pixels.shape[:2])
    if longest <= LONGEST and path.suffix.lower() in (".jpg", ".jpeg"):
        return path
    if longest > LONGEST:
        size = [max(1, round(side * LONGEST / longest)) for side in pixels.shape[1::-1]]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(pixels.dtype)
    copy = into / f"{len(list(into.iterdir()))}.jpg"
    write_image(copy, pixels, quality=95)
    return copy


def take_turns(ours: LipsegSpeed, mesh: MeshWorker | None, paths: list[Path]) -> Stopwatch:
    """Times both on all pictures, lipseg into its own watches; returns the face mesh's times."""
    theirs = Stopwatch()

    def ask(block: list[Path]) -> None:
        for name, times in mesh.times(block).items() if mesh else ():
            theirs.add(_OF_MESH[name], times)

    ours.warm_up(paths[:_WARMING])
    if mesh:
        mesh.times(paths[:_WARMING])
    blocks = [paths[start : start + _BLOCK] for start in range(0, len(paths), _BLOCK)]
    for number, block in enumerate(progress(blocks, total=len(blocks), desc="speed", unit="blocks")):
        for turn in (ours.measure, ask) if number % 2 == 0 else (ask, ours.measure):
            turn(block)
    return theirs


def table(ours: Mapping[str, float | None], theirs: Mapping[str, float | None], version: str | None) -> str:
    """Returns the medians of both and their ratios as a Markdown table; without a version, lipseg's alone."""
    heads = ["", "", "lipseg"] + ([f"MediaPipe FaceMesh {version}, refined lips", "ratio"] if version else [])
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for row, unit in _ROWS.items():
        mine, other = ours.get(row), theirs.get(row)
        cells = [row, unit, _number(mine)]
        if version:
            cells += [_number(other), _number(mine / other if mine is not None and other else None)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def run(at: argparse.Namespace) -> None:
    """Measures what was asked for and prints it.

    Raises:
        LipsegError: if a picture, the model or the other Python cannot be used.
    """
    # First: a wrong option costs no minutes.
    with MeshWorker(at.mediapipe) if at.mediapipe else nullcontext() as mesh, tempfile.TemporaryDirectory() as folder:
        speed = LipsegSpeed(at.model)
        paths = [shrunk(path, Path(folder)) for path in photographs(at.folder, at.limit)]
        watch = take_turns(speed, mesh, paths)
        model = [] if at.model == DEFAULT_MODEL else ["--model", str(at.model)]
        commands = {
            "lipseg": [*LIPSEG, "predict", *model, str(paths[0])],
            **({"mesh": [str(at.mediapipe), str(SCRIPT), str(paths[0])]} if mesh else {}),
            "help": [*LIPSEG, "--help"],
        }
        seconds = medians(commands, at.starts) if at.starts else {}
    ours: dict[str, float | None] = {row: speed.calls.median(row) for row in (PHOTO, TRACKED, LOCATED)}
    ours |= {FIRST_RESULT: seconds.get("lipseg"), HELP: seconds.get("help")}
    theirs: dict[str, float | None] = {row: watch.median(row) for row in (PHOTO, TRACKED)}
    theirs[FIRST_RESULT] = seconds.get("mesh")
    version = mesh.version if mesh else None
    print(f"{len(paths)} pictures of at most {LONGEST} px\n\n{table(ours, theirs, version)}\n\n{speed.parts.table()}")
    if at.json:
        parts = {part: speed.parts.median(part) for part in speed.parts.parts}
        found = {"pictures": len(paths), "units": _ROWS, "lipseg": ours, "mediapipe": theirs, "lipseg_parts_ms": parts}
        at.json.write_text(json.dumps(found | {"mediapipe_version": version}, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of photographs of faces")
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON", help="of an environment with mediapipe")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="folder of a lipseg model")
    parser.add_argument("--limit", type=int, default=60, help="photographs, spread over the folder")
    parser.add_argument("--starts", type=int, default=7, help="of each program, for the seconds to a first result")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the medians")
    at = parser.parse_args()
    try:
        run(at)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


if __name__ == "__main__":
    main()
