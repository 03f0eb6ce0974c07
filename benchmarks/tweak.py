"""What the mixture's heads bring: the cascade minus its base and minus its control, of one or several finished runs.

    python -m benchmarks.tweak FOLDER...

A folder is one in which the pipeline has run (``make repro``): its figures on the test faces, jittered boxes, are read,
and nothing is computed anew. Prints a Markdown table: mean differences of F1 in thousandths, on the same faces, with
their 95 % bootstrap intervals; a line for all test faces and, where there are several sources of faces, for each. K = 1
is what the same run has with one component: the control where it won on validation faces, and the base where not.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.data.tables import read_columns
from lipseg.errors import DataError, LipsegError
from lipseg.evaluation import metrics
from lipseg.model.weights import load_arrays
from lipseg.params import Params, load_params

REGIONS = ("lips", "inner", "mouth")
_SYSTEMS = ("base", "control", "cascade")

# System -> region -> (N,) F1 of every test face; NaN where it is not judged.
Figures = Mapping[str, Mapping[str, NDArray[np.float64]]]


def read_run(folder: Path) -> tuple[str, dict[str, Any], NDArray[np.str_], Figures]:
    """Returns a run's network in words, the facts about its heads, its test faces' sources, and their figures.

    Raises:
        DataError: if the run's results are missing or not those of the same faces under every system.
        ModelError: if its heads are.
        ParamsError: if its parameters are.
    """
    table = folder / "reports" / "results" / "per_face.csv"
    columns = read_columns(table)
    wanted = ["name", "boxes", "system", *(f"{region}_f1" for region in REGIONS)]
    if missing := [name for name in wanted if name not in columns]:
        raise DataError(f"{table}: the column '{missing[0]}' is missing; run the evaluate stage again")
    names, boxes, systems = (np.array(columns[name]) for name in wanted[:3])
    rows = {system: np.flatnonzero((boxes == "jittered") & (systems == system)) for system in _SYSTEMS}
    faces = names[rows["base"]]
    if len(faces) == 0 or any(names[found].tolist() != faces.tolist() for found in rows.values()):
        raise DataError(f"{table}: base, control and cascade are not those of the same faces; run evaluate again")
    f1 = {region: np.array(columns[f"{region}_f1"], np.float64) for region in REGIONS}
    figures = {system: {region: f1[region][found] for region in REGIONS} for system, found in rows.items()}
    facts = load_arrays(folder / "data" / "heads" / "heads.safetensors")[1]
    sources = np.array([str(name).split("/")[0] for name in faces])
    return _in_words(load_params(folder / "params.yaml")), facts, sources, figures


def _in_words(params: Params) -> str:
    net, side = params.net, params.view.size_px
    return f"vanilla, {side} px" if net.kind == "tcnn" else f"width {net.width}, {side} px"


def lines(folder: Path, resamples: int) -> Iterator[str]:
    """Yields a run's lines of the table; raises as ``read_run`` does."""
    network, facts, sources, figures = read_run(folder)
    single = figures["control" if facts["control"]["won"] else "base"]
    own = sum(head["won"] for head in facts["components"])
    groups = {"all": np.ones(len(sources), np.bool_)}
    if len(kinds := dict.fromkeys(sources.tolist())) > 1:
        groups |= {kind: sources == kind for kind in kinds}
    for label, system in ((f"{len(facts['components'])}, {own} of their own", figures["cascade"]), ("1", single)):
        for group, rows in groups.items():
            cells = [
                _difference(figures[other][region][rows], system[region][rows], resamples)
                for region in REGIONS
                for other in ("base", "control")
            ]
            yield f"| {' | '.join([network, label, group, str(int(rows.sum())), *cells])} |"


def _difference(a: NDArray[np.float64], b: NDArray[np.float64], resamples: int) -> str:
    found = metrics.paired_bootstrap(a, b, resamples=resamples)
    ends = [found[name] for name in ("difference", "low", "high")]
    if None in ends:
        return "-"
    middle, low, high = (f"{1000 * (end or 0.0):+.1f}" for end in ends)
    return f"{middle} [{low}, {high}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="in which the pipeline has run")
    parser.add_argument("--resamples", type=int, default=10_000, help="of the bootstrap (default: %(default)s)")
    at = parser.parse_args()
    found = [line for folder in at.folders for line in lines(folder, at.resamples)]
    cells = [f"{region} F1 minus {other}'s" for region in REGIONS for other in ("base", "control")]
    print(f"| base | K | faces | number | {' | '.join(cells)} |\n|{' --- |' * (4 + len(cells))}")
    print("\n".join(found))


if __name__ == "__main__":
    try:
        main()
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
