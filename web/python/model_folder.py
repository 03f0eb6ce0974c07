"""Writes a model folder for the browser: the networks, the face detector's file, and a card with every constant.

``python web/python/model_folder.py --out web/public/model [--model DIR]``. A model's own card holds what belongs to the
model. What belongs to lipseg's code (how YuNet's answers are read, how mouths are followed, how lipstick is laid on) is
added here as the card's section "constants", read from the Python modules themselves: they stay its one source, and the
library in web/ types none of it again.
"""

import argparse
import inspect
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lipseg.files import whole_folder
from lipseg.inference import locator, mouths, views, yunet
from lipseg.inference.card import CARD, CASCADE, DEFAULT_MODEL, LOCATOR, check_networks, read_card
from lipseg.inference.relation import AVERAGE_FACE
from lipseg.makeup import finish, grey, lipstick, oklab, region, shading, teeth
from lipseg.rendering import masks, matte, measures, palette
from lipseg.tracking import OneEuroParams, TrackParams, matching, track, tracker

# What the detector's file is called in the folder: its input takes any size, unlike that of the file it is made from.
DETECTOR = "face_detector.onnx"


def constants() -> dict[str, Any]:
    """Returns the section "constants" of a card: the numbers of lipseg's code that a runtime elsewhere needs."""
    search = inspect.signature(yunet.YuNetDetector.__init__).parameters
    return {
        "detector": {
            "file": DETECTOR,
            "long_side": search["long_side"].default,
            "threshold": search["threshold"].default,
            "strides": list(yunet._STRIDES),
            "same_box": yunet._SAME_BOX,
            "least_side": yunet._LEAST_SIDE,
            "small_px": yunet._SMALL_PX,
            "coarse_side": yunet._COARSE_SIDE,
            "dark": yunet._DARK,
            "lifted": yunet._LIFTED,
            "turns": list(yunet._TURNS),
            "turned_score": yunet._TURNED_SCORE,
            "mean_face": yunet._MEAN_FACE.tolist(),
        },
        "finding": {
            "no_face": mouths.NO_FACE,
            "no_mouth": mouths.NO_MOUTH,
            "average_face": asdict(AVERAGE_FACE),
            "whole_faces": list(mouths._WHOLE_FACES),
            "widths": list(mouths._WIDTHS),
            "same_face": mouths._SAME_FACE,
            "flattest": mouths._FLATTEST,
            "smallest": locator._SMALLEST,
            "around": views._AROUND,
        },
        "tracking": {
            "params": {**asdict(TrackParams()), "smooth": asdict(OneEuroParams())},
            "fps": tracker._DEFAULT_FPS,
            "followed": _gate(tracker._FOLLOWED),
            "lost_size": tracker._LOST_SIZE,
            "lost_shift": tracker._LOST_SHIFT,
            "lost_shift_per_s": tracker._LOST_SHIFT_PER_S,
            "lost_most": tracker._LOST_MOST,
            "same_mouth": tracker._SAME_MOUTH,
            "held_shift": track._HELD_SHIFT,
            "held_size": track._HELD_SIZE,
            "held_roll": track._HELD_ROLL,
            "jump": _gate(track._JUMP),
            "first": _gate(track._FIRST),
            "highest": track._HIGHEST,
            "smallest_px": track._SMALLEST_PX,
            "longest_step_s": track._LONGEST_STEP_S,
            "new_innovation": track._NEW_INNOVATION,
            "velocity_weight": track._VELOCITY_WEIGHT,
            "innovation_weight": track._INNOVATION_WEIGHT,
        },
        "drawing": {
            "upper_middle": measures._UPPER_MIDDLE.tolist(),
            "lower_middle": measures._LOWER_MIDDLE.tolist(),
            "labels": [palette.css(colour) for colour in palette.LABELS],
            "outer": palette.css(palette.OUTER),
            "inner": palette.css(palette.INNER),
            "lips": palette.css(palette.LIPS),
            "matte_lines": matte._LINES,
            "mask_fine": masks._FINE,
        },
        "lipstick": {
            "finishes": {name: asdict(each) for name, each in finish.FINISHES.items()},
            "cones": oklab._CONES.tolist(),
            "lab": oklab._LAB.tolist(),
            "memory": lipstick._MEMORY,
            "widest_blur": grey._WIDEST,
            "feather": region._FEATHER,
            "band": list(region._BAND),
            "edge": list(region._EDGE),
            "opening_edge": list(region._OPENING_EDGE),
            "open": list(region._OPEN),
            "texture": region._TEXTURE,
            "lines": region._LINES,
            "rim": shading._RIM,
            "rim_average": shading._RIM_AVERAGE,
            "rim_excess": shading._RIM_EXCESS,
            "darken": shading._DARKEN,
            "lighten": shading._LIGHTEN,
            "not_lips_blur": teeth._BLUR,
            "grey": teeth._GREY,
        },
    }


def _gate(gate: matching.Gate) -> dict[str, float | None]:
    """Returns a gate as JSON holds it, where there is no infinity."""
    return {name: None if value == float("inf") else value for name, value in asdict(gate).items()}


def write_folder(model: Path, out: Path) -> None:
    """Writes the folder, whole or not at all.

    Args:
        model: a model folder of lipseg.
        out: the folder to write; an older one is replaced.

    Raises:
        ModelError: if the model is damaged or the detector's file is missing.
    """
    card = read_card(model)
    check_networks(model, card)
    with whole_folder(out) as partial:
        for name in (CASCADE, LOCATOR):
            if (model / name).is_file():
                (partial / name).write_bytes((model / name).read_bytes())
        (partial / DETECTOR).write_bytes(yunet.any_size(yunet.packaged_file().read_bytes()))
        text = json.dumps({**card, "constants": constants()}, indent=1, allow_nan=False)
        (partial / CARD).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model folder; by default lipseg's own")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    write_folder(options.model, options.out)


if __name__ == "__main__":
    main()
