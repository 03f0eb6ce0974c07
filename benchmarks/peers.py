"""Judges lipseg, MediaPipe, dlib and a second annotator on the same Helen faces by the same metrics.

    python -m benchmarks.peers /where/helen/lies
    python -m benchmarks.peers /where/helen/lies --dlib shape_predictor_68_face_landmarks.dat \\
        --mediapipe /path/to/its/environment/bin/python --second-human /folder/of/pts --csv peers.csv

Prints a Markdown table. F1 is the mean over faces with its 95 % bootstrap interval, a face that was missed counting 0,
and pooled over all pixels; the inner mouth is judged where it is at least 2 % of the mouth's box. Contour is the
distance between the outlines over the inter-ocular distance, of the faces that were found; "to the right" is how far
the mouths lie right of the annotated ones, over the same.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import outlines
from lipseg import scheme
from lipseg.data.annotations import FaceSample, get_reader
from lipseg.data.tables import write_rows
from lipseg.errors import DataError, LipsegError
from lipseg.evaluation import metrics
from lipseg.images import read_image
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.progress import progress
from lipseg.scheme import Points

# What a system says of each face: (56, 2) points in pixels of the picture, or None where it found none.
Answers = list[Points | None]
Table = dict[str, NDArray[Any]]
_REGIONS = ("mouth", "lips", "inner")


@dataclass(frozen=True)
class Faces:
    """The annotated faces: names, pictures, (N, 56, 2) true points and (N,) inter-ocular distances in pixels."""

    names: list[str]
    images: list[Path]
    truth: NDArray[np.float64]
    inter_ocular: NDArray[np.float64]


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
    )


def lipseg_answers(segmenter: Any, faces: Faces, boxes: NDArray[np.float64] | None) -> Answers:
    """Returns lipseg's answers in the given mouth boxes, (N, 4); None lets it find the faces, the surest one counts."""
    answers: Answers = []
    for i, image in _bar(faces.images, "lipseg"):
        lips = segmenter(image) if boxes is None else segmenter(image, boxes=[boxes[i]])
        answers.append(lips[0].landmarks.astype(np.float64) if lips else None)
    return answers


def dlib_answers(predictor: Path, faces: Faces) -> Answers:
    """Returns dlib's: HOG detector with one upsampling, the largest face, the given file of 68 points.

    Raises:
        DataError: if dlib is not installed or cannot read the file.
    """
    try:
        import dlib  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise DataError("--dlib: dlib is missing; `pip install -r benchmarks/requirements.txt`") from error
    detect = dlib.get_frontal_face_detector()  # pyright: ignore[reportAttributeAccessIssue]
    try:
        shape = dlib.shape_predictor(str(predictor))  # pyright: ignore[reportAttributeAccessIssue]
    except RuntimeError as error:
        raise DataError(f"{predictor}: not a shape predictor that dlib can read ({error})") from error
    answers: Answers = []
    for _, path in _bar(faces.images, "dlib"):
        image = read_image(path)
        found = detect(image, 1)
        if not found:
            answers.append(None)
            continue
        points = shape(image, max(found, key=lambda box: box.area()))
        answers.append(_of_68(np.array([(point.x, point.y) for point in points.parts()], np.float64), predictor))
    return answers


def mediapipe_answers(python: Path, faces: Faces, *, refined: bool) -> Answers:
    """Returns MediaPipe's, found by the Python of an environment of its own (``face_mesh.py``).

    Raises:
        DataError: if that Python cannot run it.
    """
    job = {"images": [str(path.resolve()) for path in faces.images], "refined": refined}
    worker = [str(python), str(Path(__file__).with_name("face_mesh.py"))]
    try:
        done = subprocess.run(worker, input=json.dumps(job), stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise DataError(f"--mediapipe: {python} cannot run it ({error}); see benchmarks/README.md") from error
    found = json.loads(done.stdout)
    print(f"MediaPipe {found['version']}", file=sys.stderr)
    return [
        None if points is None else outlines.to_56(np.array(points), outlines.MESH_OUTER, outlines.MESH_INNER)
        for points in found["faces"]
    ]


def second_human_answers(folder: Path, faces: Faces) -> Answers:
    """Returns the outlines of a second annotation: NAME.pts with 68 points of the same pictures, anywhere below.

    Raises:
        DataError: if a file cannot be read, or none is there.
    """
    files = {file.stem: file for file in sorted(folder.rglob("*.pts")) if not file.name.startswith(".")}
    if not files.keys() & set(faces.names):
        raise DataError(f"{folder}: holds no NAME.pts of any of the {len(faces.names)} faces")
    return [_of_68(_read_pts(files[name]), files[name]) if name in files else None for name in faces.names]


def _read_pts(path: Path) -> Points:
    try:
        body = path.read_text(encoding="utf-8-sig").split("{")[1].split("}")[0]
        # iBUG's pixels count from 1.
        return np.array([line.split() for line in body.split("\n") if line.strip()], np.float64) - 1
    except (OSError, IndexError, ValueError) as error:
        raise DataError(f"{path}: not a file of 68 points ({error})") from error


def _of_68(points: Points, origin: Path) -> Points:
    if points.shape != (scheme.IBUG_POINTS, 2):
        raise DataError(f"{origin}: {len(points)} points, not {scheme.IBUG_POINTS}")
    return outlines.to_56(points, outlines.IBUG_OUTER, outlines.IBUG_INNER)


def judged(faces: Faces, answers: Answers) -> Table:
    """Returns the project's own per-face figures of a system's answers."""
    missed = np.array([answer is None for answer in answers])
    nothing = np.full((scheme.N_POINTS, 2), np.nan)
    points = np.stack([nothing if answer is None else answer for answer in answers])
    return metrics.per_face(faces.truth, points, faces.inter_ocular, missed)


def sideways(faces: Faces, answers: Answers) -> float | None:
    """Returns how far right of the annotated mouths' centroids a system's lie, over the inter-ocular distance: a mean.

    None where it found no mouth. A system that treats both sides alike shows the annotators' own bias here, with the
    other sign.
    """
    found = [
        (_centroid(answer)[0] - _centroid(truth)[0]) / eyes
        for answer, truth, eyes in zip(answers, faces.truth, faces.inter_ocular, strict=True)
        if answer is not None
    ]
    return float(np.mean(found)) if found else None


def _centroid(points: Points) -> Points:
    """Returns (2,) the centroid of the area within the outer contour."""
    ring, following = points[scheme.OUTER], np.roll(points[scheme.OUTER], -1, axis=0)
    cross = ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]
    return ((ring + following) * cross[:, None]).sum(0) / (3 * cross.sum())


def row_of(system: str, table: Table, resamples: int, right: float | None) -> dict[str, Any]:
    """Returns a system's row: figures and the ends of their 95 % intervals, None where there is none.

    Args:
        system: its name.
        table: of ``judged``.
        resamples: of the bootstrap.
        right: of ``sideways``.
    """
    summary = metrics.summarise(table)
    row: dict[str, Any] = {"system": system, "faces": summary["faces"], "missed": summary["missed"]}
    for region in _REGIONS:
        interval = _interval(table[f"{region}_f1"], resamples)
        row[f"{region}_f1"] = summary[region]["f1_mean"]
        row |= {f"{region}_f1_{end}": interval[end] for end in ("low", "high")}
        row[f"{region}_f1_pooled"] = summary[region]["f1_pooled"]
    interval = _interval(table["contour"], resamples)
    row |= {f"contour_{name}": summary["contour"][name] for name in ("mean", "median", "p95")}
    row |= {f"contour_{end}": interval[end] for end in ("low", "high")}
    # The points of other schemes are not the same places of the mouth.
    row["nme"] = summary["nme"]["mean"] if system.startswith("lipseg") else None
    row["right"] = right
    return row


def _interval(column: NDArray[Any], resamples: int) -> dict[str, float | None]:
    return metrics.paired_bootstrap(np.zeros(len(column)), column, resamples=resamples)


def markdown(rows: list[dict[str, Any]]) -> str:
    """Returns the rows as a Markdown table."""

    def f1(row: Mapping[str, Any], region: str) -> str:
        value = row[f"{region}_f1"]
        if value is None:
            return "-"
        low, high = (_three(row[f"{region}_f1_{end}"]) for end in ("low", "high"))
        return f"{_three(value)} [{low}, {high}] / {_three(row[f'{region}_f1_pooled'])}"

    lines = [
        "| system | missed | mouth F1, mean / pooled | lips F1 | inner mouth F1 | contour mean / median / p95 | NME "
        "| to the right |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        contour = " / ".join(_percent(row[f"contour_{name}"]) for name in ("mean", "median", "p95"))
        cells = [row["system"], f"{row['missed'] / row['faces']:.1%}", *(f1(row, region) for region in _REGIONS)]
        lines.append(f"| {' | '.join([*cells, contour, _percent(row['nme']), _percent(row['right'])])} |")
    return "\n".join(lines)


def differences(ours: Table, peers: Mapping[str, Table], resamples: int) -> str:
    """Returns a Markdown table of our figures minus each peer's on the same faces, with 95 % intervals."""
    lines = ["| minus | mouth F1 | lips F1 | inner mouth F1 | contour |", "| --- | --- | --- | --- | --- |"]
    for system, table in peers.items():
        cells = []
        for column in (*(f"{region}_f1" for region in _REGIONS), "contour"):
            found = metrics.paired_bootstrap(table[column], ours[column], resamples=resamples)
            ends = (found["difference"], found["low"], found["high"])
            if None in ends:
                cells.append("-")
                continue
            scale, digits = (100, 2) if column == "contour" else (1, 3)
            middle, low, high = (f"{scale * (end or 0.0):+.{digits}f}" for end in ends)
            cells.append(f"{middle} [{low}, {high}]" + (" points" if scale == 100 else ""))
        lines.append(f"| {system} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _three(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _bar(images: list[Path], what: str) -> Iterator[tuple[int, Path]]:
    return enumerate(progress(images, total=len(images), desc=what, unit="faces"))


def systems(at: argparse.Namespace, faces: Faces) -> Iterator[tuple[str, Callable[[], Answers]]]:
    """Yields the name of each system that was asked for and a function that asks it."""
    from lipseg.inference.segmenter import LipSegmenter

    segmenter = LipSegmenter(at.model)
    unbiased = LipSegmenter(segmenter.predictor, unbiased=True)
    jittered = metrics.jittered_boxes(faces.truth, faces.names)
    exact = np.concatenate([faces.truth.min(1), faces.truth.max(1)], axis=1)
    yield "lipseg, jittered boxes", lambda: lipseg_answers(segmenter, faces, jittered)
    yield "lipseg, true boxes", lambda: lipseg_answers(segmenter, faces, exact)
    yield "lipseg, true boxes, --unbiased", lambda: lipseg_answers(unbiased, faces, exact)
    if at.source != "helen":  # whose photos show one annotated face each; elsewhere another one may be found
        return
    yield "lipseg, finds the face itself", lambda: lipseg_answers(segmenter, faces, None)
    if at.mediapipe:
        for name, refined in (("refined lips", True), ("plain", False)):
            ask = lambda refined=refined: mediapipe_answers(at.mediapipe, faces, refined=refined)  # noqa: E731
            yield f"MediaPipe FaceMesh, {name}", ask
    if at.dlib:
        yield "dlib HOG + 68 points", lambda: dlib_answers(at.dlib, faces)
    if at.second_human:
        yield "a second human", lambda: second_human_answers(at.second_human, faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the Helen dataset")
    parser.add_argument(
        "--source", default="helen", help="reader of another dataset's folder: ibug, or a module's name"
    )
    parser.add_argument("--split", choices=("test", "train"), default="test", help="which faces")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="folder of a lipseg model")
    parser.add_argument("--dlib", type=Path, metavar="FILE", help="shape_predictor_68_face_landmarks.dat")
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON", help="of an environment with mediapipe")
    parser.add_argument("--second-human", type=Path, metavar="DIR", help="NAME.pts, 68 points of the same pictures")
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--answers", type=Path, metavar="DIR", help="write every system's outlines as JSON")
    at = parser.parse_args()
    try:
        faces = read_faces(at.folder, at.split, at.source)
        tables: dict[str, Table] = {}
        right: dict[str, float | None] = {}
        for system, ask in systems(at, faces):
            answers = ask()
            tables[system], right[system] = judged(faces, answers), sideways(faces, answers)
            if at.answers:
                _write_answers(at.answers / f"{system.replace(', ', '_').replace(' ', '_')}.json", faces, answers)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    rows = [row_of(system, table, at.resamples, right[system]) for system, table in tables.items()]
    print(f"{len(faces.names)} faces\n\n{markdown(rows)}")
    first, *_ = tables
    peers = {system: table for system, table in tables.items() if not system.startswith("lipseg")}
    if peers:
        print(f"\n{first}, minus each peer on the same faces:\n\n{differences(tables[first], peers, at.resamples)}")
    if at.csv:
        write_rows(at.csv, rows)


def _write_answers(path: Path, faces: Faces, answers: Answers) -> None:
    outlined = {
        name: None
        if points is None
        else {"outer": points[scheme.OUTER].tolist(), "inner": points[scheme.INNER].tolist()}
        for name, points in zip(faces.names, answers, strict=True)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(outlined) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
