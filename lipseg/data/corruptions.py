"""What comes between a face and its picture: light, a lens, a file, a beard, something that hides a part of the mouth.

What is drawn about a mouth takes its (56, 2) landmarks and measures in the mouth's width, so that it looks alike in a
view of few pixels and in a whole photo.
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.geometry import Array

Pixels = NDArray[np.uint8]
_Field = NDArray[np.float32]

# Share of the landmarks that a hand or a microphone may hide: a person still sees what mouth that is.
_MOST_HIDDEN = 0.5
# Steps of this length, in mouth widths, that it is drawn back by until it hides no more; so many lead past any mouth.
_STEP, _STEPS = 0.2, 10
# The outer contour, grown by this factor about its middle, runs over skin.
_SKIN_RING = 1.6
# Where a finger goes over into the hand, and half the hand's breadth, in mouth widths.
_FINGER, _HALF_HAND = 1.6, 0.7


def side_lit(image: Array, strength: float, rng: np.random.Generator) -> Array:
    """Returns a (size, size, 3) picture lit from one side: brighter there and darker on the other, by up to 0.6.

    Args:
        image: float, of any range; what is returned may exceed it.
        strength: scales the change; 1 for the whole.
        rng: draws the side and the change.
    """
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6) * strength
    ramp = np.linspace(-1, 1, len(image), dtype=np.float32)
    light = 1 + depth * (np.cos(angle) * ramp[None, :, None] + np.sin(angle) * ramp[:, None, None])
    return image * light.astype(np.float32)


def shadowed(image: Pixels, points_px: Array, depth: float, rng: np.random.Generator) -> Pixels:
    """Returns a picture with a shadow whose edge, sharp or soft, runs through the mouth: a hard light from one side.

    Args:
        image: (height, width, 3) uint8.
        points_px: (56, 2) landmarks, pixels of it.
        depth: share of the light that the shadow takes, 0 to 1.
        rng: draws the edge.
    """
    u, v = _Mouth.of(points_px).grid(image)
    angle, at, soft = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4), rng.uniform(0.05, 0.4)
    beyond = (u * np.float32(np.cos(angle)) + v * np.float32(np.sin(angle)) - np.float32(at)) / np.float32(soft)
    return _pixels(image * (1 - np.float32(depth) * np.clip(beyond + 0.5, 0, 1))[..., None])


def darkened(image: Pixels, exposure: float, rng: np.random.Generator) -> Pixels:
    """Returns a picture of too little light: darker, and with the noise of few photons and of the camera.

    Args:
        image: (height, width, 3) uint8.
        exposure: what is left of the grey levels, above 0.
        rng: draws the noise.
    """
    x = image * np.float32(exposure)
    camera, photons = rng.uniform(1, 3), rng.uniform(0.2, 1.2)
    deviation = np.sqrt(np.float32(camera**2) + np.float32(photons) * x)
    return _pixels(x + deviation * rng.standard_normal(image.shape, np.float32))


def defocused(image: Pixels, radius_px: float) -> Pixels:
    """Returns a picture out of focus: every point is a disc of ``radius_px`` pixels."""
    x, y = _kernel_grid(radius_px)
    return _filtered(image, np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1))


def shaken(image: Pixels, length_px: float, angle: float) -> Pixels:
    """Returns a picture of a moving camera: every point is a line of ``length_px`` pixels, ``angle`` rad towards +y."""
    return _filtered(image, _line(length_px, angle))


def coarsened(image: Pixels, factor: float) -> Pixels:
    """Returns a picture of few pixels made large again: ``factor`` of them a side become one."""
    height, width = image.shape[:2]
    few = (max(2, round(width / factor)), max(2, round(height / factor)))
    small = cv2.resize(image, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def compressed(image: Pixels, quality: int) -> Pixels:
    """Returns a picture as a JPEG file of this quality (1 to 100) shows it."""
    # OpenCV takes channels for blue, green and red: what it loses of each is not the same.
    _, file = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def bearded(image: Pixels, points_px: Array, rng: np.random.Generator) -> Pixels:
    """Returns a picture with hair about the lips, which stay free: a moustache, with a chin beard, or a full beard.

    Args:
        image: (height, width, 3) uint8.
        points_px: (56, 2) landmarks, pixels of it.
        rng: draws form, density and colour.
    """
    mouth = _Mouth.of(points_px)
    u, v = mouth.grid(image)
    where = _oval(u, v, -0.28, rng.uniform(0.5, 0.65), rng.uniform(0.16, 0.24))
    kind = rng.integers(3)
    if kind == 1:
        where = np.maximum(where, _oval(u, v, 0.6, rng.uniform(0.3, 0.55), rng.uniform(0.3, 0.45)))
    elif kind == 2:
        cheeks = _oval(u, v, 0.35, rng.uniform(0.75, 1.0), rng.uniform(0.8, 1.1))
        where = np.maximum(where, cheeks * np.clip((v + 0.5) / 0.3, 0, 1))
    lips = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(lips, [np.round(points_px[scheme.OUTER] * 16).astype(np.int32)], (1.0,), cv2.LINE_8, shift=4)
    where = where * (1 - cv2.GaussianBlur(lips, (0, 0), max(0.5, 0.015 * mouth.width)))
    # Hairs are noise drawn out along the way that they hang.
    hang = np.arctan2(mouth.across[1], mouth.across[0]) + np.pi / 2 + rng.uniform(-0.5, 0.5)
    line = _line(max(1.5, rng.uniform(0.08, 0.2) * mouth.width), hang)
    noise = rng.standard_normal(image.shape[:2], np.float32)
    hairs = np.asarray(cv2.filter2D(noise, -1, line / line.sum()), np.float32)
    hairs /= max(float(hairs.std()), 1.0e-6)
    colour = _skin(image, points_px) * rng.uniform(0.1, 0.5) if rng.random() < 0.8 else rng.uniform(110, 200)
    share = np.clip(rng.uniform(0.35, 0.9) + 0.25 * hairs, 0, 1)
    return _laid_over(image, colour * (1 + 0.25 * hairs[..., None]), where * share)


def with_hand(image: Pixels, points_px: Array, rng: np.random.Generator) -> Pixels:
    """Returns a picture with a hand, of the colour of its own skin, whose fingers hide a part of the mouth.

    Args:
        image: (height, width, 3) uint8.
        points_px: (56, 2) landmarks, pixels of it; at most half of them are hidden.
        rng: draws everything.
    """
    mouth = _Mouth.of(points_px)
    count, angle = int(rng.integers(1, 5)), rng.uniform(-0.3, np.pi + 0.3)  # from below or a side
    radius, fan = rng.uniform(0.13, 0.22), rng.uniform(-0.12, 0.12)
    tip, ahead = rng.uniform(-0.35, 0.35, 2) * (1, 0.6), rng.uniform(-0.15, 0.15, count)
    place = np.arange(count) - (count - 1) / 2
    away = np.stack([np.cos(angle + fan * place), np.sin(angle + fan * place)], axis=1)
    side = np.array([-np.sin(angle), np.cos(angle)])
    tips = tip + 1.9 * radius * place[:, None] * side + ahead[:, None] * away
    fingers = [_Ray(start, way, radius, _FINGER) for start, way in zip(tips, away, strict=True)]
    palm = _Ray(tip + (_FINGER + 0.5 * _HALF_HAND) * away.mean(0), away.mean(0), max(_HALF_HAND, count * radius))
    back = mouth.drawn_back([palm, *fingers], points_px)
    skin = _skin(image, points_px) * rng.uniform(0.65, 1.2) * rng.uniform(0.94, 1.06, 3)
    roundness = rng.uniform(0.2, 0.55)
    u, v = mouth.grid(image)
    for part in back:
        off = part.distance(u, v) / np.float32(part.radius)
        shade = skin * (1 - roundness * np.clip(off, 0, 1) ** 3)[..., None]
        image = _laid_over(image, shade, mouth.inside(off, part.radius))
    return image


def with_microphone(image: Pixels, points_px: Array, rng: np.random.Generator) -> Pixels:
    """Returns a picture with a ball on a stick, mostly dark, before a part of the mouth.

    Args:
        image: (height, width, 3) uint8.
        points_px: (56, 2) landmarks, pixels of it; at most half of them are hidden.
        rng: draws everything.
    """
    mouth = _Mouth.of(points_px)
    angle, radius = rng.normal(np.pi / 2, 0.7), rng.uniform(0.12, 0.5)  # from below, or from a cheek
    away = np.array([np.cos(angle), np.sin(angle)])
    middle = away * (0.5 * radius + rng.uniform(0.05, 0.35)) + rng.uniform(-0.25, 0.25, 2) * (1, 0.4)
    ball, stick = mouth.drawn_back(
        [_Ray(middle, away, radius, 0.0), _Ray(middle, away, radius * rng.uniform(0.25, 0.75))], points_px
    )
    colour = rng.uniform(5, 70) * rng.uniform(0.8, 1.2, 3) if rng.random() < 0.8 else rng.uniform(0, 255, 3)
    u, v = mouth.grid(image)
    image = _laid_over(image, 0.7 * colour, mouth.inside(stick.distance(u, v) / stick.radius, stick.radius))
    x, y = (u - np.float32(ball.start[0])) / radius, (v - np.float32(ball.start[1])) / radius
    glance, mesh = rng.uniform(-0.6, 0.6, 2), rng.uniform(0, 15)
    shine = 60 * np.exp(-3 * ((x - glance[0]) ** 2 + (y - glance[1]) ** 2)) + mesh * np.sign(
        np.sin(20 * x) * np.sin(20 * y)
    )
    return _laid_over(image, colour + shine[..., None], mouth.inside(np.hypot(x, y), radius))


def patched(
    image: NDArray[np.uint8],
    cover: NDArray[Any],
    centre: Array,
    extent: Array,
    angle: float,
    *,
    oval: bool,
) -> NDArray[np.uint8]:
    """Returns a picture with a patch over it, a turned rectangle or an ellipse.

    Args:
        image: (height, width, 3) uint8.
        cover: (height, width, 3) what the patch shows, grey levels; what exceeds 0..255 is cut off.
        centre: (2,) x, y of the patch, pixels.
        extent: (2,) its lengths along and across, pixels.
        angle: degrees by which it is turned (positive: the x axis towards +y).
        oval: whether it is an ellipse.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    box = ((float(centre[0]), float(centre[1])), (float(extent[0]), float(extent[1])), angle)
    if oval:
        cv2.ellipse(mask, box, 1, -1)
    else:
        cv2.fillPoly(mask, [np.round(cv2.boxPoints(box)).astype(np.int32)], 1)
    hidden = image.copy()
    hidden[mask > 0] = np.clip(cover[mask > 0], 0, 255).astype(np.uint8)
    return hidden


@dataclass(frozen=True, slots=True)
class _Ray:
    """A thick line with round ends, in mouth widths: from ``start`` along the unit vector ``away``."""

    start: Array
    away: Array
    radius: float
    length: float = np.inf

    def distance(self, x: Array, y: Array) -> Array:
        """Returns how far points are from the line."""
        dx, dy = x - np.float32(self.start[0]), y - np.float32(self.start[1])
        ax, ay = self.away.astype(np.float32)
        along = np.clip(dx * ax + dy * ay, 0, np.float32(self.length))
        return np.hypot(dx - along * ax, dy - along * ay)


@dataclass(frozen=True, slots=True)
class _Mouth:
    """A frame about a mouth: the origin in its middle, the unit its width, x from corner to corner, y down the face."""

    centre: Array
    across: Array
    width: float

    @classmethod
    def of(cls, points_px: Array) -> "_Mouth":
        outer = points_px[scheme.OUTER]
        left, right = (points_px[corner] for corner in scheme.OUTER_CORNERS)
        # A contour without a width measures nothing: a pixel keeps what is drawn finite.
        width = max(float(np.hypot(*(right - left))), 1.0)
        return cls(outer.mean(0), (right - left) / width, width)

    def place(self, points_px: Array) -> Array:
        """Returns (..., 2) pixels in this frame."""
        off = (points_px - self.centre) / self.width
        return off @ np.array([[self.across[0], -self.across[1]], [self.across[1], self.across[0]]])

    def grid(self, image: Pixels) -> tuple[_Field, _Field]:
        """Returns the (height, width) coordinates of a picture's pixels."""
        height, width = image.shape[:2]
        x = ((np.arange(width) - self.centre[0]) / self.width).astype(np.float32)[None]
        y = ((np.arange(height) - self.centre[1]) / self.width).astype(np.float32)[:, None]
        cos, sin = self.across.astype(np.float32)
        return x * cos + y * sin, y * cos - x * sin

    def inside(self, off: Array, radius: float) -> Array:
        """Returns the opacity at distances in radii: 1 within, 0 outside, over an edge of a pixel or so between."""
        edge = max(1.2 / self.width, 0.02) / radius
        return np.clip((1 - off) / np.float32(edge) + np.float32(0.5), 0, 1)

    def drawn_back(self, parts: list[_Ray], points_px: Array) -> list[_Ray]:
        """Returns the parts, moved the way they come from until they hide no more of the landmarks than they may."""
        x, y = self.place(points_px).T
        way = parts[0].away
        for _ in range(_STEPS):
            if np.any([part.distance(x, y) < part.radius for part in parts], axis=0).mean() <= _MOST_HIDDEN:
                break
            parts = [replace(part, start=part.start + _STEP * way) for part in parts]
        return parts


def _oval(u: _Field, v: _Field, below: float, wide: float, high: float) -> _Field:
    """Returns shares, 1 in the middle and 0 outside an ellipse ``below`` the mouth's middle with these half axes."""
    off = np.hypot(u / np.float32(wide), (v - np.float32(below)) / np.float32(high))
    return np.clip(np.float32(2.5) * (1 - off), 0, 1)


def _skin(image: Pixels, points_px: Array) -> Array:
    """Returns (3,) the median colour around the lips, as far as the picture shows it."""
    outer = points_px[scheme.OUTER]
    ring = np.round(outer.mean(0) + _SKIN_RING * (outer - outer.mean(0))).astype(int)
    x, y = np.clip(ring, 0, np.array(image.shape[1::-1]) - 1).T
    return np.median(image[y, x], axis=0)


def _kernel_grid(reach: float) -> tuple[Array, Array]:
    steps = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
    return steps[None], steps[:, None]


def _line(length_px: float, angle: float) -> Array:
    """Returns the kernel of a line about its middle."""
    x, y = _kernel_grid(length_px / 2 + 1)
    along, off = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return np.clip(1 - np.hypot(np.maximum(np.abs(along) - length_px / 2, 0), off), 0, 1)


def _filtered(image: Pixels, kernel: Array) -> Pixels:
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _laid_over(image: Pixels, cover: Array, opacity: Array) -> Pixels:
    return _pixels(image + opacity[..., None] * (cover - image))


def _pixels(levels: Array) -> Pixels:
    return np.clip(levels + 0.5, 0, 255).astype(np.uint8)
