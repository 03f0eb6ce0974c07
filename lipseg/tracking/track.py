"""A track: what is known of one mouth from the frames before, and where it is expected in the next."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lipseg.boxes import Box
from lipseg.errors import DataError
from lipseg.tracking.matching import Gate, difference
from lipseg.tracking.one_euro import OneEuroFilter, OneEuroParams

if TYPE_CHECKING:
    from lipseg.inference.lips import Lips

# The view is held while the predicted box stays close to the box that it was cut for. A view cut anew shifts the
# landmarks a little, because the picture is resampled and the network's error depends on the view; cut anew in every
# frame, it would feed that shift back into the next (measured at a still 100-px mouth: landmarks deviate by 0.19 px
# with the view held, by 0.39 px without). The shares of these three limits add up: box lengths, logarithm of the size,
# radians. The boxes that the network was trained on were jittered by more than that.
_HELD_SHIFT, _HELD_SIZE, _HELD_ROLL = 0.055, 0.09, 0.09

# What a mouth cannot do from one frame to the next.
_JUMP = Gate(shift=0.6, size=1.4, turn=0.6)
# The same against the box of a detection or of the caller, which is coarser and may be upright about a turned mouth.
_FIRST = Gate(shift=1.0, size=2.2)
_HIGHEST = 1.8  # of height to width; a rounded open mouth reaches about 1.2
_SMALLEST_PX = 6.0

# A mouth is expected to keep its velocity for so long after it was last seen.
_LONGEST_STEP_S = 0.3
# Mean innovation that a new track begins with: an older track on the same mouth has a smaller one, unless it jumped
# there from another mouth.
_NEW_INNOVATION = 0.05
# Weights of the newest frame in the running means.
_VELOCITY_WEIGHT, _INNOVATION_WEIGHT = 0.4, 0.3


class Track:
    """The state of one followed mouth: tentative until the model has accepted it, then confirmed, perhaps lost later.

    In each frame: ``predict``, run the model on ``view_box``, ``gate`` its landmarks, ``update``.

    Attributes:
        id: of the mouth; 0 until it has one.
        given: whether the caller gave the box.
        box: about the landmarks of the frame in which the mouth was last seen; of a tentative track, where to look.
        predicted: ``box`` moved to where it is expected in the current frame.
        velocity: of the box's centre, (x, y) in pixels a second.
        time: seconds, when the mouth was last seen.
        innovation: running mean of the distance between observed and predicted centre, in box lengths.
        low_scores: frames running with too low a score.
        misses: detections running that did not find this mouth.
        confirmed: whether the model's landmarks have passed the gate once.
        lost: whether the mouth is no longer followed; a detection may take it up again.
    """

    def __init__(self, box: Box, smooth: OneEuroParams | None, *, id: int = 0, given: bool = False) -> None:
        self.id = id
        self.given = given
        self.box = self.predicted = box
        self.velocity = (0.0, 0.0)
        self.time = -math.inf
        self.innovation = _NEW_INNOVATION
        self.low_scores = self.misses = 0
        self.confirmed = self.lost = False
        self._filter = OneEuroFilter(smooth) if smooth else None
        self._view_box = box
        self._before = (box, self.velocity)

    def predict(self, time: float) -> None:
        """Moves the box on to a new frame by its velocity."""
        step = min(time - self.time, _LONGEST_STEP_S) if self.confirmed else 0.0
        self.predicted = self.box.moved(self.velocity[0] * step, self.velocity[1] * step) if step else self.box

    def view_box(self) -> Box:
        """Returns the box that the model is to be shown: the one of the frame before, or the predicted one."""
        off = difference(self._view_box, self.predicted)
        if off.shift / _HELD_SHIFT + math.log(off.size) / _HELD_SIZE + off.turn / _HELD_ROLL >= 1:
            self._view_box = self.predicted
        return self._view_box

    def gate(self, landmarks: NDArray[np.float32], height: int, width: int) -> Box | None:
        """Returns the box about the model's landmarks, or None if they cannot be this mouth's.

        Args:
            landmarks: (56, 2) in pixels of the frame.
            height: pixels of the frame.
            width: pixels of the frame.
        """
        inside = ((landmarks >= -0.5) & (landmarks <= (width - 0.5, height - 0.5))).all(1)
        if 2 * np.count_nonzero(inside) < len(landmarks):
            return None
        try:
            box = Box.around(landmarks)
        except DataError:  # not finite, or all in one place
            return None
        if box.width < _SMALLEST_PX or box.height > _HIGHEST * box.width:
            return None
        gate = _JUMP if self.confirmed else _FIRST
        return box if gate.passes(difference(self.predicted, box)) else None

    def update(self, lips: "Lips", box: Box, time: float) -> "Lips":
        """Takes what the model sees of the mouth in the current frame.

        Args:
            lips: of the mouth.
            box: about their landmarks.
            time: of the frame, in seconds.

        Returns:
            The lips with smoothed landmarks.
        """
        self._before = (self.box, self.velocity)
        if self.confirmed and time > self.time:
            self.innovation += _INNOVATION_WEIGHT * (difference(self.predicted, box).shift - self.innovation)
            step, (vx, vy) = time - self.time, self.velocity
            self.velocity = (
                vx + _VELOCITY_WEIGHT * ((box.cx - self.box.cx) / step - vx),
                vy + _VELOCITY_WEIGHT * ((box.cy - self.box.cy) / step - vy),
            )
        self.box = self.predicted = box
        self.time, self.confirmed = time, True
        if self._filter is None:
            return lips
        return replace(lips, landmarks=self._filter(lips.landmarks, time, box.width).astype(np.float32))

    def undo_update(self) -> None:
        """Puts box and velocity back to what they were before the last update."""
        self.box, self.velocity = self._before
