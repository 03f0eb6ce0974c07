"""Paints drawn faces: skin, light, hair, eyes, beard, lips, teeth and the camera's faults, all by formula."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg.data.face_shape import FaceShape, Pose
from lipseg.scheme import Points

Colour = NDArray[np.float64]

# Pictures are painted at this multiple of their size and shrunk: smooth edges.
SUPERSAMPLING = 2
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one person, RGB 0..255."""

    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    cloth: Colour


class Canvas:
    """A square picture to paint on, in pixels of the finished picture.

    Attributes:
        pixels: (side, side, 3) uint8 RGB at ``SUPERSAMPLING`` times the size.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def fill(self, polygon: Points, colour: Colour) -> None:
        """Paints a polygon (n, 2) with sharp edges."""
        cv2.fillPoly(self.pixels, [_fixed(polygon)], _scalar(colour), cv2.LINE_AA, _SHIFT)

    def line(self, chain: Points, colour: Colour, width: float) -> None:
        """Paints an open polyline (n, 2), ``width`` pixels thick."""
        thickness = max(1, round(width * SUPERSAMPLING))
        cv2.polylines(self.pixels, [_fixed(chain)], False, _scalar(colour), thickness, cv2.LINE_AA, _SHIFT)

    def soft(
        self, shape: Points, colour: Colour, opacity: float, softness: float, *, width: float = 0.0, grain: float = 0.0
    ) -> None:
        """Lays colour over a polygon with blurred edges, or along a polyline.

        Args:
            shape: (n, 2) polygon, or polyline if ``width`` is given.
            colour: RGB.
            opacity: 0..1 in the middle.
            softness: standard deviation of the blur in pixels.
            width: thickness of the polyline in pixels.
            grain: 0..1, how much of the opacity varies from pixel to pixel like hair does.
        """
        sigma = softness * SUPERSAMPLING
        side = self.pixels.shape[0]
        vertices = (shape + 0.5) * SUPERSAMPLING
        reach = 2.5 * sigma + width * SUPERSAMPLING
        low = np.clip(np.floor(vertices.min(0) - reach), 0, side).astype(int)
        high = np.clip(np.ceil(vertices.max(0) + reach), 0, side).astype(int)
        if (high - low).min() < 2:
            return
        # A wide blur has no detail: draw and blur its mask small.
        shrink = max(1, int(sigma / 2))
        extent = np.maximum((high - low) // shrink, 2)
        mask = np.zeros((extent[1], extent[0]), np.uint8)
        ratio = extent / (high - low)
        fixed = np.round(((vertices - low) * ratio - 0.5) * 2**_SHIFT).astype(np.int32)
        if width:
            thickness = max(1, round(width * SUPERSAMPLING / shrink))
            cv2.polylines(mask, [fixed], False, 255, thickness, cv2.LINE_AA, _SHIFT)
        else:
            cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
        if sigma > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), sigma / shrink)
        mask = cv2.resize(mask, (int(high[0] - low[0]), int(high[1] - low[1])))
        weight = mask.astype(np.float32) * (opacity / 255)
        if grain:
            speckle = np.zeros(((high[1] - low[1]) // 2 + 1, (high[0] - low[0]) // 2 + 1), np.uint8)
            cv2.randu(speckle, np.zeros(1), np.full(1, 256.0))
            field = cv2.resize(speckle, (int(high[0] - low[0]), int(high[1] - low[1]))).astype(np.float32) / 255
            weight *= 1 - grain + grain * field
        part = self.pixels[low[1] : high[1], low[0] : high[0]]
        paint = np.empty(part.shape, np.uint8)
        cv2.rectangle(paint, (0, 0), (part.shape[1], part.shape[0]), _scalar(colour), cv2.FILLED)
        self.pixels[low[1] : high[1], low[0] : high[0]] = cv2.blendLinear(part, paint, 1 - weight, weight)


def _fixed(points: Points) -> NDArray[np.int32]:
    """Returns picture pixels as the canvas's fixed-point coordinates."""
    return np.round(((points + 0.5) * SUPERSAMPLING - 0.5) * 2**_SHIFT).astype(np.int32)


def _scalar(colour: Colour) -> tuple[float, float, float]:
    r, g, b = np.clip(colour, 0, 255).tolist()
    return r, g, b


def _ellipse(centre: tuple[float, float], radii: tuple[float, float], n: int = 24) -> Points:
    """Returns an (n, 2) ellipse in face units."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.array(centre) + np.stack([np.cos(angle), np.sin(angle)], 1) * radii


def sample_palette(rng: np.random.Generator) -> Palette:
    """Returns the colours of a random person, over the whole range of skin tones."""
    tones = np.array([[250, 224, 203], [233, 192, 162], [205, 155, 118], [160, 110, 78], [112, 73, 52], [66, 43, 34]])
    at = rng.uniform(0, len(tones) - 1)
    skin = (
        np.array([np.interp(at, range(len(tones)), tones[:, k]) for k in range(3)])
        * rng.uniform(0.94, 1.04)
        * rng.uniform(0.97, 1.03, 3)
    )
    if rng.random() < 0.25:  # lipstick
        paint = np.array([[176, 24, 48], [206, 72, 92], [128, 22, 56], [214, 96, 82]])[rng.integers(4)]
        lips = 0.35 * skin + 0.65 * paint
    else:
        natural = skin * np.array([0.86, 0.60, 0.60]) + np.array([22, 4, 8])
        strength = rng.uniform(0.55, 1.15)
        lips = skin + strength * (natural - skin)
    hairs = np.array([[24, 20, 18], [60, 40, 28], [110, 74, 44], [180, 140, 84], [140, 66, 34], [150, 148, 146]])
    # Dark skin goes with dark hair mostly.
    hair = hairs[rng.integers(len(hairs)) if at < 2.5 else rng.integers(2)] * rng.uniform(0.8, 1.15)
    iris = np.array([[70, 44, 26], [50, 34, 24], [90, 120, 150], [92, 112, 70]])[rng.integers(4) if at < 2 else 0]
    return Palette(skin, lips, hair.astype(float), iris.astype(float), rng.uniform(20, 230, 3))


def paint_face(
    rng: np.random.Generator, shape: FaceShape, pose: Pose, palette: Palette, size: int
) -> NDArray[np.uint8]:
    """Returns the picture of a face.

    Args:
        rng: source of all randomness.
        shape: the face's curves.
        pose: face units to pixels of the picture.
        palette: the person's colours.
        size: pixels a side.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    # OpenCV draws grain and noise from a generator of its own.
    cv2.setRNGSeed(int(rng.integers(2**31)))
    canvas = Canvas(_background(rng, size))
    _paint_head(rng, canvas, shape, pose, palette)
    _paint_eyes(rng, canvas, shape, pose, palette)
    _paint_nose(rng, canvas, shape, pose, palette)
    _paint_beard(rng, canvas, shape, pose, palette)
    _paint_folds(rng, canvas, shape, pose, palette)
    _paint_mouth(rng, canvas, shape, pose, palette)
    return _photograph(rng, canvas.pixels, size)


def _background(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Returns a blurred room of random colours at the canvas's size."""
    side = size * SUPERSAMPLING
    room = rng.uniform(0, 255, (rng.integers(2, 9), rng.integers(2, 9), 3)) * rng.uniform(0.3, 1) + rng.uniform(0, 60)
    grey = room.mean(2, keepdims=True)
    room = np.clip(grey + rng.uniform(0.05, 0.6) * (room - grey), 0, 255).astype(np.uint8)
    return cv2.resize(room, (side, side), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def _head_outline(shape: FaceShape) -> Points:
    """Returns the closed outline of the face: the jaw and a skull above it."""
    half = np.abs(shape.jaw[[0, -1], 0]).max()
    angle = np.linspace(0, np.pi, 24)[1:-1]
    skull = np.stack([half * np.cos(angle), -70 - 150 * np.sin(angle) ** 0.85], axis=1)
    return np.concatenate([shape.jaw, skull])


def _paint_head(rng: np.random.Generator, canvas: Canvas, shape: FaceShape, pose: Pose, palette: Palette) -> None:
    """Paints hair, neck, clothes and the face's skin with its shading."""
    skin, scale = palette.skin, pose.scale
    outline = _head_outline(shape)
    half, chin = outline[:, 0].max(), shape.jaw[:, 1].max()
    long_hair = rng.random() < 0.45
    if long_hair:
        bottom = rng.uniform(20, 190)
        locks = _ellipse((0, (bottom - 160) / 2), (rng.uniform(1.2, 1.45) * half, (bottom + 180) / 2), 40)
        canvas.soft(pose(locks, -60), palette.hair * 0.8, 1.0, 3 * scale, grain=0.15)
    if rng.random() < 0.9:
        canvas.fill(pose(_ellipse((0, -125), (1.2 * half, 128), 40), -25), palette.hair)
    neck = np.array([[-62, 0], [-66, chin + 30], [-90, 330], [90, 330], [66, chin + 30], [62, 0]], float)
    canvas.fill(pose(neck, -50), skin * 0.72)
    shirt = np.array([[-64.0, 52], [-250, 95], [-280, 350], [280, 350], [250, 95], [64, 52], [0, 95]])
    canvas.fill(pose(shirt + np.array([0, chin]), -60), palette.cloth)
    for side in (-1, 1):
        canvas.fill(pose(_ellipse((side * (half + 3), -85), (13, 30)), -50), skin * 0.82)
    # The rim is dark and the skin lighter towards the middle: a round head.
    rim = rng.uniform(0.6, 0.85)
    canvas.fill(pose(outline), skin * rim)
    middle = outline.mean(0)
    canvas.soft(pose(middle + (outline - middle) * 0.9), skin, 1.0, 11 * scale)
    blush = skin * [1.0, 0.82, 0.8]
    for side in (-1, 1):
        canvas.soft(pose(_ellipse((side * 62, -48), (26, 20))), blush, rng.uniform(0, 0.5), 12 * scale)
    canvas.soft(pose(_ellipse((0, -170), (55, 25))), np.minimum(skin * 1.12, 255), rng.uniform(0, 0.6), 14 * scale)
    if rng.random() < 0.5:
        parting, depth = rng.uniform(-60, 60), rng.uniform(-195, -165)
        x = np.linspace(-0.97, 0.97, 15) * half
        hairline = np.stack([x, depth + 70 * ((x - parting) / (half + abs(parting))) ** 2], axis=1)
        crown = np.stack([x[::-1], -100 - 125 * np.sqrt(1 - (x[::-1] / half) ** 2)], axis=1)
        canvas.soft(pose(np.concatenate([hairline, crown])), palette.hair, 0.95, 4 * scale, grain=0.3)


def _paint_eyes(rng: np.random.Generator, canvas: Canvas, shape: FaceShape, pose: Pose, palette: Palette) -> None:
    """Paints eyes and brows."""
    scale = pose.scale
    gaze = rng.uniform(-6, 6)
    for eye, brow in zip(shape.eyes, shape.brows, strict=True):
        socket = eye.mean(0) + (eye - eye.mean(0)) * [1.35, 2.4]
        canvas.soft(pose(socket), palette.skin * 0.6, 0.5, 5 * scale)
        canvas.fill(pose(eye), np.array([222.0, 216, 212]))
        height = np.ptp(eye[:, 1])
        iris = _ellipse((eye[:, 0].mean() + gaze, -111), (7, min(7.0, height * 0.55)))
        canvas.fill(pose(iris), palette.iris)
        canvas.fill(pose(iris.mean(0) + (iris - iris.mean(0)) * 0.45), np.array([12.0, 10, 10]))
        canvas.fill(pose(_ellipse((iris[:, 0].mean() + 2, -113.5), (1.5, 1.5), 8)), np.array([240.0, 240, 240]))
        canvas.line(pose(eye[:11]), palette.skin * 0.25, 2.2 * scale)
        canvas.soft(pose(brow), palette.hair * 0.75, 0.85, 1.8 * scale, grain=0.4)


def _paint_nose(rng: np.random.Generator, canvas: Canvas, shape: FaceShape, pose: Pose, palette: Palette) -> None:
    """Paints the nose: its shadow side, ridge, wings and nostrils."""
    skin, scale = palette.skin, pose.scale
    out = 26 * np.exp(-((shape.nose[:, 0] / 24) ** 2))
    bottom, half = shape.nose[8, 1], np.abs(shape.nose[:, 0]).max()
    side = 1.0 if rng.random() < 0.5 else -1.0
    flank = np.array([[side * 6, -105], [side * 14, -70], [side * half, bottom - 8], [side * 4, bottom - 3]])
    canvas.soft(pose(flank, 8), skin * 0.66, rng.uniform(0.25, 0.8), 5 * scale)
    canvas.soft(pose(shape.nose, out), skin * 0.55, 0.6, 2.5 * scale, width=3 * scale)
    ridge = np.array([[-side * 3, -105], [-side * 4, bottom - 12]])
    canvas.soft(pose(ridge, 22), np.minimum(skin * 1.2, 255), 0.6, 4 * scale, width=6 * scale)
    for wing in (-1, 1):
        canvas.soft(pose(_ellipse((wing * 0.45 * half, bottom - 4), (6, 3)), 14), skin * 0.22, 0.9, 1.5 * scale)


def _paint_beard(rng: np.random.Generator, canvas: Canvas, shape: FaceShape, pose: Pose, palette: Palette) -> None:
    """Paints nothing, a shadow of stubble, a moustache or a full beard."""
    kind, scale = rng.random(), pose.scale
    if kind > 0.4:
        return
    opacity = rng.uniform(0.12, 0.4) if kind < 0.22 else rng.uniform(0.5, 0.95)
    lip_top = shape.upper_outer[:, 1].min()
    if kind < 0.32:
        cheek = np.array([[95, -30], [70, -5], [48, -22], [0, -24], [-48, -22], [-70, -5], [-95, -30]], float)
        region = np.concatenate([shape.jaw[6:-6] * [0.97, 0.98], cheek])
        canvas.soft(pose(region), palette.hair * 0.8, opacity, 4 * scale, grain=0.5)
    else:
        reach = shape.upper_outer[-1, 0] * rng.uniform(0.8, 1.1)
        across = np.linspace(-1, 1, 21)
        top = lip_top - 14 + 16 * np.abs(across) ** 3 + 3 * np.exp(-((across / 0.15) ** 2))
        bottom = np.interp(across * reach, *shape.upper_outer.T) + 3
        region = np.concatenate([np.stack([across, top], 1), np.stack([across, bottom], 1)[::-1]]) * [reach, 1]
        canvas.soft(pose(region, 4), palette.hair * 0.8, opacity, 2 * scale, grain=0.5)


def _paint_folds(rng: np.random.Generator, canvas: Canvas, shape: FaceShape, pose: Pose, palette: Palette) -> None:
    """Paints the shadows around the mouth: folds beside it, philtrum, and the hollow above the chin."""
    skin, scale = palette.skin, pose.scale
    corner = shape.upper_outer[-1]
    age = rng.uniform(0.1, 0.5) + (0.25 if corner[0] > 46 else 0.0)
    for side in (-1, 1):
        reach = max(corner[0], 40) + 9
        fold = np.array([[34, -48], [reach - 6, -26], [reach + 3, -4], [reach, 12]]) * [side, 1]
        canvas.soft(pose(fold), skin * 0.6, age, 3 * scale, width=3.5 * scale)
    top, bottom = shape.upper_outer[:, 1].min(), shape.lower_outer[:, 1].max()
    canvas.soft(pose(np.array([[0, -33], [0, top]]), 4), skin * 0.78, rng.uniform(0.1, 0.5), 2 * scale, width=5 * scale)
    hollow = _ellipse((0, bottom + 8), (0.45 * corner[0], 4))
    canvas.soft(pose(hollow), skin * 0.6, rng.uniform(0.2, 0.75), 4 * scale)
    canvas.soft(pose(_ellipse((0, bottom + 26), (16, 9))), np.minimum(skin * 1.1, 255), rng.uniform(0, 0.6), 6 * scale)


def _paint_mouth(rng: np.random.Generator, canvas: Canvas, shape: FaceShape, pose: Pose, palette: Palette) -> None:
    """Paints the lips and what is seen between them."""
    lips, scale, depth = palette.lips, pose.scale, shape.lip_depth
    outer = np.concatenate([shape.upper_outer, shape.lower_outer[-2:0:-1]])
    inner = np.concatenate([shape.upper_inner, shape.lower_inner[-2:0:-1]])
    upper = np.concatenate([shape.upper_outer, shape.upper_inner[::-1]])
    lower = np.concatenate([shape.lower_inner, shape.lower_outer[::-1]])
    edge = rng.uniform(0.2, 0.9)  # pixels; how blurred the border of the red is
    canvas.soft(pose(outer, depth), lips, 1.0, edge)
    # Light falls from above: the upper lip looks down and is darker, the lower lip shines.
    canvas.soft(pose(upper, depth), lips * rng.uniform(0.62, 0.95), 0.9, edge)
    canvas.soft(pose(lower, depth), np.minimum(lips * rng.uniform(0.98, 1.15), 255), 0.6, edge)
    ridge = 0.45 * shape.lower_outer[15:46] + 0.55 * shape.lower_inner[15:46]
    gloss = np.minimum(lips * 1.25 + 40, 255)
    width = 0.3 * float(shape.lower_outer[30, 1] - shape.lower_inner[30, 1]) * scale
    canvas.soft(pose(ridge, depth), gloss, rng.uniform(0.0, 0.7), 0.5 * width + 0.3, width=width)
    for corner in (shape.upper_outer[0], shape.upper_outer[-1]):
        canvas.soft(pose(_ellipse((corner[0], corner[1]), (4, 3)), depth), palette.skin * 0.4, 0.55, 2 * scale)

    cavity = np.array([58.0, 18, 20]) * rng.uniform(0.4, 1.1)
    if shape.opening * scale < 3:
        canvas.fill(pose(inner, depth), cavity + 0.25 * lips)
        meeting = (shape.upper_inner + shape.lower_inner) / 2
        canvas.soft(pose(meeting, depth), lips * 0.3, 0.85, 0.5, width=rng.uniform(1.0, 2.4) * scale)
        return
    behind = Canvas(canvas.pixels.copy())
    _paint_cavity(rng, behind, shape, pose, cavity)
    mask = np.zeros(canvas.pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed(pose(inner, depth))], 255, cv2.LINE_AA, _SHIFT)
    x, y, w, h = cv2.boundingRect(mask)
    part = (slice(y, y + h), slice(x, x + w))
    weight = mask[part][..., None].astype(np.float32) / 255
    mixed = canvas.pixels[part] * (1 - weight) + behind.pixels[part] * weight
    canvas.pixels[part] = mixed.astype(np.uint8)


def _paint_cavity(rng: np.random.Generator, canvas: Canvas, shape: FaceShape, pose: Pose, cavity: Colour) -> None:
    """Paints dark, tongue and teeth; the caller cuts out what shows between the lips."""
    scale, opening = pose.scale, shape.opening
    half = shape.upper_inner[-1, 0]
    top, bottom = shape.upper_inner[30, 1], shape.lower_inner[30, 1]
    box = np.array([[-half - 3, top - 12], [half + 3, top - 12], [half + 3, bottom + 6], [-half - 3, bottom + 6]])
    canvas.fill(pose(box), cavity)
    if rng.random() < 0.75:
        tongue = np.array([178.0, 74, 80]) * rng.uniform(0.55, 1.0)
        mound = _ellipse((rng.normal(0, 3), bottom), (0.62 * half, rng.uniform(0.25, 0.55) * opening))
        canvas.soft(pose(mound), tongue, 0.95, 2 * scale)
    wide = half > 42  # a laugh bares the teeth, a gape hides most of them
    if rng.random() < (0.97 if wide else 0.55):
        white = np.array([238.0, 230, 214]) * rng.uniform(0.72, 1.02)
        length = rng.uniform(9, 14) if wide else rng.uniform(3, 8)
        across = np.linspace(-1, 1, 31)
        gum = np.stack([across * half, np.interp(across * half, *shape.upper_inner.T) - 4], axis=1)
        bite = np.stack([across * half * 0.97, gum[:, 1] + 4 + length * (1 - 0.45 * across**2)], axis=1)
        row = np.concatenate([gum, bite[::-1]])
        canvas.fill(pose(row), white)
        for k in range(-4, 5):
            x = k * 8.6 * (1 - 0.03 * abs(k))
            gap = np.array([[x, top - 4], [x, np.interp(x, bite[:, 0], bite[:, 1])]])
            canvas.soft(pose(gap), white * 0.55, 0.5, 0.3, width=1.0 * scale)
        for side in (-1, 1):  # the row turns away from the light
            canvas.soft(pose(_ellipse((side * half, top + 6), (0.3 * half, 16))), cavity, 0.75, 5 * scale)
    if wide and rng.random() < 0.25:
        across = np.linspace(-0.6, 0.6, 15)
        crown = np.stack([across * half, bottom - rng.uniform(3, 6) + 5 * across**2], axis=1)
        root = np.stack([across[::-1] * half, np.full(15, bottom + 6)], axis=1)
        canvas.fill(pose(np.concatenate([crown, root])), np.array([216.0, 208, 192]) * rng.uniform(0.6, 0.95))


def _photograph(rng: np.random.Generator, pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Returns the finished picture: light from one side, exposure, white balance, blur, noise."""
    picture = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.75)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    side = np.tanh(1.8 * (np.cos(angle) * ramp[None, :] + np.sin(angle) * ramp[:, None]))
    light = rng.uniform(0.75, 1.08) * (1 + strength * 0.6 * side)
    picture *= light[..., None].astype(np.float32) * rng.normal(1, 0.035, 3).astype(np.float32)
    if rng.random() < 0.06:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, axis=2)
    blur = rng.uniform(0, 1.1)
    if blur > 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    noise = np.empty((size, size * 3), np.float32)
    cv2.randn(noise, np.zeros(1), rng.uniform(1, 7, 1))
    picture += noise.reshape(picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)
