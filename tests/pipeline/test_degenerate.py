"""Training faces that no training is made for: the pipeline trains, or one stage says clearly why not."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from lipseg.images import write_image
from lipseg.rendering.masks import INNER, UPPER

from .conftest import Project
from .test_datasets import write_masks

pytestmark = pytest.mark.slow


def faces_of(project: Project, train: int, *, alike: bool) -> None:
    """Exchanges the drawn faces for a folder of so many training faces and two for test; all the same, or not."""
    drawn, own = project.root / "data/synthetic", project.root / "own"
    for part in ("image", "annotation"):
        (own / part).mkdir(parents=True)
    names = sorted(path.stem for path in (drawn / "image").iterdir())
    picture = {path.stem: path for path in (drawn / "image").iterdir()}
    annotation = {path.read_text().splitlines()[0].strip(): path for path in (drawn / "annotation").iterdir()}
    for number in range(train + 2):
        source = names[0 if alike else number]
        shutil.copy(picture[source], own / "image" / f"f{number}{picture[source].suffix}")
        rest = annotation[source].read_text().split("\n", 1)[1]
        (own / "annotation" / f"{number}.txt").write_text(f"f{number}\n{rest}")
    (own / "trainnames.txt").write_text("".join(f"f{number}\n" for number in range(train)))
    (own / "testnames.txt").write_text(f"f{train}\nf{train + 1}\n")
    project.set_params({"data.source": "helen", "data.root": "own"})


def trained_or_told(project: Project) -> bool:
    """Returns whether the pipeline trained a model; where it did not, one line must say why."""
    done = project.dvc("repro", "bundle", check=False, timeout=400)
    assert "Traceback" not in done.stdout + done.stderr
    assert project.partials() == []
    if done.returncode == 0:
        assert (project.root / "models/lipseg/card.json").is_file()
        return True
    told = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error: ")]
    assert len(told) == 1, done.stdout + done.stderr
    return False


@pytest.mark.parametrize(("train", "alike"), [(1, False), (12, True)], ids=["one face", "identical faces"])
def test_too_little_to_learn_from_is_told(copied: Project, train: int, alike: bool) -> None:
    faces_of(copied, train, alike=alike)
    assert not trained_or_told(copied)


def test_masks_without_an_inner_mouth_and_one_component_train(copied: Project) -> None:
    """Figures of what is nowhere are none, and not a number."""
    closed = copied.root / "own"
    write_masks(copied.root / "data/synthetic", closed)
    for file in closed.glob("*.mask.png"):
        labels = np.asarray(Image.open(file))
        write_image(file, np.where(labels == INNER, UPPER, labels).astype(np.uint8))
    copied.set_params({"data.source": "masks", "data.root": "own", "cluster.max_components": 1})
    assert trained_or_told(copied)
    metrics = (copied.root / "reports/metrics.json").read_text(encoding="utf-8")
    cascade = json.loads(metrics)["jittered"]["cascade"]
    assert cascade["inner_f1"] is None
    assert 0 < cascade["lips_f1"] < 1
    for file in ("reports/metrics.json", "reports/calibration.json", "models/lipseg/card.json"):
        json.loads((copied.root / file).read_text(encoding="utf-8"), parse_constant=pytest.fail)  # NaN, Infinity
