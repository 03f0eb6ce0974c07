"""Judges lipseg, and MediaPipe beside it, on hard faces: spoilt in named ways; grouped by mouth and turn of the head.

    python -m benchmarks.hard /where/helen/lies --mediapipe /path/to/its/environment/bin/python
    python -m benchmarks.hard /where/celebamask/lies --source celebamask
    python -m benchmarks.hard /where/afw/lies --source ibug --csv hard.csv

Prints a Markdown table: faces that were missed, and F1 of lips and inner mouth, the photo alone, a missed face counting
0. "Aligned" takes a constant out of each system's answers, its mean offset on the faces as they are, in mouth widths:
every source's annotators place mouths a little elsewhere. The last column is the difference between both systems'
aligned lips F1 with its 95 % bootstrap interval.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.answers import Faces, System, lipseg_finds, mediapipe_system, read_faces, read_pts
from benchmarks.mesh_worker import MeshWorker
from benchmarks.spoiling import WAYS, spoilt
from lipseg import scheme
from lipseg.data.annotations import FaceSample, get_reader
from lipseg.data.tables import write_rows
from lipseg.errors import LipsegError, UsageError
from lipseg.evaluation import metrics
from lipseg.evaluation.metrics import Mask, Table
from lipseg.geometry import Affine
from lipseg.images import read_image, write_image
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.inference.segmenter import LipSegmenter
from lipseg.progress import progress
from lipseg.scheme import Points

PLAIN = "as they are"

# Upper ends of the opening, inner area over mouth area.
_OPENINGS = {
    "closed, opening below 2 %": 0.02,
    "nearly closed, to 8 %": 0.08,
    "open, to 35 %": 0.35,
    "wide open": np.inf,
}
# Of mouths open by less than this the lips' height over width tells pressed ones from pouts: below and above.
_SHUT, _PRESSED, _POUT = 0.08, 0.28, 0.48
_TURNS = {"head turned by less than 15 degrees": 15.0, "by 15 to 30": 30.0, "by more than 30": np.inf}
# Half the distance between the eyes over how far the base of the nose lies before them, on a face of average form
# (MediaPipe's canonical face model: 3.15 and 2.55).
_HALF_EYES_OVER_NOSE = 1.24
# The base of the nose, between the nostrils, in both schemes (0-based).
_NOSE_BASE = {scheme.HELEN_POINTS: 49, scheme.IBUG_POINTS: 33}


@dataclass(frozen=True)
class Row:
    """Faces of one kind: each system's figures as annotated and aligned."""

    kind: str
    annotated: dict[str, Table]
    aligned: dict[str, Table]

    def only(self, kind: str, which: Mask) -> "Row":
        """Returns the row of some of the faces, (N,) boolean."""

        def cut(tables: dict[str, Table]) -> dict[str, Table]:
            return {system: {name: column[which] for name, column in table.items()} for system, table in tables.items()}

        return Row(kind, cut(self.annotated), cut(self.aligned))


def yaw_degrees(points: Points) -> float:
    """Returns how far a head is turned to the side, degrees without a sign, from where its nose lies between its eyes.

    Weak perspective and a face of average form: good to some five degrees, and too small for heads turned so far that
    an eye is hidden.

    Args:
        points: (194, 2) landmarks in Helen's order or (68, 2) in iBUG's.
    """
    first, second = scheme.eyes(points)
    half = (second - first) / 2
    aside = (points[_NOSE_BASE[len(points)]] - (first + second) / 2) @ half / (half @ half)
    return float(np.degrees(np.arctan(abs(aside) * _HALF_EYES_OVER_NOSE)))


def groups(faces: Faces, opening: NDArray[np.float64], yaw: NDArray[np.float64]) -> dict[str, Mask]:
    """Returns which faces are of each kind that has any, by name: (N,) boolean.

    Args:
        faces: that were judged.
        opening: (N,) inner area over mouth area.
        yaw: (N,) degrees, NaN where nobody knows.
    """
    found = _between(opening, _OPENINGS)
    corners = faces.truth[:, scheme.OUTER_CORNERS[1]] - faces.truth[:, scheme.OUTER_CORNERS[0]]
    across = corners / np.hypot(*corners.T)[:, None]
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    height = np.ptp(np.einsum("nij,nj->ni", faces.truth[:, scheme.OUTER], down), axis=1)
    shape, shut = height / np.hypot(*corners.T), opening < _SHUT
    found |= {"pressed, open by less than 8 %": shut & (shape < _PRESSED), "pout, likewise": shut & (shape > _POUT)}
    return {kind: which for kind, which in (found | _between(yaw, _TURNS)).items() if which.any()}


def _between(values: NDArray[np.float64], ends: dict[str, float]) -> dict[str, Mask]:
    lows = (-np.inf, *ends.values())
    return {kind: (low <= values) & (values < high) for (kind, high), low in zip(ends.items(), lows, strict=False)}


def yaws(root: Path, source: str, names: list[str]) -> NDArray[np.float64]:
    """Returns (N,) ``yaw_degrees`` of the faces named, NaN for a source whose annotations show no nose."""
    read = {"helen": _helen_points, "ibug": read_pts}.get(source)
    found = {face.name: face for face in get_reader(source)(root) if isinstance(face, FaceSample)} if read else {}
    files = [found[name].annotation if name in found else None for name in names]
    return np.array([yaw_degrees(read(file)) if read and file else np.nan for file in files])


def _helen_points(path: Path) -> Points:
    lines = path.read_text(encoding="utf-8-sig").split("\n")[1:]
    return np.array([line.split(",") for line in lines if line.strip()], np.float64)


def spoilt_faces(faces: Faces, way: str, folder: Path) -> tuple[Faces, list[Affine]]:
    """Writes the faces' pictures, spoilt, and returns those faces and the maps from the pixels as they were to theirs.

    Args:
        faces: as they are.
        way: one of ``WAYS``.
        folder: an empty one.
    """
    images, truth, maps = [], [], []
    listed = zip(faces.names, faces.images, faces.truth, strict=True)
    for at, (name, path, points) in enumerate(progress(listed, total=len(faces.names), desc=way, unit="faces")):
        image, to_spoilt = spoilt(read_image(path), points, way, name)
        images.append(folder / f"{at}.png")
        write_image(images[-1], image)
        truth.append(to_spoilt(points))
        maps.append(to_spoilt)
    return replace(faces, images=images, truth=np.stack(truth)), maps


def rows(systems: dict[str, System], faces: Faces, yaw: NDArray[np.float64], ways: tuple[str, ...]) -> list[Row]:
    """Returns the rows: the faces as they are, their groups, and spoilt in each of the ways.

    Args:
        systems: by name, lipseg first.
        faces: as they are.
        yaw: (N,) degrees, NaN where nobody knows.
        ways: of ``WAYS``.
    """
    places: dict[str, NDArray[np.float64]] = {}

    def row(kind: str, shown: Faces, maps: list[Affine]) -> Row:
        annotated, aligned = {}, {}
        for system, ask in systems.items():
            answers = ask(shown)
            missed = np.array([answer is None for answer in answers])
            nothing = np.full((scheme.N_POINTS, 2), np.nan)
            # Judged on the picture as it was: there labels and their places are what they are.
            back = [
                nothing if answer is None else to.inverse()(answer) for answer, to in zip(answers, maps, strict=True)
            ]
            points = np.stack(back)
            table = metrics.per_face(faces.truth, points, faces.inter_ocular, missed, faces.painted)
            if system not in places:
                off = np.stack([table["right"], table["down"]], axis=1)[~missed]
                places[system] = off.mean(0) if len(off) else np.zeros(2)
            points = points - (table["box_width"][:, None] * places[system])[:, None]
            annotated[system] = table
            aligned[system] = metrics.per_face(faces.truth, points, faces.inter_ocular, missed, faces.painted)
        return Row(kind, annotated, aligned)

    plain = row(PLAIN, faces, [Affine(np.eye(2, 3))] * len(faces.names))
    opening = next(iter(plain.annotated.values()))["opening"]
    found = [plain, *(plain.only(kind, which) for kind, which in groups(faces, opening, yaw).items())]
    for way in ways:
        with tempfile.TemporaryDirectory() as folder:
            found.append(row(way, *spoilt_faces(faces, way, Path(folder))))
    return found


def figures(found: list[Row], resamples: int) -> list[dict[str, Any]]:
    """Returns a flat row a kind and system: counts, F1 as annotated and aligned, and lipseg's lead over it, aligned."""
    flat = []
    for row in found:
        ours = next(iter(row.aligned.values()))
        for system, table in row.annotated.items():
            cells: dict[str, Any] = {"kind": row.kind, "system": system, "faces": len(table["missed"])}
            cells["missed"] = int(table["missed"].sum())
            for region in ("lips", "inner"):
                for way, judged_so in (("annotated", table), ("aligned", row.aligned[system])):
                    column = judged_so[f"{region}_f1"]
                    judged_faces = column[np.isfinite(column)]
                    cells[f"{region}_f1_{way}"] = float(judged_faces.mean()) if len(judged_faces) else None
            theirs = row.aligned[system]
            lead = metrics.paired_bootstrap(theirs["lips_f1"], ours["lips_f1"], resamples=resamples)
            flat.append(cells | {f"lead_{end}": lead[end] for end in ("difference", "low", "high")})
    return flat


def markdown(flat: list[dict[str, Any]]) -> str:
    """Returns the figures as a Markdown table, a line a kind."""
    systems = list(dict.fromkeys(cells["system"] for cells in flat))
    heads = ["faces", "n"]
    for system in systems:
        heads += [f"{system}: missed", "lips F1, annotated / aligned", "inner F1, likewise"]
    heads += [f"lipseg minus {system}" for system in systems[1:]]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for kind in dict.fromkeys(cells["kind"] for cells in flat):
        of_kind = [cells for cells in flat if cells["kind"] == kind]
        line = [kind, str(of_kind[0]["faces"])]
        for cells in of_kind:
            line.append(f"{cells['missed'] / cells['faces']:.1%}")
            for region in ("lips", "inner"):
                both = [cells[f"{region}_f1_{way}"] for way in ("annotated", "aligned")]
                line.append(" / ".join("-" if value is None else f"{value:.3f}".removeprefix("0") for value in both))
        for cells in of_kind[1:]:
            lead = [cells[f"lead_{end}"] for end in ("difference", "low", "high")]
            line.append("-" if None in lead else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*lead))
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def run(at: argparse.Namespace) -> None:
    """Judges and prints.

    Raises:
        LipsegError: if the folder, the model or an option cannot be used.
    """
    faces = read_faces(at.folder, at.split, at.source)
    with ExitStack() as stack:
        systems = {"lipseg": lipseg_finds(LipSegmenter(at.model))}
        if at.mediapipe:
            mesh = stack.enter_context(MeshWorker(at.mediapipe))
            systems[f"MediaPipe {mesh.version}, refined"] = mediapipe_system(mesh, refined=True)
        found = rows(systems, faces, yaws(at.folder, at.source, faces.names), tuple(at.ways))
    flat = figures(found, at.resamples)
    print(markdown(flat))
    if at.csv:
        write_rows(at.csv, flat)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the dataset")
    parser.add_argument("--source", default="helen", help="its reader: helen, celebamask, ibug, or a module's name")
    parser.add_argument("--split", choices=("test", "train"), default="test", help="which faces")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS, metavar="WAY", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="folder of a lipseg model")
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON", help="of an environment with mediapipe")
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the figures")
    at = parser.parse_args()
    try:
        run(at)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


if __name__ == "__main__":
    main()
