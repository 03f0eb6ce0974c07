"""Judges lipseg, MediaPipe, dlib and a second annotator on the same annotated faces by the same metrics.

    python -m benchmarks.peers helen=/where/helen/lies
    python -m benchmarks.peers helen=/where/helen/lies celebamask=/where/celebamask/lies ibug=/where/afw/lies \\
        --mediapipe /path/to/its/environment/bin/python --boxes --csv peers.csv
    python -m benchmarks.peers helen=/where/helen/lies --dlib shape_predictor_68_face_landmarks.dat \\
        --second-human /folder/of/pts

Prints Markdown tables for every data set. F1 is the mean over faces with its 95 % bootstrap interval, a face that was
missed counting 0; the inner mouth is judged where it is at least 2 % of the mouth's box. "right" and "down" are how far
the mouths lie off the annotated ones, over the mouth's width. "aligned" moves all answers of a system on a data set by
one constant, its own right and down: what is left when the labels' place is taken out. Contour is the distance between
the outlines over the inter-ocular distance, of the faces that were found. Of several mouths found in a photo the one
nearest to the annotated one counts, and none farther off than that one is wide. Faces that are labelled by masks are
judged against these, and their contour against the landmarks traced along them.
"""

import argparse
import json
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answers import (
    Answers,
    Faces,
    System,
    dlib_system,
    in_convention,
    lipseg_finds,
    lipseg_in_boxes,
    mediapipe_system,
    read_faces,
    second_human_system,
)
from benchmarks.judging import Judged, differences, judged, markdown, openings, row_of
from benchmarks.mesh_worker import MeshWorker
from lipseg import scheme
from lipseg.data.tables import write_rows
from lipseg.errors import LipsegError, UsageError
from lipseg.evaluation import metrics
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.inference.segmenter import LipSegmenter

# What looks at the photo alone, as the peers do; and what is given boxes that are no better than a detector's.
PHOTO, BOXES = "lipseg, finds the face itself", "lipseg, jittered boxes"
SECOND_HUMAN = "a second human"


def peers_of(at: argparse.Namespace, stack: ExitStack) -> dict[str, System]:
    """Returns the other systems that were asked for, by name, the second human apart.

    Args:
        at: the command line.
        stack: ends what the systems need.

    Raises:
        UsageError: if an option names what cannot be used.
    """
    peers: dict[str, System] = {}
    if at.mediapipe:
        mesh = stack.enter_context(MeshWorker(at.mediapipe))
        for name, refined in (("refined lips", True), ("plain", False)):
            peers[f"MediaPipe FaceMesh {mesh.version}, {name}"] = mediapipe_system(mesh, refined=refined)
    if at.dlib:
        peers["dlib HOG + 68 points"] = dlib_system(at.dlib)
    return peers


def lipseg_systems(segmenter: LipSegmenter, faces: Faces, *, boxes: bool) -> dict[str, System]:
    """Returns lipseg on the photo alone and, where boxes are asked for, in jittered and in true ones."""
    ours = {PHOTO: lipseg_finds(segmenter)}
    if boxes:
        exact = np.concatenate([faces.truth.min(1), faces.truth.max(1)], axis=1)
        ours[BOXES] = lipseg_in_boxes(segmenter, metrics.jittered_boxes(faces.truth, faces.names))
        ours["lipseg, true boxes"] = lipseg_in_boxes(segmenter, exact)
    return ours


def sources_of(folders: list[str]) -> list[tuple[str, Path]]:
    """Returns reader and folder of each word SOURCE=FOLDER; a folder alone is one of the Helen dataset.

    Raises:
        UsageError: if two have the same reader: their tables could not be told apart.
    """
    found = []
    for word in folders:
        named = re.fullmatch(r"([A-Za-z_][\w.]*)=(.+)", word)
        found.append((named[1], Path(named[2])) if named else ("helen", Path(word)))
    names = [source for source, _ in found]
    if len(set(names)) < len(names):
        raise UsageError(f"SOURCE=FOLDER: a source comes twice in {', '.join(names)}; name each once")
    return found


def run(at: argparse.Namespace) -> None:
    """Judges and prints.

    Raises:
        LipsegError: if a folder, the model or an option cannot be used.
    """
    sets = {source: read_faces(folder, at.split, source) for source, folder in sources_of(at.folders)}
    humans: dict[str, System] = {}
    if at.second_human:
        both = {source: second_human_system(at.second_human, faces) for source, faces in sets.items()}
        humans = {source: system for source, system in both.items() if system is not None}
        if not humans:
            count = sum(len(faces.names) for faces in sets.values())
            raise UsageError(f"--second-human: {at.second_human} holds no NAME.pts of any of the {count} faces")
    rows = []
    with ExitStack() as stack:
        peers = peers_of(at, stack)
        segmenter = LipSegmenter(at.model)
        for source, faces in sets.items():
            others = peers | ({SECOND_HUMAN: humans[source]} if source in humans else {})
            rows += judge(at, source, faces, segmenter, others)
    if at.csv:
        write_rows(at.csv, rows)


def judge(
    at: argparse.Namespace, source: str, faces: Faces, segmenter: LipSegmenter, peers: dict[str, System]
) -> list[dict[str, Any]]:
    """Prints the tables of one data set and returns its rows."""
    found: dict[str, Judged] = {}
    rows = []
    convention = segmenter.predictor.runtime.conventions.get(source)
    for system, ask in (lipseg_systems(segmenter, faces, boxes=at.boxes) | peers).items():
        said = {system: ask(faces)}
        if convention is not None and system not in peers:
            said[f"{system}, --convention {source}"] = in_convention(said[system], convention)
        for name, answers in said.items():
            found[name] = judged(faces, answers)
            rows.append(row_of(source, name, found[name], at.resamples))
            if at.answers:
                write_answers(at.answers / source / f"{re.sub('[ ,-]+', '_', name)}.json", faces, answers)
    against = "landmarks" if faces.painted is None else "masks"
    print(f"## {source}: {len(faces.names)} faces, judged against their {against}\n\n{markdown(rows)}\n")
    rivals = {system: found[system] for system in peers}
    for ours in (PHOTO, BOXES) if peers else ():
        if ours in found:
            print(f"{ours}, minus each peer on the same faces:\n\n{differences(found[ours], rivals, at.resamples)}\n")
    print(f"By how open the true mouth is (the inner mouth's share of the mouth):\n\n{openings(found)}\n")
    return rows


def write_answers(path: Path, faces: Faces, answers: Answers) -> None:
    """Writes a system's outlines as JSON: name to ``outer`` and ``inner``, or null."""
    outlined = {
        name: None
        if points is None
        else {"outer": points[scheme.OUTER].tolist(), "inner": points[scheme.INNER].tolist()}
        for name, points in zip(faces.names, answers, strict=True)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(outlined) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="[SOURCE=]FOLDER",
        help="a data set: its reader (helen, ibug, celebamask, masks, or a module's name) and where it lies",
    )
    parser.add_argument("--boxes", action="store_true", help="judge lipseg in jittered and in true mouth boxes too")
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
        run(at)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


if __name__ == "__main__":
    main()
