"""The built-in dataset: faces drawn by formula, in Helen's layout and with their mouth states."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipseg.data.annotations import FaceSample, synthetic
from lipseg.data.face_paint import paint_face, sample_palette
from lipseg.data.face_shape import STATES, FaceShape, Pose, sample_shape
from lipseg.data.sheets import tile
from lipseg.data.workers import in_order
from lipseg.errors import DataError
from lipseg.files import whole_folder
from lipseg.images import read_image, write_image
from lipseg.progress import progress
from lipseg.rendering.overlay import draw_lips
from lipseg.scheme import Points

# How far the nose stands out of the head, in face units.
_NOSE_DEPTH = 26.0


def draw_face(rng: np.random.Generator, state: str, size: int) -> tuple[NDArray[np.uint8], Points]:
    """Returns the picture of a random face and its landmarks.

    Args:
        rng: source of all randomness.
        state: one of ``STATES``.
        size: pixels a side.

    Returns:
        (size, size, 3) uint8 RGB and (194, 2) float64 landmarks in Helen's order, pixel centres at integers.
    """
    shape = sample_shape(rng, state)
    pose = Pose(
        yaw=np.deg2rad(np.clip(rng.normal(0, 12), -28, 28)),
        pitch=np.deg2rad(np.clip(rng.normal(0, 6), -14, 14)),
        roll=np.deg2rad(np.clip(rng.normal(0, 9), -22, 22)),
        scale=size * rng.uniform(0.26, 0.31) / 100,
        centre=size * (np.array([0.5, 0.52]) + rng.uniform(-0.05, 0.05, 2)),
    )
    picture = paint_face(rng, shape, pose, sample_palette(rng), size)
    return picture, helen_points(shape, pose)


def helen_points(shape: FaceShape, pose: Pose) -> Points:
    """Returns the (194, 2) landmarks of a face in Helen's order, image pixels."""
    nose_depth = _NOSE_DEPTH * np.exp(-((shape.nose[:, 0] / 24) ** 2))
    return np.concatenate(
        [
            pose(shape.jaw),
            pose(shape.nose, nose_depth),
            pose(shape.lips, shape.lip_depth),
            pose(shape.eyes).reshape(-1, 2),
            pose(shape.brows).reshape(-1, 2),
        ]
    )


def write_dataset(root: Path, *, train: int, test: int, size: int, seed: int, workers: int) -> None:
    """Draws a dataset into a folder, whole or not at all; the same for a seed whatever the number of workers.

    Args:
        root: folder to write; one that an earlier run wrote is replaced.
        train: number of training faces.
        test: number of test faces.
        size: pixels a side.
        seed: of all randomness.
        workers: processes; 0 = one a core.

    Raises:
        DataError: if ``root`` exists and is not a drawn dataset.
    """
    if root.exists() and not (root / synthetic.STATES_FILE).is_file() and (root.is_file() or any(root.iterdir())):
        raise DataError(f"{root}: exists and was not drawn by this program; choose another folder or remove it")
    with whole_folder(root) as partial:
        _write_faces(partial, train, test, size, seed, workers)


def _write_faces(root: Path, train: int, test: int, size: int, seed: int, workers: int) -> None:
    """Fills an empty folder. Arguments as of ``write_dataset``."""
    (root / "image").mkdir()
    (root / "annotation").mkdir()
    total = train + test
    names = [f"face_{i:05d}" for i in range(total)]
    states = _states(train, seed, part=0) + _states(test, seed, part=1)
    (root / "trainnames.txt").write_text("".join(f"{name}\n" for name in names[:train]), encoding="utf-8")
    (root / "testnames.txt").write_text("".join(f"{name}\n" for name in names[train:]), encoding="utf-8")
    with (root / synthetic.STATES_FILE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(synthetic.COLUMNS)
        table.writerows(zip(names, states, strict=True))

    draw = partial(_write_face, root, size, seed)
    done = in_order(draw, zip(range(total), names, states, strict=True), workers)
    for _ in progress(done, total=total, desc="draw faces", unit="face"):
        pass


def _states(n: int, seed: int, part: int) -> list[str]:
    """Returns the states of ``n`` faces: each state as often as the others (within one), in random order."""
    order = np.random.default_rng([seed, 0, part]).permutation(n)
    return [STATES[k % len(STATES)] for k in order]


def _write_face(root: Path, size: int, seed: int, face: tuple[int, str, str]) -> None:
    """Draws a face, given by number, name and state, and writes its picture and its annotation; runs in a worker."""
    number, name, state = face
    # A generator a face, so that a face does not depend on who draws it or on how many were drawn before.
    picture, points = draw_face(np.random.default_rng([seed, 1, number]), state, size)
    write_image(root / "image" / f"{name}.jpg", picture, quality=92)
    lines = [name, *(f"{x:.3f} , {y:.3f}" for x, y in points)]
    (root / "annotation" / f"{number + 1}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def contact_sheet(root: Path, columns: int = 8) -> NDArray[np.uint8]:
    """Returns a sheet of a drawn dataset: a row for each mouth state, the lip contours over every face.

    Args:
        root: folder that ``write_dataset`` wrote.
        columns: faces a row; where a state has fewer, the row ends in grey.

    Raises:
        DataError: if the folder cannot be read.
    """
    rows: dict[str, list[FaceSample]] = {state: [] for state in STATES}
    for face in synthetic.read(root):
        if isinstance(face, FaceSample) and len(rows.setdefault(face.state, [])) < columns:
            rows[face.state].append(face)
    pictures: list[NDArray[np.uint8]] = []
    for faces in rows.values():
        drawn = [draw_lips(np.array(read_image(face.image)), face.points_px) for face in faces]
        pictures += drawn
        if drawn:
            pictures += [np.full_like(drawn[0], 128)] * (columns - len(drawn))
    return tile(pictures, columns)
