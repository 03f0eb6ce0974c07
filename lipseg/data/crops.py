"""The wide crops: every usable face cut out once, with room around the mouth for any jittered view of it.

Memory stays flat: crops are written to a memory-mapped file as they come, and read back the same way.
"""

import csv
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.annotations import FaceSample, Unusable, get_reader
from lipseg.data.crop_set import SPLITS, CropSet, load_crops
from lipseg.data.near_duplicates import Fingerprint, alike, fingerprint, groups
from lipseg.data.regions import region_crop
from lipseg.data.sheets import tile
from lipseg.data.splits import assign_splits
from lipseg.data.tables import write_arrays, write_json
from lipseg.data.workers import end_with_parent
from lipseg.errors import DataError
from lipseg.files import whole_folder
from lipseg.geometry import Array, view_to_image, warp
from lipseg.images import read_image
from lipseg.params import Crop, Data
from lipseg.progress import progress
from lipseg.rendering.overlay import draw_lips

_SHEET_FACES = 96


def read_sources(data: Data) -> Iterator[tuple[str, FaceSample | Unusable]]:
    """Yields (source, face) of every dataset that ``data.source`` names.

    Raises:
        DataError: if a reader or a folder does not exist.
    """
    sources = data.source.split("+")
    for source in sources:
        root = Path(data.root) / source if len(sources) > 1 else Path(data.root)
        reader = get_reader(source)
        if not root.is_dir():
            several = " (several sources: data.root holds one folder for each, named like it)" * (len(sources) > 1)
            raise DataError(f"data.root: {root} is not a folder{several}; set it to where the {source} faces lie")
        for face in reader(root):
            yield source, face


@dataclass(frozen=True)
class _Cut:
    """A face cut out (``image`` set, and ``regions`` where it has masks) or the reason why not."""

    source: str
    face: FaceSample | Unusable
    image: NDArray[np.uint8] | None = None
    regions: NDArray[np.uint8] | None = None
    matrix: Array | None = None
    fingerprint: Fingerprint | None = None


def _cut(job: tuple[str, FaceSample | Unusable, Crop]) -> _Cut:
    source, face, crop = job
    if isinstance(face, Unusable):
        return _Cut(source, face)

    def unusable(file: Path | None, reason: str) -> _Cut:
        return _Cut(source, Unusable(face.name, file or face.image, 0, reason))

    if face.points_px.shape != (scheme.N_POINTS, 2) or not np.isfinite(face.points_px).all():
        return unusable(face.annotation, f"not {scheme.N_POINTS} finite lip points")
    try:
        image = read_image(face.image)
    except DataError as error:
        missing = not face.image.exists()
        return unusable(face.image, "image missing" if missing else f"image broken: {error}")
    height, width = image.shape[:2]
    low, high = face.points_px.min(0), face.points_px.max(0)
    if (low < -0.5).any() or high[0] > width - 0.5 or high[1] > height - 0.5:
        return unusable(face.annotation, "lip points outside the image")
    outer = face.points_px[scheme.OUTER]
    mouth = float(np.ptp(outer[:, 0]))
    if mouth < crop.min_mouth_px:
        return unusable(face.annotation, f"mouth narrower than {crop.min_mouth_px:g} pixels")
    if not face.inter_ocular_px > 0:
        return unusable(face.annotation, "the eyes lie on one point")
    side = crop.context * (high - low).max()
    to_image = view_to_image((low + high) / 2, np.full(2, side), crop.size_px)
    try:
        regions = region_crop(face.labels(), (height, width), to_image, crop.size_px) if face.labels else None
    except DataError as error:
        return unusable(face.annotation, str(error))
    cut = warp(image, to_image, crop.size_px)
    return _Cut(source, face, cut, regions, to_image.matrix, fingerprint(cut, crop.context))


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
    with whole_folder(out) as partial:
        _write_crops(partial, out.with_name("skipped.csv"), data, crop, seed)
    out.with_name("skipped.csv").unlink(missing_ok=True)  # of an earlier run that failed
    return load_crops(out)


def _write_crops(partial: Path, kept_csv: Path, data: Data, crop: Crop, seed: int) -> None:
    """Fills the folder; the list of the skipped faces goes to ``kept_csv`` where there are too many of them."""
    faces = list(read_sources(data))
    if not faces:
        raise DataError(f"data.root: {data.root} holds no {data.source} faces")
    kept: list[_Cut] = []
    skipped: list[_Cut] = []
    digest = hashlib.sha256()
    rows: list[int] = []
    with _Pictures(partial / "images.npy", digest) as images, _Pictures(partial / "masks.npy", digest) as masks:
        for cut in progress(_cut_all(faces, crop), total=len(faces), desc="crop", unit="faces"):
            if cut.image is None:
                skipped.append(cut)
                continue
            images.add(cut.image)
            rows.append(-1 if cut.regions is None else masks.add(cut.regions))
            kept.append(replace(cut, image=None, regions=None))
    _write_skipped(partial / "skipped.csv", skipped)
    if len(skipped) > crop.max_skipped_share * len(faces):
        worst = Counter(_reason(cut) for cut in skipped).most_common(1)[0]
        os.replace(partial / "skipped.csv", kept_csv)
        raise DataError(
            f"{len(skipped)} of {len(faces)} faces are unusable (most often: {worst[0]}), more than "
            f"crop.max_skipped_share {crop.max_skipped_share:g} allows; all reasons are in {kept_csv}"
        )
    faces_kept = [(cut.source, cut.face) for cut in kept if isinstance(cut.face, FaceSample)]
    twice = alike(np.array([cut.fingerprint for cut in kept], np.float32))
    first = groups(len(kept), [*twice, *_declared(faces_kept)])
    arrays = {
        **_face_arrays(faces_kept),
        "split": np.array(assign_splits(faces_kept, first, data, seed), dtype=np.str_),
        "crop_to_image": np.array([cut.matrix for cut in kept], float).reshape(-1, 2, 3),
        "mask": np.array(rows, np.int64),
    }
    for split in SPLITS:
        if split not in arrays["split"]:
            raise DataError(f"data.root: {data.root} leaves no {split} face; add faces or change data.*_share")
    for name in sorted(arrays):  # whatever a face is known by counts: points, split, eyes, state, frame
        digest.update(arrays[name].tobytes())
    write_arrays(partial / "faces.npz", **arrays)
    summary = {
        "source": data.source,
        "faces": len(kept),
        **{split: int((arrays["split"] == split).sum()) for split in SPLITS},
        "groups": sum(size > 1 for size in Counter(first).values()),
        "alike": len(twice),
        "alike_across_test": int(
            sum((arrays["split"][i] == "test") != (arrays["split"][j] == "test") for i, j in twice)
        ),
        "skipped": dict(Counter(_reason(cut) for cut in skipped)),
        "sha256": digest.hexdigest(),
    }
    write_json(partial / "summary.json", summary)


def crop_sheet(crops: CropSet, count: int = _SHEET_FACES) -> NDArray[np.uint8]:
    """Returns evenly spread crops with their landmarks, (height, width, 3) uint8."""
    chosen = np.unique(np.linspace(0, len(crops) - 1, count).round().astype(int))
    pictures = [draw_lips(np.array(crops.images[i]), crops.to_image(i).inverse()(crops.points_px[i])) for i in chosen]
    return tile(pictures, 12)


def _cut_all(faces: list[tuple[str, FaceSample | Unusable]], crop: Crop) -> Iterator[_Cut]:
    workers = crop.workers or os.cpu_count() or 1
    jobs = ((source, face, crop) for source, face in faces)
    if workers == 1:
        yield from map(_cut, jobs)
        return
    # A bounded window of chunks keeps memory flat: `pool.map` alone would queue every result at once.
    # Spawned, not forked: a fork of a process in which JAX or OpenCV runs threads can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        while window := list(islice(jobs, 64 * workers)):
            yield from pool.map(_cut, window, chunksize=16)


def _reason(cut: _Cut) -> str:
    assert isinstance(cut.face, Unusable)
    return cut.face.reason.split(":")[0]


def _write_skipped(path: Path, skipped: list[_Cut]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["source", "name", "file", "line", "reason"])
        for cut in skipped:
            assert isinstance(cut.face, Unusable)
            table.writerow([cut.source, cut.face.name, cut.face.file, cut.face.line or "", cut.face.reason])


def _declared(faces: list[tuple[str, FaceSample]]) -> Iterator[tuple[int, int]]:
    """Yields pairs of faces that their datasets say belong together."""
    first: dict[tuple[str, str], int] = {}
    for i, (source, face) in enumerate(faces):
        if face.group:
            yield first.setdefault((source, face.group), i), i


def _face_arrays(faces: list[tuple[str, FaceSample]]) -> dict[str, Any]:
    names = [f"{source}/{face.name}" for source, face in faces]
    if many := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"data.root: two faces are named '{many[0]}'; names must be unique within a dataset")
    return {
        "names": np.array(names, dtype=np.str_),
        "state": np.array([face.state for _, face in faces], dtype=np.str_),
        "points_px": np.array([face.points_px for _, face in faces], float).reshape(-1, scheme.N_POINTS, 2),
        "inter_ocular_px": np.array([face.inter_ocular_px for _, face in faces], float),
        "scale": np.array([face.scale for _, face in faces], float),
    }


class _Pictures:
    """Pictures of one size, written to a .npy file as they come; no file where none came.

    Args:
        npy: the file.
        digest: takes what is written.
    """

    def __init__(self, npy: Path, digest: Any) -> None:
        self.npy = npy
        self.digest = digest
        self.shape: tuple[int, ...] = ()
        self.count = 0
        self.raw = npy.with_suffix(".raw").open("w+b")

    def __enter__(self) -> Self:
        return self

    def add(self, picture: NDArray[np.uint8]) -> int:
        """Returns the row of a picture (height, width, 3)."""
        self.raw.write(picture.tobytes())
        self.digest.update(picture.tobytes())
        self.shape = picture.shape
        self.count += 1
        return self.count - 1

    def __exit__(self, failure: object, *_: object) -> None:
        # The number of pictures is known only at the end, so the header comes last.
        if self.count and failure is None:
            self.raw.seek(0)
            with self.npy.open("wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.shape)}
                np.lib.format.write_array_header_2_0(file, header)
                shutil.copyfileobj(self.raw, file, 1 << 20)
        self.raw.close()
        Path(self.raw.name).unlink()
