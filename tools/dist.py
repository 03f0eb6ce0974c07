"""Builds what a release consists of, and tries each from an empty folder: wheel, sdist, and the npm package.

``python -m tools.dist`` writes to ``dist/``. The version is that of ``pyproject.toml``: ``--stamp`` writes it to the
other files that hold it, ``CITATION.cff`` and ``web/package.json``, and a build refuses files that differ. Wheel and
sdist are installed into fresh environments with the package registry's releases; the npm package, which comes where
there is a ``web/``, into a fresh folder.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from lipseg.data.synthesize import draw_face
from lipseg.inference.card import CASCADE, DEFAULT_MODEL, LOCATOR

ROOT = Path(__file__).parents[1]
WEB = Path("web")
# Where else the version stands: (file, what precedes it, what follows).
_COPIES = (
    ("CITATION.cff", r"^version: ", r"$"),
    ("web/package.json", r'^  "version": "', r'",?$'),
    ("web/package-lock.json", r'^  "version": "', r'",?$'),
    ("web/package-lock.json", r'^      "name": "lipseg",\n      "version": "', r'",?$'),
)
_VERSION = r"\d+(?:\.\d+)+\w*"
_TRIAL = """
import sys
import lipseg
(lips,) = lipseg.LipSegmenter()("face.png")
assert lips.outer.shape == (28, 2), lips.outer.shape
assert lipseg.__version__ == sys.argv[1], lipseg.__version__
"""
_NODE_TRIAL = """
import { readFile } from "node:fs/promises";
const lipseg = await import("lipseg");
const card = JSON.parse(await readFile("node_modules/lipseg/dist/lib/model/card.json", "utf8"));
if (typeof lipseg.LipSegmenter.load !== "function") throw new Error("no LipSegmenter");
if (card.format === undefined) throw new Error("the model's card has no format");
"""


class DistError(Exception):
    """What keeps a release from being built, in one line that names file and remedy."""


def version(root: Path = ROOT) -> str:
    """Returns the version that ``pyproject.toml`` gives."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def copies(root: Path = ROOT) -> list[tuple[Path, str, re.Pattern[str]]]:
    """Returns for every other place of the version its file, the version there, and where in the file that is.

    Raises:
        DistError: if a file that is there holds none.
    """
    found = []
    for name, before, after in _COPIES:
        file = root / name
        if not file.exists():
            continue
        place = re.compile(f"({before})({_VERSION})({after})", re.MULTILINE)
        there = place.search(file.read_text(encoding="utf-8"))
        if there is None:
            raise DistError(f"{name}: holds no version where one is expected ({before})")
        found.append((file, there[2], place))
    return found


def stamp(root: Path = ROOT) -> None:
    """Writes the version to every other place."""
    new = version(root)
    for file, _, place in copies(root):
        text = file.read_text(encoding="utf-8")
        file.write_text(place.sub(rf"\g<1>{new}\g<3>", text, count=1), encoding="utf-8")


def check(root: Path = ROOT) -> None:
    """Compares the places of the version, and the changelog's newest heading.

    Raises:
        DistError: naming the first that differs.
    """
    new = version(root)
    for file, there, _ in copies(root):
        if there != new:
            raise DistError(f"{file.relative_to(root)}: version {there}, pyproject.toml has {new}; run `make version`")
    newest = re.search(rf"(?m)^## ({_VERSION})", (root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if newest is None or newest[1] != new:
        raise DistError(f"CHANGELOG.md: its first heading is not {new}, the version of pyproject.toml")


def _run(*words: object, cwd: Path) -> None:
    # Neither the checkout nor its environment may help what is tried.
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise DistError(f"{' '.join(map(str, words))}: {told[-1] if told else f'exit code {done.returncode}'}")


def check_browser(library: Path, model: Path = DEFAULT_MODEL) -> None:
    """Compares the networks that the browser's library was built with to those of a model's folder.

    Raises:
        DistError: if there is no library, or its networks are other ones.
    """
    if not (library / "lipseg.js").exists():
        raise DistError(f"{library}: not built; run `make web` first")
    for name in (CASCADE, LOCATOR):
        built = library / "model" / name
        if not built.exists() or built.read_bytes() != (model / name).read_bytes():
            raise DistError(f"{built}: not the network that comes along; run `make web` again")


def build(out: Path) -> list[Path]:
    """Writes wheel and sdist, and the npm package where web/dist/lib was built, to a folder that is made anew.

    Raises:
        DistError: if one cannot be built.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    _run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=ROOT)
    web = ROOT / WEB
    if (web / "package.json").exists():
        check_browser(web / "dist" / "lib")
        _run("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", out, cwd=web)
    return sorted(out.iterdir())


def try_python(package: Path, folder: Path, expected: str) -> None:
    """Installs a wheel or sdist into a fresh environment in an empty folder, and finds the lips of a drawn face.

    Raises:
        DistError: if it cannot be installed, or does not work.
    """
    _run(sys.executable, "-m", "venv", "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package, cwd=folder)
    Image.fromarray(draw_face(np.random.default_rng(0), "smile", 320)[0]).save(folder / "face.png")
    _run(python, "-c", _TRIAL, expected, cwd=folder)
    _run(folder / "env" / "bin" / "lipseg", "predict", "face.png", "-o", "out", cwd=folder)
    row = json.loads((folder / "out" / "face.json").read_text(encoding="utf-8"))
    if len(row["faces"]) != 1:
        raise DistError(f"{package.name}: found {len(row['faces'])} faces in place of one")


def try_npm(package: Path, folder: Path) -> None:
    """Installs the npm package into an empty folder, and imports it and its model's card.

    Raises:
        DistError: if it cannot be installed, or does not work.
    """
    (folder / "package.json").write_text('{ "private": true, "type": "module" }\n', encoding="utf-8")
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", package, cwd=folder)
    (folder / "trial.mjs").write_text(_NODE_TRIAL, encoding="utf-8")
    _run("node", "trial.mjs", cwd=folder)


def try_all(packages: Iterable[Path], expected: str) -> None:
    """Tries packages one after the other, each in an empty folder, and prints how large each is.

    Raises:
        DistError: for the first that does not work.
    """
    for package in packages:
        with tempfile.TemporaryDirectory() as name:
            if package.suffix == ".tgz":
                try_npm(package, Path(name))
            else:
                try_python(package, Path(name), expected)
        print(f"{package.name}: {package.stat().st_size / 1e6:.1f} MB, installed and tried")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stamp", action="store_true", help="only write pyproject.toml's version to the other files")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist")
    at = parser.parse_args()
    try:
        if at.stamp:
            stamp()
            return
        check()
        try_all(build(at.out.resolve()), version())
    except DistError as error:
        parser.exit(1, f"error: {error}\n")


if __name__ == "__main__":
    main()
