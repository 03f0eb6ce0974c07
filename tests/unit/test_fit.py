"""Training of the base network: it learns, keeps its best epoch, stops, and goes on where it was interrupted."""

from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

from lipseg.errors import LipsegError
from lipseg.geometry import View
from lipseg.model.nets import Tcnn, place
from lipseg.model.weights import module_arrays
from lipseg.params import Net, TrainBase
from lipseg.training import fit
from lipseg.training.checkpoint import Checkpoint
from lipseg.training.self_distillation import taught_by

TRAIN = TrainBase(
    epochs=3,
    repeats=1,
    source_weights=(),
    patience=0,
    batch_size=4,
    optimiser="adamw",
    kernel_rate=2e-2,
    learning_rate=3e-3,
    schedule="constant",
    weight_decay=0.0,
    average=0.5,
    loss="l2",
    tangential=1.0,
    mask_weight=0.0,
    map_weight=0.0,
    validate_on="exact",
    generations=1,
    teacher=0.5,
)
VANILLA, VIEW = Net(kind="tcnn", width=4, fc5=16), View(40, "square", 1.6)


@pytest.fixture
def train(crops, normaliser, no_augment, drawn_net, tmp_path, monkeypatch):
    """A function that trains the vanilla network on the drawn faces, with changes to the section ``train_base``."""
    monkeypatch.setattr(fit, "build_net", drawn_net)

    def run(name="work", net=VANILLA, view=VIEW, augment=no_augment, **changes):
        return fit.fit_base(
            crops,
            normaliser,
            net_params=net,
            view=view,
            augment=augment,
            train=replace(TRAIN, **changes),
            seed=0,
            checkpoint=Checkpoint(name, "key", tmp_path),
        )

    return run


def errors(fitted):
    return [row["validation_error"] for row in fitted.history]


def test_it_learns_the_few_faces(train):
    fitted = train(epochs=25)
    losses = [row["loss"] for row in fitted.history]
    assert losses[-1] < 0.2 * losses[0]
    assert errors(fitted)[-1] < 0.5 * errors(fitted)[0]
    assert [row["epoch"] for row in fitted.history] == list(range(25))
    assert [row["best"] for row in fitted.history] == list(np.minimum.accumulate(errors(fitted)))


def test_mirrored_views_are_taught_what_unmirrored_ones_would_be(train, no_augment, monkeypatch):
    def spoilt(self, points, mirrored, frame):
        return jnp.where(mirrored[:, None, None], jnp.nan, points)

    monkeypatch.setattr(Tcnn, "as_unmirrored", spoilt)
    train("plain", epochs=1)
    with pytest.raises(LipsegError, match="not finite"):
        train("mirrored", epochs=1, augment=replace(no_augment, mirror=1.0))


@pytest.mark.pipeline  # trains twice
@pytest.mark.parametrize(("epochs", "generations", "after"), [(3, 1, 1), (2, 2, 2), (2, 2, 3)])
def test_interrupted_and_resumed_is_the_same_as_uninterrupted(
    train, no_augment, monkeypatch, epochs, generations, after
):
    augment = replace(no_augment, shift=0.1, mirror=0.5, colour=0.5)
    train = partial(train, epochs=epochs, generations=generations)
    whole = train("whole", augment=augment)

    real = Checkpoint.save

    def killed(self, arrays, meta):
        real(self, arrays, meta)
        if len(meta["history"]) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train("cut", augment=augment)
    monkeypatch.setattr(Checkpoint, "save", real)
    resumed = train("cut", augment=augment)
    for name, array in module_arrays(whole.net).items():
        np.testing.assert_allclose(module_arrays(resumed.net)[name], array, atol=1e-6)
    for row, expected in zip(resumed.history, whole.history, strict=True):
        for name in set(row) - {"seconds"}:
            assert row[name] == pytest.approx(expected[name], rel=1e-4)
    monkeypatch.setattr(Checkpoint, "save", lambda *_: pytest.fail("what is finished is not trained again"))
    assert errors(train("cut", augment=augment)) == errors(resumed)


def _scripted(real, left):
    def make(*given):
        step, _, answer = real(*given)
        return step, lambda *_: (next(left), 0.5), answer

    return make


@pytest.fixture
def scripted(monkeypatch):
    """A function that sets the validation errors of the epochs to come."""
    real = fit._make_steps

    def script(*values):
        left = iter(values)
        monkeypatch.setattr(fit, "_make_steps", _scripted(real, left))

    return script


def test_the_best_epoch_s_weights_are_returned(train, scripted):
    scripted(3.0, 1.0, 2.0, 1.0)
    fitted = train(epochs=4)
    assert [row["best"] for row in fitted.history] == [3.0, 1.0, 1.0, 1.0]
    scripted(3.0, 1.0)
    until_then = train("shorter", epochs=2)
    for name, array in module_arrays(until_then.net).items():
        np.testing.assert_allclose(module_arrays(fitted.net)[name], array, atol=1e-6)


def test_the_best_epoch_outlives_an_interruption(train, scripted):
    scripted(1.0)
    first = train(epochs=1)
    scripted(2.0, 3.0)
    resumed = train(epochs=3)
    assert [row["best"] for row in resumed.history] == [1.0, 1.0, 1.0]
    for name, array in module_arrays(first.net).items():
        np.testing.assert_array_equal(module_arrays(resumed.net)[name], array)


def test_every_epoch_draws_its_own_views(train, no_augment, monkeypatch):
    real, seen = fit.sample_views, []

    def recorded(*given):
        seen.append(real(*given))
        return seen[-1]

    monkeypatch.setattr(fit, "sample_views", recorded)
    fitted = train(epochs=2, augment=replace(no_augment, shift=0.2))
    half = len(seen) // 2
    assert half >= 2
    assert len(fitted.history) == 2
    drawn = [
        np.sort(np.concatenate([views.to_image[:, 0, 2] for views in part])) for part in (seen[:half], seen[half:])
    ]
    assert (drawn[0] != drawn[1]).all()


def test_it_stops_when_patience_ends(train, scripted):
    scripted(3.0, 2.0, 2.5, 2.0)
    assert errors(train(epochs=30, patience=2)) == [3.0, 2.0, 2.5, 2.0]


@pytest.mark.parametrize(
    ("values", "patience", "stops"),
    [([3, 2, 2], 1, True), ([3, 2, 2], 2, False), ([3, 2, 2, 4], 2, True), ([3, 3, 3], 0, False), ([], 1, False)],
)
def test_patience_counts_epochs_without_a_better_error(values, patience, stops):
    history = [{"validation_error": value, "generation": 0} for value in values]
    assert fit._next_generation(history, replace(TRAIN, epochs=9, patience=patience)) == int(stops)
    # The next generation has its own patience, and counts its own epochs.
    older = [{"validation_error": 1, "generation": 0}] * 9
    later = older + [{**row, "generation": 1} for row in history]
    assert fit._next_generation(later, replace(TRAIN, epochs=9, patience=patience)) == 1 + int(stops)


def test_a_further_generation_starts_afresh_and_learns_from_the_best_so_far(train, scripted, normaliser, monkeypatch):
    given = []

    def spy(answer, crops, view, share, seed):
        given.append((np.asarray(answer(np.zeros((1, 40, 40, 3), np.uint8))), share))
        return replace(crops, points_px=crops.points_px + 1.0)

    monkeypatch.setattr(fit, "taught_by", spy)
    scripted(3.0, 1.0, 2.0, 5.0, 0.5, 4.0)
    fitted = train(epochs=3, generations=2, teacher=0.25)
    assert [row["generation"] for row in fitted.history] == [0, 0, 0, 1, 1, 1]
    assert [row["epoch"] for row in fitted.history] == list(range(6))
    assert [row["best"] for row in fitted.history] == [3.0, 1.0, 1.0, 1.0, 0.5, 0.5]
    # The untrained network's loss, on landmarks elsewhere.
    assert fitted.history[3]["loss"] > 0.8 * fitted.history[0]["loss"]
    scripted(3.0, 1.0)
    teacher = train("teacher", epochs=2).net
    ((answer, share),) = given
    assert share == 0.25
    encoded = teacher.encode(normaliser(jnp.zeros((1, 40, 40, 3))), train=False)
    np.testing.assert_allclose(answer, place(encoded.frame, teacher.head(encoded.features)), atol=1e-5)


def test_a_generation_that_does_not_win_leaves_the_one_before(train, scripted):
    scripted(1.0, 2.0, 3.0)
    fitted = train(epochs=1, generations=3)
    scripted(1.0)
    for name, array in module_arrays(train("first", epochs=1).net).items():
        np.testing.assert_allclose(module_arrays(fitted.net)[name], array, atol=1e-6)


def test_landmarks_are_drawn_towards_the_teacher_s(crops):
    """A teacher that always says the view's middle."""
    view, train = View(32, "square", 1.6), crops.indices("train")

    def middle(images):
        return np.full((len(images), 56, 2), 0.5, np.float32)

    found = taught_by(middle, crops, view, 1.0, (0, 1))
    others = np.setdiff1d(np.arange(len(crops)), train)
    np.testing.assert_array_equal(found.points_px[others], crops.points_px[others])
    centres = (crops.points_px.min(1) + crops.points_px.max(1)) / 2
    widths = np.ptp(crops.points_px[..., 0], axis=1)
    # The middle of the mouth box, up to its jitter.
    assert (np.abs(found.points_px[train] - centres[train, None]) < 0.1 * widths[train, None, None]).all()
    half = taught_by(middle, crops, view, 0.5, (0, 1))
    np.testing.assert_allclose(half.points_px, (found.points_px + crops.points_px) / 2)
    np.testing.assert_array_equal(taught_by(middle, crops, view, 0.0, (0, 1)).points_px, crops.points_px)


def test_a_loss_that_is_not_finite_is_named_with_its_remedy(train):
    with pytest.raises(LipsegError, match=r"not finite in epoch \d+; lower train_base\.learning_rate \(1e\+30\)"):
        train(learning_rate=1e30)


@pytest.mark.parametrize(("faces", "size", "expected"), [(10, 4, [4, 4]), (3, 8, [8]), (8, 4, [4, 4])])
def test_batches_have_one_size(crops, no_augment, faces, size, expected):
    given = crops.indices("train")[:faces] if faces < 9 else np.arange(faces)
    train = replace(TRAIN, batch_size=size)
    batches = list(fit._batches(crops, given, VIEW, no_augment, train, 1, np.random.default_rng(0)))
    assert [len(batch.images) for batch in batches] == expected
    shown = {image.tobytes() for batch in batches for image in batch.images}
    assert len(shown) == min(faces, sum(expected))  # no face twice before all were shown


@pytest.mark.pipeline
def test_the_hourglass_learns_too(train, net_params, view):
    changes = {"loss": "wing", "mask_weight": 10.0, "map_weight": 0.2, "tangential": 0.3, "optimiser": "muon"}
    fitted = train(net=net_params, view=view, epochs=30, **changes)
    first, last = fitted.history[0], fitted.history[-1]
    for name in ("loss", "landmark", "mask", "map", "train_nme"):
        assert last[name] < 0.8 * first[name], name
    assert errors(fitted)[-1] < errors(fitted)[0]
