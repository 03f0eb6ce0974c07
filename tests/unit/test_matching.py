"""Which detection belongs to which track."""

import math

import pytest

from lipseg.boxes import Box
from lipseg.tracking.matching import Difference, Gate, associate, difference

WIDE = Gate(shift=2.0, size=2.0)


def test_how_boxes_differ():
    reference = Box(10, 20, 40, 20, roll=3.0)
    assert difference(reference, reference) == Difference(0, 1, 0)
    off = difference(reference, Box(26, 32, 20, 80, roll=-3.0))
    assert off == pytest.approx((0.5, 2.0, 2 * math.pi - 6))
    assert difference(Box(0, 0, 80, 20), reference).size == difference(reference, Box(0, 0, 80, 20)).size == 2


def test_a_gate_is_passed_within_all_of_its_limits():
    gate = Gate(shift=0.6, size=1.4, turn=0.5)
    assert gate.passes(Difference(0.5, 1.3, 0.4))
    for off in (Difference(0.7, 1.3, 0.4), Difference(0.5, 1.5, 0.4), Difference(0.5, 1.3, 0.6)):
        assert not gate.passes(off)
    assert Gate(0.6, 1.4).passes(Difference(0.5, 1.3, math.pi))


def test_the_nearest_pair_comes_first_and_nobody_has_two_partners():
    tracks = [(Box(0, 0, 40, 20), WIDE), (Box(30, 0, 40, 20), WIDE)]
    assert associate(tracks, [Box(21, 0, 40, 20), Box(0, 40, 40, 20)]) == {1: 0, 0: 1}
    assert associate(tracks, [Box(31, 0, 40, 20)]) == {1: 0}
    assert associate(tracks, [Box(31, 0, 40, 20), Box(29, 0, 90, 20)]) == {1: 0}  # the second is too large
    assert associate([(Box(0, 0, 40, 20), Gate(0.5, 2.0))], [Box(21, 0, 40, 20)]) == {}
    assert associate([], [Box(0, 0, 40, 20)]) == associate(tracks, []) == {}
