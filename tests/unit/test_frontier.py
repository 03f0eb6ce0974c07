"""The frontier of time and accuracy: what is trained, how it is judged, and that it goes on where it stopped."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import frontier
from lipseg.data.augment import views_on_boxes
from lipseg.evaluation import metrics
from lipseg.geometry import View
from lipseg.params import load_params


def two_sources(crops):
    names = np.array([name.replace("synthetic", "other") if i % 2 else name for i, name in enumerate(crops.names)])
    return replace(crops, names=names)


def test_the_reference_is_judged_as_annotated_and_the_others_aligned(crops):
    crops, view = two_sources(crops), View(48, "square", 1.6)
    asked = []

    def a_tenth_too_low(views):
        """The truth of whatever faces are shown, in the order in which they are asked for, moved down."""
        source = len(asked)
        asked.append(source)
        faces = np.flatnonzero((crops.split == "validation") & (crops.source == source))
        boxes = metrics.jittered_boxes(crops.points_px[faces], [str(name) for name in crops.names[faces]], 3)
        shown = views_on_boxes(crops, faces, boxes, view)
        np.testing.assert_array_equal(shown.images, views)
        return [shown.points_unit + np.float32([0.0, 0.05])]

    found = frontier.judged(a_tenth_too_low, crops, view, 3)
    first, second = crops.sources
    assert set(found) == {f"{source}_{region}" for source in crops.sources for region in ("lips", "inner")}
    assert found[f"{first}_lips"] < 0.9
    assert found[f"{second}_lips"] > 0.95


@pytest.mark.slow  # trains
def test_networks_are_kept_and_timed(crops, no_augment, tmp_path, monkeypatch, capsys):
    params = load_params()
    params = replace(
        params,
        augment=no_augment,
        net=replace(params.net, fc5=8),
        teach=replace(params.teach, teachers=1, share=0.5),
        train_base=replace(params.train_base, batch_size=4),
    )
    np.savez(tmp_path / "landmarks.npz", points_px=crops.points_px)
    monkeypatch.setattr(frontier, "load_params", lambda: params)
    monkeypatch.setattr(frontier, "load_crops", lambda folder: crops)
    monkeypatch.setattr(frontier, "_RUNS", 2)
    line = f"frontier --views 32 --widths 4 8 --epochs 1 --out {tmp_path}/out --teach {tmp_path}/landmarks.npz"
    monkeypatch.setattr("sys.argv", line.split())
    frontier.main()
    printed = capsys.readouterr().out.splitlines()
    assert len([line for line in printed if line.startswith("| 32 |")]) == 4
    assert (tmp_path / "out/frontier.svg").read_text().count("32/8") == 2
    monkeypatch.setattr(frontier, "fit_base", lambda *_, **__: pytest.fail("trained already"))
    frontier.main()
