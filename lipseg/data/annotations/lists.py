"""The lists ``trainnames.txt`` and ``testnames.txt``, one name a line, as Helen's archives have them."""

from pathlib import Path

from lipseg.data.annotations import Split
from lipseg.errors import DataError, shown

TRAIN, TEST = "trainnames.txt", "testnames.txt"


def splits(root: Path, layout: str) -> dict[str, Split]:
    """Returns the split of every listed name.

    Args:
        root: the folder of the lists.
        layout: what belongs into the folder, for messages.

    Raises:
        DataError: if a list is missing, no text or contradicts the other one, or both are empty.
    """
    train = _names(root / TRAIN, layout)
    test = _names(root / TEST, layout)
    if both := sorted(set(train) & set(test)):
        name = both[0]
        raise DataError(
            f"{root / TEST}, line {test[name]}: {shown(name)} is also in {TRAIN}, line {train[name]}; "
            "remove it from one of the two"
        )
    if not train and not test:
        raise DataError(f"{root / TRAIN}: lists no name, nor does {TEST}; put one name a line")
    return {**dict.fromkeys(train, "train"), **dict.fromkeys(test, "test")}


def optional_splits(root: Path, layout: str) -> dict[str, Split] | None:
    """Returns what ``splits`` returns, or None where there is neither of the two lists."""
    return splits(root, layout) if (root / TRAIN).exists() or (root / TEST).exists() else None


def _names(path: Path, layout: str) -> dict[str, int]:
    """Returns the names in a list with the 1-based lines that they are on."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; {layout}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}); put one image name a line") from error
    return {line.strip(): number for number, line in enumerate(lines, start=1) if line.strip()}
