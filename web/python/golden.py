"""Writes what lipseg in Python answers on drawn faces, for the tests of lipseg in the browser to compare with.

``python web/python/golden.py --out web/golden``: pictures as PNG, a moving face as a camera's film (MJPEG), and
``cases.json`` with the answers. All of it is drawn by formula from fixed seeds, with the model that comes with lipseg.
"""

import argparse
import base64
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import lipseg
from lipseg import scheme
from lipseg.boxes import Box
from lipseg.data.face_shape import STATES
from lipseg.data.synthesize import draw_face
from lipseg.files import whole_folder
from lipseg.formats.record import PictureRecord, face_record
from lipseg.formats.svg import SvgWriter
from lipseg.geometry import Affine, View, from_unit, warp
from lipseg.inference import views
from lipseg.inference.lips import Lips
from lipseg.inference.locator import face_to_image
from lipseg.inference.part import part_shown
from lipseg.inference.yunet import YuNetDetector
from lipseg.makeup.finish import FINISHES
from lipseg.makeup.lipstick import paint_lips
from lipseg.tracking import Tracker

Pixels = NDArray[np.uint8]

COLOUR, OPACITY = (158, 26, 58), 0.7
FILM_FRAMES, FILM_FPS, FILM_SIZE = 100, 25, (640, 480)
TRACKED_FRAMES = 40


def face(state: str, size: int, seed: int = 0) -> tuple[Pixels, NDArray[Any]]:
    """Returns the picture of a drawn face and its (56, 2) true lip landmarks."""
    image, points = draw_face(np.random.default_rng([seed, STATES.index(state)]), state, size)
    return image, points[scheme.HELEN_LIPS]


def turned(image: Pixels, degrees: float, scale: float, size: tuple[int, int], at: tuple[float, float]) -> Pixels:
    """Returns a picture of (width, height) ``size`` with ``image``, turned and scaled, about the place ``at``."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    matrix[:, 2] += np.array(at) - [(width - 1) / 2, (height - 1) / 2]
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=(96, 104, 112))  # type: ignore


def pictures() -> dict[str, Pixels]:
    """Returns the pictures that are searched whole, by their names."""
    drawn = {state: face(state, 320)[0] for state in STATES}
    large = np.full((900, 1400, 3), (96, 104, 112), np.uint8)
    large[60:572, 80:592] = face("smile", 512, 3)[0]
    large[220:860, 680:1320] = face("open", 640, 4)[0]
    small = np.full((700, 1000, 3), (120, 120, 110), np.uint8)
    small[500:572, 300:372] = cv2.resize(face("laugh", 216, 5)[0], (72, 72), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).integers(90, 130, (240, 320, 3)).astype(np.uint8)
    close, points = face("open", 640, 7)
    left, top = np.round(points.min(0) - 60).astype(int)
    right, bottom = np.round(points.max(0) + 60).astype(int)
    return {
        **drawn,
        "large": large,
        "small": small,
        "lying": turned(face("open", 320, 8)[0], 90, 1.0, (400, 400), (200, 200)),
        "tilted": turned(face("smile", 400, 9)[0], 25, 1.0, (520, 520), (260, 250)),
        "nothing": noise,
        "mouth": close[top:bottom, left:right],
    }


def encoded(array: NDArray[Any]) -> str:
    """Returns an array's bytes as text."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def box_json(box: Box) -> dict[str, float]:
    return {"cx": box.cx, "cy": box.cy, "width": box.width, "height": box.height, "roll": box.roll}


def lips_json(lips: Lips) -> dict[str, Any]:
    return {
        "box": box_json(lips.box),
        "score": lips.score,
        "component": lips.component,
        "responsibilities": np.asarray(lips.responsibilities, float).tolist(),
        "landmarks": lips.landmarks.astype(float).tolist(),
        "record": face_record(lips),
    }


def view_cases(segmenter: lipseg.LipSegmenter, images: dict[str, Pixels]) -> Iterator[dict[str, Any]]:
    """Yields views of mouths and what the model says to them: small, large, turned, and over the picture's edge."""
    view = segmenter.predictor.runtime.view
    boxes = {
        "closed": Box(160, 212, 70, 28),
        "smile": Box(161.3, 208.7, 92.4, 41, 0.21),
        "open": Box(155, 215, 33, 24, -0.4),
        "pout": Box(292, 300, 121, 60, 0.1),
        "large": Box(1003.2, 691.4, 302.5, 180.1, -0.07),
        "tilted": Box(240, 330, 199, 90, -0.5),
    }
    for name, box in boxes.items():
        to_image = view.of(box)
        pixels = warp(images[name], to_image, view.size)
        said = segmenter.predictor(pixels[None])
        wide = View(round(views._AROUND * view.size), view.shape, views._AROUND * view.margin)
        second = replace(box, cx=box.cx + 3, roll=box.roll + 0.1)
        again = part_shown(images[name], wide.of(box), wide.size).view(view.of(second), view.size)
        yield {
            "picture": name,
            "box": box_json(box),
            "matrix": to_image.matrix.tolist(),
            "pixels": encoded(pixels),
            "again": {"box": box_json(second), "pixels": encoded(again)},
            "points": from_unit(said.points_unit[0].astype(float), view.size).tolist(),
            "score": float(said.score[0]),
            "component": int(said.component[0]),
        }


def locator_cases(segmenter: lipseg.LipSegmenter, images: dict[str, Pixels]) -> Iterator[dict[str, Any]]:
    """Yields face boxes, the locator's views of them and the mouths that it sees."""
    locator = segmenter.predictor.locator
    for name, box in {"laugh": Box.square(160, 160, 190), "large": Box.square(1000, 540, 400, 0.2)}.items():
        view = segmenter.predictor.runtime.locator.view  # type: ignore[union-attr]
        sighting = locator(images[name], [box])  # type: ignore[misc]
        yield {
            "picture": name,
            "face": box_json(box),
            "pixels": encoded(warp(images[name], face_to_image(view, box), view.size, fast=True)),
            "mouth": box_json(sighting.mouths[0]),
            "presence": float(sighting.presence[0]),
        }


def attempt_cases(images: dict[str, Pixels]) -> Iterator[dict[str, Any]]:
    """Yields the faces that each attempt of the detector finds: in a dark picture, a lying face and a large picture."""
    detector = YuNetDetector()
    for name in ("dark", "lying", "large"):
        faces = [
            [{**box_json(box), "score": box.score, "origin": box.origin} for box in found]
            for found in detector.attempts(images[name])
        ]
        yield {"picture": name, "attempts": faces}


def convention_cases(segmenter: lipseg.LipSegmenter, image: Pixels) -> Iterator[dict[str, Any]]:
    """Yields one picture's lips in every convention of the model, in its reference's first."""
    runtime = segmenter.predictor.runtime
    for name in (runtime.reference, *runtime.conventions):
        drawn = lipseg.LipSegmenter(segmenter.predictor, convention=name)
        (lips,) = drawn(image)
        (first,) = Tracker(drawn)(image, 0.0).mouths
        yield {"name": name, "lips": lips_json(lips), "tracked": first.landmarks.astype(float).tolist()}


def film(frames: int = FILM_FRAMES) -> Iterator[tuple[Pixels, NDArray[Any]]]:
    """Yields the frames of a face that sways and nods, with its (56, 2) landmarks; the last leads to the first."""
    image, points = face("smile", 480, 2)
    centre = np.array([(image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2])
    for index in range(frames):
        phase = math.tau * index / frames
        roll, scale = 0.14 * math.sin(phase), 0.9 + 0.08 * math.cos(phase)
        at = np.array([FILM_SIZE[0] / 2 + 70 * math.sin(phase), FILM_SIZE[1] / 2 + 22 * math.sin(2 * phase)])
        turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]]) * scale
        to_frame = Affine(np.column_stack([turn, at - turn @ centre]))
        frame = cv2.warpAffine(
            image, to_frame.matrix, FILM_SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        yield frame, to_frame(points)  # type: ignore[misc]


def write_png(path: Path, image: Pixels) -> None:
    done, data = cv2.imencode(".png", image[..., ::-1])
    assert done
    path.write_bytes(data.tobytes())


def jpeg(image: Pixels) -> bytes:
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return data.tobytes()


def write_golden(out: Path) -> None:
    """Writes the folder, whole or not at all; an older one is replaced."""
    cv2.setNumThreads(1)
    segmenter = lipseg.LipSegmenter()
    images = pictures()
    dark = np.round(face("laugh", 320, 6)[0] * 0.16).astype(np.uint8)
    with whole_folder(out) as partial:
        for name, image in {**images, "dark": dark}.items():
            write_png(partial / f"{name}.png", image)
        found = {name: segmenter(image) for name, image in images.items()}
        (smile,) = found["smile"].lips
        painted = {}
        for name, kind in FINISHES.items():
            picture = paint_lips(images["smile"], smile, COLOUR, OPACITY, kind)
            write_png(partial / f"painted-{name}.png", picture)
            painted[name] = f"painted-{name}.png"
        (wide,) = segmenter(images["open"], [(120, 180, 200, 250)])
        write_png(partial / "painted-open.png", paint_lips(images["open"], wide, COLOUR, OPACITY, FINISHES["satin"]))
        record = PictureRecord(Path("smile.png"), found["smile"].picture_size, list(found["smile"].lips))
        frames = list(film())
        (partial / "camera.mjpeg").write_bytes(b"".join(jpeg(frame) for frame, _ in frames))
        tracker, tracked = Tracker(segmenter), []
        for index, (frame, _) in enumerate(frames[:TRACKED_FRAMES]):
            write_png(partial / f"frame-{index:02d}.png", frame)
            seen = tracker(frame, index / FILM_FPS)
            tracked.append([{"id": m.id, "landmarks": m.landmarks.astype(float).tolist()} for m in seen.mouths])
        cases = {
            "views": list(view_cases(segmenter, images)),
            "attempts": list(attempt_cases({**images, "dark": dark})),
            "locator": list(locator_cases(segmenter, images)),
            "pictures": {
                name: {"reason": answer.reason, "lips": [lips_json(lips) for lips in answer]}
                for name, answer in found.items()
            },
            "boxed": {"picture": "open", "corners": [120, 180, 200, 250], "lips": lips_json(wide)},
            "conventions": {"picture": "tilted", "each": list(convention_cases(segmenter, images["tilted"]))},
            "labels": encoded(smile.label_map()),
            "matte": encoded(np.round(255 * smile.matte()).astype(np.uint8)),
            "svg": SvgWriter.encode(None, record, Path()).decode(),  # type: ignore[arg-type]
            "json": record.as_json(),
            "lipstick": {"colour": list(COLOUR), "opacity": OPACITY, "finishes": painted},
            "tracked": {"fps": FILM_FPS, "detections": tracker.detections, "frames": tracked},
        }
        (partial / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    write_golden(parser.parse_args().out)


if __name__ == "__main__":
    main()
