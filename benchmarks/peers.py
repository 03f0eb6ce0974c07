"""Judges lipseg, MediaPipe, dlib and a second annotator on the same annotated faces by the same metrics.

    python -m benchmarks.peers /where/helen/lies
    python -m benchmarks.peers /where/helen/lies --dlib shape_predictor_68_face_landmarks.dat \\
        --mediapipe /path/to/its/environment/bin/python --second-human /folder/of/pts --csv peers.csv
    python -m benchmarks.peers /where/afw/lies --source ibug --mediapipe /path/to/its/environment/bin/python

Prints a Markdown table. F1 is the mean over faces with its 95 % bootstrap interval, a face that was missed counting 0,
and pooled over all pixels; the inner mouth is judged where it is at least 2 % of the mouth's box. Contour is the
distance between the outlines over the inter-ocular distance, of the faces that were found; "to the right" and "down"
are how far the mouths lie off the annotated ones, over the same, and then over the mouth's width. Of several mouths
found in a photo the one nearest to the annotated one counts, and none farther off than that one is wide.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.answers import (
    Answers,
    Faces,
    System,
    dlib_system,
    lipseg_finds,
    lipseg_in_boxes,
    mediapipe_system,
    read_faces,
    second_human_system,
)
from benchmarks.judging import Table, differences, judged, markdown, row_of
from benchmarks.mesh_worker import MeshWorker
from lipseg import scheme
from lipseg.data.tables import write_rows
from lipseg.errors import LipsegError, UsageError
from lipseg.evaluation import metrics
from lipseg.inference.card import DEFAULT_MODEL
from lipseg.inference.segmenter import LipSegmenter


def systems(at: argparse.Namespace, faces: Faces, stack: ExitStack) -> dict[str, System]:
    """Returns the systems that were asked for, by name, lipseg first.

    Args:
        at: the command line.
        faces: that will be judged.
        stack: ends what the systems need.

    Raises:
        UsageError: if an option names what cannot be used.
        ModelError: if lipseg's model cannot be used.
    """
    peers: dict[str, System] = {}
    if at.mediapipe:
        mesh = stack.enter_context(MeshWorker(at.mediapipe))
        for name, refined in (("refined lips", True), ("plain", False)):
            peers[f"MediaPipe FaceMesh {mesh.version}, {name}"] = mediapipe_system(mesh, refined=refined)
    if at.dlib:
        peers["dlib HOG + 68 points"] = dlib_system(at.dlib)
    if at.second_human:
        peers["a second human"] = second_human_system(at.second_human, faces)
    segmenter = LipSegmenter(at.model)
    jittered = metrics.jittered_boxes(faces.truth, faces.names)
    exact = np.concatenate([faces.truth.min(1), faces.truth.max(1)], axis=1)
    ours = {
        "lipseg, jittered boxes": lipseg_in_boxes(segmenter, jittered),
        "lipseg, true boxes": lipseg_in_boxes(segmenter, exact),
        "lipseg, finds the face itself": lipseg_finds(segmenter),
    }
    return ours | peers


def run(at: argparse.Namespace) -> None:
    """Judges and prints.

    Raises:
        LipsegError: if the folder, the model or an option cannot be used.
    """
    faces = read_faces(at.folder, at.split, at.source)
    tables: dict[str, Table] = {}
    rows = []
    with ExitStack() as stack:
        for system, ask in systems(at, faces, stack).items():
            answers = ask(faces)
            tables[system] = judged(faces, answers)
            rows.append(row_of(system, faces, answers, tables[system], at.resamples))
            if at.answers:
                write_answers(at.answers / f"{system.replace(', ', '_').replace(' ', '_')}.json", faces, answers)
    print(f"{len(faces.names)} faces\n\n{markdown(rows)}")
    peers = {system: table for system, table in tables.items() if not system.startswith("lipseg")}
    # The first is in boxes that are no better than a detector's; the last looks at the photo alone, as the peers do.
    for ours in ("lipseg, jittered boxes", "lipseg, finds the face itself") if peers else ():
        print(f"\n{ours}, minus each peer on the same faces:\n\n{differences(tables[ours], peers, at.resamples)}")
    if at.csv:
        write_rows(at.csv, rows)


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
    parser.add_argument("folder", type=Path, help="of the Helen dataset, or of the one that --source reads")
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
        run(at)
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


if __name__ == "__main__":
    main()
