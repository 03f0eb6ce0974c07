"""Every reader on damaged, absurd and hostile files: a result that makes sense, or one clear error of lipseg's own.

    python tests/fuzzing.py --runs 100000                # every reader, one after the other; what `make fuzz` runs
    python tests/fuzzing.py --readers helen,boxes        # these
    python tests/fuzzing.py --readers helen --guided --seconds 600  # by coverage, where atheris is; `make fuzz-guided`

A file is a seed, or a case found before (``fuzz_cases``), with some of its bytes, numbers or lines exchanged; the same
seed of the run gives the same files. What fails, hangs, takes more than 1 GB or kills the process is written to
``build/fuzz/READER``, from where it belongs into ``fuzz_cases/READER`` once it is mended.
"""

import argparse
import contextlib
import faulthandler
import hashlib
import importlib.util
import io
import json
import logging
import math
import mmap
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lipseg.errors import LipsegError, one_line

HERE = Path(__file__).parent
CASES = HERE / "fuzz_cases"
FOUND = Path("build/fuzz")
MOST_BYTES = 1_000_000_000
# Seconds of a core; a file that takes more hangs.
LONGEST = 20
# Bytes of a file.
_LARGEST = 200_000


class FuzzError(AssertionError):
    """A reader gave neither a result that makes sense nor a clear error."""


@dataclass(frozen=True)
class Reader:
    """What is read, and how.

    Attributes:
        seeds: makes files that are sound, or nearly.
        read: reads a file's content, by way of a file in the folder where the reader takes one. Raises a FuzzError for
            a result that makes no sense.
        names: what an error has to name, one of them; "" asks for nothing.
        words: what is put into its files.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], Any]
    names: tuple[str, ...] = ("it.",)
    words: tuple[bytes, ...] = ()


# ---- second readings

# What a file says is found a second time, with patterns and none of lipseg's own code: a reader that exchanges axes,
# drops a row or takes a damaged number for another one gives a result that looks sound.
_DECIMAL = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_FARTHEST_PX = 1e6


def _text(content: bytes) -> str | None:
    """Returns the text of a file, its line ends "\n", or None where it is no UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(content: bytes) -> str | None:
    """Returns the text of a file of which every reader must make the same lines and words, or None."""
    text = _text(content)
    return text if text is not None and all(" " <= char <= "~" or char == "\n" for char in text) else None


def _plain_rows(content: bytes) -> list[list[str]] | None:
    """Returns the stripped cells of a table in which nothing is quoted, without its empty lines, or None."""
    text = _plain(content)
    if text is None or '"' in text or text.lstrip(" ,").startswith("\n"):
        return None
    return [[cell.strip() for cell in line.split(",")] for line in text.split("\n") if line]


def _numbers(text: str) -> np.ndarray:
    return np.array([float(number) for number in re.findall(_DECIMAL, text)])


def _check_points(faces: list[Any], expected: np.ndarray | None, sound: bool, eyes: tuple[slice, slice]) -> None:
    """Compares a face's landmarks, and the distance between its eyes, with those found by a pattern.

    Args:
        faces: what the reader gave.
        expected: (n, 2) all points of the file, None where that number is not found.
        sound: whether the file holds nothing but these points, so that they must be taken.
        eyes: the rows of the two eyes.
    """
    from lipseg import scheme
    from lipseg.data.annotations import FaceSample

    found = [face for face in faces if isinstance(face, FaceSample)]
    middles = [] if expected is None else [expected[eye].mean(0) for eye in eyes]
    distance = math.dist(*middles) if middles else 0.0
    if not found:
        taken = expected is None or not sound or distance == 0 or bool((np.abs(expected) > _FARTHEST_PX).any())
        _require(taken, f"a sound file is refused: {faces}")
        return
    _require(expected is not None, "landmarks that the file does not hold")
    assert expected is not None
    lips = expected[scheme.HELEN_LIPS] if len(expected) == 194 else scheme.from_68(expected)
    _require(bool((found[0].points_px == lips).all()), "other landmarks than the file's")
    _require(math.isclose(found[0].inter_ocular_px, distance, rel_tol=1e-9), "another distance between the eyes")


def _check_helen(content: bytes, faces: list[Any]) -> None:
    text = _text(content)
    name, _, rest = (text or "").partition("\n")
    numbers = _numbers(rest)
    expected = numbers.reshape(194, 2) if len(numbers) == 388 else None
    sound = name == "a_1" and all(re.fullmatch(f"{_DECIMAL} , {_DECIMAL}", line) for line in rest.rstrip().split("\n"))
    _check_points(faces, expected, sound, (slice(114, 134), slice(134, 154)))


def _check_ibug(content: bytes, faces: list[Any]) -> None:
    head, *rest = re.split(r"^[^\S\n]*\{[^\S\n]*$", _text(content) or "", maxsplit=1, flags=re.MULTILINE)
    body = re.split(r"^[^\S\n]*\}[^\S\n]*$", rest[0], maxsplit=1, flags=re.MULTILINE)[0] if rest else ""
    numbers = _numbers(body)
    expected = numbers.reshape(68, 2) - 1 if len(numbers) == 136 else None
    lines = body.strip("\n").split("\n")
    sound = head == "version: 1\nn_points: 68\n" and all(re.fullmatch(f"{_DECIMAL} {_DECIMAL}", line) for line in lines)
    _check_points(faces, expected, sound and content.rstrip().endswith(b"\n}"), (slice(36, 42), slice(42, 48)))


def _check_names(content: bytes, faces: list[Any]) -> None:
    text = _plain(content)
    if text is not None:
        listed = {name.strip() for name in text.split("\n")} - {""}
        _require({face.name for face in faces} == listed | {"a_1"}, "other names than the list's")
        _require(getattr(faces[[face.name for face in faces].index("a_1")], "split", None) in ("train", None), "split")


def _check_cell(column: str, kind: Callable[[str], Any]) -> Callable[[bytes, list[Any]], None]:
    """Compares what a table says of the face a_1 with what a face has."""

    def check(content: bytes, faces: list[Any]) -> None:
        rows = _plain_rows(content)
        if rows:
            place = rows[0].index(column), rows[0].index("name")
            told = [row[place[0]] for row in rows[1:] if len(row) > max(place) and row[place[1]] == "a_1"]
            expected = kind(told[0]) if told else kind("1")
            found = getattr(faces[0], column)
            found = found.strip() if isinstance(found, str) else found
            _require(found == expected, f"{column} {found}, not {expected}")

    return check


def _check_labels(faces: list[Any]) -> None:
    """Compares the landmarks of a mask, in its own pixels, with where its lips are."""
    from lipseg.data.annotations import FaceSample

    for face in faces:
        if not isinstance(face, FaceSample):
            continue
        assert face.labels is not None
        labels = face.labels()
        rows, columns = np.nonzero(labels)
        with Image.open(face.image) if face.image.exists() else contextlib.nullcontext() as picture:
            width, height = picture.size if picture else labels.shape[::-1]
        places = (np.stack([columns, rows], 1) + 0.5) * (width / labels.shape[1], height / labels.shape[0]) - 0.5
        pixel = max(width / labels.shape[1], height / labels.shape[0])
        apart = np.sqrt(((face.points_px[:, None] - places) ** 2).sum(-1)).min(1).max()
        _require(apart < 3 * pixel, f"a landmark {apart / pixel:.1f} pixels beside the mask")


# ---- annotations


def _points(n: int, line: str) -> str:
    rng = np.random.default_rng(n)
    return "\n".join(line.format(x, y) for x, y in rng.uniform(10, 90, (n, 2)))


def _check_faces(faces: Any) -> None:
    from lipseg.data.annotations import FaceSample, Unusable

    for face in faces:
        if isinstance(face, Unusable):
            _require(bool(face.reason) and face.line >= 0, f"no reason: {face}")
            continue
        _require(isinstance(face, FaceSample), f"neither a face nor a reason: {type(face).__name__}")
        _require(face.points_px.shape == (56, 2), f"shape {face.points_px.shape}")
        _require(bool(np.isfinite(face.points_px).all()), "landmarks that are not finite")
        _require(0 < face.inter_ocular_px < math.inf, f"inter-ocular distance {face.inter_ocular_px}")
        _require(0 < face.scale < math.inf, f"scale {face.scale}")
        _require("\x00" not in str(face.image), "a path with a zero byte")


def _helen(folder: Path, name: str, content: bytes) -> Path:
    """Returns a folder in Helen's layout of one face, with one file exchanged."""
    root = folder / "helen"
    if not root.exists():
        for part in ("image", "annotation"):
            (root / part).mkdir(parents=True)
        (root / "image/a_1.jpg").touch()
        (root / "annotation/1.txt").write_text("a_1\n" + _points(194, "{:.3f} , {:.3f}"))
        (root / "trainnames.txt").write_text("a_1\n")
        (root / "testnames.txt").touch()
        (root / "states.csv").write_text("name,state\na_1,closed\n")
    (root / name).write_bytes(content)
    return root


def _helen_part(name: str) -> Callable[[bytes, Path], None]:
    def read(content: bytes, folder: Path) -> None:
        from lipseg.data.annotations import helen, synthetic

        faces = list((synthetic if name == "states.csv" else helen).read(_helen(folder, name, content)))
        _check_faces(faces)
        _SECOND_READINGS[name](content, faces)

    return read


_SECOND_READINGS: dict[str, Callable[[bytes, list[Any]], None]] = {
    "annotation/1.txt": _check_helen,
    "trainnames.txt": _check_names,
    "scale.csv": _check_cell("scale", float),
    "states.csv": _check_cell("state", str),
}


def _ibug(content: bytes, folder: Path) -> None:
    from lipseg.data.annotations import ibug

    (folder / "it.pts").write_bytes(content)
    faces = list(ibug.read(folder))
    _check_faces(faces)
    _check_ibug(content, faces)


def _ibug_seeds() -> list[bytes]:
    return [b"version: 1\nn_points: 68\n{\n" + _points(68, "{:.4f} {:.4f}").encode() + b"\n}\n"]


def _mouth_labels(size: int = 40) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2 + 0.5
    outer, inner = (x / (size * 0.4)) ** 2 + (y / (size * 0.25)) ** 2 < 1, (x / (size * 0.3)) ** 2 + (y / 4) ** 2 < 1
    return np.where(inner, 3, np.where(outer, np.where(y < 0, 1, 2), 0)).astype(np.uint8)


def _png(array: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def _mask_seeds() -> list[bytes]:
    labels = _mouth_labels()
    closed = np.where(labels == 3, np.uint8(1), labels)
    return [_png(labels), _png(closed), _png(_mouth_labels(24)), _png(np.repeat(labels[..., None], 3, 2))]


def _masks(content: bytes, folder: Path) -> None:
    from lipseg.data.annotations import masks

    (folder / "it.mask.png").write_bytes(content)
    faces = list(masks.read(folder))
    _check_faces(faces)
    _check_labels(faces)


def _celebamask(content: bytes, folder: Path) -> None:
    from lipseg.data.annotations import celebamask

    root = folder / "celeba"
    anno = root / celebamask.MASKS / "0"
    if not root.exists():
        anno.mkdir(parents=True)
        (root / celebamask.PICTURES).mkdir()
        (root / celebamask.PICTURES / "1.jpg").write_bytes(_png(np.zeros((80, 80, 3), np.uint8), "JPEG"))
        labels = _mouth_labels()
        for part, label in (("l_lip", 2), ("mouth", 3)):
            (anno / f"00001_{part}.png").write_bytes(_png((labels == label).astype(np.uint8) * 255))
        for part, column in (("l_eye", 5), ("r_eye", 30)):
            eye = np.zeros((40, 40), np.uint8)
            eye[3:6, column : column + 4] = 255
            (anno / f"00001_{part}.png").write_bytes(_png(eye))
    (anno / "00001_u_lip.png").write_bytes(content)
    faces = list(celebamask.read(root))
    _check_faces(faces)
    _check_labels(faces)


def _celebamask_seeds() -> list[bytes]:
    upper = (_mouth_labels() == 1).astype(np.uint8) * 255
    return [_png(upper), _png(np.repeat(upper[..., None], 3, 2)), _png(upper.astype(bool))]


# ---- parameters, tables


def _params(content: bytes, folder: Path) -> None:
    from lipseg.params import as_dict, load_params

    path = folder / "it.yaml"
    path.write_bytes(content)
    found = as_dict(load_params(path))
    json.dumps(found, allow_nan=False)
    # dvc decides by its own reading what has changed. It takes long.
    if zlib.crc32(content) % 10 == 0:
        from ruamel.yaml import YAML

        told = YAML(typ="safe", pure=True).load(content.decode())
        _require(json.dumps(found) == json.dumps(_like(found, told)), "other parameters than dvc reads")


def _like(found: Any, told: Any) -> Any:
    """Returns what was told in the order of the keys, and with the floats, of what was found."""
    if isinstance(found, dict):
        return {key: _like(value, told[key]) for key, value in found.items()}
    if isinstance(found, list):
        return [_like(value, one) for value, one in zip(found, told, strict=True)]
    return float(told) if isinstance(found, float) and isinstance(told, int) else told


def _params_seeds() -> list[bytes]:
    root = HERE.parent
    return [path.read_bytes() for path in (root / "params.yaml", *sorted((root / "presets").glob("*.yaml")))]


def _boxes(content: bytes, folder: Path) -> None:
    from lipseg.formats.boxes_csv import match_boxes, read_boxes

    path = folder / "it.csv"
    path.write_bytes(content)
    expected = _boxes_told(content)
    try:
        found = read_boxes(path)
    except LipsegError as error:
        _require(not expected, f"a sound file is refused: {error}")
        raise
    if expected is not None:
        told = {name: [box.corners for box in boxes] for name, boxes in found.items()}
        _require(told.keys() == expected.keys(), "other pictures than the file's")
        close = all(np.allclose(told[name], expected[name], rtol=1e-6, atol=1e-6) for name in told)
        _require(close, f"other boxes than the file's: {told}, not {expected}")
    for boxes in found.values():
        for box in boxes:
            _require(all(map(math.isfinite, box.as_array())), f"{box} is not finite")
            _require(box.width > 0 and box.height > 0 and 0 < box.side < math.inf, f"{box} is no box")
            x0, y0, x1, y1 = box.corners
            _require(x0 <= x1 and y0 <= y1, f"{box} is no box")
            box.check_inside(10**9, 10**9)
    match_boxes(found, [Path("a.jpg"), Path("day 1/b.jpg")])


def _boxes_told(content: bytes) -> dict[str, list[list[float]]] | None:
    """Returns the corners in a table that nothing is wrong with, by the picture; None for any other."""
    rows = [row for row in _plain_rows(content) or [] if any(row)]
    columns = ["image", "x0", "y0", "x1", "y1"]
    if not rows or any(rows[0].count(column) != 1 for column in columns) or len(rows) == 1:
        return None
    found: dict[str, list[list[float]]] = {}
    for row in rows[1:]:
        if len(row) != len(rows[0]) or not row[rows[0].index("image")]:
            return None
        cells = [row[rows[0].index(column)] for column in columns[1:]]
        if not all(re.fullmatch(_DECIMAL, cell) for cell in cells):
            return None
        corners = [float(cell) for cell in cells]
        x0, y0, x1, y1 = corners
        if max(map(abs, corners)) > 1e8 or not (x1 - x0 > 1e-6 and y1 - y0 > 1e-6):
            return None
        found.setdefault(row[rows[0].index("image")], []).append(corners)
    return found


def _gathered(kind: str) -> Callable[[bytes, Path], None]:
    def read(content: bytes, folder: Path) -> None:
        from lipseg.formats.gathered import Gathering
        from lipseg.formats.registry import WRITERS

        writer: Any = WRITERS[kind]()
        for old in folder.iterdir():
            old.unlink()
        # A journal has an object a line, the finished file of COCO begins with one of several lines.
        journal = content.startswith(b'{"image"')
        name = f".{Path(writer.file_name).stem}.partial.jsonl" if journal else writer.file_name
        (folder / name).write_bytes(content)
        gathering = Gathering(writer, folder, resume=True, overwrite=False)
        try:
            gathering.add("a.jpg", _record())
            gathering.finish(["a.jpg"])
        finally:
            gathering.close()

    return read


@cache
def _record() -> Any:
    from lipseg.boxes import Box
    from lipseg.formats.record import PictureRecord
    from lipseg.inference.lips import Lips

    ring = np.stack([-np.cos(np.linspace(0, 6, 28)), -np.sin(np.linspace(0, 6, 28))], 1)
    points = (50 + np.concatenate([20 * ring, 10 * ring])).astype(np.float32)
    lips = Lips(Box(50, 50, 40, 40), 0.5, 1, np.full(2, 0.5, np.float32), points, (100, 100))
    return PictureRecord(Path("a.jpg"), (100, 100), [lips])


def _gathered_seeds(kind: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        from lipseg.formats.registry import WRITERS

        writer: Any = WRITERS[kind]()
        rows = [writer.row(name, _record()) for name in ("a.jpg", "b.jpg")]
        return ["".join(writer.compose(rows)).encode(), "".join(json.dumps(row) + "\n" for row in rows).encode()]

    return seeds


# ---- models


def _card(content: bytes, folder: Path) -> None:
    from lipseg.cli.info import info
    from lipseg.inference.card import CARD, CASCADE, DEFAULT_MODEL, LOCATOR, read_card
    from lipseg.inference.runtime import Runtime

    (folder / CARD).write_bytes(content)
    if not (folder / CASCADE).exists():
        for name in (CASCADE, LOCATOR):
            shutil.copyfile(DEFAULT_MODEL / name, folder / name)
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(LipsegError):
        info(folder)
    _require(all(char.isprintable() or char == "\n" for char in said.getvalue()), "it prints what does not print")
    card = read_card(folder)
    runtime = Runtime.from_card(card, folder / CARD)
    _require(0 <= runtime.view.margin < math.inf, f"margin {runtime.view.margin}")
    for name in (runtime.reference, *runtime.conventions):
        runtime.convention(name)


def _card_seeds() -> list[bytes]:
    from lipseg.inference.card import CARD, DEFAULT_MODEL

    card = json.loads((DEFAULT_MODEL / CARD).read_text(encoding="utf-8"))
    small = {key: card[key] for key in ("format", "runtime", "files", "figures") if key in card}
    return [json.dumps(small).encode(), json.dumps(card).encode()]


def _onnx(content: bytes, folder: Path) -> None:
    from known_networks import SIZE

    from lipseg.inference.session import load_network

    path = folder / "it.onnx"
    path.write_bytes(content)
    run = load_network(path, ("points_unit", "component", "responsibilities", "score"), SIZE)
    run(np.full((2, SIZE, SIZE, 3), 200, np.uint8))


def _onnx_seeds() -> list[bytes]:
    from known_networks import cascade_network

    return [cascade_network()]


def _weights(content: bytes, folder: Path) -> None:
    from lipseg.model.weights import load_arrays

    path = folder / "it.safetensors"
    path.write_bytes(content)
    load_arrays(path)


def _weights_seeds() -> list[bytes]:
    from safetensors.numpy import save

    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.zeros(4, np.float16)}
    return [save(arrays, metadata={"json": '{"epoch": 3}'})]


def _npz(content: bytes, folder: Path) -> None:
    from lipseg.data.tables import read_arrays

    path = folder / "it.npz"
    path.write_bytes(content)
    read_arrays(path, ("a", "b"), "crop")


def _npz_seeds() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, a=np.arange(6.0).reshape(2, 3), b=np.array(["x", "yy"]))
        found.append(buffer.getvalue())
    return found


# ---- pictures, videos


def _image(content: bytes, folder: Path) -> None:
    from lipseg.images import decode_image, picture_size, read_image

    path = folder / "it.jpg"
    path.write_bytes(content)
    size = picture_size(path)
    image = read_image(path)
    _require(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3, f"{image.dtype} {image.shape}")
    _require(size == image.shape[:2], f"size {size} of a picture of {image.shape[:2]}")
    _require(bool((decode_image(content, "it.png") == image).all()), "its bytes give another picture")


def _image_seeds() -> list[bytes]:
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (12, 18, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds = [_png(colour, kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF")]
    seeds += [_png(colour, "JPEG", exif=exif, progressive=True), _png(colour, "PNG", exif=exif)]
    seeds += [_png(colour, "TIFF", compression=how) for how in (None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits")]
    seeds += [_png(colour[..., 0].astype(np.uint16) * 200, kind) for kind in ("PNG", "TIFF")]
    seeds += [_png(np.dstack([colour, colour[..., 0]])), _png(colour, "WEBP", lossless=True)]
    for mode, kind in (("CMYK", "JPEG"), ("P", "PNG"), ("LA", "PNG"), ("1", "TIFF"), ("CMYK", "TIFF")):
        buffer = io.BytesIO()
        Image.fromarray(colour).convert(mode).save(buffer, kind)
        seeds.append(buffer.getvalue())
    with contextlib.suppress(KeyError, OSError):  # an installation without AVIF
        seeds.append(_png(colour, "AVIF"))
    return seeds


def _video(content: bytes, folder: Path) -> None:
    from lipseg.video.reading import VideoReader

    path = folder / "it.mp4"
    path.write_bytes(content)
    last = -math.inf
    with VideoReader(path) as reader:
        for picture in reader.frames(lambda packet: None):
            _require(math.isfinite(picture.time) and picture.time > last, f"time {picture.time} after {last}")
            last = picture.time
            _require(picture.image.dtype == np.uint8 and picture.image.ndim == 3, "no frame")
            if picture.index == 30:
                break


def _video_seeds() -> list[bytes]:
    import av

    seeds = []
    for kind, codec in (("mp4", "mpeg4"), ("matroska", "mjpeg"), ("avi", "mpeg4"), ("mp4", "libx264")):
        if codec not in av.codecs_available:
            continue
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=kind) as container:
            stream: Any = container.add_stream(codec, rate=25)
            stream.width, stream.height = 32, 24
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for grey in range(0, 200, 50):
                frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), grey, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        seeds.append(buffer.getvalue())
    return seeds


def _clips(content: bytes, folder: Path) -> None:
    """The index of a folder of clips and the rows of one, divided by a line."""
    from lipseg.mouth_clips.dataset import MouthClips

    index, _, rows = content.partition(b"\n---\n")
    (folder / "clips.json").write_bytes(index)
    (folder / "1.json").write_bytes(rows)
    if not (folder / "1.npz").exists():
        with zipfile.ZipFile(folder / "1.npz", "w") as file, file.open("data.npy", "w") as data:
            np.lib.format.write_array(data, np.zeros((3, 8, 8), np.uint8))
    for item in MouthClips(folder, length=2, complete=True):
        _require(item["frames"].shape == (2, 8, 8), f"frames {item['frames'].shape}")


def _clips_seeds() -> list[bytes]:
    from lipseg.mouth_clips.process import INDEX_FORMAT

    entry = {"person": 1, "start": 0.0, "end": 0.12, "fps": 25.0, "width": 8, "height": 8, "frames": 3, "found": 2}
    entry |= {"rows": "1.json", "files": {"npz": "1.npz"}}
    index = {"format": INDEX_FORMAT, "settings": {"grey": True}, "clips": [entry]}
    contour = [[1.0, 2.0]] * 28
    row = {"index": 0, "time": 0.0, "source_frame": 0, "found": True, "inside": True, "opening": 0.1, "score": 0.5}
    row |= {"to_picture": [[1, 0, 0], [0, 1, 0]], "outer": contour, "inner": contour}
    lost = row | {"found": False, "outer": None, "inner": None, "opening": None, "score": None}
    return [json.dumps(index).encode() + b"\n---\n" + json.dumps({"rows": [row, row, lost]}).encode()]


# ---- the readers

_NAMES = b"a_1\nb_2\r\nc 3\n"
READERS: dict[str, Reader] = {
    "helen": Reader(
        lambda: [("a_1\n" + _points(194, "{:.3f} , {:.3f}")).encode()], _helen_part("annotation/1.txt"), ("",)
    ),
    "helen_scale": Reader(lambda: [b"name,scale,more\na_1,0.5,x\n"], _helen_part("scale.csv"), ("scale.csv",)),
    "names": Reader(lambda: [b"a_1\n", _NAMES], _helen_part("trainnames.txt"), ("names.txt",)),
    "states": Reader(lambda: [b"name,state\na_1,closed\n"], _helen_part("states.csv"), ("states.csv",)),
    "ibug": Reader(_ibug_seeds, _ibug),
    "masks": Reader(_mask_seeds, _masks),
    "celebamask": Reader(_celebamask_seeds, _celebamask),
    "params": Reader(
        _params_seeds, _params, words=(b"&a [*a]", b"!!python/object:os.system x", b"<<: *a", b"? ", b"0o7", b"1:30")
    ),
    "boxes": Reader(
        lambda: [
            b"image,x0,y0,x1,y1\na.jpg,1,2,30,40\nday 1/b.jpg,5,5,9,9\n",
            b"\xef\xbb\xbfy1,y0,x1,x0,image\n4,3,2,1,a\n",
            b"image,x0,y0,x1,y1,note\n"
            + b"".join(b"%d.jpg,%d.5,2,%d,40.25,sharp\n" % (n, n, n + 30) for n in range(20)),
        ],
        _boxes,
        ("it.csv", "a"),
    ),
    "csv": Reader(_gathered_seeds("csv"), _gathered("csv"), ("landmarks",)),
    "coco": Reader(_gathered_seeds("coco"), _gathered("coco"), ("coco",)),
    "card": Reader(_card_seeds, _card, ("card.json",)),
    "onnx": Reader(
        _onnx_seeds, _onnx, words=(b"Loop", b"If", b"ConstantOfShape", b"Expand", b"\x80\x80\x80\x80\x80\x01")
    ),
    "weights": Reader(_weights_seeds, _weights),
    "npz": Reader(_npz_seeds, _npz),
    "images": Reader(_image_seeds, _image),
    "video": Reader(_video_seeds, _video),
    "clips": Reader(_clips_seeds, _clips, ("clips.json", ".json: not", ".npz: not")),
}


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise FuzzError(what)


def check(name: str, content: bytes, folder: Path) -> bool:
    """Reads one file and returns whether it gave a result; an error of lipseg's own is as good.

    Args:
        name: of the reader.
        content: of the file.
        folder: of its own, empty at first; the reader keeps what never changes there.

    Raises:
        Exception: for anything else.
    """
    reader = READERS[name]
    try:
        reader.read(content, folder)
    except LipsegError as error:
        text = one_line(str(error))
        _require(bool(text), "an error without words")
        _require(len(text) < 3000, f"an error of {len(text)} characters: {text[:200]}")
        _require(any(part in text for part in reader.names), f"an error that names no file: {text}")
        return False
    return True


# ---- mutation

_WORDS = (
    *(
        b"nan",
        b"inf",
        b"-inf",
        b"1e999",
        b"-1e999",
        b"1e308",
        b"-1e308",
        b"1e-320",
        b"0",
        b"-0",
        b"-1",
        b"1_0",
        b"0x1p3",
    ),
    *(b"9" * 40, b"9" * 400, b"1" * 5000, b"2147483648", b"9223372036854775808", b"null", b"true", b"[]", b"{}", b'""'),
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\r",
        b"\r\n",
        b"\n",
        b"\n\n",
        b"\t",
        b",",
        b",,",
        b'"',
        b"'",
        b":",
        b"{",
        b"}",
    ),
    *(
        "\u2028".encode(),
        "\x85".encode(),
        "\u0661\u0662".encode(),
        "\u202e".encode(),
        "\U0001f600".encode(),
        b"\xed\xa0\x80",
    ),
    *(b"../../x", b"/etc/hostname", b"a" * 300, b"\x1b[31m", b"[" * 3000, b"{" * 3000, b"%n%s", b"__class__"),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def mutated(content: bytes, rng: random.Random, words: tuple[bytes, ...] = ()) -> bytes:
    """Returns a file with one to some changes."""
    for _ in range(1 + int(rng.expovariate(0.7))):
        content = _MUTATIONS[rng.randrange(len(_MUTATIONS))](content, rng, words)[:_LARGEST]
    return content


def _flip(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    # Heads decide more than the rest: every other change is in the first bytes.
    reach = len(changed) if rng.random() < 0.5 else min(len(changed), 200)
    for _ in range(1 + int(rng.expovariate(0.5))):
        at = rng.randrange(reach)
        changed[at] = rng.choice((changed[at] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255, 127, 128))
    return bytes(changed)


def _cut(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _drop(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + 1 + int(rng.expovariate(0.1)) :]


def _repeat(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    at = rng.randrange(len(content) + 1)
    part = content[at : at + 1 + int(rng.expovariate(0.02))]
    return content[:at] + part * rng.choice((1, 1, 2, 50)) + content[at:]


def _insert(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    at = rng.randrange(len(content) + 1)
    known = _WORDS + words * 4
    return content[:at] + known[rng.randrange(len(known))] + content[at:]


def _number(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    found = list(_NUMBER.finditer(content[:20_000]))
    if not found:
        return _flip(content, rng, words)
    match = found[rng.randrange(len(found))]
    known = _WORDS + words
    return content[: match.start()] + known[rng.randrange(len(known))] + content[match.end() :]


def _lines(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    lines = content.split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(4)
    if how == 0:
        lines[a], lines[b] = lines[b], lines[a]
    elif how == 1:
        del lines[a]
    elif how == 2:
        lines.insert(b, lines[a])
    else:
        lines[a] = b" ".join(lines[a].split()[::-1])
    return b"\n".join(lines)


def _integer(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    """Exchanges a binary number, as of sizes in heads."""
    if len(content) < 8:
        return _insert(content, rng, words)
    size = rng.choice((2, 4, 8))
    at = rng.randrange(min(len(content), 400) - min(size, 7))
    value = rng.choice((0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 100_000, 65_500))
    order: Any = rng.choice(("little", "big"))
    return content[:at] + (value % 256**size).to_bytes(size, order) + content[at + size :]


_MUTATIONS = (_flip, _flip, _cut, _drop, _repeat, _insert, _number, _number, _lines, _integer)


def inputs(name: str, seed: int) -> Iterator[bytes]:
    """Yields files without end: seeds and cases as they are, then changed ones."""
    reader = READERS[name]
    pool = [*reader.seeds(), *(path.read_bytes() for path in cases(name))]
    yield from pool
    rng = random.Random(f"{name} {seed}")
    while True:
        yield mutated(pool[rng.randrange(len(pool))], rng, reader.words)


def cases(name: str) -> list[Path]:
    """Returns the files that a reader once failed on."""
    return sorted((CASES / name).glob("*"))


# ---- the program


class AtWork:
    """The file that is being read, kept where it outlives the process: memory of a file, since opening one takes longer
    than most readers take.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "at-work"
        folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("w+b") as file:
            file.truncate(_LARGEST + 8)
            self._memory = mmap.mmap(file.fileno(), 0)

    def put(self, content: bytes) -> None:
        """Keeps a file's content instead of the one before."""
        content = content[:_LARGEST]
        self._memory[: 8 + len(content)] = len(content).to_bytes(8, "little") + content

    @staticmethod
    def take(folder: Path) -> None:
        """Makes what a dead process has left the file that it was reading."""
        path = folder / "at-work"
        if path.exists():
            left = path.read_bytes()
            path.write_bytes(left[8 : 8 + int.from_bytes(left[:8], "little")])


def _place() -> str | None:
    """Returns a folder in memory for what the readers read, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run(name: str, runs: int, seed: int, found: Path) -> tuple[int, int]:
    """Reads so many files; returns how many gave a result, and how many failures of different kinds, which are kept."""
    results, failures = 0, set()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_place()) as place:
        folder = Path(place) / "files"
        folder.mkdir()
        at_work = AtWork(found / name)
        before = peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        slowest = 0.0
        for number, content in enumerate(inputs(name, seed)):
            if number == runs:
                break
            at_work.put(content)
            if number and number % 10_000 == 0:
                print(f"{name}: {number} files", flush=True)
            if number % 200 == 0:
                faulthandler.dump_traceback_later(20 * LONGEST, exit=True)
            began = time.process_time()
            try:
                results += check(name, content, folder)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                frames = traceback.extract_tb(error.__traceback__)
                key = (type(error).__name__, [(f.filename, f.lineno) for f in frames][-6:])
                if str(key) not in failures:
                    failures.add(str(key))
                    file = found / name / hashlib.sha256(content).hexdigest()[:16]
                    file.write_bytes(content)
                    last = next((f for f in reversed(frames) if "lipseg" in f.filename), frames[-1])
                    print(
                        f"{name}: {file}: {type(error).__name__}: {one_line(str(error))[:300]}"
                        f" ({Path(last.filename).name}:{last.lineno})",
                        flush=True,
                    )
            took = time.process_time() - began
            if took > max(slowest, LONGEST):
                file = found / name / f"slow-{hashlib.sha256(content).hexdigest()[:16]}"
                file.write_bytes(content)
                print(f"{name}: {file}: took {took:.0f} s", flush=True)
                failures.add(str(file))
            slowest = max(slowest, took)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if peak - before > MOST_BYTES / 1024:
                file = found / name / f"memory-{hashlib.sha256(content).hexdigest()[:16]}"
                file.write_bytes(content)
                print(f"{name}: {file}: took {(peak - before) >> 10} MB", flush=True)
                failures.add(str(file))
                before = peak
        faulthandler.cancel_dump_traceback_later()
        at_work.path.unlink(missing_ok=True)
    print(f"{name}: the slowest file took {slowest:.2f} s, all {(peak - before) >> 10} MB more than none", flush=True)
    return results, len(failures)


def guided(name: str, runs: int, seconds: int, found: Path) -> None:
    """Lets atheris choose the files by what they reach in lipseg; what it keeps is there for the next time.

    It ends the process: at the first file that fails, which it writes to ``crash-HASH``.
    """
    atheris: Any = importlib.import_module("atheris")

    reader, place = READERS[name], found / name
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_place()))
    corpus = place / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for content in (*reader.seeds(), *(path.read_bytes() for path in cases(name))):
        (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    dictionary = place / "dictionary"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in _dictionary(reader)), encoding="ascii")
    # What texts and patterns are compared with is told to the fuzzer too.
    for hook in ("str", "RegEx"):
        atheris.enabled_hooks.add(hook)
    for module in [module for module in sys.modules if module.split(".")[0] == "lipseg"]:
        del sys.modules[module]
    with atheris.instrument_imports(include=["lipseg"]):
        # Readers import what they need when they are first asked.
        import lipseg.errors

        globals()["LipsegError"] = lipseg.errors.LipsegError
        for content in reader.seeds():
            check(name, content, folder)

    def one(content: bytes) -> None:
        check(name, content, folder)

    def change(content: bytes, most: int, seed: int) -> bytes:
        if seed % 2:
            return atheris.Mutate(content, most)
        return mutated(content, random.Random(seed), reader.words)[:most]

    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-max_len={_LARGEST}", f"-timeout={LONGEST}"]
    options += ["-rss_limit_mb=1500", "-print_final_stats=1", f"-dict={dictionary}", f"-artifact_prefix={place}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=change)
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _dictionary(reader: Reader) -> list[bytes]:
    """Returns the words that may mean something in a reader's files: common ones, its own, and those of its seeds."""
    own = {word for seed in reader.seeds() for word in re.findall(rb"[A-Za-z_][\w.]{2,30}", seed[:20_000])}
    return [word for word in (*_WORDS, *reader.words, *sorted(own)[:500]) if len(word) <= 60]


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\x{byte:02x}" for byte in word)


def _summary(name: str, lines: Iterable[str]) -> bool:
    """Prints in a line what atheris says in many; returns whether it came to an end by itself, without a failure."""
    first, last, stats, done = "", "", {}, False
    for line in lines:
        if match := re.search(r"cov: (\d+) ft: (\d+) corp: (\d+)", line):
            first, last = first or match[1], f"{match[1]} (features {match[2]}, kept files {match[3]})"
        elif match := re.match(r"stat::(\w+):\s+(\d+)", line):
            stats[match[1]] = int(match[2])
        elif line.startswith("Done "):
            done = True
        elif (
            re.match(r"\s*(FuzzError|\w+Error|\w+Exception|ALARM|==\d+==|Test unit written)", line)
            or "artifact" in line
        ):
            print(f"{name}: {line.strip()[:300]}", flush=True)
    files, rate = stats.get("number_of_executed_units", 0), stats.get("average_exec_per_sec", 0)
    print(f"{name}: {files} files by coverage, {rate} a second, edges {first} -> {last}", flush=True)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readers", default=",".join(READERS), help="names with commas")
    parser.add_argument("--runs", type=int, default=100_000, help="files a reader")
    parser.add_argument("--seed", type=int, default=0, help="of the changes")
    parser.add_argument("--guided", action="store_true", help="by coverage: needs atheris")
    parser.add_argument("--seconds", type=int, default=120, help="a reader, at most, by coverage")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = given.readers.split(",")
    if given.guided and not importlib.util.find_spec("atheris"):
        print("error: --guided needs atheris; python -m pip install --no-deps atheris", file=sys.stderr)
        return 2
    if given.alone:
        warnings.simplefilter("ignore")
        logging.disable()
        if given.guided:
            guided(names[0], given.runs, given.seconds, FOUND)
            return 0
        began = time.monotonic()
        results, failures = run(names[0], given.runs, given.seed, FOUND)
        took = time.monotonic() - began
        print(
            f"{names[0]}: {given.runs} files, {results} results, {given.runs - results} errors, {failures} failures, "
            f"{took:.0f} s",
            flush=True,
        )
        return int(failures > 0)
    bad = 0
    for name in names:
        # A process each: what kills it, as a fault in a decoder, ends one reader alone.
        command = [sys.executable, __file__, "--alone", "--readers", name, "--runs", str(given.runs)]
        command += ["--seed", str(given.seed)]
        if given.guided:
            command += ["--guided", "--seconds", str(given.seconds)]
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                assert process.stdout is not None
                bad += not _summary(name, process.stdout)
            continue
        code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
        if code not in (0, 1):
            AtWork.take(FOUND / name)
            print(f"{name}: the process died with {code}; see {FOUND / name / 'at-work'}", flush=True)
        bad += code != 0
    return int(bad > 0)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
