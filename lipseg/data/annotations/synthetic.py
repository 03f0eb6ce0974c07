"""Faces drawn by ``lipseg.data.synthesize``: Helen's layout and, in ``states.csv``, the mouth state of every face."""

import csv
import dataclasses
from collections.abc import Iterator
from functools import partial
from operator import length_hint
from pathlib import Path

from lipseg.data.annotations import FaceSample, Listing, Unread, Unusable, faces_of, helen, read_all
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
    return read_all(unread(root))


def unread(root: Path) -> Listing:
    """Returns what ``read`` returns and raises what it raises, but no points are parsed yet."""
    faces, path = helen.unread(root), root / STATES_FILE
    states = _states(path)
    drawn = (
        dataclasses.replace(face, read=partial(_with_state, face, states.get(face.name), path))
        if isinstance(face, Unread)
        else face
        for face in faces
    )
    return Listing(drawn, length_hint(faces))


def _with_state(unread_face: Unread, state: str | None, path: Path) -> FaceSample | Unusable:
    """Returns a face with its state filled in."""
    (face,) = faces_of(unread_face)
    if isinstance(face, Unusable):
        return face
    if state is None:
        raise DataError(f"{path}: no state for the face {shown(face.name)}; {_REMEDY}")
    return dataclasses.replace(face, state=state)


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
