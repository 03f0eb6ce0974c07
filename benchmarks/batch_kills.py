"""Kills a worker and then a machine in the middle of a run of ``lipseg batch``, and compares the rows.

Two Ray nodes beside the head run on this machine. A worker process, then a node's raylet with all its workers, get
SIGKILL while the pictures are worked on; the rows must be those of a run that nothing happened to, none twice.

    python -m benchmarks.batch_kills --pictures 5000
    python -m benchmarks.batch_kills --pictures 400 --kills 50

The second kills the command itself at random moments, on a cluster that stays, and goes on with --resume each time.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from benchmarks.faults import LIPSEG, killed_after
from lipseg.batch import BatchSummary, LipFinder, find_lips
from lipseg.data.face_shape import STATES
from lipseg.data.synthesize import draw_face
from lipseg.images import write_image


def draw_pictures(folder: Path, pictures: int, drawn: int = 64, size: int = 160) -> None:
    """Fills a folder with pictures of faces, of which ``drawn`` differ.

    Args:
        folder: made if it is missing.
        pictures: how many files.
        drawn: how many faces are drawn; the other files are links to theirs.
        size: pixels a side.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        path = folder / f"face_{number:06d}.jpg"
        if number < drawn:
            state = STATES[number % len(STATES)]
            write_image(path, draw_face(np.random.default_rng([0, number]), state, size)[0])
        else:
            os.link(folder / f"face_{number % drawn:06d}.jpg", path)


def rows_in(folder: Path) -> pyarrow.Table:
    """Returns all rows of a folder of results, sorted by picture and face."""
    return parquet.read_table(folder).sort_by([("image", "ascending"), ("face", "ascending")])


class Nodes:
    """A Ray cluster on this machine: a head with one CPU, and nodes with one CPU each.

    Args:
        nodes: beside the head.
    """

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster

        os.environ.setdefault("RAY_worker_niceness", "0")
        arguments = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
        # A node that is gone is noticed after two seconds instead of a quarter of a minute.
        arguments["_system_config"] = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
        self._cluster = Cluster(initialize_head=True, head_node_args=arguments)
        del arguments["include_dashboard"], arguments["_system_config"]
        self.nodes = [self._cluster.add_node(**arguments) for _ in range(nodes)]
        self.address = str(self._cluster.address)

    def kill_worker(self, node: int) -> bool:
        """Kills the actor that works on a node; returns whether there was one."""
        import psutil

        for process in psutil.Process(self._raylet(node)).children():
            if process.name().startswith("ray::MapWorker"):
                os.kill(process.pid, signal.SIGKILL)
                return True
        return False

    def kill_node(self, node: int) -> None:
        """Kills a node's raylet; its workers end when they notice."""
        os.kill(self._raylet(node), signal.SIGKILL)

    def close(self) -> None:
        """Ends the cluster."""
        self._cluster.shutdown()

    def _raylet(self, node: int) -> int:
        return self.nodes[node].all_processes["raylet"][0].process.pid


def killed_run(
    source: Path, output: Path, finder: LipFinder, *, size: int, events: list[tuple[float, Callable[[Nodes], object]]]
) -> BatchSummary:
    """Runs on a cluster of three and lets things happen to it.

    Args:
        source: folder of pictures.
        output: folder for the results.
        finder: as of ``find_lips``; likewise ``size``.
        events: what is done to the cluster as soon as this share of the files of results is there, one after the other.

    Raises:
        RuntimeError: if the run ends before everything has happened.
    """
    parts = -(-sum(1 for _ in source.iterdir()) // size)
    nodes = Nodes(2)
    over = threading.Event()
    happened: list[int] = []

    def happen() -> None:
        for number, (share, event) in enumerate(events):
            while len(list(output.glob("part-*"))) < share * parts:
                if over.wait(0.02):
                    return
            event(nodes)
            happened.append(number)

    thread = threading.Thread(target=happen)
    thread.start()
    try:
        summary = find_lips([source], output, finder, size=size, address=nodes.address)
    finally:
        over.set()
        thread.join()
        nodes.close()
    if len(happened) < len(events):
        raise RuntimeError("the run was over before everything had happened to it; take more pictures")
    return summary


def kills_of_batch(place: Path, kills: int, part: int, seed: int = 0) -> tuple[int, list[str]]:
    """Kills ``lipseg batch`` again and again, each time going on with --resume.

    Args:
        place: a folder that holds a folder ``pictures``.
        kills: as of ``benchmarks.faults.kills_of_predict``.
        part: pictures of a file of rows.
        seed: of the moments.

    Returns:
        How often it was killed, and what was wrong.
    """
    rng, killed, wrong = random.Random(seed), 0, list[str]()
    nodes = Nodes(1)
    try:
        options = ["--detector", "none", "--part", str(part), "--address", nodes.address, "-o"]
        command = [*LIPSEG, "batch", "pictures", *options]
        subprocess.run([*command, "warm"], cwd=place, check=True, capture_output=True)
        began = time.monotonic()
        subprocess.run([*command, "whole"], cwd=place, check=True, capture_output=True)
        took, expected = time.monotonic() - began, rows_in(place / "whole")
        for _ in range(3 * kills):
            if killed == kills:
                break
            code = killed_after(took * rng.uniform(0.2, 1.1), [*command, "out", "--resume"], place)
            killed += code == -signal.SIGKILL
            for path in (place / "out").glob("part-*"):
                try:
                    parquet.read_table(path)
                except (OSError, pyarrow.ArrowException) as error:
                    wrong.append(f"{path.name} cannot be read: {error}")
            if code == 0:
                shutil.rmtree(place / "out")
        subprocess.run([*command, "out", "--resume"], cwd=place, check=True, capture_output=True)
    finally:
        nodes.close()
    wrong += [] if rows_in(place / "out").equals(expected) else ["other rows"]
    wrong += [f"{path.name} is left" for path in (place / "out").glob(".*")]
    return killed, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--part", type=int, default=64, help="pictures of a file of rows")
    parser.add_argument("--kills", type=int, default=0, help="of the command itself, instead of workers and machines")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="lipseg-kills-"))
    try:
        draw_pictures(root / "pictures", options.pictures)
        if options.kills:
            killed, wrong = kills_of_batch(root, options.kills, options.part)
            print(f"batch: killed {killed} times, {len(wrong)} wrong {wrong[:5]}")
            raise SystemExit(bool(wrong))
        start = time.perf_counter()
        find_lips([root / "pictures"], root / "calm", size=options.part)
        calm = time.perf_counter() - start
        start = time.perf_counter()
        events = [(0.3, lambda nodes: nodes.kill_worker(0)), (0.6, lambda nodes: nodes.kill_node(1))]
        summary = killed_run(root / "pictures", root / "killed", LipFinder(), size=options.part, events=events)
        killed = time.perf_counter() - start
        one, other = rows_in(root / "calm"), rows_in(root / "killed")
        print(f"{summary.counts.pictures} pictures, {one.num_rows} rows")
        print(f"undisturbed {calm:.1f} s, killed {killed:.1f} s")
        print("rows: the same" if one.equals(other) else "rows: NOT the same")
        if not one.equals(other):
            raise SystemExit(1)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
