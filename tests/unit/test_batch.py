"""What ``lipseg batch`` is made of, without an engine: sources, shards, the plan, the ledger, rows."""

import io
import os
import pickle
import tarfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image

pyarrow = pytest.importorskip("pyarrow", reason="needs lipseg[parquet]")
pytest.importorskip("fsspec", reason="needs lipseg[ray]")

from pyarrow import fs, parquet  # noqa: E402

from lipseg.batch import SPARK_SCHEMA, LipFinder  # noqa: E402
from lipseg.batch import plan as plans  # noqa: E402
from lipseg.batch.ledger import Ledger  # noqa: E402
from lipseg.batch.reading import read_shard  # noqa: E402
from lipseg.batch.results import Counts, Results  # noqa: E402
from lipseg.batch.rows import SCHEMA  # noqa: E402
from lipseg.batch.sources import PICTURES, TABLE, TAR, find_shards  # noqa: E402
from lipseg.batch.stores import Stores  # noqa: E402
from lipseg.batch.table_columns import TableColumns  # noqa: E402
from lipseg.batch.worker import Job, Worker  # noqa: E402
from lipseg.errors import DataError, OutputError, UsageError  # noqa: E402
from lipseg.inference.segmenter import LipSegmenter  # noqa: E402
from tests.known_networks import write_model  # noqa: E402

N = 11


def picture(number: int) -> bytes:
    """A PNG of one colour, by which the known model tells it from the others."""
    buffer = io.BytesIO()
    Image.new("RGB", (24 + number, 24), (20 * number % 256, 7 * number, 255 - 20 * number % 256)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "known")


@pytest.fixture
def finder(model):
    return LipFinder(model, "none", views_of=4)


@pytest.fixture
def photos(tmp_path):
    """A folder of pictures, one of them damaged, beside files that are none."""
    folder = tmp_path / "photos"
    (folder / "below it").mkdir(parents=True)
    for number in range(N):
        place = folder / "below it" if number % 2 else folder
        (place / f"p{number:02d}.png").write_bytes(picture(number))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.md").write_text("no picture")
    (folder / ".hidden.png").write_bytes(picture(1))
    (folder / "p00.mask.png").write_bytes(picture(1))
    return folder


def names_of(shards, stores, columns=None):
    return [
        (name, content if isinstance(content, bytes) else str(content))
        for shard in shards
        for name, content in read_shard(shard, stores.stores[shard.store], columns or TableColumns())
    ]


def shards_of(*words, size=4, columns=None):
    stores = Stores()
    return find_shards([str(word) for word in words], stores, size, columns or TableColumns()), stores


def test_a_folder_is_read_whole_and_in_order(photos):
    shards, stores = shards_of(photos)
    assert [len(shard.paths) for shard in shards] == [4, 4, 4]
    read = dict(names_of(shards, stores))
    assert list(read) == sorted(read)
    wanted = {str(path): path.read_bytes() for path in photos.rglob("p??.png")}
    assert read == wanted | {str(photos / "broken.jpg"): b"no picture"}


def test_what_is_named_twice_is_read_once(photos):
    shards, stores = shards_of(photos, photos / "p00.png", f"{photos}/**/*.png", f"file://{photos}/p02.png")
    counted = Counter(name for name, _ in names_of(shards, stores))
    assert set(counted.values()) == {1}
    assert len(counted) == N + 1


def test_patterns(photos):
    shards, stores = shards_of(f"{photos}/*/p0[13].png")
    assert [name for name, _ in names_of(shards, stores)] == [str(photos / "below it" / f"p0{n}.png") for n in (1, 3)]
    with pytest.raises(UsageError, match=r"q\*\.png: no picture, tar or Parquet file there"):
        shards_of(f"{photos}/q*.png")


def test_a_list_names_pictures_that_may_be_missing(photos, tmp_path):
    (tmp_path / "list.txt").write_text(f"{photos}/p00.png\n\n{photos}/gone.png\nfile://{photos}/p02.png\n")
    shards, stores = shards_of(tmp_path / "list.txt")
    assert names_of(shards, stores) == [
        (f"{photos}/p00.png", picture(0)),
        (f"{photos}/gone.png", f"{photos}/gone.png: no such file"),
        (f"{photos}/p02.png", picture(2)),
    ]


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_tars(tmp_path, ending):
    path = tmp_path / f"shard.{ending}"
    with tarfile.open(path, "w:gz" if ending == "tar.gz" else "w") as tar:
        for name, content in (("a/0.png", picture(0)), ("a/0.json", b"{}"), ("a/1.png", picture(1))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    shards, stores = shards_of(tmp_path)
    assert [shard.kind for shard in shards] == [TAR]
    assert names_of(shards, stores) == [(f"{path}#a/0.png", picture(0)), (f"{path}#a/1.png", picture(1))]
    path.write_bytes(path.read_bytes()[: -1200 if ending == "tar" else -40])
    if ending == "tar":  # its end is a kilobyte of zeros, which a reader need not miss
        path.write_bytes(path.read_bytes()[:2000])
    *_, (name, reason) = names_of(*shards_of(path))
    assert name == str(path)
    assert reason.startswith(f"{path}: cannot be read to its end (")


def write_table(path, columns, rows_a_group=3):
    parquet.write_table(pyarrow.table(columns), path, row_group_size=rows_a_group)
    return path


def test_parquet_files_are_read_by_row_groups(tmp_path):
    pictures = [picture(number) for number in range(7)]
    pictures[4] = None
    names = [f"n{number}" for number in range(7)]
    path = write_table(tmp_path / "a.parquet", {"id": names, "photo": pictures})
    shards, stores = shards_of(path)
    assert [(shard.kind, shard.group, shard.first_row) for shard in shards] == [
        (TABLE, 0, 0),
        (TABLE, 1, 3),
        (TABLE, 2, 6),
    ]
    null = f"{path}#4: no picture, its bytes are null"
    expected = [(f"{path}#{at}", null if one is None else one) for at, one in enumerate(pictures)]
    assert names_of(shards, stores) == expected
    by_name = names_of(shards, stores, TableColumns("photo", "id"))
    assert [name for name, _ in by_name] == names


def test_a_nested_column_and_those_that_are_missing(tmp_path):
    rows = [{"bytes": picture(number), "path": f"{number}.png"} for number in range(3)]
    path = write_table(tmp_path / "hub.parquet", {"image": rows, "thumb": [b"x"] * 3})
    columns = TableColumns("image.bytes", "image.path")
    shards, stores = shards_of(path, columns=columns)
    assert names_of(shards, stores, columns) == [(f"{number}.png", picture(number)) for number in range(3)]
    for wrong, message in (
        (TableColumns(), "columns of bytes are image.bytes, thumb; name the pictures' with --column"),
        (TableColumns("image.path"), "no column 'image.path' of bytes"),
        (TableColumns("thumb", "label"), "no column 'label'"),
    ):
        with pytest.raises(UsageError, match=message):
            shards_of(path, columns=wrong)


def test_sources_that_cannot_be_used(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"no table")
    for word, message in (
        (tmp_path / "nowhere", "nowhere: no such file or folder"),
        (tmp_path / "a.parquet", "a.parquet: not a Parquet file"),
        ("gopher://user:secret@host/x", "gopher://host/x: no file system that can be used"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            shards_of(word)
        assert "secret" not in str(caught.value)


def job_of(tmp_path, finder, stores, size=4, tries=2):
    return Job(Results(stores.stores[0], str(tmp_path / "out")), stores.stores, finder, TableColumns(), size, tries)


def rows_in(folder):
    return parquet.read_table(folder).sort_by([("image", "ascending"), ("face", "ascending")])


def test_a_worker_s_rows_are_what_the_segmenter_sees(photos, tmp_path, finder, model):
    shards, stores = shards_of(photos)
    job = job_of(tmp_path, finder, stores)
    done = Worker(job, Ledger)(plans.table_of(shards)).to_pylist()
    assert [row["pictures"] for row in done] == [4, 4, 4]
    assert sum(row["failed"] for row in done) == 1
    assert {row["error"] for row in done} == {None}
    table = rows_in(tmp_path / "out")
    assert table.schema.remove_metadata() == SCHEMA
    rows = {row["image"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows == N + 1
    broken = rows.pop(str(photos / "broken.jpg"))
    assert "not a picture that can be read" in broken["error"]
    assert {value for name, value in broken.items() if name not in ("image", "error")} == {None}
    segmenter = LipSegmenter(model, None)
    for name, row in rows.items():
        (lips,) = segmenter(name)
        assert (row["image_height"], row["image_width"]) == lips.picture_size
        assert row["face"] == 0
        assert row["score"] == np.float32(lips.score)
        np.testing.assert_array_equal(np.float32(row["outer"]).reshape(28, 2), lips.outer)
        np.testing.assert_array_equal(np.float32(row["inner"]).reshape(28, 2), lips.inner)
        assert row["error"] is None


def test_shards_longer_than_a_batch_and_without_a_picture(tmp_path, finder):
    path = write_table(tmp_path / "a.parquet", {"photo": [picture(number) for number in range(9)]}, 9)
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    shards, stores = shards_of(path, tmp_path / "empty.tar")
    job = job_of(tmp_path, finder, stores)
    done = Worker(job, Ledger)(plans.table_of(shards)).to_pylist()
    assert sorted(row["pictures"] for row in done) == [0, 9]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "part-0000000-00000-end.parquet",
        "part-0000001-00000.parquet",
        "part-0000001-00001.parquet",
        "part-0000001-00002-end.parquet",
    ]
    assert job.results.ended() == {0, 1}
    assert rows_in(tmp_path / "out")["image"].to_pylist() == [f"{path}#{row}" for row in range(9)]


class Died(BaseException):
    """Stands for the end of a process: nothing of the worker's runs after it."""


class Deadly(LipFinder):
    """Dies over pictures of some names, as often as it is told to."""

    deaths: dict[str, int] = {}  # noqa: RUF012

    def cut(self, name, content):
        for ending, left in self.deaths.items():
            if isinstance(content, bytes) and name.endswith(ending) and left > 0:
                self.deaths[ending] -= 1
                raise Died(name)
        return super().cut(name, content)


def survive(job, ledger, table):
    """Does what the engine does: asks again, in a new process, until there is an answer; returns it and the deaths."""
    deaths = 0
    while True:
        try:
            return Worker(job, lambda: ledger)(table).to_pylist(), deaths
        except Died:
            deaths += 1
            assert deaths < 50


def test_a_death_costs_nothing_but_time_and_a_deadly_picture_is_a_row(photos, tmp_path, model, finder):
    shards, stores = shards_of(photos)
    table = plans.table_of(shards)
    calm = job_of(tmp_path / "calm", finder, stores)
    Worker(calm, Ledger)(table)
    expected = rows_in(tmp_path / "calm" / "out").to_pylist()

    # A worker that is killed from outside, over any picture.
    unlucky = Deadly(model, "none", views_of=4)
    unlucky.deaths = {"p01.png": 1, "p06.png": 2}
    done, deaths = survive(job_of(tmp_path / "unlucky", unlucky, stores), Ledger(), table)
    assert deaths == 3
    assert sum(row["pictures"] for row in done) == N + 1
    assert rows_in(tmp_path / "unlucky" / "out").to_pylist() == expected

    # Two that nobody survives, in one batch.
    deadly = Deadly(model, "none", views_of=4)
    deadly.deaths = {"p04.png": 10**6, "p06.png": 10**6}
    done, deaths = survive(job_of(tmp_path / "deadly", deadly, stores), Ledger(), table)
    assert deaths == 1 + 2 + 2  # the first attempt does not know whom to blame
    assert sum(row["failed"] for row in done) == 3
    rows = rows_in(tmp_path / "deadly" / "out").to_pylist()
    lost = [row for row in rows if row["error"] and "broken" not in row["image"]]
    assert [row["image"][-7:] for row in lost] == ["p04.png", "p06.png"]
    assert lost[0]["error"] == f"{photos}/p04.png: 2 processes died over this picture"
    known = {row["image"]: row for row in expected}
    assert all(row == known[row["image"]] for row in rows if row not in lost)
    assert len(rows) == len(expected)


def test_where_no_picture_can_be_blamed_each_goes_alone(photos, tmp_path, model):
    class Together(LipFinder):
        """Dies where several pictures go through the model at once."""

        def predicted(self, cuts):
            if len(cuts) > 1:
                raise Died
            yield from super().predicted(cuts)

    shards, stores = shards_of(photos)
    job = job_of(tmp_path, Together(model, "none", views_of=4), stores)
    done, deaths = survive(job, Ledger(), plans.table_of(shards))
    assert deaths == 3 * 3
    assert sum(row["pictures"] for row in done) == N + 1
    assert sum(row["failed"] for row in done) == 1


def test_work_that_is_asked_for_twice_is_done_once(photos, tmp_path, finder, monkeypatch):
    shards, stores = shards_of(photos)
    job, ledger = job_of(tmp_path, finder, stores), Ledger()
    first = Worker(job, lambda: ledger)(plans.table_of(shards)).to_pylist()
    monkeypatch.setattr(LipFinder, "cut", lambda self, name, content: pytest.fail("the picture was read again"))
    assert Worker(job, lambda: ledger)(plans.table_of(shards)).to_pylist() == first


def test_an_error_ends_a_shard_in_words(photos, tmp_path, finder, monkeypatch):
    shards, stores = shards_of(photos)
    job = job_of(tmp_path, finder, stores)
    (tmp_path / "out").write_text("a file where the folder should be")
    (row, *_) = Worker(job, Ledger)(plans.table_of(shards[:1])).to_pylist()
    assert row["expected"]
    assert f"{tmp_path}/out/part-0000000-00000-end.parquet: cannot be written" in row["error"]
    monkeypatch.setattr(LipFinder, "cut", lambda self, name, content: 1 / 0)
    (row, *_) = Worker(job, Ledger)(plans.table_of(shards[:1])).to_pylist()
    assert not row["expected"]
    assert "ZeroDivisionError" in row["error"]


def test_a_part_is_whole_or_absent(tmp_path):
    results = Results(Stores().stores[0], str(tmp_path / "out"))
    rows = SCHEMA.empty_table()
    results.write(0, 0, False, rows, Counts(3, 2, 1))
    assert results.written(0, 0) == (Counts(3, 2, 1), False)
    assert results.written(0, 1) is None
    assert results.ended() == set()
    (tmp_path / "out" / "part-0000000-00001.parquet").mkdir()  # onto which no file can be moved
    with pytest.raises(OutputError, match=r"part-0000000-00001\.parquet: cannot be written"):
        results.write(0, 1, False, rows, Counts())
    assert sorted(os.listdir(tmp_path / "out")) == ["part-0000000-00000.parquet", "part-0000000-00001.parquet"]
    assert results.written(0, 1) is None


def test_the_plan_of_a_run_is_kept(tmp_path, photos):
    results = Results(Stores().stores[0], str(tmp_path / "out"))
    shards, _ = shards_of(photos)
    new = plans.planned(results, {"size": 4}, lambda: shards, resume=True, overwrite=False)
    assert [plans.shard_of(row) for row in new.to_pylist()] == shards

    def fail():
        raise AssertionError("the sources were looked through again")

    again = plans.planned(results, {"size": 4}, fail, resume=True, overwrite=False)
    assert again.to_pylist() == new.to_pylist()
    with pytest.raises(UsageError, match=r"another size \(4, not 5\)"):
        plans.planned(results, {"size": 5}, fail, resume=True, overwrite=False)
    with pytest.raises(UsageError, match=r"holds the results of a run already; give --resume"):
        plans.planned(results, {"size": 4}, fail, resume=False, overwrite=False)
    results.write(0, 0, True, SCHEMA.empty_table(), Counts())
    (tmp_path / "out" / "mine.parquet").write_text("of somebody else")
    other = plans.planned(results, {"size": 5}, lambda: shards[:1], resume=False, overwrite=True)
    assert len(other) == 1
    assert sorted(os.listdir(tmp_path / "out")) == [plans.PLAN, "mine.parquet"]


def test_a_finder_takes_every_kind_of_table_and_travels(finder, model):
    pandas = pytest.importorskip("pandas", reason="needs lipseg[ray]")
    contents = [picture(0), b"no picture", None]
    names = ["a", "b", "c"]
    table = pyarrow.table({"path": names, "bytes": contents})
    found = finder(table)
    assert found["image"].to_pylist() == names
    assert [bool(error) for error in found["error"].to_pylist()] == [False, True, True]
    assert finder({"path": np.array(names), "bytes": np.array(contents, object)}).equals(found)
    assert finder(pandas.DataFrame({"path": names, "bytes": contents})).equals(found)
    assert finder(table.select(["bytes"]))["image"].to_pylist() == ["0", "1", "2"]
    assert pickle.loads(pickle.dumps(finder))(table).equals(found)  # without the model, which is loaded again
    assert len(pickle.dumps(finder)) < 1000
    with pytest.raises(DataError, match="no column 'bytes' of picture files' bytes; there are path"):
        finder(table.select(["path"]))


def test_rows_in_pandas_as_spark_asks_for_them(finder):
    pandas = pytest.importorskip("pandas", reason="needs lipseg[ray]")
    batches = (
        pandas.DataFrame({"path": [f"{number}", "x"], "bytes": [picture(number), b"no picture"]}) for number in (0, 1)
    )
    tables = list(finder.in_pandas(batches))
    assert [len(table) for table in tables] == [2, 2]
    names = [column.split()[0] for column in SPARK_SCHEMA.split(", ")]
    for table in tables:
        assert list(table.columns) == names == SCHEMA.names
        assert table["face"].tolist()[0] == 0
        assert isinstance(table["face"].tolist()[0], int)
        assert len(table["outer"][0]) == 56
        assert table["outer"][1] is None


def test_what_ray_s_core_says_of_its_log_level_is_not_printed_and_all_else_is(capfd):
    from lipseg.batch import engine

    def say() -> None:
        os.write(2, b"[logging.cc] Set ray log level from environment variable RAY_BACKEND_LOG_LEVEL to 3\nworse\n")

    with engine._without_notice():
        say()
    assert capfd.readouterr().err == "worse\n"

    def fail() -> None:
        say()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"), engine._without_notice():
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "worse\nafter\n"


def test_any_file_system_of_pyarrow(photos, tmp_path, finder):
    """A file system that only Python knows, as those of fsspec are."""
    memory = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem()
    memory.store.clear()
    for number in range(3):
        memory.pipe(f"/bucket/p{number}.png", picture(number))
    stores = Stores(fs.PyFileSystem(fs.FSSpecHandler(memory)))
    shards = find_shards(["bucket"], stores, 2, TableColumns())
    assert [shard.kind for shard in shards] == [PICTURES, PICTURES]
    job = Job(Results(stores.stores[0], "results"), stores.stores, finder, TableColumns(), 2, 3)
    Worker(job, Ledger)(plans.table_of(shards))
    assert job.results.ended() == {0, 1}
    memory.store.clear()
