"""The shipped model's landmarks on drawn faces, in pixels: what they were is kept in golden_landmarks.json beside this.

`python tests/golden_landmarks.py` writes them anew, after a change that is meant to move them.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import lipseg
from lipseg import scheme
from lipseg.data.face_shape import STATES
from lipseg.data.synthesize import draw_face

FILE = Path(__file__).with_name("golden_landmarks.json")
SIZE = 320


def face(state: str) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Returns the picture of the face that stands for a state, and its true lip landmarks."""
    image, points = draw_face(np.random.default_rng(STATES.index(state)), state, SIZE)
    return image, points[scheme.HELEN_LIPS]


def landmarks(segmenter: lipseg.LipSegmenter, state: str) -> dict[str, NDArray[np.float32]]:
    """Returns the (56, 2) landmarks by how the mouth was found: in its true box, and by the face detector."""
    image, truth = face(state)
    (boxed,) = segmenter(image, boxes=[(*truth.min(0), *truth.max(0))])
    (found,) = segmenter(image)
    return {"box": boxed.landmarks, "detector": found.landmarks}


def main() -> None:
    segmenter = lipseg.LipSegmenter()
    known = {state: landmarks(segmenter, state) for state in STATES}
    rows = (
        f' "{state} by {way}": {json.dumps([[round(float(x), 3) for x in point] for point in points])}'
        for state, ways in known.items()
        for way, points in ways.items()
    )
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
