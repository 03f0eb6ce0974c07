"""The One Euro filter: smooths much while a landmark rests and little while it moves.

Casiez, Roussel and Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems",
CHI 2012. A first-order low-pass filter whose cut-off frequency grows with the speed of the signal.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class OneEuroParams:
    """What the filter is tuned with; speeds are in mouth widths a second, so that they suit every picture size.

    Attributes:
        min_cutoff: cut-off in Hz of a landmark at rest; lower means less jitter and more lag at slow movements.
        beta: by how many Hz the cut-off grows for every mouth width a second; higher means less lag.
        speed_cutoff: cut-off in Hz of the low-pass filter on the speed itself.
    """

    # Tuned on moving training faces with sensor noise: the jitter of still mouths is less than half of the unfiltered
    # one, and of the movements tried (heads at 0.5 to 4 widths a second, lips opening at 0.7 and 3 Hz) none lags by a
    # frame.
    min_cutoff: float = 1.0
    beta: float = 20.0
    speed_cutoff: float = 2.0

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.beta >= 0 and self.speed_cutoff > 0):
            raise ValueError(f"cut-offs must be positive and beta not negative, not {self}")


def smoothing(cutoff_hz: Any, step_s: float) -> Any:
    """Returns the weight of the newest sample in a first-order low-pass filter (Casiez et al., equation 5).

    Args:
        cutoff_hz: cut-off frequency, a number or an array.
        step_s: seconds since the sample before.
    """
    angle = 2 * math.pi * step_s * cutoff_hz
    return angle / (angle + 1)


class OneEuroFilter:
    """Filters (n, 2) points in time; every point has a cut-off frequency of its own, which depends on its speed.

    The speed is the length of the velocity vector. Taken for x and y apart, as in the paper, the result would depend on
    how the picture is turned.

    Attributes:
        params: see ``OneEuroParams``.
    """

    def __init__(self, params: OneEuroParams | None = None) -> None:
        self.params = params or OneEuroParams()
        self.reset()

    def reset(self) -> None:
        """Forgets everything; the next points come back as they are."""
        self._points: NDArray[np.float64] | None = None
        self._velocity: NDArray[np.float64] | None = None
        self._time = 0.0

    def __call__(self, points: NDArray[Any], time_s: float, size: float) -> NDArray[np.float64]:
        """Returns the filtered points.

        Args:
            points: (n, 2) in any frame.
            time_s: when they were seen, in seconds. Steps may differ; one that is not after the last is taken to be
                at the same time, which changes nothing.
            size: the mouth's width in the frame of ``points``, > 0: the unit of the speed.

        Returns:
            (n, 2) float64.
        """
        points = points.astype(np.float64)
        if self._points is None or self._velocity is None:
            self._points, self._velocity, self._time = points, np.zeros_like(points), time_s
            return points.copy()
        step = time_s - self._time
        if step <= 0:
            return self._points.copy()
        change = points - self._points
        seen = change / (step * size)
        velocity = self._velocity + smoothing(self.params.speed_cutoff, step) * (seen - self._velocity)
        speed = np.hypot(velocity[:, :1], velocity[:, 1:])
        weight = smoothing(self.params.min_cutoff + self.params.beta * speed, step)
        filtered = self._points + weight * change
        self._points, self._velocity, self._time = filtered, velocity, time_s
        return filtered.copy()
