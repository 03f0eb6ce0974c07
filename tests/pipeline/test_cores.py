"""The same seed gives the same training on any number of cores, to the tolerance that docs/reliability.md states."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

# Draws faces and trains on them, on the first so many of this process's cores; writes the weights, prints figures.
TRAIN = """
import json, os, sys
from pathlib import Path

os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])

import numpy as np

from lipseg.data.augment import views_on_boxes
from lipseg.data.crops import make_crops
from lipseg.data.statistics import fit_normaliser
from lipseg.data.synthesize import write_dataset
from lipseg.geometry import View
from lipseg.model.weights import module_arrays
from lipseg.params import Augment, Crop, Data, Net, TrainBase
from lipseg.training.checkpoint import Checkpoint
from lipseg.training.fit import fit_base

here, view = Path(sys.argv[2]), View(40, "square", 1.6)
write_dataset(here / "faces", train=24, test=4, size=128, seed=0, workers=1)
data = Data(source="synthetic", root=str(here / "faces"), validation_share=0.3, test_share=0.2)
crops = make_crops(here / "crops", data, Crop(64, 2.8, 8.0, 0.0, 1), seed=0)
fitted = fit_base(
    crops,
    fit_normaliser(views_on_boxes(crops, crops.indices("train"), None, view).images, "channel")[0],
    net_params=Net(kind="tcnn", width=8, fc5=32),
    view=view,
    augment=Augment(0.1, 0.1, 10.0, 0.0, 0.0, 0.5, 0.2, 0.0, 0.0),
    train=TrainBase(6, 1, (), 0, 8, "adamw", 2e-2, 3e-3, "constant", 0.0, 0.5, "l2", 1.0, 0.0, 0.0, "exact"),
    seed=0,
    checkpoint=Checkpoint("cores", "key", here),
)
np.savez(here / "weights.npz", **module_arrays(fitted.net))
print(json.dumps([{name: float(row[name]) for name in ("loss", "validation_error")} for row in fitted.history]))
"""


def trained(cores: int, folder: Path) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    """Returns the history and the weights of a small training on so many cores."""
    folder.mkdir()
    # As a user's run, unlike those of the other tests: XLA optimises, and uses all the threads that it likes.
    less = ("XLA_", "OMP_", "JAX_DISABLE_MOST_OPTIMIZATIONS")
    env = {name: value for name, value in os.environ.items() if not name.startswith(less)}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(cores), str(folder)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / "weights.npz") as weights:
        return json.loads(done.stdout.splitlines()[-1]), dict(weights)


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two cores to choose from"
)
def test_one_core_and_two_train_alike(tmp_path):
    (one, at_one), (two, at_two) = (trained(cores, tmp_path / str(cores)) for cores in (1, 2))
    assert one[-1]["loss"] < 0.8 * one[0]["loss"]  # it did learn something
    for row, other in zip(one, two, strict=True):
        for name, value in row.items():
            assert other[name] == pytest.approx(value, rel=1e-3)
    for name, array in at_one.items():
        np.testing.assert_allclose(at_two[name], array, rtol=0, atol=1e-3 * np.abs(array).max() + 1e-6)
