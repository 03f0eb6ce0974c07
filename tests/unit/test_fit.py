"""Training of the base network: it learns, keeps its best epoch, stops, and goes on where it was interrupted."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from lipseg.errors import LipsegError
from lipseg.geometry import View
from lipseg.model.offsets import annotated_radius
from lipseg.model.weights import module_arrays
from lipseg.params import Net, TrainBase
from lipseg.training import fit
from lipseg.training.checkpoint import Checkpoint
from lipseg.training.devices import Spread

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


@pytest.mark.slow  # trains
def test_it_learns_the_few_faces(train):
    fitted = train(epochs=25)
    losses = [row["loss"] for row in fitted.history]
    assert losses[-1] < 0.2 * losses[0]
    assert errors(fitted)[-1] < 0.5 * errors(fitted)[0]
    assert [row["epoch"] for row in fitted.history] == list(range(25))
    assert [row["best"] for row in fitted.history] == list(np.minimum.accumulate(errors(fitted)))


def test_mirrored_views_have_an_offset_of_their_own(train, no_augment):
    """Every other part of the reference's offsets is zero and not there to be learnt."""
    (plain,) = train("plain", epochs=1).offsets.values()
    assert set(plain) == {"mirrored"}
    assert not plain["mirrored"].any()
    (shown,) = train("shown", epochs=1, augment=replace(no_augment, mirror=1.0)).offsets.values()
    assert np.abs(shown["mirrored"]).max() > 1e-3


@pytest.mark.slow  # trains twice
def test_interrupted_and_resumed_is_the_same_as_uninterrupted(train, no_augment, monkeypatch):
    augment = replace(no_augment, shift=0.1, mirror=0.5, colour=0.5)
    train = partial(train, epochs=3)
    whole = train("whole", augment=augment)

    real = Checkpoint.save

    def killed(self, arrays, meta):
        real(self, arrays, meta)
        if len(meta["history"]) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train("cut", augment=augment)
    monkeypatch.setattr(Checkpoint, "save", real)
    resumed = train("cut", augment=augment)
    for name, array in module_arrays(whole.net).items():
        np.testing.assert_allclose(module_arrays(resumed.net)[name], array, atol=1e-6)
    np.testing.assert_allclose(
        resumed.offsets["synthetic"]["mirrored"], whole.offsets["synthetic"]["mirrored"], atol=1e-6
    )
    for row, expected in zip(resumed.history, whole.history, strict=True):
        for name in set(row) - {"seconds"}:
            assert row[name] == pytest.approx(expected[name], rel=1e-4)
    monkeypatch.setattr(Checkpoint, "save", lambda *_: pytest.fail("what is finished is not trained again"))
    assert errors(train("cut", augment=augment)) == errors(resumed)


def _scripted(real, left):
    def make(*given):
        return real(*given)[0], lambda *_: (next(left), 0.5)

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
    history = [{"validation_error": value} for value in values]
    assert fit._finished(history, replace(TRAIN, epochs=9, patience=patience)) == stops
    assert fit._finished(history, replace(TRAIN, epochs=max(1, len(history)), patience=0)) == (len(history) > 0)


def test_a_loss_that_is_not_finite_is_named_with_its_remedy(train):
    with pytest.raises(LipsegError, match=r"not finite in epoch \d+; lower train_base\.learning_rate \(1e\+30\)"):
        train(learning_rate=1e30)


@pytest.mark.parametrize(("faces", "size", "expected"), [(10, 4, [4, 4]), (3, 8, [8]), (8, 4, [4, 4])])
def test_batches_have_one_size(crops, no_augment, faces, size, expected):
    given = crops.indices("train")[:faces] if faces < 9 else np.arange(faces)
    train = replace(TRAIN, batch_size=size)
    radius, nothing = annotated_radius(crops), np.zeros((len(crops), 2, 112), np.float32)
    rng = np.random.default_rng(0)
    batches = list(fit._batches(crops, given, VIEW, no_augment, train, 1, radius, nothing, rng, Spread(size, "rows")))
    assert [len(batch.images) for batch in batches] == expected
    shown = {image.tobytes() for batch in batches for image in batch.images}
    assert len(shown) == min(faces, sum(expected))  # no face twice before all were shown


@pytest.mark.slow
def test_the_hourglass_learns_too(train, net_params, view):
    changes = {"loss": "wing", "mask_weight": 10.0, "map_weight": 0.2, "tangential": 0.3, "optimiser": "muon"}
    fitted = train(net=net_params, view=view, epochs=30, **changes)
    first, last = fitted.history[0], fitted.history[-1]
    for name in ("loss", "landmark", "mask", "map", "train_nme"):
        assert last[name] < 0.8 * first[name], name
    assert errors(fitted)[-1] < errors(fitted)[0]
