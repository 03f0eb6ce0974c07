"""Batches of a few sizes only, so that a new number of views does not compile a network again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def in_buckets(
    run: Callable[[Any], Sequence[Any]], views: NDArray[np.uint8], buckets: tuple[int, ...]
) -> list[NDArray[Any]]:
    """Returns the outputs of a compiled function on N views, each (N, ...).

    Args:
        run: from a batch of views to its outputs.
        views: (N, ...), N >= 1; parts of it are filled up with their last view to the next larger bucket.
        buckets: the batch sizes, ascending; the last is also the largest part.
    """
    parts = []
    for start in range(0, len(views), buckets[-1]):
        chunk = views[start : start + buckets[-1]]
        bucket = next(size for size in buckets if size >= len(chunk))
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], bucket - len(chunk), axis=0)])
        parts.append([np.asarray(found)[: len(chunk)] for found in run(padded)])
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]
