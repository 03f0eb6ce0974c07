"""The wide crops: every usable face cut out once, with room around the mouth for any jittered view of it.

Memory stays flat but for landmarks and names, some 2 KB a face: crops are written to a file as they come and read back
memory-mapped, and so are the fingerprints and pairs from which near-duplicates are told.
"""

import csv
import hashlib
import io
import math
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from operator import length_hint
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.annotations import FaceSample, Split, Unread, Unusable, faces_of, get_lister
from lipseg.data.crop_set import SPLITS, CropSet, load_crops
from lipseg.data.near_duplicates import LENGTH, Fingerprint, Pairs, alike, fingerprint, groups
from lipseg.data.regions import region_crop
from lipseg.data.sheets import tile
from lipseg.data.splits import assign_splits
from lipseg.data.tables import write_arrays, write_json
from lipseg.data.workers import in_order
from lipseg.errors import DataError
from lipseg.files import whole_folder
from lipseg.geometry import Array, view_to_image, warp
from lipseg.images import read_image
from lipseg.params import Crop, Data
from lipseg.progress import progress
from lipseg.rendering.overlay import draw_lips

_SHEET_FACES = 96


Item = Unread | FaceSample | Unusable
# Pixels around a crop, its own or the picture's, that it is sampled from.
_BEYOND = 4
# Pairs of near-duplicates that are looked at together.
_PAIRS = 1 << 16


def list_sources(data: Data) -> Iterator[tuple[str, Item]]:
    """Yields (source, face) of every dataset that ``data.source`` names; faces that take time to read come unread.

    Raises:
        DataError: if a reader or a folder does not exist.
    """
    for source, items in _listings(data):
        for item in items:
            yield source, item


def _listings(data: Data) -> Iterator[tuple[str, Iterator[Item]]]:
    """Yields what each source lists; raises as ``list_sources`` does."""
    sources = data.source.split("+")
    for source in sources:
        root = Path(data.root) / source if len(sources) > 1 else Path(data.root)
        lister = get_lister(source)
        if not root.is_dir():
            several = " (several sources: data.root holds one folder for each, named like it)" * (len(sources) > 1)
            raise DataError(f"data.root: {root} is not a folder{several}; set it to where the {source} faces lie")
        yield source, lister(root)


@dataclass(frozen=True)
class _Cut:
    """A face cut out (``image`` set, and ``regions`` where it has masks) or the reason why not."""

    source: str
    face: FaceSample | Unusable
    image: NDArray[np.uint8] | None = None
    regions: NDArray[np.uint8] | None = None
    matrix: Array | None = None
    fingerprint: Fingerprint | None = None


def _cuts(crop: Crop, listed: tuple[str, Item]) -> list[_Cut]:
    """Reads the faces of an annotation and cuts them out; runs in a worker."""
    source, item = listed
    return [_cut(crop, source, face) for face in faces_of(item)]


def _cut(crop: Crop, source: str, face: FaceSample | Unusable) -> _Cut:
    if isinstance(face, Unusable):
        return _Cut(source, face)

    def unusable(file: Path | None, reason: str) -> _Cut:
        return _Cut(source, Unusable(face.name, file or face.image, 0, reason))

    if face.points_px.shape != (scheme.N_POINTS, 2) or not np.isfinite(face.points_px).all():
        return unusable(face.annotation, f"not {scheme.N_POINTS} finite lip points")
    low, high = face.points_px.min(0), face.points_px.max(0)
    side = crop.context * (high - low).max()
    # Beyond the crop itself, as far as what is averaged for its edges.
    reach = side * (0.5 + _BEYOND / crop.size_px) + _BEYOND
    try:
        image = read_image(face.image, (*((low + high) / 2 - reach), *((low + high) / 2 + reach)))
    except DataError as error:
        missing = not face.image.exists()
        return unusable(face.image, "image missing" if missing else f"image broken: {error}")
    height, width = image.shape[:2]
    if (low < -0.5).any() or high[0] > width - 0.5 or high[1] > height - 0.5:
        return unusable(face.annotation, "lip points outside the image")
    outer = face.points_px[scheme.OUTER]
    mouth = float(np.ptp(outer[:, 0]))
    if mouth < crop.min_mouth_px:
        return unusable(face.annotation, f"mouth narrower than {crop.min_mouth_px:g} pixels")
    if not 0 < face.inter_ocular_px < math.inf:
        return unusable(face.annotation, "the eyes lie on one point or infinitely far apart")
    to_image = view_to_image((low + high) / 2, np.full(2, side), crop.size_px)
    try:
        regions = region_crop(face.labels(), (height, width), to_image, crop.size_px) if face.labels else None
    except DataError as error:
        return unusable(face.annotation, str(error))
    cut = warp(image, to_image, crop.size_px)
    return _Cut(source, replace(face, labels=None), cut, regions, to_image.matrix, fingerprint(cut, crop.context))


def make_crops(out: Path, data: Data, crop: Crop, seed: int) -> CropSet:
    """Cuts every face of the sources and writes the folder ``out``, whole or not at all.

    The folder holds images.npy, masks.npy where faces have masks, faces.npz, skipped.csv (source, name, file, line,
    reason), and summary.json with the counts and a SHA-256 over all crops, masks and landmarks. Of its counts, groups
    are faces that share a split (``near_duplicates`` and ``FaceSample.group``), alike the pairs that look the same,
    and alike_across_test those of them that the dataset itself divides between training and test.

    Raises:
        DataError: if no training or no test face is usable, two faces share a name, or more than
            ``crop.max_skipped_share`` of the faces are unusable.
    """
    with whole_folder(out) as partial_folder:
        _write_crops(partial_folder, out.with_name("skipped.csv"), data, crop, seed)
    out.with_name("skipped.csv").unlink(missing_ok=True)  # of an earlier run that failed
    return load_crops(out)


def _write_crops(partial_folder: Path, kept_csv: Path, data: Data, crop: Crop, seed: int) -> None:
    """Fills the folder; the list of the skipped faces goes to ``kept_csv`` where there are too many of them."""
    listings = list(_listings(data))
    counts = [length_hint(items) for _, items in listings]
    jobs = ((source, item) for source, items in listings for item in items)
    cuts = progress(
        in_order(partial(_cuts, crop), jobs, crop.workers),
        total=sum(counts) if all(counts) else None,
        desc="crop",
        unit="faces",
    )
    known = _Known()
    reasons: Counter[str] = Counter()
    digest = hashlib.sha256()
    prints = partial_folder / "fingerprints.raw"
    with (
        _Pictures(partial_folder / "images.npy", digest) as images,
        _Pictures(partial_folder / "masks.npy", digest) as masks,
        _Skipped(partial_folder / "skipped.csv") as skipped,
        prints.open("wb") as fingerprints,
    ):
        for cut in chain.from_iterable(cuts):
            if isinstance(cut.face, Unusable):
                skipped.add(cut.source, cut.face)
                reasons[cut.face.reason.split(":")[0]] += 1
                continue
            assert cut.image is not None
            assert cut.matrix is not None
            assert cut.fingerprint is not None
            images.add(cut.image)
            fingerprints.write(cut.fingerprint.data)
            known.add(cut.source, cut.face, cut.matrix, -1 if cut.regions is None else masks.add(cut.regions))
    total = len(known) + reasons.total()
    if not total:
        raise DataError(f"data.root: {data.root} holds no {data.source} faces")
    if reasons.total() > crop.max_skipped_share * total:
        worst = reasons.most_common(1)[0]
        os.replace(partial_folder / "skipped.csv", kept_csv)
        raise DataError(
            f"{reasons.total()} of {total} faces are unusable (most often: {worst[0]}), more than "
            f"crop.max_skipped_share {crop.max_skipped_share:g} allows; all reasons are in {kept_csv}"
        )
    twice = _PairFile(partial_folder / "alike.raw")
    first = groups(len(known), chain([known.declared()], twice.filled(alike(_mapped(prints, np.float32, LENGTH)))))
    prints.unlink()
    arrays = known.arrays(assign_splits(known.faces, first.tolist(), data, seed))
    for split in SPLITS:
        if split not in arrays["split"]:
            raise DataError(f"data.root: {data.root} leaves no {split} face; add faces or change data.*_share")
    for name in sorted(arrays):  # whatever a face is known by counts: points, split, eyes, state, frame
        array = arrays[name]
        # To a ten-thousandth of a pixel: in their last bits traced landmarks depend on the machine.
        digest.update(np.ascontiguousarray(array.round(4) + 0.0 if array.dtype.kind == "f" else array).data)
    write_arrays(partial_folder / "faces.npz", **arrays)
    test = arrays["split"] == "test"
    summary = {
        "source": data.source,
        "faces": len(known),
        **{split: int((arrays["split"] == split).sum()) for split in SPLITS},
        "groups": int((np.bincount(first) > 1).sum()),
        "alike": twice.count,
        "alike_across_test": sum(int((test[pairs[:, 0]] != test[pairs[:, 1]]).sum()) for pairs in twice.parts()),
        "skipped": dict(reasons),
        "sha256": digest.hexdigest(),
    }
    twice.path.unlink()
    write_json(partial_folder / "summary.json", summary)


def crop_sheet(crops: CropSet, count: int = _SHEET_FACES) -> NDArray[np.uint8]:
    """Returns evenly spread crops with their landmarks, (height, width, 3) uint8."""
    chosen = np.unique(np.linspace(0, len(crops) - 1, count).round().astype(int))
    pictures = [draw_lips(np.array(crops.images[i]), crops.to_image(i).inverse()(crops.points_px[i])) for i in chosen]
    return tile(pictures, 12)


@dataclass(frozen=True, slots=True)
class _Named:
    """What tells a face's split."""

    name: str
    split: Split | None


class _Known:
    """What is known of the faces that were cut out, in as few bytes as it takes."""

    def __init__(self) -> None:
        self.faces: list[tuple[str, _Named]] = []
        self._states: list[str] = []
        self._numbers = {name: array("d") for name in ("points_px", "inter_ocular_px", "scale", "crop_to_image")}
        self._masks = array("q")
        self._pairs = array("q")
        self._named: set[str] = set()
        self._first: dict[tuple[str, str], int] = {}
        self._words: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.faces)

    def add(self, source: str, face: FaceSample, matrix: Array, mask: int) -> None:
        """Adds a face.

        Args:
            source: of the face.
            face: what its reader says.
            matrix: (2, 3) from its crop's pixels to its image's.
            mask: its row among the masks, -1 for none.

        Raises:
            DataError: if another one has its name.
        """
        name = f"{source}/{face.name}"
        if name in self._named:
            raise DataError(f"data.root: two faces are named '{name}'; names must be unique within a dataset")
        self._named.add(name)
        if face.group and (first := self._first.setdefault((source, face.group), len(self))) != len(self):
            self._pairs.extend((first, len(self)))
        # Workers send the same words over and over: one of each is kept.
        self.faces.append((self._words.setdefault(source, source), _Named(face.name, face.split)))
        self._states.append(self._words.setdefault(face.state, face.state))
        for key, value in (
            ("points_px", face.points_px),
            ("inter_ocular_px", face.inter_ocular_px),
            ("scale", face.scale),
            ("crop_to_image", matrix),
        ):
            self._numbers[key].frombytes(np.asarray(value, np.float64).tobytes())
        self._masks.append(mask)

    def declared(self) -> Pairs:
        """Returns (n, 2) the faces that their datasets say belong together."""
        return np.array(self._pairs, np.int64).reshape(-1, 2)

    def arrays(self, splits: list[str]) -> dict[str, Any]:
        """Returns what ``CropSet`` holds of them, with these splits."""
        numbers = {name: np.frombuffer(values, np.float64) for name, values in self._numbers.items()}
        return {
            "names": np.array([f"{source}/{face.name}" for source, face in self.faces], dtype=np.str_),
            "state": np.array(self._states, dtype=np.str_),
            "points_px": numbers["points_px"].reshape(-1, scheme.N_POINTS, 2),
            "inter_ocular_px": numbers["inter_ocular_px"],
            "scale": numbers["scale"],
            "split": np.array(splits, dtype=np.str_),
            "crop_to_image": numbers["crop_to_image"].reshape(-1, 2, 3),
            "mask": np.frombuffer(self._masks, np.int64),
        }


class _Skipped:
    """The table of the faces that were left out, written as they come."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._table = csv.writer(self._file)
        self._table.writerow(["source", "name", "file", "line", "reason"])

    def __enter__(self) -> Self:
        return self

    def add(self, source: str, face: Unusable) -> None:
        self._table.writerow([source, face.name, face.file, face.line or "", face.reason])

    def __exit__(self, *_: object) -> None:
        self._file.close()


class _PairFile:
    """Pairs of faces in a file: of many copies of a face there are many more than faces.

    Attributes:
        path: the file.
        count: pairs in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def filled(self, pairs: Iterable[Pairs]) -> Iterator[Pairs]:
        """Yields arrays of pairs (n, 2) on, in parts, once they are in the file."""
        with self.path.open("wb") as file:
            for some in pairs:
                file.write(np.ascontiguousarray(some).data)
                self.count += len(some)
                yield some

    def parts(self) -> Iterator[Pairs]:
        """Yields what is in the file, part by part."""
        pairs = _mapped(self.path, np.int64, 2)
        for start in range(0, self.count, _PAIRS):
            yield np.asarray(pairs[start : start + _PAIRS])


def _mapped(path: Path, dtype: type, columns: int) -> NDArray[Any]:
    """Returns the (n, columns) numbers in a file, memory-mapped."""
    if not path.stat().st_size:  # nothing cannot be mapped
        return np.empty((0, columns), dtype)
    return np.memmap(path, dtype, mode="r").reshape(-1, columns)


class _Pictures:
    """Pictures of one size, written to a .npy file as they come; no file where none came.

    Args:
        npy: the file.
        digest: takes what is written.
    """

    def __init__(self, npy: Path, digest: Any) -> None:
        self.digest = digest
        self.shape: tuple[int, ...] = ()
        self.count = 0
        self.npy = npy
        self.file = npy.with_suffix(".raw").open("wb")

    def __enter__(self) -> Self:
        return self

    def add(self, picture: NDArray[np.uint8]) -> int:
        """Returns the row of a picture (height, width, 3)."""
        if not self.count:
            self.shape = picture.shape
            self.file.write(self._header())
        content = np.ascontiguousarray(picture).data
        self.file.write(content)
        self.digest.update(content)
        self.count += 1
        return self.count - 1

    def _header(self) -> bytes:
        """Returns the file's head, whose length does not change: NumPy leaves room for any number of pictures."""
        head = io.BytesIO()
        shape = (self.count, *self.shape)
        np.lib.format.write_array_header_2_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return head.getvalue()

    def __exit__(self, failure: object, *_: object) -> None:
        with self.file:
            if self.count and failure is None:
                self.file.seek(0)
                self.file.write(self._header())
        written = Path(self.file.name)
        written.rename(self.npy) if self.count else written.unlink()
