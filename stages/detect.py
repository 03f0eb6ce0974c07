"""Finds every annotated face with the face detector, and cuts out patches of the photos around and beside them."""

import stages
from lipseg.data.crop_set import load_crops
from lipseg.data.face_set import save_faces
from lipseg.inference.detector import make_detector
from lipseg.params import load_params
from lipseg.training.faces import find_faces


def main() -> None:
    at = stages.paths(__doc__, crops="folder of the crops", out="npz file of the faces")
    params = load_params()
    asked = params.detect
    threshold = asked.threshold if asked.detector == "yunet" else None
    detector = make_detector(asked.detector, asked.size_px, threshold)
    assert detector is not None  # "none" is no choice in params.yaml
    save_faces(at.out, find_faces(load_crops(at.crops), params.data, params.seed, detector))


if __name__ == "__main__":
    stages.run(main)
