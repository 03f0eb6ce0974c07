"""The distance between outlines: what a head is chosen on."""

import jax
import jax.numpy as jnp

from lipseg import scheme

Array = jax.Array


def outline_error(predicted: Array, truth: Array, iod: Array) -> Array:
    """Returns (B,) the mean distance of each outline's points from the other outline, over the inter-ocular distance.

    Both ways, outer and inner contour averaged: nearly the ``contour`` of ``lipseg.evaluation.metrics``, which walks
    along the outlines in finer steps.

    Args:
        predicted: (B, 56, 2) unit coordinates.
        truth: (B, 56, 2) unit coordinates.
        iod: (B,) inter-ocular distance in unit coordinates.
    """
    ways = [
        _mean_distance(a[:, part], b[:, part])
        for part in (scheme.OUTER, scheme.INNER)
        for a, b in ((predicted, truth), (truth, predicted))
    ]
    return sum(ways[1:], ways[0]) / len(ways) / iod


def _mean_distance(points: Array, ring: Array) -> Array:
    """Returns (B,) the mean distance of points (B, n, 2) from closed polygons (B, m, 2)."""
    sides = jnp.roll(ring, -1, axis=1) - ring
    away = points[:, :, None] - ring[:, None]
    # Sides of no length are points.
    share = (away * sides[:, None]).sum(-1) / jnp.maximum((sides**2).sum(-1), 1e-12)[:, None]
    nearest = jnp.clip(share, 0.0, 1.0)[..., None] * sides[:, None]
    return jnp.sqrt(((away - nearest) ** 2).sum(-1)).min(-1).mean(-1)
