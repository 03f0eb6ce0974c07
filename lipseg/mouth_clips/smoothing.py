"""Smoothing over time with no lag: a parabola is fitted about every sample, to the samples before and after it.

Savitzky and Golay, "Smoothing and differentiation of data by simplified least squares procedures", Analytical Chemistry
1964; with weights that fall off with the distance in time (Cleveland, "Robust locally weighted regression and smoothing
scatterplots", JASA 1979), so that samples may lie at any times. A parabola keeps what a mean of the same length
flattens: the turning points of a movement.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

# Weights beyond so many deviations are left out (they are below 1e-3 of the middle one).
_REACH = 3.7
# Keeps the fit solvable where there are fewer than three samples: it is then a line or a constant.
_RIDGE = 1.0e-9
# Samples that are solved at once; bounds the memory whatever the video's length.
_ROWS = 1024


def smooth_over_time(times_s: Array, values: Array, deviation_s: float) -> Array:
    """Returns values smoothed over time, at the same times.

    Args:
        times_s: (n,) seconds, increasing strictly.
        values: (n, k).
        deviation_s: standard deviation of the weights, in seconds.

    Returns:
        (n, k) float64.
    """
    times, values = np.asarray(times_s, np.float64), np.asarray(values, np.float64)
    low = np.searchsorted(times, times - _REACH * deviation_s, "left")
    high = np.searchsorted(times, times + _REACH * deviation_s, "right")
    smoothed = np.empty_like(values)
    for start in range(0, len(times), _ROWS):
        rows = slice(start, start + _ROWS)
        first, last = low[rows], high[rows]
        columns = first[:, None] + np.arange(int((last - first).max()))
        inside = columns < last[:, None]
        columns = np.minimum(columns, len(times) - 1)
        u = (times[columns] - times[rows, None]) / deviation_s
        weights = np.where(inside, np.exp(-0.5 * u * u), 0.0)
        basis = np.stack([np.ones_like(u), u, u * u], -1)
        weighted = basis * weights[..., None]
        moments = np.einsum("nwi,nwj->nij", weighted, basis)
        moments[:, (1, 2), (1, 2)] += _RIDGE * moments[:, :1, 0]
        # About the sample's own value, so that the ridge pulls towards nothing that depends on the origin.
        own = values[rows, None]
        sums = np.einsum("nwi,nwk->nik", weighted, values[columns] - own)
        smoothed[rows] = own[:, 0] + np.linalg.solve(moments, sums)[:, 0]
    return smoothed
