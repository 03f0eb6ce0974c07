"""The pictures of the report, pixel by pixel where it matters."""

import numpy as np
import pytest

from lipseg.evaluation import draw

GREY = np.full((40, 60, 3), 128, np.uint8)


def oval_lips(x: float, y: float) -> np.ndarray:
    """Returns (56, 2): an ellipse that fills the box 24 x 16 from (x, y), and one 4 pixels inside it."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(angle), -np.sin(angle)], 1)
    return np.concatenate([ring * (12, 8), ring * (8, 4)]) + np.array([x + 12, y + 8])


def coloured(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Returns (n, 2) places (x, y) of the pixels of about this colour: lines are anti-aliased over the grey."""
    return np.argwhere((np.abs(image.astype(int) - colour) < 50).all(-1))[:, ::-1]


def test_the_prediction_lies_where_its_points_are_and_over_the_truth() -> None:
    before = GREY.copy()
    picture = draw.overlay(GREY, oval_lips(10, 8), oval_lips(20, 12))
    assert np.array_equal(GREY, before)
    outer = coloured(picture, draw.COLOURS["outer"])
    assert outer.min(0).tolist() == [10, 8]
    assert outer.max(0).tolist() == [34, 24]
    inner = coloured(picture, draw.COLOURS["inner"])
    assert inner.min(0).tolist() == [14, 12]
    assert inner.max(0).tolist() == [30, 20]
    assert coloured(picture, draw.COLOURS["truth"]).max(0).tolist() == [44, 28]
    # Where they cross, the prediction is on top.
    same = draw.overlay(GREY, oval_lips(10, 8), oval_lips(10, 8))
    assert len(coloured(same, draw.COLOURS["truth"])) == 0


def test_without_points_the_overlay_is_a_copy() -> None:
    picture = draw.overlay(GREY, None)
    assert np.array_equal(picture, GREY)
    picture[:] = 0
    assert GREY.max() == 128


def test_a_close_up_shows_the_mouth_in_the_middle_at_its_margin() -> None:
    image = np.full((200, 300, 3), 128, np.uint8)
    view = draw.close_up(image, oval_lips(200, 100), None, size=96, margin=2.0)
    assert view.shape == (96, 96, 3)
    # The mouth is 24 wide, the view 48: twice enlarged, 24 pixels of the view on either side.
    truth = coloured(view, draw.COLOURS["truth"])
    assert truth.mean(0) == pytest.approx([47.5, 47.5], abs=1)
    assert np.ptp(truth[:, 0]) == pytest.approx(48, abs=2)


@pytest.mark.parametrize("place", [(-12.0, -8.0), (290.0, 190.0)])
def test_a_close_up_over_the_edge_of_the_picture(place: tuple[float, float]) -> None:
    image = np.full((200, 300, 3), 128, np.uint8)
    view = draw.close_up(image, oval_lips(*place), oval_lips(-1e5, 1e5), size=64)
    assert view.shape == (64, 64, 3)
    assert len(coloured(view, draw.COLOURS["truth"])) > 0


def test_a_sheet_has_a_cell_and_a_caption_for_every_picture() -> None:
    sheet = draw.sheet([GREY, GREY, GREY], ["a", "", "a name that is far too long for its picture é"], columns=2, pad=3)
    assert sheet.shape == (2 * (40 + 18 + 3) + 3, 2 * (60 + 3) + 3, 3)
    assert (sheet[3 + 40 : 3 + 58, 3:63] < 128).any()
    assert (sheet[3 + 40 : 3 + 58, 66:126] == 255).all()
    assert (sheet[64 + 40 : 64 + 58, 61:63] == 255).all()
    with pytest.raises(ValueError, match="argument"):
        draw.sheet([GREY, GREY], ["one"], columns=2)


def test_the_mean_picture_rounds() -> None:
    pair = np.stack(
        [np.full((2, 2, 3), 255, np.uint8), np.full((2, 2, 3), 254, np.uint8), np.zeros((2, 2, 3), np.uint8)]
    )
    assert (draw.mean_picture(pair) == 170).all()
    assert draw.mean_picture(pair).dtype == np.uint8
    with pytest.raises(ValueError, match="at least one"):
        draw.mean_picture(pair[:0])


def test_missed_faces_are_the_worst() -> None:
    nme = np.array([0.3, 0.1, np.nan, 0.2])
    best, worst = draw.best_and_worst(nme, 2)
    assert best.tolist() == [1, 3]
    assert worst.tolist() == [2, 0]
    assert len(draw.best_and_worst(nme, 9)[0]) == 4


def test_a_spread_covers_the_ranks_evenly() -> None:
    nme = np.arange(100)[::-1] / 100
    assert (100 * nme[draw.spread(nme, 4)]).round().tolist() == [12, 37, 62, 87]
    assert draw.spread(nme[:3], 4).tolist() == [2, 1, 0]
