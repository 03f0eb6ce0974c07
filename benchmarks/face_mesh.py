"""MediaPipe's face mesh: run by the Python of an environment that has mediapipe, see ``mesh_worker.py``.

MediaPipe wants older libraries than lipseg does, so it lives in an environment of its own, and this file imports
nothing of lipseg.

    face_mesh.py          reads a JSON object a line from standard input and answers each with a line of JSON:
                          {"task": "version"}                                       {"version": "0.10.14"}
                          {"task": "points", "images": [PATH], "refined": true}     {"faces": [[[[x, y], ...], ...]]}
                          {"task": "times", "images": [PATH]}                       {"photo": [MS], "tracked": [MS]}
    face_mesh.py PHOTO    prints the refined outlines of one photo, as a program for one photo would

Points are in pixels, one list for each face of each picture; times are CPU milliseconds of this process.
"""

import json
import sys
import time
from typing import Any

# As `lipseg predict` prints: outer contour, inner contour, in the order of FACEMESH_LIPS.
_OUTER = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
_INNER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]

# Faces looked for where the answers are judged: the one nearest to the annotated mouth counts.
_MOST_FACES = 5
# Frames of each still video: those that find the face, and those that are timed.
_FINDING, _TIMED = 2, 6


def read(path: str) -> Any:
    """Returns a picture as (height, width, 3) uint8 RGB."""
    import numpy as np
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def points(mesh: Any, image: Any) -> list[list[list[float]]]:
    """Returns the points of each face in pixels."""
    height, width = image.shape[:2]
    faces = mesh.process(image).multi_face_landmarks or []
    # Counted from the picture's edge these would lie half a pixel less far; as they are they suit Helen's annotations
    # better (lips F1 .016 higher on training faces), and a peer gets the benefit of the doubt.
    return [[[point.x * width, point.y * height] for point in face.landmark] for face in faces]


class Worker:
    """Does the tasks; its meshes live as long as it does."""

    def __init__(self) -> None:
        import mediapipe  # pyright: ignore[reportMissingImports]

        self._mediapipe = mediapipe
        self._judged: dict[bool, Any] = {}
        self._timed: Any = None

    def mesh(self, **options: Any) -> Any:
        return self._mediapipe.solutions.face_mesh.FaceMesh(**options)

    def version(self, job: dict[str, Any]) -> dict[str, Any]:
        return {"version": self._mediapipe.__version__}

    def points(self, job: dict[str, Any]) -> dict[str, Any]:
        refined = job["refined"]
        if refined not in self._judged:
            options = {"max_num_faces": _MOST_FACES, "refine_landmarks": refined}
            self._judged[refined] = self.mesh(static_image_mode=True, **options)
        return {"faces": [points(self._judged[refined], read(path)) for path in job["images"]]}

    def times(self, job: dict[str, Any]) -> dict[str, Any]:
        if self._timed is None:
            self._timed = [self.mesh(static_image_mode=static, refine_landmarks=True) for static in (True, False)]
        photo, video = self._timed
        answer: dict[str, list[float]] = {"photo": [], "tracked": []}
        for path in job["images"]:
            image = read(path)
            answer["photo"].append(cpu_ms(photo, image))
            frames = [cpu_ms(video, image) for _ in range(_FINDING + _TIMED)]
            answer["tracked"] += frames[_FINDING:]
        return answer


def cpu_ms(mesh: Any, image: Any) -> float:
    """Returns what looking at a picture costs."""
    began = time.process_time()
    mesh.process(image)
    return 1000 * (time.process_time() - began)


def one_photo(path: str) -> None:
    """Does what a program that is run for one photo would."""
    import cv2  # MediaPipe has loaded it anyway
    import mediapipe  # pyright: ignore[reportMissingImports]

    bgr: Any = cv2.imread(path)
    image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        faces = points(mesh, image)
    outlines = [{"outer": [face[i] for i in _OUTER], "inner": [face[i] for i in _INNER]} for face in faces]
    print(json.dumps({"image": path, "faces": outlines}))


def main() -> None:
    if len(sys.argv) > 1:
        one_photo(sys.argv[1])
        return
    worker = Worker()
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(getattr(worker, job["task"])(job)), flush=True)


if __name__ == "__main__":
    main()
