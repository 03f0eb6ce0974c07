"""Which faces are for training, validation and test."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from lipseg.data.annotations import Split
from lipseg.errors import DataError
from lipseg.params import Data


class Named(Protocol):
    """What a face's split follows from; a ``FaceSample`` is one."""

    @property
    def name(self) -> str: ...

    @property
    def split(self) -> Split | None: ...


def assign_split(source: str, face: Named, data: Data, seed: int) -> str:
    """Returns "train", "validation" or "test" for a face: the dataset's own split where there is one.

    What is drawn is drawn from a hash of seed and name, so that adding a face moves no other one.

    Raises:
        DataError: if the dataset says something else than "train" or "test".
    """
    split = face.split
    if split not in ("train", "test", None):
        raise DataError(f"data.source: {source} puts the face '{face.name}' into '{split}', not train or test")
    if split is None:
        split = "test" if _uniform(f"{seed}/test/{source}/{face.name}") < data.test_share else "train"
    if split == "train" and _uniform(f"{seed}/validation/{source}/{face.name}") < data.validation_share:
        return "validation"
    return split


def assign_splits(faces: Sequence[tuple[str, Named]], first: Sequence[int], data: Data, seed: int) -> list[str]:
    """Returns the split of each face: that of the first in its group, but for what the dataset itself has for test.

    Args:
        faces: (source, face).
        first: of each face the first one in its group, see ``near_duplicates.groups``.
        data: the shares.
        seed: of the draws.

    Raises:
        DataError: as ``assign_split`` does.
    """
    own = [assign_split(source, face, data, seed) for source, face in faces]
    # A group may have members in the dataset's own training and test faces: the others follow the first that is free to
    # go where they may.
    leader: dict[tuple[int, str | None], int] = {}
    return [
        own[i if face.split == "test" else leader.setdefault((first[i], face.split), i)]
        for i, (_, face) in enumerate(faces)
    ]


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
