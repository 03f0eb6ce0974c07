"""Smooth closed curves through contours."""

import re

import numpy as np

from lipseg.rendering.curves import bezier_controls, smooth, svg_path

# 28 points around a rectangle of 20 x 12 pixels.
RECTANGLE = np.array(
    [(9.5, 15.5), *((x, 9.5) for x in np.linspace(9.5, 29.5, 12)), (29.5, 15.5)]
    + [(x, 21.5) for x in np.linspace(29.5, 9.5, 14)]
)


def parse(path: str) -> tuple[np.ndarray, np.ndarray]:
    """The start (2,) and the pieces (n, 3, 2) of a path."""
    match = re.fullmatch(r"M([^CZ]+)((?:C[^CZ]+)+)Z", path)
    assert match is not None
    start = np.array(match[1].split(), float)
    pieces = [np.array(piece.split(), float).reshape(3, 2) for piece in match[2].split("C")[1:]]
    return start, np.array(pieces)


def test_svg_path_goes_through_the_points_and_closes():
    contour = RECTANGLE + np.array([0.37, 0.11])
    start, pieces = parse(svg_path(contour))
    np.testing.assert_allclose(start, contour[0], atol=0.0051)
    np.testing.assert_allclose(pieces[:, 2], np.roll(contour, -1, axis=0), atol=0.0051)


def test_svg_path_is_smooth_at_every_point():
    angle = np.sort(np.random.default_rng(0).uniform(0, 2 * np.pi, 28))
    contour = np.stack([100 * np.cos(angle), 40 * np.sin(angle)], 1)
    first, second = bezier_controls(contour)
    leaving, arriving = first - contour, contour - np.roll(second, 1, 0)
    cross = leaving[:, 0] * arriving[:, 1] - leaving[:, 1] * arriving[:, 0]
    size = np.linalg.norm(leaving, axis=1) * np.linalg.norm(arriving, axis=1)
    np.testing.assert_allclose(cross / size, 0, atol=1e-9)
    assert ((leaving * arriving).sum(1) > 0).all()


def test_even_points_give_the_catmull_rom_tangents():
    angle = np.arange(8) * np.pi / 4
    contour = np.stack([np.cos(angle), np.sin(angle)], 1)
    first, _ = bezier_controls(contour)
    np.testing.assert_allclose(first, contour + (np.roll(contour, -1, 0) - np.roll(contour, 1, 0)) / 6, atol=1e-12)


def test_points_that_coincide_give_a_finite_curve():
    contour = RECTANGLE.copy()
    contour[5:8] = contour[5]
    assert np.isfinite(smooth(contour)).all()
    assert "nan" not in svg_path(contour)


def test_smooth_keeps_the_points_and_stays_near_them():
    angle = np.arange(28) / 28 * 2 * np.pi
    contour = np.stack([np.cos(angle), np.sin(angle)], 1)
    curve = smooth(contour, pieces=5)
    np.testing.assert_allclose(curve[::5], contour, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*curve.T), 1, atol=1e-3)
