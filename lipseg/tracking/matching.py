"""Data association: how much two boxes differ, and which detection belongs to which track."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lipseg.boxes import Box


class Difference(NamedTuple):
    """How a box differs from one that it is compared with.

    Attributes:
        shift: distance of the centres, in lengths of the box compared with; a box's length is its longer side.
        size: factor between the two lengths, >= 1.
        turn: radians between the two rolls, 0..pi.
    """

    shift: float
    size: float
    turn: float


def difference(reference: Box, box: Box) -> Difference:
    """Returns how a box differs from the reference."""
    before, after = reference.longer, box.longer
    return Difference(
        math.hypot(box.cx - reference.cx, box.cy - reference.cy) / before,
        after / before if after > before else before / after,
        abs(math.remainder(box.roll - reference.roll, 2 * math.pi)),
    )


@dataclass(frozen=True, slots=True)
class Gate:
    """How much an observation may differ from what was predicted and still be the same mouth; limits of ``Difference``.

    Attributes:
        shift: in lengths of the predicted box.
        size: factor.
        turn: radians.
    """

    shift: float
    size: float
    turn: float = math.inf

    def passes(self, off: Difference) -> bool:
        """Whether a difference is within the gate."""
        return off.shift < self.shift and off.size < self.size and off.turn < self.turn


def associate(tracks: Sequence[tuple[Box, Gate]], detections: Sequence[Box]) -> dict[int, int]:
    """Returns which detection belongs to which track: greedily, the pair that differs least first.

    Args:
        tracks: the predicted box of each track, and its gate.
        detections: boxes.

    Returns:
        Positions of detections by the positions of their tracks; tracks without a detection are left out.
    """
    costs: list[tuple[float, int, int]] = []
    for t, (predicted, gate) in enumerate(tracks):
        for d, detection in enumerate(detections):
            off = difference(predicted, detection)
            if gate.passes(off):
                costs.append((off.shift + math.log(off.size), t, d))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, t, d in sorted(costs):
        if t not in pairs and d not in taken:
            pairs[t] = d
            taken.add(d)
    return pairs
