"""MediaPipe's face mesh on a list of pictures: run by the Python of an environment that has mediapipe.

MediaPipe wants older libraries than lipseg does, so it lives in an environment of its own, and this file imports
nothing of lipseg. Standard input: JSON {"images": [paths], "refined": bool}. Standard output: JSON, for each picture
the face's points in pixels, null where no face was found.
"""

import json
import sys


def main() -> None:
    import mediapipe  # pyright: ignore[reportMissingImports]
    import numpy as np
    from PIL import Image, ImageOps

    job = json.load(sys.stdin)
    answers = []
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=1, refine_landmarks=job["refined"]
    ) as mesh:
        for path in job["images"]:
            image = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
            height, width = image.shape[:2]
            faces = mesh.process(image).multi_face_landmarks
            # Counted from the picture's edge these would lie half a pixel less far; as they are they suit Helen's
            # annotations better (lips F1 .016 higher on training faces), and a peer gets the benefit of the doubt.
            answers.append([[point.x * width, point.y * height] for point in faces[0].landmark] if faces else None)
    json.dump({"version": mediapipe.__version__, "faces": answers}, sys.stdout)


if __name__ == "__main__":
    main()
