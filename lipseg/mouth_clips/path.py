"""Where a mouth is cut out over time: its place, roll and width, smoothed with no lag."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.geometry import Affine
from lipseg.mouth_clips.params import ClipParams
from lipseg.mouth_clips.smoothing import smooth_over_time

Array = NDArray[np.floating[Any]]

_SMALLEST_PX = 1.0e-3


class MouthPath:
    """The way of one mouth through the picture."""

    def __init__(self, times_s: Array, landmarks_px: Array, params: ClipParams) -> None:
        """Smooths the place, the roll and the width of a mouth.

        Args:
            times_s: (n,) when it was seen, in seconds, increasing strictly.
            landmarks_px: (n, 56, 2) where, in pixels of the frames.
            params: see ``ClipParams``.
        """
        self._params, self._times = params, np.asarray(times_s, np.float64)
        points = np.asarray(landmarks_px)  # of a long video these are many: no second copy of all in float64
        left, right = scheme.OUTER_CORNERS
        across = points[:, right].astype(np.float64) - points[:, left]
        place = points.mean(1, dtype=np.float64)
        roll = np.unwrap(np.arctan2(across[:, 1], across[:, 0]))[:, None]
        size = np.log(np.maximum(np.hypot(across[:, 0], across[:, 1]), _SMALLEST_PX))[:, None]
        (ends,) = np.nonzero(np.diff(self._times) > params.longest_gap_s)
        state = np.empty((len(points), 4))
        for run in np.split(np.arange(len(points)), ends + 1):
            at = self._times[run]
            state[run, :2] = smooth_over_time(at, place[run], params.smooth_s)
            state[run, 2:3] = smooth_over_time(at, roll[run], params.roll_s)
            state[run, 3:] = smooth_over_time(at, size[run], params.scale_s)
        if params.align == "none":
            state[:, 2] = 0.0
        self._state = state

    def to_picture(self, time_s: float) -> Affine | None:
        """Returns the map from a clip frame's pixels to the picture's at a time; None in a long gap and outside."""
        after = int(np.searchsorted(self._times, time_s))
        if after < len(self._times) and self._times[after] == time_s:
            return self._affine(self._state[after])
        if not 0 < after < len(self._times):
            return None
        before = after - 1
        span = self._times[after] - self._times[before]
        if span > self._params.longest_gap_s:
            return None
        share = (time_s - self._times[before]) / span
        return self._affine((1 - share) * self._state[before] + share * self._state[after])

    def _affine(self, state: Array) -> Affine:
        x, y, roll, log_width = state.tolist()
        step = math.exp(log_width) / self._params.mouth_px
        axes = step * np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
        middle = np.array([(self._params.width - 1) / 2, (self._params.height - 1) / 2])
        return Affine(np.column_stack([axes, np.array([x, y]) - axes @ middle]))
