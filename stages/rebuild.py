"""Reruns the pipeline in a folder of its own: the checkout's parameters, lock and artifacts stay as they are.

The folder holds a copy of the code, links to the faces, its own DVC without git, and everything that the run makes; a
run that was interrupted goes on where it was. All paths that a stage sees are below that folder: what the run writes
names no place of the machine.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lipseg.errors import DataError, LipsegError
from lipseg.files import whole_folder
from lipseg.params import parse_params

CHECKOUT = Path(__file__).parents[1]
# The folder of the faces in that of the run.
FACES = "faces"

_FOLDERS = ("lipseg", "stages")
_CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
_LOCK_HEAD = f"""\
# What `make release-model` ran: DVC's lock of the pipeline that made the model beside it, stage by stage, with the MD5
# of every file read and written. The folder {FACES} held the faces of every source.
# `make verify-model` with the same faces runs it again and compares.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options ``source`` and ``file`` that say where the faces lie: dictionaries of folders and files."""
    parser.add_argument(
        "--source",
        action=_Named,
        metavar="NAME=DIR",
        default={},
        help="a source of data.source and the folder of its faces; once for each source",
    )
    parser.add_argument(
        "--file",
        action=_Named,
        metavar="PATH=FILE",
        default={},
        help="a file that a source's folder lacks, for example helen/scale.csv=FILE",
    )


class _Named(argparse.Action):
    """Collects "NAME=PATH"s in a dictionary; no name may come twice."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, value: Any, option: str | None = None) -> None:
        name, _, path = value.partition("=")
        found = getattr(namespace, self.dest)
        if not name or not path or name in found:
            parser.error(f"{option} {value}: " + ("given a second time" if name in found else f"not {self.metavar}"))
        setattr(namespace, self.dest, {**found, name: Path(path)})


def prepare(
    work: Path, params: Mapping[str, Any], sources: Mapping[str, Path], files: Mapping[str, Path] | None = None
) -> None:
    """Makes or refreshes the folder: the checkout's code, the faces, these parameters with ``data.root``, its own DVC.

    Args:
        work: the folder; what an earlier run made there stays.
        params: as in ``params.yaml``; whatever it says of ``data.root`` is replaced.
        sources: the folder of the faces of every source that ``data.source`` names.
        files: what belongs into these folders and is not there, by the path that it gets, "source/file".

    Raises:
        DataError: if a source has no folder, or a folder or file no source.
        ParamsError: naming the key that is wrong.
    """
    data = dict(params.get("data", {}))
    wanted = str(data.get("source", "")).split("+")
    # Where the stages look for one source alone, and where for several.
    data["root"] = FACES if len(wanted) > 1 else f"{FACES}/{wanted[0]}"
    whole = {**params, "data": data}
    parse_params(whole)
    files = files or {}
    _check(wanted, sources, files)
    work.mkdir(parents=True, exist_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(work / name, ignore_errors=True)
        shutil.copytree(CHECKOUT / name, work / name, ignore=shutil.ignore_patterns("__pycache__", "shipped", ".*"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy2(CHECKOUT / name, work / name)
    (work / ".dvc").mkdir(exist_ok=True)
    (work / ".dvc" / "config").write_text(_CONFIG, encoding="utf-8")
    (work / "params.yaml").write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    _link(work / FACES, sources, files)


def _check(wanted: list[str], sources: Mapping[str, Path], files: Mapping[str, Path]) -> None:
    """Raises DataError where the folders and files given are not those of the sources wanted, or do not exist."""
    of = f"the model learns from {'+'.join(wanted)} (data.source)"
    for name in wanted:
        if name not in sources:
            raise DataError(f"{of}: name the folder of {name} too, --source {name}=DIR (make: {name.upper()}=DIR)")
    for name in sources:
        if name not in wanted:
            raise DataError(f"--source {name}: {of}, not from {name}; leave it out")
        if not sources[name].is_dir():
            raise DataError(
                f"{sources[name]}: no such folder; name the folder of the {name} faces (see data/README.md)"
            )
    for path, file in files.items():
        source, *rest = Path(path).parts
        if source not in wanted or not rest or ".." in rest:
            raise DataError(f"--file {path}: {of}; the path must begin with one of these, as {wanted[0]}/NAME does")
        if not file.is_file():
            raise DataError(f"{file}: no such file (to be {path} among the faces)")


def _link(faces: Path, sources: Mapping[str, Path], files: Mapping[str, Path]) -> None:
    """Makes the folder of the faces anew: a folder for each source, with a link to each file in it; hidden ones apart.

    Links to files: DVC hashes what they lead to, and sees when it changes. It follows no link to a folder.
    """
    with whole_folder(faces) as partial:
        for name, root in sources.items():
            for folder, below, names in os.walk(root.resolve(), followlinks=True):
                below[:] = [one for one in below if not one.startswith(".")]
                to = partial / name / Path(folder).relative_to(root.resolve())
                to.mkdir(parents=True)
                for file in names:
                    if not file.startswith("."):
                        (to / file).symlink_to(Path(folder, file))
        for path, file in files.items():
            to = partial / path
            to.parent.mkdir(parents=True, exist_ok=True)
            to.unlink(missing_ok=True)
            to.symlink_to(file.resolve())


def mend(work: Path) -> None:
    """Mends what an earlier run or a disk has left damaged in the folder, as ``make repro`` does (``stages.mend``).

    Raises:
        LipsegError: if that cannot be done, or a dvc is at work there.
    """
    _python(work, "stages.mend")


def run(work: Path, stage: str = "bundle") -> None:
    """Runs a stage and all that it needs; for the model the report is left out (``dvc repro report`` makes it).

    Raises:
        LipsegError: if a stage fails; its own message has been printed.
    """
    _python(work, "dvc", "repro", stage)


def _python(work: Path, module: str, *arguments: str) -> None:
    # The stages' commands say `python`: that must be this one, and the code that in the folder.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(work.resolve()), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=work, env=env, check=False)
    if done.returncode != 0:
        raise LipsegError(f"{work}: the pipeline failed (see above); run the same command again to go on")


def lock_of(work: Path) -> dict[str, Any]:
    """Returns DVC's lock of a run, without the stages that do not make the model.

    Raises:
        LipsegError: if a path of this machine is in it.
    """
    lock = yaml.safe_load((work / "dvc.lock").read_text(encoding="utf-8"))
    # Neither makes the model; what each other stage's code was is among that stage's dependencies.
    for name in ("code", "report"):
        lock["stages"].pop(name, None)
    for text in _texts(lock):
        if Path(text).is_absolute():
            raise LipsegError(f"{work / 'dvc.lock'}: holds a path of this machine: {text}")
    return lock


def write_lock(path: Path, lock: Mapping[str, Any]) -> None:
    """Writes a lock that ``lock_of`` returned, with a word on what it is."""
    path.write_text(_LOCK_HEAD + yaml.safe_dump(dict(lock), sort_keys=False), encoding="utf-8")


def read_lock(path: Path) -> dict[str, Any]:
    """Returns what ``write_lock`` wrote.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        lock = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {name: dict(stage) for name, stage in lock["stages"].items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a readable lock ({' '.join(str(error).split())})") from error


def md5_of(stage: Mapping[str, Any], part: str) -> dict[str, str]:
    """Returns the MD5 of each path of a stage in a lock.

    Args:
        stage: of the lock.
        part: "deps" or "outs".
    """
    return {entry["path"]: entry["md5"] for entry in stage.get(part, [])}


def _texts(value: Any) -> Iterator[str]:
    """Yields every text among nested dictionaries' and lists' values."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
