"""Pictures a second, CPU time and memory of ``lipseg batch`` on this machine, beside the plain loop.

    python -m benchmarks.batch                       # a loop, one worker and two, one after the other, several rounds
    python -m benchmarks.batch --memory 10000        # memory of the workers over so many pictures
    python -m benchmarks.batch --stages              # what batches would gain, network by network

Without ``--photos DIR`` the pictures are drawn faces of 512 pixels. The rates are those after the first file of rows:
what a start costs is printed by itself. CPU time hardly depends on what else the machine does, the rates do.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.batch_kills import draw_pictures
from lipseg import LipSegmenter
from lipseg.batch import LipFinder, find_lips
from lipseg.batch.results import Counts
from lipseg.batch.rows import rows_of
from lipseg.geometry import warp
from lipseg.images import read_image
from lipseg.inference.locator import Locator, face_to_image

_SIZE = 512


@dataclass
class Measured:
    """One run.

    Attributes:
        rate: pictures a second.
        cpu_ms: CPU milliseconds a picture, of the processes that find lips.
        start_s: seconds until the first rows.
        other_ms: CPU milliseconds a picture of the other processes: this one, and those of Ray that run anyway.
    """

    rate: float
    cpu_ms: float
    start_s: float = 0.0
    other_ms: float = 0.0


@dataclass
class Workers:
    """What is seen of Ray's actors from outside while they run.

    Attributes:
        cpu_s: CPU seconds of each process so far.
        other_s: those of Ray's other processes.
        memory_mb: resident megabytes of each at each look.
    """

    cpu_s: dict[int, float] = field(default_factory=dict)
    other_s: dict[int, float] = field(default_factory=dict)
    memory_mb: dict[int, list[float]] = field(default_factory=dict)

    def look(self) -> None:
        """Looks at this process's descendants."""
        import psutil

        for process in psutil.Process().children(recursive=True):
            try:
                times = process.cpu_times()
                if not process.name().startswith("ray::MapWorker"):
                    self.other_s[process.pid] = times.user + times.system
                else:
                    self.cpu_s[process.pid] = times.user + times.system
                    self.memory_mb.setdefault(process.pid, []).append(process.memory_info().rss / 2**20)
            except psutil.Error:  # it has ended meanwhile
                continue

    @property
    def cpu(self) -> float:
        """CPU seconds of all actors."""
        return sum(self.cpu_s.values())

    @property
    def other(self) -> float:
        """CPU seconds of everything else."""
        return sum(self.other_s.values()) + time.process_time()


@contextmanager
def watched(workers: Workers, every_s: float = 0.1) -> Iterator[None]:
    """Looks at the actors again and again during the block."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            workers.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def loop(folder: Path) -> Measured:
    """Measures the plain loop: a photo after the other, in this process."""
    segmenter = LipSegmenter()
    paths = sorted(folder.iterdir())
    segmenter(paths[0])
    start, cpu = time.perf_counter(), time.process_time()
    for path in paths:
        rows_of(str(path), segmenter(path))
    wall, spent = time.perf_counter() - start, time.process_time() - cpu
    return Measured(len(paths) / wall, 1000 * spent / len(paths))


def batch(folder: Path, workers: int, part: int, seen: Workers) -> Measured:
    """Measures ``lipseg batch`` on the Ray that runs; ``seen`` is filled."""
    output = Path(tempfile.mkdtemp())
    start = time.perf_counter()
    marks: list[tuple[float, float, float, int]] = []

    def tell(done: Counts) -> None:
        seen.look()
        marks.append((time.perf_counter() - start, seen.cpu, seen.other, done.pictures))

    try:
        with watched(seen):
            find_lips([folder], output / "out", LipFinder(), size=part, workers=workers, tell=tell)
    finally:
        shutil.rmtree(output)
    # The first rows of each worker come with what it took to start.
    first, last = marks[workers - 1], marks[-1]
    after = sum(pictures for *_, pictures in marks[workers:])
    spent, other = (1000 * (last[at] - first[at]) / after for at in (1, 2))
    return Measured(after / (last[0] - first[0]), spent, marks[0][0], other)


def rates(folder: Path, rounds: int, part: int) -> None:
    """Prints the loop beside one and two workers, interleaved."""
    runs: dict[str, Callable[[], Measured]] = {
        "plain loop, one core": lambda: loop(folder),
        "lipseg batch, 1 worker": lambda: batch(folder, 1, part, Workers()),
        "lipseg batch, 2 workers": lambda: batch(folder, 2, part, Workers()),
    }
    found: dict[str, list[Measured]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
            one = found[name][-1]
            print(
                f"  {name}: {one.rate:.1f} a second, {one.cpu_ms:.2f} ms CPU, load {os.getloadavg()[0]:.1f}", flush=True
            )
    print(f"medians of {rounds} rounds; ratios are medians of a round's ratios")
    reference = found["plain loop, one core"]
    for name, each in found.items():
        ratio = statistics.median(one.rate / other.rate for one, other in zip(each, reference, strict=True))
        cpu = statistics.median(one.cpu_ms - other.cpu_ms for one, other in zip(each, reference, strict=True))
        rate, spent, start = (
            statistics.median(getattr(one, key) for one in each) for key in ("rate", "cpu_ms", "start_s")
        )
        print(f"{name:24} {rate:7.1f}/s {ratio:5.2f}x  {spent:5.2f} ms CPU ({cpu:+.2f})  start {start:4.1f} s")


def memory(folder: Path, pictures: int, part: int) -> None:
    """Prints the resident memory of two workers along a long run."""
    seen = Workers()
    measured = batch(folder, 2, part, seen)
    print(f"{pictures} pictures, two workers: {measured.rate:.1f} a second, {measured.cpu_ms:.2f} ms CPU")
    print(f"CPU of this process and of Ray's others: {measured.other_ms:.2f} ms a picture")
    for process, each in seen.memory_mb.items():
        at = [each[round(share * (len(each) - 1))] for share in (0.1, 0.25, 0.5, 0.75, 1.0)]
        shown = ", ".join(f"{value:.0f}" for value in at)
        print(f"worker {process}: {shown} MB at 10, 25, 50, 75 and 100 % of its time; most {max(each):.0f} MB")


def stages(folder: Path) -> None:
    """Prints CPU milliseconds of the networks alone, one by one and in batches."""
    import onnx
    import onnxruntime

    from lipseg.inference.yunet import packaged_file

    segmenter = LipSegmenter()
    paths = sorted(folder.iterdir())[:64]
    pictures = [read_image(path) for path in paths]
    cuts = [segmenter.cut(picture) for picture in pictures]
    locator: Any = segmenter.predictor.locator
    assert isinstance(locator, Locator)
    view = locator.constants.view
    faces = [(at, mouth.face) for at, cut in enumerate(cuts) for mouth in cut.mouths if mouth.face is not None]
    views = np.stack([warp(pictures[at], face_to_image(view, face), view.size) for at, face in faces])
    # YuNet's file takes one picture at a time: its first axis, and that of what it reshapes to, are made free here.
    model = onnx.load(packaged_file())
    for axis, name in enumerate("Nchw"):
        if name != "c":
            model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for constant in model.graph.initializer:
        value = onnx.numpy_helper.to_array(constant)
        if value.dtype == np.int64 and value.shape == (3,) and value[0] == 1:
            constant.CopyFrom(onnx.numpy_helper.from_array(np.array([0, *value[1:]]), constant.name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    detector = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    blob = np.random.default_rng(0).uniform(0, 255, (64, 3, 320, 320)).astype(np.float32)
    networks: dict[str, tuple[int, Callable[[int, int], object]]] = {
        "detector, 320 pixels": (64, lambda at, end: detector.run(None, {"input": blob[at:end]})),
        "locator": (len(views), lambda at, end: locator.look(views[at:end])),
        "landmarks": (len(cuts), lambda at, end: segmenter.predict_views(cuts[at:end])),
    }
    for name, (count, run) in networks.items():
        shown = []
        for size in (1, 8, 32):
            spent = []
            for _ in range(5):
                start = time.process_time()
                for at in range(0, count, size):
                    run(at, at + size)
                spent.append(1000 * (time.process_time() - start) / count)
            shown.append(f"{statistics.median(spent):.3f} ms in {size}s")
        print(f"{name}: {', '.join(shown)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of pictures, instead of drawn ones")
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", type=int, default=32, help="pictures of a file of rows")
    parser.add_argument("--memory", type=int, metavar="N")
    parser.add_argument("--stages", action="store_true")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="lipseg-batch-"))
    try:
        folder = options.photos or root / "pictures"
        if options.photos is None:
            draw_pictures(folder, options.memory or options.pictures, size=_SIZE)
        if options.stages:
            stages(folder)
            return
        os.environ.setdefault("RAY_worker_niceness", "0")  # before Ray is imported
        import ray

        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        if options.memory:
            memory(folder, options.memory, options.part)
        else:
            rates(folder, options.rounds, options.part)
        ray.shutdown()
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
