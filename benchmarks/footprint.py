"""What a light installation costs: megabytes, seconds, and the first result from it.

    python -m benchmarks.footprint

Installs the checkout into an empty virtual environment in a temporary folder (needs the package registry) and prints
how much lies there then, that nothing of the training came along, and how long the first and the second photo take.
"""

import argparse
import importlib.machinery
import json
import os
import sys
import tempfile
import time
import venv
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

from benchmarks.prompt import timed
from lipseg.data.synthesize import draw_face
from lipseg.errors import LipsegError
from lipseg.images import write_image

CHECKOUT = Path(__file__).parents[1]
# Modules that only training, the pipeline and reports need.
HEAVY = ("jax", "scipy", "flax", "optax", "sklearn", "dvc", "matplotlib", "yaml")
_MEGABYTE = 1e6


def sizes(site: Path, without: Iterable[str] = ("pip", "setuptools")) -> dict[str, float]:
    """Returns the megabytes (10^6 bytes) of each package in a folder of packages, largest first.

    Args:
        site: the folder.
        without: names of packages that were there before.
    """
    found: dict[str, float] = {}
    for package in distributions(path=[str(site)]):
        if (name := package.metadata["Name"]) not in set(without):
            files = (Path(str(package.locate_file(file))) for file in package.files or ())
            found[name] = sum(path.stat().st_size for path in files if path.is_file()) / _MEGABYTE
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def present(site: Path, modules: Iterable[str] = HEAVY) -> list[str]:
    """Returns those of the modules that lie in a folder of packages."""
    return [name for name in modules if importlib.machinery.PathFinder.find_spec(name, [str(site)])]


def table(found: dict[str, float], largest: int) -> str:
    """Returns the largest packages, the rest and the sum as a Markdown table."""
    first = list(found.items())[:largest]
    rest = sum(found.values()) - sum(size for _, size in first)
    rows = [*first, (f"{len(found) - len(first)} others", rest), ("**all**", sum(found.values()))]
    return "\n".join(["| package | MB |", "| --- | --- |", *(f"| {name} | {size:.1f} |" for name, size in rows)])


def run(model: Path | None, largest: int) -> None:
    """Installs, measures and prints.

    Args:
        model: folder of a model; None for the one that comes along.
        largest: packages that are named.

    Raises:
        LipsegError: if the installation or the first photo fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        began = time.perf_counter()
        timed([str(programs / "python"), "-m", "pip", "install", "--quiet", str(CHECKOUT)])
        seconds = time.perf_counter() - began
        _, site = timed([str(programs / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        packages = Path(site.strip())
        print(f"installed in {seconds:.0f} s (download and build too)\n\n{table(sizes(packages), largest)}\n")
        heavy = present(packages)
        print(f"of {', '.join(HEAVY)}: {', '.join(heavy) if heavy else 'none is there'}")
        photo = folder / "face.jpg"
        write_image(photo, draw_face(np.random.default_rng(0), "smile", 512)[0], quality=95)
        command = [str(programs / "lipseg"), "predict", *(["--model", str(model)] if model else []), str(photo)]
        for which in ("first", "second"):
            seconds, answer = timed(command)
            print(f"{which} `lipseg predict`: {seconds:.2f} s, {len(json.loads(answer)['faces'])} face(s)")
    if heavy:
        sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a lipseg model")
    parser.add_argument("--largest", type=int, default=6, help="packages that are named")
    at = parser.parse_args()
    try:
        run(at.model and at.model.resolve(), at.largest)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
