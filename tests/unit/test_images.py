"""Reading pictures of every kind, and writing them whole or not at all."""

import sys

import numpy as np
import pytest
from PIL import Image, features

import lipseg.images
from lipseg.errors import DataError
from lipseg.images import as_rgb, decode_image, from_pil, read_image, to_rgb8, write_image


@pytest.fixture
def scene() -> np.ndarray:
    """Returns a 12 x 20 picture, dark left of a bright half, red on top of blue."""
    scene = np.zeros((12, 20, 3), np.uint8)
    scene[:6, 10:] = (250, 60, 30)
    scene[6:, 10:] = (30, 60, 250)
    return scene


# What the camera must store for each orientation so that turning it upright gives the scene (EXIF 2.32, tag 0x0112).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_pictures_are_turned_upright(tmp_path, scene, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo{ending}"
    stored = np.ascontiguousarray(STORED[orientation](scene))
    Image.fromarray(stored).save(path, exif=exif, **({"quality": 100, "subsampling": 0} if ending == ".jpg" else {}))
    found = read_image(path)
    assert found.shape == scene.shape
    # Compressed colours bleed a little at the edges.
    assert np.abs(found.astype(int) - scene).mean() < (0.01 if ending == ".png" else 4)


def test_grey_is_repeated_over_the_channels(tmp_path, scene):
    Image.fromarray(scene[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(scene[..., :1], 3, axis=2))


def test_alpha_is_laid_on_white(tmp_path, scene):
    alpha = np.zeros((12, 20, 1), np.uint8)
    alpha[:, :5], alpha[:, 15:] = 255, 51
    Image.fromarray(np.concatenate([scene, alpha], 2)).save(tmp_path / "alpha.png")
    found = read_image(tmp_path / "alpha.png")
    np.testing.assert_array_equal(found[:, :5], scene[:, :5])
    assert (found[:, 5:15] == 255).all()
    np.testing.assert_allclose(found[:, 15:], 0.2 * scene[:, 15:] + 0.8 * 255, atol=0.51)


def test_grey_with_alpha(tmp_path):
    grey_alpha = np.zeros((4, 4, 2), np.uint8)
    grey_alpha[:2] = (100, 255)
    Image.fromarray(grey_alpha, "LA").save(tmp_path / "la.png")
    found = read_image(tmp_path / "la.png")
    assert (found[:2] == 100).all()
    assert (found[2:] == 255).all()


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_are_scaled_down(tmp_path, ending):
    deep = np.tile(np.array([0, 257, 128 * 257, 65535], np.uint16), (3, 1))
    Image.fromarray(deep).save(tmp_path / f"deep{ending}")
    np.testing.assert_array_equal(read_image(tmp_path / f"deep{ending}")[0, :, 1], [0, 1, 128, 255])


def test_ink_becomes_light(tmp_path):
    ink = np.zeros((16, 16, 4), np.uint8)  # cyan, magenta, yellow, black
    ink[:8, :8] = (255, 0, 0, 0)
    ink[:8, 8:] = (0, 0, 0, 255)
    ink[8:, :8] = (0, 255, 255, 0)
    Image.fromarray(ink, "CMYK").save(tmp_path / "ink.jpg", quality=100, subsampling=0)
    found = read_image(tmp_path / "ink.jpg").astype(int)
    for (y, x), colour in {
        (4, 4): (0, 255, 255),
        (4, 12): (0, 0, 0),
        (12, 4): (255, 0, 0),
        (12, 12): (255,) * 3,
    }.items():
        assert np.abs(found[y, x] - colour).max() < 12


def test_ink_without_adobes_inversion(tmp_path):
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[:, 4:] = (255, 0, 0, 51)
    Image.fromarray(ink, "CMYK").save(tmp_path / "ink.tif")
    found = read_image(tmp_path / "ink.tif")
    np.testing.assert_array_equal(found[:, :4], 255)
    np.testing.assert_array_equal(found[0, 4], (0, 204, 204))
    # A JPEG of ink says so with Adobe's mark and holds it inverted.
    Image.fromarray(ink, "CMYK").save(tmp_path / "ink.jpg", quality=100, subsampling=0)
    assert b"Adobe" in (tmp_path / "ink.jpg").read_bytes()[:200]
    assert np.abs(read_image(tmp_path / "ink.jpg").astype(int) - found).max() < 12


def test_sixteen_bits_of_the_other_byte_order(tmp_path):
    deep = np.tile(np.array([0, 257, 128 * 257, 65535], np.uint16), (3, 1))
    Image.frombytes("I;16B", (4, 3), deep.astype(">u2").tobytes()).save(tmp_path / "deep.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.tif")[0, :, 1], [0, 1, 128, 255])


def test_a_palette_with_a_transparent_colour_lies_on_white(tmp_path):
    picture = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 4, 0), "P")
    picture.putpalette([200, 10, 10, 10, 200, 10])
    picture.save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], [(200, 10, 10), (255, 255, 255)])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_exif_block_leaves_the_picture_as_it_is(tmp_path, scene):
    Image.fromarray(scene).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff nonsense", quality=95)
    assert read_image(tmp_path / "a.jpg").shape == scene.shape


def test_heic(tmp_path, scene):
    pillow_heif = pytest.importorskip("pillow_heif")
    large = np.kron(scene, np.ones((8, 8, 1), np.uint8))
    pillow_heif.from_pillow(Image.fromarray(large)).save(tmp_path / "a.heic", quality=95)
    found = read_image(tmp_path / "a.heic")
    assert found.shape == large.shape
    assert np.abs(found.astype(int) - large).mean() < 4
    # It is told by its content: a phone's picture under another name, or without one.
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.heic").read_bytes())
    np.testing.assert_array_equal(read_image(tmp_path / "b.jpg"), found)
    np.testing.assert_array_equal(decode_image((tmp_path / "a.heic").read_bytes(), "-"), found)
    (tmp_path / "c.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:400])
    with pytest.raises(DataError, match=r"c\.heic: not a picture that can be read"):
        read_image(tmp_path / "c.heic")


def test_heic_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    # The beginning of any phone's picture.
    (tmp_path / "a.heic").write_bytes(b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heicmiaf" + bytes(200))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for registry in (Image.OPEN, Image.EXTENSION):
        for key in [key for key in registry if key.upper() in ("HEIF", ".HEIC", ".HEIF", ".HIF", ".HEICS", ".HEIFS")]:
            monkeypatch.delitem(registry, key)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    with pytest.raises(DataError, match=r"a\.heic: HEIC needs one more package: pip install 'lipseg\[heic\]'"):
        read_image(tmp_path / "a.heic")


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif(tmp_path, scene):
    large = np.kron(scene, np.ones((8, 8, 1), np.uint8))
    Image.fromarray(large).save(tmp_path / "a.avif", quality=95)
    assert np.abs(read_image(tmp_path / "a.avif").astype(int) - large).mean() < 4


@pytest.mark.parametrize("ending", [".jpg", ".png", ".gif", ".webp", ".tif", ".bmp"])
def test_bytes_give_the_same_picture(tmp_path, scene, ending):
    path = tmp_path / f"a{ending}"
    Image.fromarray(scene).save(path)
    np.testing.assert_array_equal(decode_image(path.read_bytes(), "-"), read_image(path))
    with Image.open(path) as image:
        np.testing.assert_array_equal(from_pil(image), read_image(path))
    with pytest.raises(DataError, match=r"^-: not a picture that can be read \(it is empty\)"):
        decode_image(b"", "-")


def test_palettes_bitmaps_and_animations(tmp_path, scene):
    Image.fromarray(scene).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    assert np.abs(read_image(tmp_path / "palette.png").astype(int) - scene).max() < 8
    Image.fromarray(scene[..., 0] > 0).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png")[..., 2], (scene[..., 0] > 0) * 255)
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    found = read_image(tmp_path / "moving.gif")
    assert found.shape == (8, 8, 3)
    assert np.abs(found.astype(int) - 10).max() < 4


@pytest.mark.parametrize(
    "head", [b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", b"\x1aE\xdf\xa3\x01\0\0\0", b"RIFF\0\1\0\0AVI LIST"]
)
def test_a_video_is_told_from_a_damaged_picture(tmp_path, head):
    (tmp_path / "a.mp4").write_bytes(head + bytes(100))
    with pytest.raises(DataError, match=r"a\.mp4: a video, not a picture; `lipseg video` follows"):
        read_image(tmp_path / "a.mp4")


def test_a_url_is_not_opened():
    with pytest.raises(DataError, match=r"no such file; a URL is not opened: download it first"):
        as_rgb("https://example.org/a.jpg")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.jpg: no such file"):
        read_image(tmp_path / "nothing.jpg")


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("content", [b"", b"this is no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_named_in_one_line(tmp_path, ending, content):
    path = tmp_path / f"broken{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.\w+: not a picture that can be read") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tif", ".bmp"])
def test_a_picture_that_is_cut_off_is_refused(tmp_path, ending):
    path = tmp_path / f"cut{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(DataError, match="not a picture that can be read"):
        read_image(path)


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(DataError):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0, 2.0, -0.5]]), [0, 128, 255, 255, 0]),
        (np.array([[True, False]]), [255, 0]),
        (np.array([[0, 65535, 70000, -5]], np.int32), [0, 255, 255, 0]),
        (np.array([[7, 8]], np.uint8), [7, 8]),
    ],
)
def test_other_types_of_grey(array, expected):
    found = to_rgb8(array)
    assert found.dtype == np.uint8
    assert found.shape == (1, len(expected), 3)
    np.testing.assert_array_equal(found[0, :, 0], expected)


@pytest.mark.parametrize("shape", [(5,), (4, 4, 5), (0, 4, 3), (2, 4, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(DataError, match="a picture must be"):
        to_rgb8(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("kind", [np.uint16, ">u2", np.int32])
def test_eight_bits_in_a_type_of_sixteen_would_be_black_and_are_refused(scene, kind):
    with pytest.raises(DataError, match=r"must lie in 0\.\.65535, and this one reaches 250: make it uint8"):
        as_rgb(scene.astype(kind))
    np.testing.assert_array_equal(as_rgb((scene.astype(np.uint16) * 257).astype(kind)), scene)
    assert not as_rgb(np.zeros((4, 4, 3), kind)).any()


def test_several_pictures_are_told_where_to_go():
    with pytest.raises(DataError, match="not list; several go to predict_batch"):
        as_rgb([np.zeros((4, 4, 3), np.uint8)])


def test_other_types_are_refused():
    with pytest.raises(DataError, match="not int64"):
        to_rgb8(np.zeros((4, 4), np.int64))


def test_the_result_is_contiguous_and_of_its_own():
    assert to_rgb8(np.zeros((4, 6, 3), np.uint8)[:, ::-1]).flags.c_contiguous


def test_pictures_are_written_by_their_ending(tmp_path, scene):
    write_image(tmp_path / "new" / "a.png", scene)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), scene)
    write_image(tmp_path / "a.jpg", scene, quality=100)
    write_image(tmp_path / "b.jpg", scene, quality=5)
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (tmp_path / "a.jpg").stat().st_size > (tmp_path / "b.jpg").stat().st_size
    write_image(tmp_path / "mask.png", scene[..., 0])
    with Image.open(tmp_path / "mask.png") as mask:
        assert mask.mode == "L"


def test_a_picture_is_written_whole_or_not_at_all(tmp_path, scene, monkeypatch):
    write_image(tmp_path / "a.png", scene)
    before = (tmp_path / "a.png").read_bytes()

    def runs_out_of_disk(image, path, **options):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", runs_out_of_disk)
    with pytest.raises(OSError, match="No space"):
        write_image(tmp_path / "a.png", scene)
    assert (tmp_path / "a.png").read_bytes() == before
    with pytest.raises(OSError, match="No space"):
        write_image(tmp_path / "b.png", scene)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("image", [None, [[1, 2], [3, 4]], b"bytes"])
def test_what_is_no_picture_at_all_is_refused(image):
    with pytest.raises(DataError, match=f"not {type(image).__name__}"):
        as_rgb(image)


def test_a_picture_that_was_normalised_for_a_network_is_refused():
    """Cut off at 0, it would be a picture of something else."""
    with pytest.raises(DataError, match="begins at -1: was it normalised"):
        as_rgb(np.linspace(-1, 1, 48).reshape(4, 4, 3))
    assert as_rgb(np.full((4, 4, 3), -0.1)).max() == 0  # a filter's overshoot


def test_a_picture_of_floats_in_0_to_255_is_refused():
    with pytest.raises(DataError, match="reaches 200: divide by 255"):
        as_rgb(np.full((4, 4, 3), 200.0))
    assert (as_rgb(np.full((4, 4, 3), 1.2)) == 255).all()


def test_a_picture_of_floats_that_are_no_numbers_is_refused():
    with pytest.raises(DataError, match="NaN"):
        to_rgb8(np.full((4, 4), np.nan))


def test_whatever_pillow_raises_for_an_opened_picture_is_told(monkeypatch):
    def broken(image):
        raise SyntaxError("broken PNG file")  # as of a damaged chunk behind the first pixels

    picture = Image.new("RGB", (4, 4))
    monkeypatch.setattr(Image.Image, "load", broken)
    with pytest.raises(DataError, match="cannot be decoded"):
        as_rgb(picture)


def announced(width, height):
    """Returns a PNG file's head that announces a size, with a handful of bytes for its pixels."""
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "size", [(12_000, 12_000), (100_000, 2_000), (100_000, 100_000), (2**31 - 1, 1), (1, 2**31 - 1)]
)
def test_a_size_that_a_few_bytes_announce_is_refused_before_it_is_allocated(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(announced(*size))
    with pytest.raises(DataError, match=r"bomb\.png: has .* pixels, and at most 100 million are read"):
        read_image(tmp_path / "bomb.png")


def test_kinds_whose_decoders_take_more_memory_have_a_lower_limit(tmp_path, monkeypatch):
    monkeypatch.setitem(lipseg.images._MOST_PIXELS, "WEBP", 99)
    Image.new("RGB", (10, 10)).save(tmp_path / "a.webp")
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (10, 10, 3)
    with pytest.raises(DataError, match=r"a\.webp: has 10 x 10 pixels"):
        read_image(tmp_path / "a.webp")


def test_a_picture_is_read_by_its_formats_decoder_and_no_other(tmp_path, monkeypatch):
    """Pillow gives PostScript, whatever the file's name, to Ghostscript."""
    Image.new("RGB", (10, 10)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    Image.new("RGB", (10, 10)).save(tmp_path / "b.ppm")
    for name in ("a.jpg", "b.ppm"):
        with pytest.raises(DataError, match=rf"{name}: .* in no picture format that is known"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16"])
def test_a_picture_is_the_same_in_strips_as_at_once(tmp_path, scene, orientation, mode, monkeypatch):
    ending = ".tif" if mode in ("CMYK", "I;16") else ".png"
    picture = Image.fromarray(scene)
    if mode == "I;16":
        picture = Image.fromarray(scene[..., 0].astype(np.uint16) * 200)
    exif = Image.Exif()
    exif[0x0112] = orientation
    (picture if mode == "I;16" else picture.convert(mode)).save(tmp_path / f"a{ending}", exif=exif)
    whole = read_image(tmp_path / f"a{ending}")
    assert whole.shape == ((20, 12, 3) if orientation >= 5 else (12, 20, 3))
    monkeypatch.setattr(lipseg.images, "_STRIP", 65)
    np.testing.assert_array_equal(read_image(tmp_path / f"a{ending}"), whole)


@pytest.mark.parametrize("strip", [1 << 20, 20], ids=["at once", "in strips"])
@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((4.2, 3.0, 12.0, 8.7), slice(3, 10), slice(4, 13)),
        ((-50, -50, 9, 6), slice(0, 7), slice(0, 10)),
        ((15, 8, 1e9, 1e9), slice(8, 12), slice(15, 20)),
        ((-1e9, -1e9, 1e9, 1e9), slice(0, 12), slice(0, 20)),
    ],
)
def test_the_box_that_is_asked_for_is_right(tmp_path, scene, box, rows, columns, strip, monkeypatch):
    monkeypatch.setattr(lipseg.images, "_STRIP", strip)
    Image.fromarray(scene).save(tmp_path / "a.png")
    part = read_image(tmp_path / "a.png", box)
    expected = np.zeros_like(scene)
    expected[rows, columns] = scene[rows, columns]
    np.testing.assert_array_equal(part, expected)


def test_a_box_beside_the_picture_is_no_error_and_other_kinds_come_whole(tmp_path, scene):
    Image.fromarray(scene).save(tmp_path / "a.png")
    assert not read_image(tmp_path / "a.png", (900, 900, 1000, 1000)).any()
    Image.fromarray(scene).convert("L").save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", (0, 0, 3, 3)), read_image(tmp_path / "grey.png"))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene).save(tmp_path / "turned.jpg", exif=exif)
    np.testing.assert_array_equal(
        read_image(tmp_path / "turned.jpg", (0, 0, 3, 3)), read_image(tmp_path / "turned.jpg")
    )
