"""What each system says of annotated faces: 56 points each, in pixels of the picture.

Every function ``..._system`` checks at once that its system can be used, and returns what asks it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmarks import outlines
from benchmarks.mesh_worker import MeshWorker
from lipseg import scheme
from lipseg.data.annotations import FaceSample, get_reader
from lipseg.errors import DataError, UsageError
from lipseg.evaluation.metrics import Painted
from lipseg.geometry import Affine
from lipseg.images import picture_size, read_image
from lipseg.inference.conventions import Convention
from lipseg.inference.segmenter import LipSegmenter
from lipseg.progress import progress
from lipseg.scheme import Points

# Of each face (56, 2) points in pixels of the picture, or None where the system found none.
Answers = list[Points | None]
System = Callable[["Faces"], Answers]


@dataclass(frozen=True)
class Faces:
    """The annotated faces of a data set.

    Attributes:
        names: N names.
        images: N pictures.
        truth: (N, 56, 2) true points in pixels; traced along the masks where a face is labelled by these.
        inter_ocular: (N,) distances between the eyes' centres in pixels.
        painted: the masks themselves, of faces that are all labelled by these; else None.
    """

    names: list[str]
    images: list[Path]
    truth: NDArray[np.float64]
    inter_ocular: NDArray[np.float64]
    painted: list[Painted] | None = None


def read_faces(root: Path, split: str, source: str = "helen") -> Faces:
    """Returns the usable faces of one split of a folder, and those that belong to none, as its reader sorts them.

    Raises:
        DataError: if the folder is none, there is no such reader, or the split is empty.
    """
    found = [face for face in get_reader(source)(root) if isinstance(face, FaceSample) and face.split in (split, None)]
    found = [face for face in found if face.image.is_file()]
    if not found:
        raise DataError(f"{root}: no {split} face whose picture and annotation are both there")
    return Faces(
        [face.name for face in found],
        [face.image for face in found],
        np.stack([face.points_px for face in found]).astype(np.float64),
        np.array([face.inter_ocular_px for face in found]),
        [_painted(face) for face in found] if all(face.labels is not None for face in found) else None,
    )


def _painted(face: FaceSample) -> Painted:
    """Returns a face's masks, which cover its picture from corner to corner with pixels of their own.

    Raises:
        DataError: if the picture cannot be read.
    """
    assert face.labels is not None
    labels = face.labels()
    height, width = picture_size(face.image) or read_image(face.image).shape[:2]
    scale = np.array([width / labels.shape[1], height / labels.shape[0]])
    return Painted(labels, Affine(np.column_stack([np.diag(scale), (scale - 1) / 2])))


def nearest(truth: Points, mouths: Sequence[Points]) -> Points | None:
    """Returns the mouth nearest to the true one, and none that is farther away than that one is wide.

    A photo may show more people than are annotated, and another may be found first.

    Args:
        truth: (56, 2) annotated points.
        mouths: (56, 2) points of each mouth that was found, in the same pixels.
    """
    low, high = truth.min(0), truth.max(0)
    away = [float(np.hypot(*(mouth[scheme.OUTER].mean(0) - (low + high) / 2))) for mouth in mouths]
    closest = min(range(len(mouths)), key=lambda at: away[at], default=None)
    return None if closest is None or away[closest] >= high[0] - low[0] else mouths[closest]


def lipseg_in_boxes(segmenter: LipSegmenter, boxes: NDArray[np.float64]) -> System:
    """Returns lipseg in the mouth boxes given, (N, 4) corners in pixels."""

    def ask(faces: Faces) -> Answers:
        return [segmenter(path, [boxes[i]])[0].landmarks.astype(np.float64) for i, path in _bar(faces, "lipseg")]

    return ask


def lipseg_finds(segmenter: LipSegmenter) -> System:
    """Returns lipseg on the photo alone."""

    def ask(faces: Faces) -> Answers:
        return [
            nearest(faces.truth[i], [lips.landmarks.astype(np.float64) for lips in segmenter(path)])
            for i, path in _bar(faces, "lipseg")
        ]

    return ask


def in_convention(answers: Answers, convention: Convention) -> Answers:
    """Returns answers as the annotators of another source would have given them."""
    return [None if points is None else convention(points).astype(np.float64) for points in answers]


def dlib_system(file: Path) -> System:
    """Returns dlib: HOG detector with one upsampling, and 68 points.

    Args:
        file: ``shape_predictor_68_face_landmarks.dat``.

    Raises:
        UsageError: if dlib is not installed or cannot read the file.
    """
    try:
        import dlib  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UsageError("--dlib: dlib is missing; pip install 'lipseg[dlib]'") from error
    detect = dlib.get_frontal_face_detector()  # pyright: ignore[reportAttributeAccessIssue]
    try:
        shape = dlib.shape_predictor(str(file))  # pyright: ignore[reportAttributeAccessIssue]
    except RuntimeError as error:
        raise UsageError(f"--dlib: {file} is no shape predictor that dlib can read ({error})") from error

    def ask(faces: Faces) -> Answers:
        answers: Answers = []
        for i, path in _bar(faces, "dlib"):
            image = read_image(path)
            found = [shape(image, box).parts() for box in detect(image, 1)]
            mouths = [_of_68(np.array([(point.x, point.y) for point in parts], np.float64), file) for parts in found]
            answers.append(nearest(faces.truth[i], mouths))
        return answers

    return ask


def mediapipe_system(mesh: MeshWorker, *, refined: bool) -> System:
    """Returns MediaPipe's face mesh, plain or with refined lips."""

    def ask(faces: Faces) -> Answers:
        answers: Answers = []
        for i, path in _bar(faces, "MediaPipe"):
            (found,) = mesh.points([path], refined=refined)
            mouths = [outlines.to_56(points, outlines.MESH_OUTER, outlines.MESH_INNER) for points in found]
            answers.append(nearest(faces.truth[i], mouths))
        return answers

    return ask


def second_human_system(folder: Path, faces: Faces) -> System | None:
    """Returns a second annotation: NAME.pts with 68 points of the same pictures, anywhere below a folder.

    None where it holds no such file of any of the faces.

    Raises:
        UsageError: if a file cannot be read.
    """
    files = {file.stem: file for file in sorted(folder.rglob("*.pts")) if not file.name.startswith(".")}
    # A face's name may begin with the folder that it lies in.
    of_faces = [files.get(PurePosixPath(name).name) for name in faces.names]
    if not any(of_faces):
        return None
    answers: Answers = [None if file is None else _of_68(read_pts(file), file) for file in of_faces]
    return lambda _: answers


def read_pts(path: Path) -> Points:
    """Returns the points of a .pts file, in pixels that count from 0.

    Raises:
        UsageError: if it is none.
    """
    try:
        body = path.read_text(encoding="utf-8-sig").split("{")[1].split("}")[0]
        # iBUG's pixels count from 1.
        return np.array([line.split() for line in body.split("\n") if line.strip()], np.float64) - 1
    except (OSError, IndexError, ValueError) as error:
        raise UsageError(f"{path}: not a file of 68 points ({error})") from error


def _of_68(points: Points, origin: Path) -> Points:
    if points.shape != (scheme.IBUG_POINTS, 2):
        raise UsageError(f"{origin}: {len(points)} points, not {scheme.IBUG_POINTS}")
    return outlines.to_56(points, outlines.IBUG_OUTER, outlines.IBUG_INNER)


def _bar(faces: Faces, what: str) -> Iterator[tuple[int, Path]]:
    return enumerate(progress(faces.images, total=len(faces.images), desc=what, unit="faces"))
