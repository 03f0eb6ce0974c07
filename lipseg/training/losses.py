"""Losses of the base network. Landmark errors are in per cent of the inter-ocular distance, as the NME reads."""

import jax
import jax.numpy as jnp
import numpy as np

from lipseg import scheme
from lipseg.model.layers import middles, spatial_softmax
from lipseg.model.nets import Encoded

Array = jax.Array

# Wing loss, Feng et al., CVPR 2018 (arXiv 1711.06753), equation 5; there w = 10 and epsilon = 2 pixels of a face
# crop 256 wide, here per cent of the inter-ocular distance.
_WING_W = 10.0
_WING_EPSILON = 2.0


def landmark_loss(kind: str, predicted: Array, truth: Array, iod: Array, tangential: float = 1.0) -> Array:
    """Returns (B,) the mean loss of each face's coordinates.

    Where along a contour an annotator put a point is arbitrary; how far across it is not. So the error along the true
    contour may count less: it is scaled by ``tangential`` before the loss is taken, but for the mouth's corners.

    Args:
        kind: "wing", "smooth_l1" (with its corner at 1 %) or "l2".
        predicted: (B, P, 2) unit coordinates.
        truth: (B, P, 2) unit coordinates; P is 56 unless ``tangential`` is 1.
        iod: (B,) inter-ocular distance in unit coordinates.
        tangential: weight of the error along the contour, 0 to 1.

    Raises:
        ValueError: if the shapes differ (a silent broadcast would hide it).
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"predicted {predicted.shape} and true {truth.shape} landmarks differ in shape")
    error = 100.0 * (predicted - truth) / iod[:, None, None]
    if tangential != 1.0:
        error = _across_and_along(error, truth, tangential)
    size = jnp.abs(error)
    if kind == "wing":
        offset = _WING_W - _WING_W * jnp.log1p(_WING_W / _WING_EPSILON)
        loss = jnp.where(size < _WING_W, _WING_W * jnp.log1p(size / _WING_EPSILON), size - offset)
    elif kind == "smooth_l1":
        loss = jnp.where(size < 1.0, 0.5 * size**2, size - 0.5)
    else:
        loss = error**2
    return loss.mean((1, 2))


def _across_and_along(error: Array, truth: Array, tangential: float) -> Array:
    """Returns (B, 56, 2) errors across and along the closed contours of ``truth``, the latter scaled."""
    # The truth of mirrored views depends on a weight. Its directions are not for learning, and where neighbours
    # coincide (in the corners of closed mouths) their slope is infinite.
    truth = jax.lax.stop_gradient(truth)
    rings = [truth[:, part] for part in (scheme.OUTER, scheme.INNER)]
    chord = jnp.concatenate([jnp.roll(ring, -1, axis=1) - jnp.roll(ring, 1, axis=1) for ring in rings], axis=1)
    length = jnp.sqrt((chord**2).sum(-1, keepdims=True))
    # Where neighbours coincide there is no direction: any will do.
    tangent = jnp.where(length > 1e-6, chord / jnp.maximum(length, 1e-6), jnp.array([1.0, 0.0], chord.dtype))
    normal = jnp.stack([-tangent[..., 1], tangent[..., 0]], axis=-1)
    scale = np.full((scheme.N_POINTS, 1), tangential, np.float32)
    scale[[*scheme.OUTER_CORNERS, *scheme.INNER_CORNERS]] = 1.0
    across = (error * normal).sum(-1, keepdims=True)
    along = (error * tangent).sum(-1, keepdims=True)
    return jnp.concatenate([across, scale * along], axis=-1)


def mask_loss(logits: Array, truth: Array) -> Array:
    """Returns (B,) the cross-entropy plus one minus the soft Dice coefficient, averaged over the regions.

    Milletari et al., 3DV 2016, for Dice. A region absent from the picture counts by its cross-entropy alone.

    Args:
        logits: (B, M, M, R).
        truth: (B, M, M, R) coverage in 0..1.
    """
    entropy = jnp.maximum(logits, 0) - logits * truth + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    probability = jax.nn.sigmoid(logits)
    overlap = 2 * (probability * truth).sum((1, 2))
    total = (probability + truth).sum((1, 2))
    dice = jnp.where(truth.sum((1, 2)) > 1.0, 1 - (overlap + 1) / (total + 1), 0.0)
    return entropy.mean((1, 2, 3)) + dice.mean(-1)


def map_loss(maps: Array, truth: Array, iod: Array) -> Array:
    """Returns (B,) the RMS distance, in % of the inter-ocular distance, of the landmark maps' mass from the truth.

    It keeps the maps narrow and single-peaked, which the expectation alone does not demand (the variance term of
    Nibali et al., arXiv 1801.07372, about the truth and not about the mean).

    Args:
        maps: (B, M, M, P) logits.
        truth: (B, P, 2) unit coordinates.
        iod: (B,) inter-ocular distance in unit coordinates.
    """
    probability, at = spatial_softmax(maps), middles(maps.shape[1], maps.dtype)
    off = at[None, :, None] - truth.transpose(0, 2, 1)[:, :, None, :]  # B, 2, M, P
    squared = (probability.sum(1) * off[:, 0] ** 2 + probability.sum(2) * off[:, 1] ** 2).sum(1)
    return 100.0 * jnp.sqrt(squared / iod[:, None] ** 2 + 1.0e-6).mean(1)


def nme(predicted: Array, truth: Array, iod: Array) -> Array:
    """Returns (B,) the mean point-to-point distance over the inter-ocular distance."""
    return jnp.sqrt(((predicted - truth) ** 2).sum(-1)).mean(1) / iod


def contour_error(predicted: Array, truth: Array, iod: Array, tangential: float) -> Array:
    """Returns (B,) the NME with errors along the contour weighted as ``landmark_loss`` weights them.

    What epochs and heads are chosen on: the NME itself moves with where along a contour the points sit, which a small
    ``tangential`` leaves to chance.

    Args:
        predicted: (B, 56, 2) unit coordinates.
        truth: (B, 56, 2) unit coordinates.
        iod: (B,) inter-ocular distance in unit coordinates.
        tangential: weight of the error along the contour; with 1 this is the NME.
    """
    error = predicted - truth
    if tangential != 1.0:
        error = _across_and_along(error, truth, tangential)
    return jnp.sqrt((error**2).sum(-1)).mean(1) / iod


def dense_losses(encoded: Encoded, regions: Array, truth: Array, iod: Array) -> tuple[Array, Array]:
    """Returns (mask loss, map loss), each (B,), zero for a network without a decoder."""
    if encoded.logits is None or encoded.maps is None:
        return jnp.zeros(len(truth)), jnp.zeros(len(truth))
    return mask_loss(encoded.logits, regions), map_loss(encoded.maps, truth, iod)
