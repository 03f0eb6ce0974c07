"""The plan of a run, which lies beside its results: what every shard is, so that a killed run goes on with the same."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow
from pyarrow import parquet

from lipseg.batch.results import Results
from lipseg.batch.sources import Shard
from lipseg.batch.stores import store_errors
from lipseg.errors import UsageError

# Readers of a folder of Parquet files pass over names that begin so.
PLAN = "_lipseg_plan.parquet"
_SETTINGS = b"lipseg"
SCHEMA = pyarrow.schema(
    [
        ("shard", pyarrow.int32()),
        ("kind", pyarrow.string()),
        ("store", pyarrow.int32()),
        ("paths", pyarrow.list_(pyarrow.string())),
        ("group", pyarrow.int32()),
        ("first_row", pyarrow.int64()),
    ]
)


def table_of(shards: Sequence[Shard]) -> pyarrow.Table:
    """Returns shards as a table of ``SCHEMA``, numbered in their order."""
    rows = [
        {"shard": at, "kind": s.kind, "store": s.store, "paths": s.paths, "group": s.group, "first_row": s.first_row}
        for at, s in enumerate(shards)
    ]
    return pyarrow.Table.from_pylist(rows, SCHEMA)


def shard_of(row: Mapping[str, Any]) -> Shard:
    """Returns the shard of a row of such a table."""
    return Shard(row["kind"], row["store"], tuple(row["paths"]), row["group"], row["first_row"])


def planned(
    results: Results,
    settings: Mapping[str, Any],
    find: Callable[[], Sequence[Shard]],
    *,
    resume: bool,
    overwrite: bool,
) -> pyarrow.Table:
    """Returns the plan as a table of ``SCHEMA``: the one that lies in the folder of results, or a new one put there.

    Args:
        results: the folder.
        settings: what the rows depend on; those of a run that goes on must be the same.
        find: returns the shards of a new plan.
        resume: whether a run may go on.
        overwrite: whether the results of an earlier run are removed.

    Raises:
        UsageError: if there are results that may neither be gone on with nor be removed, or of other settings.
        OutputError: if the plan cannot be written.
    """
    there = any(file.base_name == PLAN for file in results.files())
    if there and resume:
        path = results.path(PLAN)
        with store_errors(results.store.name(path)), results.store.filesystem.open_input_file(path) as file:
            plan = parquet.read_table(file)
        known = json.loads((plan.schema.metadata or {}).get(_SETTINGS, b"{}"))
        wanted = json.loads(json.dumps(settings))
        if other := [name for name, value in wanted.items() if known.get(name) != value]:
            raise UsageError(
                f"{results.name}: holds a run with another {other[0]} ({known.get(other[0])!r}, not "
                f"{wanted[other[0]]!r}); give what it was begun with, another folder, or --force"
            )
        return plan
    if there and not overwrite:
        raise UsageError(
            f"{results.name}: holds the results of a run already; give --resume to go on with it, --force to replace "
            "it, or another folder with -o"
        )
    shards = find()
    results.remove([PLAN])
    plan = table_of(shards).replace_schema_metadata({_SETTINGS: json.dumps(settings)})
    results.put(PLAN, plan)
    return plan
