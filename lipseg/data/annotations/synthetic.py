"""Faces drawn by ``lipseg.data.synthesize``: Helen's layout and, in ``states.csv``, the mouth state of every face."""

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from lipseg.data.annotations import FaceSample, Unusable, helen
from lipseg.errors import DataError, shown

STATES_FILE = "states.csv"
COLUMNS = ("name", "state")
_REMEDY = "draw the dataset again with `python -m stages.synthesize`"


def read(root: Path) -> Iterator[FaceSample | Unusable]:
    """Returns the faces of a drawn dataset, sorted by name, with their mouth states.

    Args:
        root: folder in Helen's layout with ``states.csv`` (columns name, state).

    Raises:
        DataError: if ``states.csv`` or a part of Helen's layout is missing or malformed, or a face has no state.
    """
    faces = helen.read(root)
    return _with_states(faces, _states(root / STATES_FILE), root / STATES_FILE)


def _with_states(
    faces: Iterator[FaceSample | Unusable], states: dict[str, str], path: Path
) -> Iterator[FaceSample | Unusable]:
    """Yields the faces with their states filled in."""
    for face in faces:
        if isinstance(face, FaceSample):
            if face.name not in states:
                raise DataError(f"{path}: no state for the face {shown(face.name)}; {_REMEDY}")
            face = dataclasses.replace(face, state=states[face.name])
        yield face


def _states(path: Path) -> dict[str, str]:
    """Returns the state of every name in a states.csv."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise DataError(f"{path}, line 1: the columns must be {','.join(COLUMNS)}; {_REMEDY}")
            states: dict[str, str] = {}
            for row in rows:
                # csv.DictReader puts surplus cells under the key None and None into the missing ones.
                if None in row or not row["name"] or not row["state"]:
                    raise DataError(f"{path}, line {rows.line_num}: expected a name and a state; {_REMEDY}")
                if row["name"] in states:
                    raise DataError(f"{path}, line {rows.line_num}: {shown(row['name'])} comes twice; {_REMEDY}")
                states[row["name"]] = row["state"]
            return states
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; {_REMEDY}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error}); {_REMEDY}") from error
