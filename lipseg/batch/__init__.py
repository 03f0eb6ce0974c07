"""Lips of very many pictures on engines that distribute work: Ray Data, or Spark's ``mapInPandas``.

Of the engine comes everything that an engine can do: where workers run, what happens when one dies, how a cluster is
joined. Of lipseg come the plan of the work, whose parts are each written whole under a name of their own, and the
callable that turns picture files into rows.
"""

from lipseg.batch.finder import LipFinder
from lipseg.batch.process import BatchSummary, find_lips
from lipseg.batch.rows import SPARK_SCHEMA

__all__ = ["SPARK_SCHEMA", "BatchSummary", "LipFinder", "find_lips"]
