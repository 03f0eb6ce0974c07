"""Evidence for a right contour, computed from outputs that the networks give anyway.

Letters in shapes: N views, E kinds of evidence, M side of the maps.
"""

import jax
import jax.numpy as jnp

from lipseg import scheme
from lipseg.model.layers import middles, spatial_softmax
from lipseg.model.nets import Encoded, place

Array = jax.Array

# The skin is sampled on the outer contour enlarged by this factor about the mouth's centre.
OUTSIDE = 1.25


def gather_evidence(encoded: Encoded, cascade: Array, deviance: Array, margin: float) -> Array:
    """Returns (N, E) evidence: larger is worse, except for ``lips`` and ``skin``, where larger is better.

    - deviance: how unlikely the features are under the mixture, see ``Mixture.deviance``.
    - spread, worst_spread: log of the landmark maps' standard deviations over the mouth's width, mean and 90th
      percentile: a landmark that the network does not see has a wide map.
    - change: log of the mean distance between the maps' positions and the head's landmarks over the mouth's width.
    - lips, skin: mean probability of the region masks for lips between the contours, and for none of the regions
      around them.
    - offset: distance between the mouth's and the view's centre, in mouth widths.
    - size: absolute log of the ratio of the mouth's width to the width that the box implies.

    Args:
        encoded: of N views.
        cascade: (N, 56, 2) landmarks, unit coordinates.
        deviance: (N,).
        margin: the view's side over the mouth's width, on average.
    """
    centre = cascade.mean(1)
    corners = cascade[:, scheme.OUTER_CORNERS[1]] - cascade[:, scheme.OUTER_CORNERS[0]]
    width = jnp.sqrt((corners**2).sum(-1)) + 1e-3
    none = jnp.zeros_like(width)
    spread = worst = change = lips = skin = none
    if encoded.maps is not None:
        deviation = map_spread(encoded.maps) / width[:, None]
        spread, worst = jnp.log(deviation.mean(1)), jnp.log(jnp.percentile(deviation, 90.0, axis=1))
        guess = place(encoded.frame, encoded.features[:, : 2 * scheme.N_POINTS])
        moved = jnp.sqrt(((guess - cascade) ** 2).sum(-1)).mean(1)
        change = jnp.log(moved / width + 1e-3)
    if encoded.logits is not None:
        regions = jax.nn.sigmoid(encoded.logits)
        # Inner point i faces outer point i closely enough: both contours start at the same corner.
        band = (cascade[:, scheme.OUTER] + cascade[:, scheme.INNER]) / 2
        around = centre[:, None] + OUTSIDE * (cascade[:, scheme.OUTER] - centre[:, None])
        lips = _at(regions[..., :2].sum(-1), band).mean(1)
        skin = 1 - _at(regions.sum(-1), around).mean(1)
    offset = jnp.sqrt(((centre - 0.5) ** 2).sum(-1)) / width
    size = jnp.abs(jnp.log(width * margin))
    return jnp.stack([jnp.arcsinh(deviance), spread, worst, change, lips, skin, offset, size], axis=1)


def map_spread(maps: Array) -> Array:
    """Returns (N, P) standard deviations, unit coordinates, of softmax(maps) over (N, M, M, P) logits."""
    probability = spatial_softmax(maps)
    # About the middle of the view: from its corner, squares of means would cost the digits of small variances.
    at = middles(maps.shape[1], maps.dtype) - 0.5
    variance = jnp.zeros((len(maps), maps.shape[-1]), maps.dtype)
    for marginal in (probability.sum(1), probability.sum(2)):
        mean = jnp.einsum("nkp,k->np", marginal, at)
        variance += jnp.einsum("nkp,k->np", marginal, at**2) - mean**2
    return jnp.sqrt(jnp.maximum(variance, 1e-8))


def _at(maps: Array, points: Array) -> Array:
    """Returns (N, Q) values of (N, M, M) maps at the cells of (N, Q, 2) points in unit coordinates."""
    n, m = maps.shape[:2]
    cell = jnp.clip(jnp.floor(points * m), 0, m - 1).astype(jnp.int32)
    return jnp.take_along_axis(maps.reshape(n, m * m), cell[..., 1] * m + cell[..., 0], axis=1)
