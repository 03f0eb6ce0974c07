"""Cutting the training faces out, beside the bare decoding of their pictures: speed, cores, memory.

    python -m benchmarks.crop --source helen=HELEN --source celebamask=CELEBAMASK --workers 1,2 --rounds 3
    python -m benchmarks.crop --source synthetic=data/synthetic --repeat 157 --workers 2

Both read the same files with as many processes in the same run, by turns. ``--repeat`` lays every face out so many
times under names of their own, as links in a temporary folder, so that few faces make many.
"""

import argparse
import csv
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import lipseg
from lipseg.data import crops
from lipseg.data.annotations import Unusable
from lipseg.data.annotations.celebamask import MASKS, PICTURES
from lipseg.data.workers import in_order
from lipseg.errors import LipsegError, UsageError
from lipseg.images import read_image
from lipseg.params import Data, load_params

# Seconds between two looks at the memory of all processes.
_LOOK_S = 0.2


@dataclass
class Taken:
    """What some work took.

    Attributes:
        seconds: of the clock, with the start of the workers.
        cpu: seconds of all processes' CPU time.
        parent_mb: most memory of the process itself, MB; pages of files do not count.
        worker_mb: most memory of one of its workers, MB.
    """

    seconds: float
    cpu: float
    parent_mb: float
    worker_mb: float


# ---- the work


def _nothing(_: int) -> None:
    """What a worker does to show that it is there: this module brings all that a crop needs."""


def _decode(picture: Path) -> int:
    return read_image(picture).size


def start(data: Data, workers: int, out: Path) -> None:
    """Starts the workers and ends them."""
    del data, out
    for _ in in_order(_nothing, range(100 * workers), workers):
        pass


def decode(data: Data, workers: int, out: Path) -> None:
    """Decodes the pictures of all faces and drops them."""
    del out
    pictures = (item.image for _, item in crops.list_sources(data) if not isinstance(item, Unusable))
    for _ in in_order(_decode, pictures, workers):
        pass


def crop(data: Data, workers: int, out: Path) -> None:
    """Runs what the stage runs."""
    params = load_params()
    crops.make_crops(out, data, replace(params.crop, workers=workers), params.seed)


Work = Callable[[Data, int, Path], None]


def _measured(work: Work, data: Data, workers: int, out: Path, told: Connection) -> None:
    began = time.monotonic()
    error = ""
    try:
        work(data, workers, out)
    except LipsegError as reason:
        error = str(reason)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    told.send((time.monotonic() - began, sum(use.ru_utime + use.ru_stime for use in used), error))


def taken(work: Work, data: Data, workers: int, out: Path) -> Taken:
    """Returns what some work takes in a process of its own.

    Raises:
        UsageError: if it fails.
    """
    here, there = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_measured, args=(work, data, workers, out, there))
    process.start()
    there.close()
    assert process.pid is not None
    most = {"parent": 0.0, "worker": 0.0}
    done = threading.Event()
    looking = threading.Thread(target=_look, args=(process.pid, most, done))
    looking.start()
    try:
        seconds, cpu, error = here.recv()
    except EOFError:
        raise UsageError("the measured process was killed") from None
    finally:
        done.set()
        looking.join()
        process.join()
    if error:
        raise UsageError(error)
    return Taken(seconds, cpu, most["parent"], most["worker"])


def _look(parent: int, most: dict[str, float], done: threading.Event) -> None:
    """Notes the most memory of a process and of its children, until it is done."""
    while not done.wait(_LOOK_S):
        most["parent"] = max(most["parent"], _own_mb(parent))
        for child in _text(Path(f"/proc/{parent}/task/{parent}/children")).split():
            most["worker"] = max(most["worker"], _own_mb(int(child)))


def _own_mb(process: int) -> float:
    lines = _text(Path(f"/proc/{process}/status")).splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # it has just ended
        return ""


# ---- many faces of few


def _helen(root: Path, place: Path, times: int) -> None:
    for folder in ("image", "annotation"):
        (place / folder).mkdir(parents=True)
    pictures = {file.stem: file for file in (root / "image").iterdir()}
    annotations = sorted((root / "annotation").glob("*.txt"))
    faces = [file.read_text(encoding="utf-8-sig").split("\n", 1) for file in annotations]
    number = 0
    for time_ in range(times):
        for name, points in faces:
            number += 1
            (place / "annotation" / f"{number}.txt").write_text(f"{_again(time_, name)}\n{points}", encoding="utf-8")
            if picture := pictures.get(name.strip()):
                (place / "image" / f"{_again(time_, name)}{picture.suffix}").symlink_to(picture)
    _lists(root, place, times, _again)
    for table in ("scale.csv", "states.csv"):
        if (root / table).exists():
            with (root / table).open(newline="", encoding="utf-8-sig") as file:
                columns, *rows = csv.reader(file)
            at = columns.index("name")
            with (place / table).open("w", newline="", encoding="utf-8") as file:
                out = csv.writer(file)
                out.writerow(columns)
                for time_ in range(times):
                    out.writerows([*row[:at], _again(time_, row[at]), *row[at + 1 :]] for row in rows)


def _celebamask(root: Path, place: Path, times: int) -> None:
    (place / PICTURES).mkdir(parents=True)
    for time_ in range(times):
        for picture in (root / PICTURES).glob("*.jpg"):
            (place / PICTURES / f"{_further(time_, picture.stem)}.jpg").symlink_to(picture)
        (place / MASKS / str(time_)).mkdir(parents=True)
        for mask in (root / MASKS).glob("*/*.png"):
            name, part = mask.stem.split("_", 1)
            (place / MASKS / str(time_) / f"{int(_further(time_, name)):05d}_{part}.png").symlink_to(mask)
    _lists(root, place, times, _further)


def _folders(root: Path, place: Path, times: int) -> None:
    for file in [file for file in root.rglob("*") if file.is_file()]:
        for time_ in range(times):
            link = place / str(time_) / file.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    _lists(root, place, times, lambda time_, name: f"{time_}/{name}")


def _again(time_: int, name: str) -> str:
    """Returns a name of the same kind for a face that comes again: Helen's begin with digits."""
    return f"{time_:04d}{name.strip()}"


def _further(time_: int, number: str) -> str:
    return str(100_000 * time_ + int(number))


def _lists(root: Path, place: Path, times: int, named: Callable[[int, str], str]) -> None:
    for name in ("trainnames.txt", "testnames.txt"):
        if (root / name).exists():
            names = [line for line in (root / name).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            lines = (f"{named(time_, line)}\n" for time_ in range(times) for line in names)
            (place / name).write_text("".join(lines), encoding="utf-8")


LAYOUTS: dict[str, Callable[[Path, Path, int], None]] = {
    **{"helen": _helen, "synthetic": _helen, "celebamask": _celebamask},
    **{"ibug": _folders, "masks": _folders},
}

# ---- the figures


def row(source: str, root: Path, workers: int, rounds: int, out: Path) -> str:
    """Returns a line of the table."""
    data = replace(load_params().data, source=source, root=str(root))
    rows = [[taken(work, data, workers, out) for work in (start, decode, crop)] for _ in range(rounds)]
    faces = len(crops.load_crops(out))

    def less_start(of: Callable[[Taken], float], k: int) -> float:
        return statistics.median(of(each[k]) - of(each[0]) for each in rows)

    def ratio(of: Callable[[Taken], float]) -> float:
        return statistics.median((of(each[2]) - of(each[0])) / (of(each[1]) - of(each[0])) for each in rows)

    def seconds(each: Taken) -> float:
        return each.seconds

    def cpu(each: Taken) -> float:
        return each.cpu

    cells = [
        source,
        f"{faces}",
        f"{workers}",
        f"{statistics.median(each[0].seconds for each in rows):.1f}",
        *(f"{faces / less_start(seconds, k):.0f}" for k in (1, 2)),
        f"{ratio(seconds):.2f}",
        *(f"{1000 * less_start(cpu, k) / faces:.2f}" for k in (1, 2)),
        f"{ratio(cpu):.2f}",
        f"{max(each[2].parent_mb for each in rows):.0f}",
        f"{max(each[2].worker_mb for each in rows):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


_HEAD = """
| source | faces | processes | start, s | decoding, faces/s | crop, faces/s | times as long | decoding, CPU ms a face \
| crop, CPU ms a face | times as much | parent, MB | a worker, MB |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", action="append", required=True, metavar="NAME=DIR", help="a reader and its folder")
    parser.add_argument("--repeat", type=int, default=1, help="how often every face is laid out")
    parser.add_argument("--workers", default="1,2", help="numbers of processes, with commas")
    parser.add_argument("--rounds", type=int, default=1, help="how often everything is measured; medians are printed")
    given = parser.parse_args()
    print(f"lipseg {lipseg.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores", flush=True)
    print(_HEAD, flush=True)
    try:
        for word in given.source:
            source, _, folder = word.partition("=")
            root = Path(folder).resolve()
            if source not in LAYOUTS or not root.is_dir():
                known = ", ".join(sorted(LAYOUTS))
                raise UsageError(f"--source {word}: not NAME=DIR with one of {known} and a folder")
            with tempfile.TemporaryDirectory() as place:
                if given.repeat > 1:
                    LAYOUTS[source](root, Path(place) / "faces", given.repeat)
                    root = Path(place) / "faces"
                for workers in map(int, given.workers.split(",")):
                    print(row(source, root, workers, given.rounds, Path(place) / "crops"), flush=True)
    except (LipsegError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
