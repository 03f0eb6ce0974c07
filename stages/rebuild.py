"""Reruns the pipeline in a folder of its own: the checkout's parameters, lock and artifacts stay as they are.

The folder holds a copy of the code, its own DVC without git, and everything that the run makes; a run that was
interrupted goes on where it was.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lipseg.errors import DataError, LipsegError
from lipseg.params import parse_params

CHECKOUT = Path(__file__).parents[1]
# Stands for the folder of the faces in a lock that leaves the machine.
ANYWHERE = "DATA_ROOT"

_FOLDERS = ("lipseg", "stages")
_CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
_LOCK_HEAD = f"""\
# What `make release-model` ran: DVC's lock of the pipeline that made the model beside it, stage by stage, with the MD5
# of every file read and written. {ANYWHERE} stands for the folder of the faces; nothing else differs from DVC's own.
# `make verify-model` with the same faces runs it again and compares.
"""


def prepare(work: Path, params: Mapping[str, Any], root: Path) -> None:
    """Makes or refreshes the folder: the checkout's code, these parameters with ``data.root`` set, its own DVC.

    Args:
        work: the folder; what an earlier run made there stays.
        params: as in ``params.yaml``; whatever it says of ``data.root`` is replaced.
        root: the folder of the faces.

    Raises:
        DataError: if there is no such folder.
        ParamsError: naming the key that is wrong.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; name the folder of the faces (see data/README.md)")
    whole = {**params, "data": {**params.get("data", {}), "root": str(root.resolve())}}
    parse_params(whole)
    work.mkdir(parents=True, exist_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(work / name, ignore_errors=True)
        shutil.copytree(CHECKOUT / name, work / name, ignore=shutil.ignore_patterns("__pycache__", "shipped", ".*"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy2(CHECKOUT / name, work / name)
    (work / ".dvc").mkdir(exist_ok=True)
    (work / ".dvc" / "config").write_text(_CONFIG, encoding="utf-8")
    (work / "params.yaml").write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")


def run(work: Path, stage: str = "bundle") -> None:
    """Runs a stage and all that it needs; for the model the report is left out (``dvc repro report`` makes it).

    Raises:
        LipsegError: if a stage fails; its own message has been printed.
    """
    # The stages' commands say `python`: that must be this one, and the code that in the folder.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(work.resolve()), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", stage], cwd=work, env=env, check=False)
    if done.returncode != 0:
        raise LipsegError(f"{work}: the pipeline failed (see above); run the same command again to go on")


def lock_of(work: Path, root: Path) -> dict[str, Any]:
    """Returns DVC's lock of a run with ``ANYWHERE`` in the place of the folder of the faces.

    Raises:
        LipsegError: if another path of this machine is left in it.
    """
    lock = yaml.safe_load((work / "dvc.lock").read_text(encoding="utf-8"))
    # Neither makes the model; what each other stage's code was is among that stage's dependencies.
    for name in ("code", "report"):
        lock["stages"].pop(name, None)
    here = str(root.resolve())

    def neutral(text: str) -> str:
        return ANYWHERE + text[len(here) :] if text == here or text.startswith(here + os.sep) else text

    lock = _mapped(lock, neutral)

    def refuse_absolute(text: str) -> str:
        if Path(text).is_absolute():
            raise LipsegError(f"{work / 'dvc.lock'}: holds a path of this machine: {text}")
        return text

    return _mapped(lock, refuse_absolute)


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


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
