"""The base networks: shapes and sizes, the similarity frame, and what training may and may not change."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipseg import scheme
from lipseg.model import layers, nets
from lipseg.model.nets import build_net
from lipseg.model.weights import module_arrays
from lipseg.params import Net

pytestmark = pytest.mark.usefixtures("strict_types")

# Compiled whole: operation by operation they would be dozens of programs.
soft_argmax, place = jax.jit(layers.soft_argmax), jax.jit(nets.place)
similarity_frame, normalise = jax.jit(nets.similarity_frame), jax.jit(nets.normalise)


def parameters(net):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(net, nnx.Param)))


@pytest.fixture(scope="module")
def vanilla(drawn_net):
    return drawn_net(Net(kind="tcnn", width=4, fc5=100), 0)


@pytest.fixture(scope="module")
def views():
    return jnp.asarray(np.random.default_rng(0).normal(size=(3, 32, 32, 3)), jnp.float32)


@pytest.fixture(scope="module")
def encoded(base, views):
    """What the tiny hourglass says of three views in evaluation and in training, and its statistics after each."""
    graph, state = nnx.split(base)

    @jax.jit
    def run(state, x):
        plain, training = nnx.merge(graph, state, copy=True), nnx.merge(graph, state, copy=True)
        found = plain.encode(x, train=False), training.encode(x, train=True)
        return found[0], nnx.state(plain, nnx.BatchStat), found[1], nnx.state(training, nnx.BatchStat)

    return run(state, views)


def test_the_vanilla_network_is_that_of_the_paper(vanilla):
    assert parameters(vanilla) == (
        (5 * 5 * 3 * 16 + 16)
        + (3 * 3 * 16 * 48 + 48)
        + (3 * 3 * 48 * 64 + 64)
        + (2 * 2 * 64 * 64 + 64)
        + (576 * 100 + 100)
        + (100 * 112 + 112)
    )
    found = jax.eval_shape(lambda x: vanilla.encode(x, train=False), jax.ShapeDtypeStruct((2, 40, 40, 3), jnp.float32))
    assert found.features.shape == (2, 576)
    assert found.frame.shape == (2, 4)
    assert found.logits is None
    assert found.maps is None


def test_the_vanilla_network_answers_in_the_view_itself(vanilla):
    found = jax.jit(lambda x: vanilla.encode(x, train=False))(jnp.zeros((2, 40, 40, 3)))
    relative = jnp.arange(224, dtype=jnp.float32).reshape(2, 112)
    np.testing.assert_allclose(place(found.frame, relative), 0.5 + relative.reshape(2, 56, 2))
    assert np.abs(found.features).max() <= 1  # tanh


def test_the_hourglass_has_dense_outputs_at_half_resolution(encoded, base):
    plain = encoded[0]
    assert plain.features.shape == (3, 112 + 96) == (3, base.features)
    assert plain.frame.shape == (3, 4)
    assert plain.logits.shape == (3, 16, 16, 3)
    assert plain.maps.shape == (3, 16, 16, 56)
    assert all(np.isfinite(part).all() for part in plain)


def test_the_hourglass_counts_its_parameters(base):
    def conv_norm(i, o, k):
        return k * k * i * o + 2 * o

    w = [4, 8, 16, 32]
    expected = conv_norm(12, 4, 3) + conv_norm(32, 96, 1) + (4 * 3 + 3) + (4 * 56 + 56)
    expected += sum(2 * conv_norm(c, c, 3) for c in w[1:]) + sum(2 * conv_norm(c, c, 3) for c in w[:-1])
    expected += sum(conv_norm(a, b, 3) + conv_norm(b, a, 1) for a, b in pairwise(w))
    assert parameters(base) == expected + (208 * 8 + 8) + (8 * 112 + 112)


def test_space_to_depth_loses_no_pixel():
    x = jnp.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    blocks = layers.space_to_depth(x)
    assert blocks.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(blocks[1, 1, 2], x[1, 2:4, 4:6].reshape(12))
    np.testing.assert_array_equal(layers.upsample(x)[0, ::2, 1::2], x[0])


def test_the_seed_decides_the_weights():
    net_params = Net(kind="tcnn", width=4, fc5=4)

    def same(a, b):
        return all((x == y).all() for x, y in zip(module_arrays(a).values(), module_arrays(b).values(), strict=True))

    assert same(build_net(net_params, 7), build_net(net_params, 7))
    assert not same(build_net(net_params, 7), build_net(net_params, 8))


def test_evaluation_changes_no_running_statistics_and_training_does(encoded, base):
    before = nnx.state(base, nnx.BatchStat)
    _, after_plain, _, after_training = (jax.tree.leaves(part) for part in encoded)
    leaves = jax.tree.leaves(before)
    assert all((a == b).all() for a, b in zip(leaves, after_plain, strict=True))
    assert all((a != b).any() for a, b in zip(leaves, after_training, strict=True))


def test_running_statistics_normalise_in_evaluation_and_the_batch_s_own_in_training(encoded):
    assert np.abs(encoded[0].features - encoded[2].features).max() > 1e-3


@pytest.mark.slow  # compiles
def test_gradients_reach_every_weight_and_are_finite(base, views):
    graph, params, stats = nnx.split(base, nnx.Param, nnx.BatchStat)

    @jax.jit
    def gradient(params, stats):
        def total(params):
            net = nnx.merge(graph, params, stats, copy=True)
            found = net.encode(views, train=True)
            return (net.head(found.features) ** 2).sum() + (found.logits**2).sum()

        return jax.grad(total)(params)

    for path, leaf in nnx.to_flat_state(gradient(params, stats)):
        assert np.isfinite(leaf[...]).all(), path
        assert np.abs(leaf[...]).max() > 0, path


def test_the_expectation_of_a_peaked_map_is_its_peak():
    maps = np.zeros((2, 8, 8, 3), np.float32)
    peaks = np.random.default_rng(0).integers(0, 8, (2, 3, 2))  # column, row
    for b in range(2):
        for p in range(3):
            maps[b, peaks[b, p, 1], peaks[b, p, 0], p] = 50
    np.testing.assert_allclose(soft_argmax(jnp.asarray(maps)), (peaks + 0.5) / 8, atol=1e-6)
    np.testing.assert_allclose(soft_argmax(jnp.zeros((1, 8, 8, 3))), 0.5, atol=1e-6)


@pytest.fixture(scope="module")
def mouths():
    """Four mouths in unit coordinates, turned, (4, 56, 2)."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([-np.cos(t), -np.sin(t)], 1)
    mouth = np.concatenate([ring * [0.3, 0.15], ring * [0.2, 0.06] + [0, 0.02]])
    rng = np.random.default_rng(0)
    found = []
    for angle in (0.0, 0.0, 0.3, -0.4):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found.append((mouth + 0.005 * rng.normal(size=(56, 2))) @ turn.T + rng.uniform(0.4, 0.6, 2))
    return jnp.asarray(found, jnp.float32)


def test_place_undoes_the_normalisation(mouths):
    frame = similarity_frame(mouths)
    np.testing.assert_allclose(place(frame, normalise(mouths, frame)), mouths, atol=1e-6)


def test_normalised_mouths_are_centred_upright_and_of_unit_radius(mouths):
    q = np.asarray(normalise(mouths, similarity_frame(mouths))).reshape(-1, 56, 2)
    np.testing.assert_allclose(q.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(np.sqrt((q**2).sum(-1).mean(1)), 1, atol=1e-5)
    (ol, orr), (il, ir) = scheme.OUTER_CORNERS, scheme.INNER_CORNERS
    along = q[:, orr] - q[:, ol] + q[:, ir] - q[:, il]
    assert (along[:, 0] > 1).all()
    # The constant that keeps the frame defined before training turns it by less than a degree.
    assert np.abs(np.arctan2(along[:, 1], along[:, 0])).max() < np.deg2rad(1)


def test_features_do_not_depend_on_where_the_mouth_lies(mouths):
    def shape(points):
        return np.asarray(normalise(points, similarity_frame(points)))

    np.testing.assert_allclose(shape(mouths + jnp.array([0.1, -0.2])), shape(mouths), atol=1e-5)
    np.testing.assert_allclose(shape(0.7 * mouths), shape(mouths), atol=0.02)
    assert np.abs(shape(mouths[:1]) - shape(mouths[1:2])).max() > 1e-3  # but they do depend on its shape


def test_the_frame_of_points_that_coincide_is_upright_and_finite():
    frame = similarity_frame(jnp.full((1, 56, 2), 0.5))
    np.testing.assert_allclose(frame, [[0.5, 0.5, 0.02, 0.0]], atol=1e-6)


def test_a_residual_head_starts_as_the_first_guess():
    head = nets.build_net(Net(kind="hourglass", width=4, fc5=8), 3).head
    features = jnp.asarray(np.random.default_rng(0).normal(size=(2, 208)), jnp.float32)
    np.testing.assert_array_equal(jax.jit(head)(features), features[:, :112])
