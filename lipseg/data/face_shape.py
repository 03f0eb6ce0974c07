"""The shape of drawn faces: Helen's 194 points by formula, in a mouth state and a head pose.

Face coordinates: x to the image's right, y down, the origin between the mouth's corners, 100 units from eye to eye.
Proportions follow the mean shape of real faces (mouth about 87 units wide, eyes 111 above it, chin 73 below).
"""

from dataclasses import dataclass

import numpy as np

from lipseg import scheme
from lipseg.scheme import Points

STATES = ("closed", "smile", "laugh", "open", "pout")

# Vertices a half contour is drawn with; the landmarks are sampled from the same curve.
_DENSE = 61


@dataclass(frozen=True, slots=True)
class MouthState:
    """Mean and standard deviation of a state's mouth, in face units.

    Attributes:
        width: outer corner to outer corner.
        opening: height between the inner lips; negative draws are mirrored to positive.
        upper: height of the upper lip at its peaks.
        lower: height of the lower lip.
        lift: how far the corners lie above (positive) the middle of the mouth.
        droop: share of the opening that lies below the line through the corners' height.
        depth: how far the lips stand out of the face.
    """

    width: tuple[float, float]
    opening: tuple[float, float]
    upper: tuple[float, float]
    lower: tuple[float, float]
    lift: tuple[float, float]
    droop: float
    depth: float


MOUTHS = {
    "closed": MouthState((83, 4), (0.8, 0.6), (9.5, 1.2), (12, 1.5), (-1, 1.5), 0.5, 4),
    "smile": MouthState((103, 4), (2.0, 1.2), (6.5, 1), (9, 1.2), (7, 1.8), 0.6, 0),
    "laugh": MouthState((102, 4), (25, 4), (6.5, 1), (9, 1.3), (7, 2), 0.85, 0),
    "open": MouthState((74, 4), (37, 6), (9, 1.3), (11, 1.5), (-2, 2), 0.65, 2),
    "pout": MouthState((57, 3.5), (1.5, 1.0), (14, 1.5), (17, 2), (-3, 1.5), 0.5, 12),
}


@dataclass(frozen=True, slots=True)
class FaceShape:
    """The curves of one upright face, in face units.

    Attributes:
        jaw: (41, 2) from the image-left ear over the chin to the image-right ear.
        nose: (17, 2) along the nose's outline from the image-left side of its bridge under the tip to the other side.
        eyes: (2, 20, 2) closed lids: first the image-right eye, then the image-left one, each from its inner corner.
        brows: (2, 20, 2) closed outlines in the same order.
        upper_outer: (61, 2) upper edge of the upper lip from the image-left corner to the image-right one.
        upper_inner: (61, 2) its lower edge, likewise.
        lower_inner: (61, 2) upper edge of the lower lip, likewise.
        lower_outer: (61, 2) its lower edge, likewise.
        opening: height between the inner lips.
        lip_depth: how far the lips stand out of the face.
    """

    jaw: Points
    nose: Points
    eyes: Points
    brows: Points
    upper_outer: Points
    upper_inner: Points
    lower_inner: Points
    lower_outer: Points
    opening: float
    lip_depth: float

    @property
    def lips(self) -> Points:
        """(56, 2) landmarks in the scheme's order, at equal arc length along every half contour."""
        return np.concatenate(
            [
                scheme.resample_chain(self.upper_outer, 14),
                scheme.resample_chain(self.lower_outer[::-1], 16)[1:-1],
                scheme.resample_chain(self.upper_inner, 15),
                scheme.resample_chain(self.lower_inner[::-1], 15)[1:-1],
            ]
        )


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is and how it is turned: face units to image pixels.

    Attributes:
        yaw: radians about the vertical axis; positive moves the nose to the image's right.
        pitch: radians about the horizontal axis; positive moves the nose down.
        roll: radians in the image plane, positive clockwise.
        scale: pixels a face unit.
        centre: (2,) image pixel of the head's centre.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    centre: Points

    def __call__(self, points: Points, extra_depth: float | Points = 0.0) -> Points:
        """Returns face points (..., 2) in image pixels.

        Args:
            points: (..., 2) in face units.
            extra_depth: how far they stand out of the smooth head, in face units.
        """
        x, y = points[..., 0], points[..., 1] + 55.0
        # The front of the head as half an ellipsoid.
        depth = 80.0 * np.sqrt(np.maximum(0.0, 1.0 - (x / 135.0) ** 2 - (y / 200.0) ** 2)) + extra_depth
        turned_x = x * np.cos(self.yaw) + depth * np.sin(self.yaw)
        turned_y = y * np.cos(self.pitch) + depth * np.sin(self.pitch)
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        rolled = np.stack([turned_x * cos - turned_y * sin, turned_x * sin + turned_y * cos], axis=-1)
        return rolled * self.scale + self.centre


def sample_shape(rng: np.random.Generator, state: str) -> FaceShape:
    """Returns a random face in a mouth state.

    Args:
        rng: source of all randomness.
        state: one of ``STATES``.
    """
    mouth = MOUTHS[state]
    # What belongs to the person and not to the state; small against the differences between the states.
    wide, full = np.exp(rng.normal(0, 0.04)), np.exp(rng.normal(0, 0.14))
    half_width = _draw(rng, mouth.width) * wide / 2
    opening = abs(_draw(rng, mouth.opening))
    upper, lower = _draw(rng, mouth.upper) * full, _draw(rng, mouth.lower) * full
    lift = _draw(rng, mouth.lift)
    skew = rng.normal(0, 1.2)
    bow = rng.uniform(0.08, 0.38) * upper

    t = np.sin(np.linspace(-np.pi / 2, np.pi / 2, _DENSE))  # denser towards the corners, where the curves are steep

    def line(across: Points) -> Points:
        """The line that the lips close along; lifted at the corners."""
        return -lift * (np.abs(across) ** 2 - 0.45) + skew * across

    # Lips end in a point at the inner corner, and a rounded tip joins them beyond it.
    inner_t = t * rng.uniform(0.88, 0.94)
    arch = 1 - t**2
    gape = arch ** rng.uniform(0.6, 0.95)
    upper_inner_y = line(inner_t) - (1 - mouth.droop) * opening * gape
    lower_inner_y = line(inner_t) + mouth.droop * opening * gape
    if opening < 6:
        # Closed lips meet in a wave: the upper lip's middle dips.
        wave = rng.uniform(0, 0.16) * upper * (np.exp(-((t / 0.28) ** 2)) - 0.35 * arch)
        upper_inner_y, lower_inner_y = upper_inner_y + wave, lower_inner_y + wave

    middle = line(t)
    open_up = np.interp(t, inner_t, upper_inner_y, left=np.nan, right=np.nan)
    open_down = np.interp(t, inner_t, lower_inner_y, left=np.nan, right=np.nan)
    open_up, open_down = (np.where(np.isnan(edge), middle, edge) for edge in (open_up, open_down))
    peak = rng.uniform(0.16, 0.26)
    bowed = upper * arch ** rng.uniform(0.62, 0.85) - bow * np.exp(-((t / peak) ** 2))
    bottom = lower * arch ** rng.uniform(0.55, 0.75)
    shift = rng.normal(0, 1.0)

    def curve(across: Points, y: Points) -> Points:
        return np.stack([across * half_width + shift, y], axis=1)

    chin = 73 * np.exp(rng.normal(0, 0.06)) + 0.62 * opening + 0.2 * (lower - 12)
    return FaceShape(
        jaw=_jaw(half_width=112 * np.exp(rng.normal(0, 0.05)), chin=chin, square=rng.uniform(0.75, 1.1)),
        nose=_nose(half_width=29 * np.exp(rng.normal(0, 0.12)), bottom=-36 + rng.normal(0, 3) - 0.08 * opening),
        eyes=_both_sides(_eye(20 * np.exp(rng.normal(0, 0.06)), abs(rng.normal(6.5, 1.8)))),
        brows=_both_sides(_brow(rise=rng.normal(9, 2.5), height=-134 + rng.normal(0, 3), width=rng.uniform(6, 13))),
        upper_outer=curve(t, open_up - bowed),
        upper_inner=curve(inner_t, upper_inner_y),
        lower_inner=curve(inner_t, lower_inner_y),
        lower_outer=curve(t, open_down + bottom),
        opening=opening,
        lip_depth=mouth.depth,
    )


def _draw(rng: np.random.Generator, mean_and_deviation: tuple[float, float]) -> float:
    """Returns a normal draw within two standard deviations, so that the states stay apart."""
    mean, deviation = mean_and_deviation
    return mean + deviation * float(np.clip(rng.standard_normal(), -2, 2))


def _jaw(half_width: float, chin: float, square: float) -> Points:
    """Returns the (41, 2) jaw: half an ellipse, the squarer the smaller ``square``."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 41)
    height = np.maximum(np.cos(angle), 0.0) ** square
    return np.stack([half_width * np.sin(angle), -70 + (chin + 70) * height], axis=1)


def _nose(half_width: float, bottom: float) -> Points:
    """Returns the (17, 2) outline of the nose's lower half."""
    angle = np.linspace(-1.0, 1.0, 17)
    x = half_width * np.sign(angle) * np.sin(np.minimum(np.abs(angle) / 0.62, 1) * np.pi / 2)
    x *= np.where(np.abs(angle) > 0.62, 1 - 0.8 * (np.abs(angle) - 0.62), 1.0)
    return np.stack([x, bottom - 38 * np.abs(angle) ** 2.2], axis=1)


def _eye(half_width: float, height: float) -> Points:
    """Returns the (20, 2) lids of the image-right eye from its inner corner over the upper lid."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    y = np.where(np.sin(angle) > 0, -height, 0.7 * height) * np.abs(np.sin(angle)) ** 1.2
    return np.stack([50 - half_width * np.cos(angle), -111 + y], axis=1)


def _brow(rise: float, height: float, width: float) -> Points:
    """Returns the (20, 2) outline of the image-right brow from its inner end over the top."""
    across = np.linspace(0, 1, 11)
    arc = height - rise * np.sin(np.pi * np.minimum(across * 0.85, 1.0))
    thick = width * np.sin(np.pi * np.clip(0.12 + 0.88 * across, 0, 1)) ** 0.6
    x = 21 + 69 * across
    upper, lower = np.stack([x, arc - thick / 2], 1), np.stack([x, arc + thick / 2], 1)
    return np.concatenate([upper, lower[-2:0:-1]])[:20]


def _both_sides(right: Points) -> Points:
    """Returns (2, n, 2): the curve at the image's right and its mirror image at the left."""
    return np.stack([right, right * [-1, 1]])
