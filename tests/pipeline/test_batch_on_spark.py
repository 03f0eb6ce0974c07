"""The rows of ``LipFinder`` through Spark's ``mapInPandas``."""

import io
import shutil

import pytest
from PIL import Image

from lipseg.batch import SPARK_SCHEMA, LipFinder
from tests.known_networks import write_model

pytestmark = pytest.mark.slow
pyspark = pytest.importorskip("pyspark", reason="needs Spark, which no extra brings: pip install pyspark")
if shutil.which("java") is None:
    pytest.skip("needs Java, on which Spark runs", allow_module_level=True)


def test_spark_finds_what_the_finder_finds(tmp_path, monkeypatch):
    from pyspark.sql import SparkSession

    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(9):
        buffer = io.BytesIO()
        Image.new("RGB", (24, 24), (25 * number, 0, 255 - 25 * number)).save(buffer, "PNG")
        (folder / f"{number}.png").write_bytes(buffer.getvalue() if number else b"no picture")
    finder = LipFinder(write_model(tmp_path / "known"), "none", content="content")
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "4").getOrCreate()
    try:
        pictures = spark.read.format("binaryFile").load(str(folder))
        rows = pictures.mapInPandas(finder.in_pandas, SPARK_SCHEMA).orderBy("image").collect()
    finally:
        spark.stop()
    names = [f"file:{folder}/{number}.png" for number in range(9)]
    contents = [(folder / f"{number}.png").read_bytes() for number in range(9)]
    expected = finder({"path": names, "content": contents}).to_pylist()
    assert [row["image"] for row in rows] == names
    assert [row.asDict() for row in rows] == expected
    assert rows[0]["error"] is not None
    assert rows[1]["face"] == 0
