"""Before ``dvc repro``: mends what a dvc that was killed, or a disk, has left damaged, or says what to do.

Also lets DVC do without Git in a folder that is no clone, such as an unpacked archive; experiments need one.

DVC notes who reads and writes what in ``.dvc/tmp/rwlock``, and no run gets past half of that file. Of the files in its
cache it looks no further than whether they are there and read-only, and would restore one that is damaged.

Where a dvc is at work in this folder nothing is touched, and the command fails.
"""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml
from dvc.dirs import site_cache_dir
from dvc.exceptions import DvcException
from dvc.lock import Lock, LockError
from dvc.repo import Repo
from dvc.rwlock import SCHEMA
from dvc.utils import dict_sha256
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.meta import Meta
from dvc_objects.errors import ObjectFormatError
from voluptuous import Invalid
from zc.lockfile import LockError as GuardError
from zc.lockfile import LockFile

from lipseg.errors import DataError, LipsegError
from lipseg.files import remove, whole_file
from stages import run

LOCKS = Path(".dvc/tmp/rwlock")
CACHE = Path(".dvc/cache")
# DVC's settings that Git ignores, and what is written there where there is no Git.
LOCAL = Path(".dvc/config.local")
NO_GIT = "# No Git repository was found; `make repro` removes this file once there is one.\n[core]\n    no_scm = true\n"


def main() -> None:
    """Mends file of locks and cache, and checks ``dvc.lock``.

    Raises:
        LipsegError: if a dvc is at work here, ``dvc.lock`` is only half there, or something cannot be mended.
    """
    with _alone():
        _say_whether_git()
        _mend_locks()
        lock = Path("dvc.lock")
        if lock.is_file() and not _has_stages(lock):
            raise DataError(
                f"{lock}: half-written by a run that was killed; `git checkout {lock}`, or remove it and everything is "
                "run again"
            )
        # One that several projects share is not this one's to mend.
        if Path(".dvc/config").is_file() and CACHE.is_dir():
            try:
                _mend_cache()
            except DvcException:
                pass  # settings or dvc.yaml are wrong, as `dvc repro` will tell
            except sqlite3.DatabaseError as error:
                notes = Path(site_cache_dir()) / "repo"
                raise LipsegError(
                    f"{notes}: what DVC has noted of files here cannot be used ({error}); remove that folder, which "
                    "costs some time"
                ) from error


@contextmanager
def _alone() -> Iterator[None]:
    """Holds DVC's own lock of the folder, so that no dvc begins meanwhile.

    Raises:
        LipsegError: if a dvc is at work. While a stage's command runs it does not hold its lock.
    """
    if not LOCKS.parent.is_dir():  # no dvc has run here yet
        yield
        return
    lock = Lock(str(LOCKS.with_name("lock")))
    try:
        lock.lock()
    except LockError as error:
        raise LipsegError("a dvc is at work in this folder; wait for its end") from error
    try:
        for pid, command in _noted().items():
            if _is_alive(pid):
                raise LipsegError(f"a dvc is at work in this folder (process {pid}: {command}); wait for its end")
        yield
    finally:
        lock.unlock()


def _say_whether_git() -> None:
    """Tells DVC to work without Git where there is none, and no longer where there is one."""
    here = Path.cwd()
    if any((folder / ".git").exists() for folder in (here, *here.parents)):
        if LOCAL.is_file() and LOCAL.read_bytes() == NO_GIT.encode():
            LOCAL.unlink()
    elif LOCAL.parent.is_dir() and not LOCAL.exists():
        with whole_file(LOCAL) as partial:
            partial.write_text(NO_GIT, encoding="utf-8")


def _mend_locks() -> None:
    """Removes a file of locks that is unreadable, or names a process of a dvc's that has become another's.

    Raises:
        LipsegError: if a dvc is writing it.
    """
    if not LOCKS.is_file() or (_read(LOCKS) is not None and not any(map(psutil.pid_exists, _noted()))):
        return
    try:
        # Held by every dvc that reads or writes the file: a dvc that is alive has written half of it at most now.
        guard = LockFile(str(LOCKS.with_name("rwlock.lock")))
    except GuardError as error:
        raise LipsegError("a dvc is at work in this folder; wait for its end") from error
    try:
        if not any(map(_is_alive, _noted())):
            LOCKS.unlink(missing_ok=True)
            print(f"{LOCKS}: left by a run that was killed; removed", file=sys.stderr)
    finally:
        guard.close()


def _noted() -> dict[int, str]:
    """Returns the processes that the file of locks names, with their commands; none where it cannot be read."""
    noted = _read(LOCKS) or {"write": {}, "read": {}}
    entries = [*noted["write"].values(), *(entry for many in noted["read"].values() for entry in many)]
    return {entry["pid"]: entry["cmd"] for entry in entries}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        noted: Any = SCHEMA(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, Invalid):
        return None
    return noted


def _is_alive(pid: int) -> bool:
    """Whether a process that the file of locks names is still that one: numbers are given again, soon after a start."""
    try:
        return psutil.Process(pid).create_time() < LOCKS.stat().st_mtime + 2
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


def _has_stages(path: Path) -> bool:
    content = _yaml(path)
    return isinstance(content.get("stages"), dict) and "schema" in content


def _yaml(path: Path) -> dict[str, Any]:
    """Returns the content of a YAML file; an empty one where it cannot be read."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _mend_cache() -> None:
    """Removes the cache's files that are not what their names say, and writes them again where outputs are whole.

    As DVC does, a file whose size, time and place are those of its last look is taken to be the same.

    Raises:
        LipsegError: if one cannot be read or removed.
    """
    with Repo() as repo:
        damaged = []
        for path in sorted(CACHE.glob("files/md5/[0-9a-f][0-9a-f]/*")):
            if re.fullmatch(r"[0-9a-f]{30}(\.dir)?", path.name) and not _is_sound(repo.cache.local, path):
                damaged.append(path)
        for path in sorted(CACHE.glob("runs/[0-9a-f][0-9a-f]/*/*")):
            if path.suffix != ".tmp" and not _is_run(path):
                damaged.append(path)
        half = [*CACHE.glob("files/md5/*/*.tmp"), *CACHE.glob("runs/*/*/*.tmp")]  # of a dvc that was killed
        for path in [*damaged, *half]:
            try:
                remove(path)
            except OSError as error:
                raise LipsegError(f"{path}: damaged, and cannot be removed ({error.strerror}); remove it") from error
        if damaged:
            more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            print(f"{damaged[0]}{more}: damaged; removed, to be made again where it is needed", file=sys.stderr)
            _cache_again(repo)


def _is_sound(cache: HashFileDB, path: Path) -> bool:
    try:
        # Not the local cache's own check, which takes what is read-only to be sound.
        HashFileDB.check(cache, path.parent.name + path.name)
    except (ObjectFormatError, IsADirectoryError):
        return False
    except OSError as error:
        raise LipsegError(f"{path}: cannot be read ({error.strerror}); remove it, to be made again") from error
    return True


def _is_run(path: Path) -> bool:
    """Whether DVC's note of what a stage once made of which inputs is whole: it is named by its content."""
    content = _yaml(path)
    return bool(content) and dict_sha256(content, exclude=[Meta.PARAM_SIZE, Meta.PARAM_NFILES]) == path.name


def _cache_again(repo: Repo) -> None:
    """Puts outputs into the cache that are as ``dvc.lock`` says but not there: else DVC would run their stages."""
    for out in repo.index.outs:
        if out.use_cache and out.hash_info and out.exists and not out.changed_checksum() and out.changed_cache():
            out.commit(relink=False)


if __name__ == "__main__":
    run(main)
