"""Teachers: whose answers they average, and how the annotations are drawn towards them."""

from dataclasses import replace

import numpy as np
import pytest

from lipseg.errors import DataError
from lipseg.geometry import View
from lipseg.model.offsets import annotated_radius
from lipseg.params import load_params
from lipseg.training import distillation
from lipseg.training.checkpoint import Checkpoint
from lipseg.training.fit import Fitted


def sections(params, checkpoints):
    return {
        "view": params.view,
        "augment": params.augment,
        "statistics": params.statistics,
        "net": params.net,
        "train": params.train_base,
        "seed": params.seed,
        "checkpoints": checkpoints,
    }


def test_a_teacher_s_answers_are_in_the_picture_and_as_the_source_s_annotators_would_place_them(crops, monkeypatch):
    angle = np.linspace(0, 2 * np.pi, 56, endpoint=False)
    ring = 0.5 + 0.25 * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # about the view's middle, whatever it shows
    monkeypatch.setattr(distillation, "_compiled", lambda *_: lambda images: np.tile(ring, (len(images), 1, 1)))
    names = np.array([name.replace("synthetic", "other") if i % 2 else name for i, name in enumerate(crops.names)])
    crops, faces = replace(crops, names=names), crops.indices("train")
    first = crops.source[faces] == 0

    def found(down):
        none = np.zeros(112, np.float32)
        offsets = {
            crops.sources[0]: {"mirrored": none + 5},
            crops.sources[1]: {"plain": none, "mirrored": none + 5, "pixels": np.array([0.0, down], np.float32)},
        }
        return distillation.answers(Fitted(None, offsets, []), None, crops, View(32, "square", 1.6), (0, 1))

    plain = found(0.0)
    centres = (crops.points_px.min(1) + crops.points_px.max(1))[faces] / 2
    widths = np.ptp(crops.points_px[..., 0], axis=1)[faces]
    assert (np.abs(plain.mean(1) - centres) < 0.1 * widths[:, None]).all()  # up to the jitter of the boxes
    moved = found(0.1) - plain
    assert np.abs(moved[first]).max() < 1e-3
    assert np.abs(moved[~first][..., 0]).max() < 0.1 * moved[~first][..., 1].min()
    # 3 pixels, as far as the ring is as large as the mouth.
    radius = np.sqrt(((plain - plain.mean(1, keepdims=True)) ** 2).sum(-1).mean(1))
    expected = 3.0 * radius / annotated_radius(crops)[faces]
    np.testing.assert_allclose(moved[~first][:, :, 1].mean(1), expected[~first], rtol=0.01)


def test_landmarks_are_drawn_towards_the_teachers(crops):
    taught = crops.points_px + 8.0
    found = distillation.taught_by(crops, taught, 0.25).points_px
    train = crops.indices("train")
    others = np.setdiff1d(np.arange(len(crops)), train)
    np.testing.assert_allclose(found[train], crops.points_px[train] + 2.0)
    np.testing.assert_array_equal(found[others], crops.points_px[others])
    with pytest.raises(DataError, match=r"answered for 3 faces, .* run `teach` again"):
        distillation.taught_by(crops, taught[:3], 0.25)


def test_teachers_are_averaged_and_differ_in_their_seeds(crops, monkeypatch, tmp_path):
    asked = []

    def fitted(crops, normaliser, *, net_params, view, train, seed, checkpoint, **_):
        asked.append((net_params.width, view.size, train.epochs, seed, checkpoint.path.name))
        return Fitted(None, {}, [{"epoch": 0, "validation_error": float(seed)}])

    monkeypatch.setattr(distillation, "fit_base", fitted)
    answers = iter((2.0, 4.0))
    monkeypatch.setattr(
        distillation, "answers", lambda *_: np.full((len(crops.indices("train")), 56, 2), next(answers))
    )
    params = load_params()
    taught = distillation.teach(crops, 2, **sections(params, lambda k: Checkpoint("teach", str(k), tmp_path)))
    assert (taught.points_px[crops.indices("train")] == 3.0).all()
    assert len({seed for *_, seed, _ in asked}) == 2
    assert [entry[:3] for entry in asked] == [(params.net.width, params.view.size_px, params.train_base.epochs)] * 2
    assert [row["teacher"] for row in taught.history] == [0, 1]


def test_without_teachers_the_annotations_teach(crops, tmp_path):
    params = load_params()
    taught = distillation.teach(crops, 0, **sections(params, lambda k: pytest.fail("nothing is trained")))
    np.testing.assert_array_equal(taught.points_px, crops.points_px)
    assert taught.history == []
