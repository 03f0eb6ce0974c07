"""Before ``dvc repro``: mends what a dvc that was killed has left half-written, or says what to do.

DVC notes who reads and writes what in ``.dvc/tmp/rwlock``, and no run gets past half of that file.
"""

import json
import sys
from pathlib import Path

import yaml
from zc.lockfile import LockError, LockFile

from lipseg.errors import DataError
from stages import run

LOCKS = Path(".dvc/tmp/rwlock")


def main() -> None:
    """Removes an unreadable file of locks that no dvc is writing, and checks ``dvc.lock``.

    Raises:
        DataError: if ``dvc.lock`` is only half there.
    """
    if LOCKS.is_file() and not _is_json(LOCKS):
        try:
            # Held by every dvc that reads or writes the file: a dvc that is alive has written half of it at most now.
            guard = LockFile(str(LOCKS.with_name("rwlock.lock")))
        except LockError:
            return
        try:
            if not _is_json(LOCKS):
                LOCKS.unlink(missing_ok=True)
                print(f"{LOCKS}: was left half-written by a run that was killed; removed", file=sys.stderr)
        finally:
            guard.close()
    lock = Path("dvc.lock")
    if lock.is_file() and not _has_stages(lock):
        raise DataError(
            f"{lock}: half-written by a run that was killed; `git checkout {lock}`, or remove it and everything is run "
            "again"
        )


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def _has_stages(path: Path) -> bool:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(content, dict) and isinstance(content.get("stages"), dict) and "schema" in content


if __name__ == "__main__":
    run(main)
