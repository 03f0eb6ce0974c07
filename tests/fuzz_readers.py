"""The readers that are fuzzed: sound files of each, and how a file is read and its result looked at."""

import contextlib
import io
import json
import math
import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from second_readings import boxes_told, check_cell, check_helen, check_ibug, check_labels, check_names, require

from lipseg.errors import LipsegError

HERE = Path(__file__).parent


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


# ---- annotations


def _points(n: int, line: str) -> str:
    rng = np.random.default_rng(n)
    return "\n".join(line.format(x, y) for x, y in rng.uniform(10, 90, (n, 2)))


def _check_faces(faces: Any) -> None:
    from lipseg.data.annotations import FaceSample, Unusable

    for face in faces:
        if isinstance(face, Unusable):
            require(0 < len(face.reason) < 600 and face.line >= 0, f"no reason, or a long one: {str(face)[:300]}")
            continue
        require(isinstance(face, FaceSample), f"neither a face nor a reason: {type(face).__name__}")
        require(face.points_px.shape == (56, 2), f"shape {face.points_px.shape}")
        require(bool(np.isfinite(face.points_px).all()), "landmarks that are not finite")
        require(0 < face.inter_ocular_px < math.inf, f"inter-ocular distance {face.inter_ocular_px}")
        require(0 < face.scale < math.inf, f"scale {face.scale}")
        require("\x00" not in str(face.image), "a path with a zero byte")


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
    "annotation/1.txt": check_helen,
    "trainnames.txt": check_names,
    "scale.csv": check_cell("scale", float),
    "states.csv": check_cell("state", str),
}


def _ibug(content: bytes, folder: Path) -> None:
    from lipseg.data.annotations import ibug

    (folder / "it.pts").write_bytes(content)
    faces = list(ibug.read(folder))
    _check_faces(faces)
    check_ibug(content, faces)


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
    check_labels(faces)


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
    check_labels(faces)


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
        require(json.dumps(found) == json.dumps(_like(found, told)), "other parameters than dvc reads")


def _like(found: Any, told: Any) -> Any:
    """Returns what was told in the order of the keys, and with the floats, of what was found."""
    if isinstance(found, dict):
        return {key: _like(value, told[key]) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_like(value, one) for value, one in zip(found, told, strict=True)]
    return float(told) if isinstance(found, float) and isinstance(told, int) else told


def _params_seeds() -> list[bytes]:
    root = HERE.parent
    return [path.read_bytes() for path in (root / "params.yaml", *sorted((root / "presets").glob("*.yaml")))]


def _boxes(content: bytes, folder: Path) -> None:
    from lipseg.formats.boxes_csv import match_boxes, read_boxes

    path = folder / "it.csv"
    path.write_bytes(content)
    expected = boxes_told(content)
    try:
        found = read_boxes(path)
    except LipsegError as error:
        require(not expected, f"a sound file is refused: {error}")
        raise
    if expected is not None:
        told = {name: [box.corners for box in boxes] for name, boxes in found.items()}
        require(told.keys() == expected.keys(), "other pictures than the file's")
        close = all(np.allclose(told[name], expected[name], rtol=1e-6, atol=1e-6) for name in told)
        require(close, f"other boxes than the file's: {told}, not {expected}")
    for boxes in found.values():
        for box in boxes:
            require(all(map(math.isfinite, box.as_array())), f"{box} is not finite")
            require(box.width > 0 and box.height > 0 and 0 < box.side < math.inf, f"{box} is no box")
            x0, y0, x1, y1 = box.corners
            require(x0 <= x1 and y0 <= y1, f"{box} is no box")
            box.check_inside(10**9, 10**9)
    match_boxes(found, [Path("a.jpg"), Path("day 1/b.jpg")])


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
        info(folder, full=True)
    require(all(char.isprintable() or char == "\n" for char in said.getvalue()), "it prints what does not print")
    card = read_card(folder)
    runtime = Runtime.from_card(card, folder / CARD)
    require(0 <= runtime.view.margin < math.inf, f"margin {runtime.view.margin}")
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
    require(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3, f"{image.dtype} {image.shape}")
    require(size == image.shape[:2], f"size {size} of a picture of {image.shape[:2]}")
    require(bool((decode_image(content, "it.png") == image).all()), "its bytes give another picture")


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
            require(math.isfinite(picture.time) and picture.time > last, f"time {picture.time} after {last}")
            last = picture.time
            require(picture.image.dtype == np.uint8 and picture.image.ndim == 3, "no frame")
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
        require(item["frames"].shape == (2, 8, 8), f"frames {item['frames'].shape}")


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
    "clips": Reader(_clips_seeds, _clips, ("clips.json", ": not the ")),
}
