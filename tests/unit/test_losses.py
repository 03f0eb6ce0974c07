"""Losses by hand and by NumPy, their gradients at zero error, and their shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from lipseg.model.nets import Encoded
from lipseg.training import losses

pytestmark = pytest.mark.usefixtures("strict_types")

# Compiled whole, as in training: operation by operation they would be some forty programs a test.
landmark_loss = jax.jit(losses.landmark_loss, static_argnums=(0, 4))
contour_error = jax.jit(losses.contour_error, static_argnums=3)
mask_loss, map_loss, nme = jax.jit(losses.mask_loss), jax.jit(losses.map_loss), jax.jit(losses.nme)
dense_losses = jax.jit(losses.dense_losses)

KINDS = ["wing", "smooth_l1", "l2"]
IOD = jnp.array([0.5, 2.0])


def loss_of(kind, per_cent):
    """The loss of an error of so many per cent in every coordinate."""
    truth = jnp.full((2, 56, 2), 0.5)
    return landmark_loss(kind, truth + per_cent / 100 * IOD[:, None, None], truth, IOD)


@pytest.mark.parametrize(
    ("kind", "per_cent", "expected"),
    [
        ("l2", 3.0, 9.0),
        ("l2", -3.0, 9.0),
        ("smooth_l1", 0.5, 0.125),
        ("smooth_l1", 3.0, 2.5),
        ("wing", 2.0, 10 * np.log(2)),
        ("wing", -8.0, 10 * np.log(5)),
        ("wing", 25.0, 25 - (10 - 10 * np.log(6))),
    ],
)
def test_values_by_hand(kind, per_cent, expected):
    np.testing.assert_allclose(loss_of(kind, per_cent), expected, rtol=2e-4)


@pytest.mark.parametrize(("kind", "corner"), [("wing", 10.0), ("smooth_l1", 1.0)])
def test_pieces_meet_at_the_corner(kind, corner):
    below, above = loss_of(kind, corner - 1e-3), loss_of(kind, corner + 1e-3)
    np.testing.assert_allclose(below, above, atol=5e-3)
    assert (below < above).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_face_s_loss_is_the_mean_over_its_coordinates(kind):
    rng = np.random.default_rng(0)
    truth, found = rng.uniform(size=(2, 2, 56, 2)).astype(np.float32)
    whole = landmark_loss(kind, found, truth, IOD)
    assert whole.shape == (2,)
    single = [landmark_loss(kind, found[:, i : i + 1], truth[:, i : i + 1], IOD) for i in range(56)]
    np.testing.assert_allclose(whole, np.mean(single, 0), rtol=1e-5)


def circles(turn=0.0):
    """Both contours as circles, turned by so many radians: (1, 56, 2)."""
    angle = np.arange(28) / 28 * 2 * np.pi + turn
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    return jnp.asarray(0.5 + np.concatenate([0.3 * ring, 0.2 * ring])[None], jnp.float32)


def test_an_error_along_the_contour_counts_less_but_for_the_corners():
    truth, one = circles(), jnp.ones(1)
    # Points slid along their circle: 1 % of its radius, as an angle.
    slid = circles(0.01)
    full = float(landmark_loss("l2", slid, truth, one)[0])
    corners = 4 * 0.5 * (0.3**2 + 0.2**2)  # of 56 squared lengths, in per cent, two coordinates each
    sides = 56 * 0.5 * (0.3**2 + 0.2**2)
    np.testing.assert_allclose(full, sides / 112, rtol=1e-2)
    found = float(landmark_loss("l2", slid, truth, one, 0.0)[0])
    np.testing.assert_allclose(found, corners / 112, rtol=2e-2)
    # An error across counts in full.
    grown = 0.5 + (truth - 0.5) * 1.01
    np.testing.assert_allclose(
        landmark_loss("l2", grown, truth, one, 0.0), landmark_loss("l2", grown, truth, one), rtol=1e-4
    )


def test_the_error_that_epochs_are_chosen_on_hardly_sees_points_slid_along_their_contour():
    truth, one = circles(), jnp.ones(1)
    slid, grown = circles(0.01), 0.5 + (truth - 0.5) * 1.01
    np.testing.assert_allclose(contour_error(slid, truth, one, 1.0), nme(slid, truth, one), rtol=1e-6)
    share = (52 * 0.3 + 4) / 56  # the corners count in full
    np.testing.assert_allclose(contour_error(slid, truth, one, 0.3), share * nme(slid, truth, one), rtol=2e-2)
    np.testing.assert_allclose(contour_error(grown, truth, one, 0.3), nme(grown, truth, one), rtol=1e-3)


def test_a_contour_shrunk_to_a_point_has_a_finite_loss_and_gradient():
    truth = jnp.full((1, 56, 2), 0.5)
    slope = jax.jit(jax.value_and_grad(lambda x: landmark_loss("wing", x, truth, jnp.ones(1), 0.3).sum()))
    value, gradient = slope(truth + 0.1)
    assert float(value) > 0
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_at_no_error_are_zero_or_finite(kind):
    truth = jnp.full((2, 56, 2), 0.5)
    gradient = jax.jit(jax.grad(lambda x: landmark_loss(kind, x, truth, IOD).sum()))(truth)
    if kind == "wing":  # it has a corner there: any slope between those on either side will do
        assert (jnp.abs(gradient) <= 5 * 100 / IOD[:, None, None] / 112 * 1.001).all()
    else:
        np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_other_shapes_are_refused_and_not_broadcast(kind):
    with pytest.raises(ValueError, match=r"predicted \(2, 56, 2\) and true \(1, 56, 2\)"):
        landmark_loss(kind, jnp.zeros((2, 56, 2)), jnp.zeros((1, 56, 2)), IOD)


def test_nme_is_the_mean_distance_over_the_inter_ocular_distance():
    truth = jnp.zeros((2, 4, 2))
    found = jnp.array([3.0, 4.0]) * jnp.array([0.0, 1.0, 2.0, 1.0])[None, :, None] + truth
    np.testing.assert_allclose(nme(found, truth, IOD), [5.0 / 0.5, 5.0 / 2.0])


def masks(rng):
    return (rng.random((2, 8, 8, 3)) < 0.4).astype(np.float32)


def test_perfect_masks_cost_nothing():
    truth = masks(np.random.default_rng(0))
    np.testing.assert_allclose(mask_loss(60 * truth - 30, truth), 0, atol=1e-4)
    assert (mask_loss(30 - 60 * truth, truth) > 20).all()


def test_mask_loss_is_cross_entropy_and_dice():
    rng = np.random.default_rng(1)
    truth, logits = masks(rng), rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    p = expit(logits)
    entropy = -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean((1, 2, 3))
    dice = 1 - (2 * (p * truth).sum((1, 2)) + 1) / ((p + truth).sum((1, 2)) + 1)
    np.testing.assert_allclose(mask_loss(logits, truth), entropy + dice.mean(-1), rtol=1e-5)
    truth[..., 2] = 0  # a closed mouth: no inner region, so no Dice for it
    entropy = -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean((1, 2, 3))
    np.testing.assert_allclose(mask_loss(logits, truth), entropy + dice[:, :2].sum(-1) / 3, rtol=1e-5)


def test_mask_loss_is_finite_for_any_logits():
    truth = masks(np.random.default_rng(0))
    slope = jax.jit(jax.value_and_grad(lambda x: mask_loss(x, truth).sum()))
    for logits in (np.full(truth.shape, 1e4, np.float32), np.full(truth.shape, -1e4, np.float32)):
        value, gradient = slope(logits)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_map_loss_of_a_peak_is_its_distance():
    maps = np.full((2, 8, 8, 3), -60, np.float32)
    maps[:, 2, 5] = 60
    at = np.broadcast_to(np.array([5.5, 2.5]) / 8, (2, 3, 2)).astype(np.float32)
    np.testing.assert_allclose(map_loss(maps, at, IOD), 0.1, rtol=1e-3)  # the constant under the root
    np.testing.assert_allclose(map_loss(maps, at + np.float32([0.03, -0.04]), IOD), [10.0, 2.5], rtol=2e-3)


def test_map_loss_grows_with_the_spread_about_the_truth():
    maps = np.full((2, 8, 8, 1), -60, np.float32)
    maps[:, 3, 1] = maps[:, 3, 6] = 60
    truth = np.broadcast_to(np.array([4.0, 3.5]) / 8, (2, 1, 2)).astype(np.float32)  # the mean of the two peaks
    np.testing.assert_allclose(map_loss(maps, truth, IOD), 100 * (2.5 / 8) / np.asarray(IOD), rtol=1e-3)
    assert np.isfinite(jax.jit(jax.grad(lambda x: map_loss(x, truth, IOD).sum()))(maps)).all()


def test_dense_losses_are_those_of_the_parts_or_zero():
    rng = np.random.default_rng(0)
    logits, maps = (rng.normal(size=(2, 8, 8, n)).astype(np.float32) for n in (3, 56))
    regions, truth = masks(rng), rng.uniform(size=(2, 56, 2)).astype(np.float32)
    found = dense_losses(Encoded(None, None, None, logits, maps), regions, truth, IOD)
    np.testing.assert_allclose(found[0], mask_loss(logits, regions))
    np.testing.assert_allclose(found[1], map_loss(maps, truth, IOD))
    for part in dense_losses(Encoded(None, None, None, None, None), regions, truth, IOD):
        np.testing.assert_array_equal(part, [0, 0])


def test_gradients_by_the_truth_are_finite_where_neighbours_coincide():
    """Closed mouths: the points before and after an inner corner lie in the same place."""
    truth = np.random.default_rng(0).uniform(size=(2, 56, 2)).astype(np.float32)
    truth[:, 29] = truth[:, 55]
    slope = jax.jit(jax.grad(lambda x: landmark_loss("wing", truth + 0.01, x, IOD, 0.3).sum()))(truth)
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0
