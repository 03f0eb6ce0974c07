"""``lipseg batch`` on Ray: from end to end, on object storage, killed in every way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lipseg.batch.finder import LipFinder
from tests.known_networks import write_model

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="needs Ray: pip install 'lipseg[ray]'")

from pyarrow import parquet  # noqa: E402

from benchmarks.batch_kills import killed_run, rows_in  # noqa: E402
from lipseg.batch import find_lips  # noqa: E402

# The workers have no way to import a test: what they need of it travels with them.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


class SlowFinder(LipFinder):
    """Takes so long that there is a middle to kill it in."""

    def cut(self, name, content):
        time.sleep(0.02)
        return super().cut(name, content)


class PoisonedFinder(LipFinder):
    """Ends its process over pictures of a name, as a decoder with a fault does."""

    def cut(self, name, content):
        if name.endswith("poison.png") and isinstance(content, bytes):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().cut(name, content)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "known")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of 300 pictures of one colour each, by which the known model tells them apart."""
    folder = tmp_path_factory.mktemp("pictures") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(300):
        Image.new("RGB", (24, 24), tuple(rng.integers(0, 256, 3).tolist())).save(folder / f"p{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def calm(photos, model):
    """The rows of these pictures by the model alone, without an engine."""
    finder = LipFinder(model, "none")
    names = [str(path) for path in sorted(photos.iterdir())]
    table = finder({"path": names, "bytes": [Path(name).read_bytes() for name in names]})
    return table.sort_by([("image", "ascending"), ("face", "ascending")])


@pytest.fixture
def local():
    """Ray on this machine with two CPUs, for several runs of one test."""
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield
    ray.shutdown()


def test_a_worker_and_a_node_that_die_cost_nothing_but_time(photos, model, calm, tmp_path):
    events = [(0.2, lambda nodes: nodes.kill_worker(0)), (0.5, lambda nodes: nodes.kill_node(1))]
    summary = killed_run(photos, tmp_path / "out", SlowFinder(model, "none"), size=10, events=events)
    assert summary.counts.pictures == 300
    assert rows_in(tmp_path / "out").replace_schema_metadata(None).equals(calm)
    assert len(list((tmp_path / "out").glob("part-*"))) == 30
    assert not list((tmp_path / "out").glob(".*"))


def test_poison_is_a_row_and_stops_nobody(photos, model, calm, tmp_path, local):
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in photos.glob("p0[0-5]*"):
        os.link(path, folder / path.name)
    (folder / "p031poison.png").write_bytes((photos / "p031.png").read_bytes())
    seen = []
    summary = find_lips([folder], tmp_path / "out", PoisonedFinder(model, "none"), size=16, tries=2, tell=seen.append)
    assert sum(counts.pictures for counts in seen) == summary.counts.pictures == 61
    assert summary.counts.failed == 1
    rows = rows_in(tmp_path / "out").to_pylist()
    (lost,) = (row for row in rows if row["error"])
    assert lost["image"] == str(folder / "p031poison.png")
    assert lost["error"].endswith("p031poison.png: 2 processes died over this picture")
    known = {Path(row["image"]).name: row | {"image": ""} for row in calm.to_pylist()}
    assert [row | {"image": ""} for row in rows if row is not lost] == [
        known[Path(row["image"]).name] for row in rows if row is not lost
    ]

    # The same pictures straight through Ray Data, without the plan.
    table = ray.data.read_binary_files(str(photos), include_paths=True).map_batches(
        LipFinder, fn_constructor_args=(str(model), "none"), batch_size=32, compute=ray.data.ActorPoolStrategy(size=1)
    )
    found = sorted(table.take_all(), key=lambda row: row["image"])
    assert [row["image"] for row in found] == calm["image"].to_pylist()
    assert [row["score"] for row in found] == calm["score"].to_pylist()


def test_object_storage(photos, model, calm, tmp_path, local, monkeypatch):
    server = pytest.importorskip("moto.server", reason="needs moto and flask").ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        place = f"?scheme=http&endpoint_override={host}:{port}&allow_bucket_creation=true"
        from pyarrow import fs

        bucket, _ = fs.FileSystem.from_uri(f"s3://testing:testing@bucket/{place}")
        bucket.create_dir("bucket")
        for number in range(40):
            with bucket.open_output_stream(f"bucket/my photos/p{number:03d}.png") as file:
                file.write((photos / f"p{number:03d}.png").read_bytes())
        source, target = (f"s3://testing:testing@bucket/{name}{place}" for name in ("my photos/*.png", "out"))
        finder = LipFinder(str(model), "none")
        assert find_lips([source], target, finder, size=16).counts.pictures == 40
        rows = parquet.read_table("bucket/out", filesystem=bucket).sort_by("image")
        assert rows["image"].to_pylist() == [f"s3://bucket/my photos/p{number:03d}.png" for number in range(40)]
        assert rows.drop(["image"]).replace_schema_metadata(None).equals(calm.slice(0, 40).drop(["image"]))
        plan = parquet.read_table("bucket/out/_lipseg_plan.parquet", filesystem=bucket)
        assert "testing" not in f"{plan.schema.metadata} {plan.to_pylist()}"
        bucket.delete_file("bucket/out/part-0000001-00000-end.parquet")
        again = find_lips([source], target, finder, size=16, resume=True)
        assert (again.counts.pictures, again.before, again.shards) == (16, 2, 3)
    finally:
        server.stop()


def test_a_run_that_is_killed_goes_on_where_it_was(photos, model, calm, tmp_path):
    words = ["batch", photos, "-o", tmp_path / "out", "--model", model, "--detector", "none", "--part", "5"]
    command = [sys.executable, "-m", "lipseg.cli.app", *map(str, words), "--workers", "1"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    parts: list[Path] = []
    deadline = time.monotonic() + 120
    while len(parts) < 3:
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        parts = list((tmp_path / "out").glob("part-*"))
        time.sleep(0.001)
    running.kill()
    running.wait()
    time.sleep(2)  # the workers end when they notice
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    assert len(before) < 60
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of 60 shards skipped" in done.stderr
    assert "logging.cc" not in done.stderr
    assert f"{300 - 5 * len(before)} pictures, {300 - 5 * len(before)} faces, 0 failed" in done.stderr
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    assert rows_in(tmp_path / "out").replace_schema_metadata(None).equals(calm)
