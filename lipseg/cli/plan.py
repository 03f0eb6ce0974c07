"""The plan of which files a run of ``lipseg predict`` writes, made before anything is done."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lipseg.errors import UsageError
from lipseg.formats.gathered import GatheredWriter, Gathering
from lipseg.formats.picture_file import PictureWriter
from lipseg.formats.registry import WRITERS

# A new folder that is called so is a file's name by mistake.
_FILE_ENDINGS = frozenset(
    {".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".svg", ".zip", ".npz", ".mp4", ".mov", ".mkv"}
)


def check_folder(output: Path) -> None:
    """Raises UsageError where ``-o`` cannot or, by its name, does not mean a folder."""
    from lipseg.images import IMAGE_SUFFIXES

    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: -o must name a folder, and this is a file")
    if not output.exists() and output.suffix.lower() in _FILE_ENDINGS | IMAGE_SUFFIXES:
        raise UsageError(
            f"{output}: -o must name a folder, and this is the name of a file; make it first if you mean it"
        )


def parse_formats(text: str) -> tuple[list[PictureWriter], list[GatheredWriter]]:
    """Returns the writers named in a list with commas, each once: of a file a picture, then of a file a run.

    Raises:
        UsageError: if a name is unknown or there is none.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in WRITERS]
    if unknown or not names:
        raise UsageError(f"--format: expected any of {','.join(WRITERS)}, not '{unknown[0] if unknown else text}'")
    writers = [WRITERS[name]() for name in dict.fromkeys(names)]
    return (
        [writer for writer in writers if isinstance(writer, PictureWriter)],
        [writer for writer in writers if isinstance(writer, GatheredWriter)],
    )


def plan_targets(
    folder: Path, places: Sequence[Path], writers: Iterable[PictureWriter], *, overwrite: bool, resume: bool = False
) -> list[dict[str, Path]]:
    """Returns where the files of each picture go, by the format's name; writes nothing.

    A picture at ``sub/a.jpg`` goes to ``sub/a.json`` and so on; where ``sub/a.png`` is among the pictures too, both
    keep their endings (``sub/a.jpg.json``, ``sub/a.png.json``).

    Args:
        folder: the output folder.
        places: relative path of each picture.
        writers: the formats.
        overwrite: whether files may be there already.
        resume: whether files that are there already stay, and only the others are planned.

    Raises:
        UsageError: if two pictures have the same place, or a file exists and may neither be overwritten nor stay.
    """
    twice = [place for place, count in Counter(places).items() if count > 1]
    if twice:
        raise UsageError(
            f"{folder / twice[0]}: two of the pictures would have this place; predict them into different folders"
        )
    writers = list(writers)
    shared = Counter(place.with_suffix("") for place in places)
    plan: list[dict[str, Path]] = []
    owner: dict[Path, Path] = {}
    existing: list[Path] = []
    for place in places:
        base = place if shared[place.with_suffix("")] > 1 else place.with_suffix("")
        targets = {writer.name: folder / base.with_name(base.name + writer.ending) for writer in writers}
        for target in targets.values():
            if target in owner:
                raise UsageError(
                    f"{target}: two of the pictures ({owner[target]} and {place}) would be written here; predict them "
                    "into different folders"
                )
            owner[target] = place
        there = [name for name, target in targets.items() if os.path.lexists(target)]
        existing += [targets[name] for name in there]
        plan.append({name: target for name, target in targets.items() if not (resume and name in there)})
    if not (overwrite or resume):
        refuse_existing(existing)
    return plan


def plan_gathered(folder: Path, writers: Iterable[GatheredWriter], *, overwrite: bool, resume: bool) -> list[Gathering]:
    """Returns the files of the whole run; writes nothing. Arguments as of ``plan_targets``.

    Raises:
        UsageError: if a file exists and may neither be overwritten nor gone on with.
    """
    found = [Gathering(writer, folder, resume=resume, overwrite=overwrite) for writer in writers]
    if not (overwrite or resume):
        refuse_existing([gathering.target for gathering in found if os.path.lexists(gathering.target)])
    return found


def refuse_existing(files: Sequence[Path]) -> None:
    """Raises UsageError if there is any such file."""
    if files:
        more = f" (and {len(files) - 1} more files)" if len(files) > 1 else ""
        raise UsageError(
            f"{files[0]}: exists already{more}; give --force to overwrite, --resume to write what is missing, or "
            "another folder with -o"
        )
