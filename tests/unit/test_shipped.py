"""The model that comes with the package: found wherever the package lies, and good where there is one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from known_networks import write_model

import lipseg
from lipseg.inference.card import CARD, DEFAULT_MODEL


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package without a model, in a folder of its own: what an installation is."""
    site = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns("__pycache__", "shipped")
    shutil.copytree(Path(lipseg.__file__).parent, site / "lipseg", ignore=ignored)
    return site / "lipseg"


@pytest.fixture
def command(package, tmp_path):
    """Runs ``lipseg`` of the copied package from an empty folder."""

    def run(*arguments):
        env = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONSAFEPATH": "1"}
        return subprocess.run(
            [sys.executable, "-m", "lipseg.cli.app", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=env,
            timeout=300,
            check=False,
        )

    return run


def test_a_package_without_a_model_says_so(command, package):
    done = command("info")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"error: this lipseg came without a model ({package / 'shipped'} holds none)")
    assert "--model DIR" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_model_in_the_package_is_used_wherever_one_stands(command, package, drawn):
    write_model(package / "shipped", name="tiny")
    try:
        shown = command("info")
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.startswith(f"model: {package / 'shipped'}\n")
        assert "name: tiny\n" in shown.stdout
        image = sorted((drawn / "image").iterdir())[0]
        done = command("predict", image, "--mouth-box", "40,70,90,100")
        assert done.returncode == 0, done.stderr
        (face,) = json.loads(done.stdout)["faces"]
        assert np.array(face["outer"]).shape == (28, 2)
    finally:
        shutil.rmtree(package / "shipped")


@pytest.mark.skipif(not (DEFAULT_MODEL / CARD).is_file(), reason="no model has been promoted yet")
def test_the_shipped_model_is_what_it_says(capsys):
    from stages.verify import check_shipped

    assert check_shipped(DEFAULT_MODEL) == []
    assert sum(path.stat().st_size for path in DEFAULT_MODEL.iterdir()) <= 8_200_000


@pytest.mark.skipif(not (DEFAULT_MODEL / CARD).is_file(), reason="no model has been promoted yet")
def test_the_shipped_model_finds_lips(drawn):
    from lipseg.data.annotations.helen import read
    from lipseg.evaluation.metrics import per_face

    # Drawn faces are none that it was made for: near the mouth will do.
    faces = list(read(drawn))[:6]
    segment = lipseg.LipSegmenter()
    found = []
    for face in faces:
        low, high = face.points_px.min(0), face.points_px.max(0)
        (lips,) = segment(face.image, boxes=[(*low, *high)])
        assert np.isfinite(lips.landmarks).all()
        assert 0 <= lips.score <= 1
        found.append(lips.landmarks)
    truth, iod = np.stack([face.points_px for face in faces]), np.array([face.inter_ocular_px for face in faces])
    assert np.median(per_face(truth, np.stack(found), iod)["mouth_f1"]) > 0.6
