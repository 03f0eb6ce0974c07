"""How far annotators placed all landmarks to one side, learnt from mirrored faces."""

import numpy as np
from numpy.typing import NDArray

from lipseg import scheme


def sideways_bias(mirror_offset: NDArray[np.floating], mean_shape: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns (2,) the shift that annotations have, in the mouth's frame (``nets.similarity_frame``: its RMS radius).

    Annotators who place every contour by d to one side give a mirrored face's contours, mirrored, -2 d from where they
    would have put them. What a landmark's offset says along the contour is how the points are spread on it; the shift
    is what fits the part across the contours best, in the sense of least squares.

    Args:
        mirror_offset: (112,) of ``nets.Hourglass``.
        mean_shape: (56, 2) mean landmarks in the same frame.
    """
    rings = [mean_shape[part] for part in (scheme.OUTER, scheme.INNER)]
    along = np.concatenate([np.roll(ring, -1, axis=0) - np.roll(ring, 1, axis=0) for ring in rings])
    normals = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normals /= np.maximum(np.hypot(*normals.T), 1e-9)[:, None]
    across = (normals * mirror_offset.reshape(-1, 2)).sum(1)
    shift, *_ = np.linalg.lstsq(normals, across, rcond=None)
    return (-shift / 2).astype(np.float32)


def without_bias(landmarks: NDArray[np.floating], bias: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns landmarks (56, 2) moved to where both sides are treated alike.

    Args:
        landmarks: (56, 2) in any frame that is not mirrored.
        bias: (2,) of ``sideways_bias``.
    """
    centred = landmarks - landmarks.mean(0)
    radius = np.sqrt((centred**2).sum(1).mean())
    (a, b), (c, d) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
    along = landmarks[b] - landmarks[a] + landmarks[d] - landmarks[c]
    along = along / max(float(np.hypot(*along)), 1e-9)
    shift = bias[0] * along + bias[1] * np.array([-along[1], along[0]])
    return (landmarks - radius * shift).astype(np.float32)
