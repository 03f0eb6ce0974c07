"""The built wheel, as an installation holds it: it runs the shipped model where the workshop is not installed."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lipseg.data.synthesize import draw_face
from lipseg.inference.card import CARD, CASCADE, LOCATOR

ROOT = Path(__file__).parents[2]
SHIPPED = tuple(f"lipseg/shipped/{name}" for name in (CARD, CASCADE, LOCATOR, "dvc.lock", "faces.csv"))
# What the extra "train" brings. Not pydantic: typer needs it. (That nothing of the tool imports it itself, lint-imports
# holds.)
WORKSHOP = (
    *("jax", "flax", "optax", "sklearn", "scipy", "yaml", "dvc", "matplotlib", "jinja2", "onnx", "imageio"),
    "safetensors",
)
# Python runs this file before anything else.
ABSENT = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {WORKSHOP}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
# The public names, on a picture whose mouth has 56 landmarks.
SEGMENT = """
import sys
import numpy as np
from PIL import Image
import lipseg
(lips,) = lipseg.LipSegmenter()(np.asarray(Image.open(sys.argv[1])))
print(lipseg.__file__, *lips.landmarks.shape)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of this tree."""
    folder = tmp_path_factory.mktemp("built")
    tree = folder / "tree"
    shutil.copytree(ROOT / "lipseg", tree / "lipseg", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy2(ROOT / name, tree / name)
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder / "dist")]
    done = subprocess.run(build, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "dist"


@dataclass(frozen=True)
class Installed:
    """The wheel unpacked, where the workshop's packages cannot be imported, and a picture of a drawn face."""

    site: Path
    picture: Path

    def python(self, *arguments: object) -> str:
        """Returns what Python prints on standard output, run beside the picture."""
        env = {**os.environ, "PYTHONPATH": str(self.site), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, cwd=self.picture.parent, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lips(self, *arguments: object) -> str:
        """As ``python``, for the command ``lipseg``."""
        return self.python("-m", "lipseg.cli.app", *arguments)


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    (folder / "site" / "sitecustomize.py").write_text(ABSENT)
    picture = folder / "face.png"
    Image.fromarray(draw_face(np.random.default_rng(0), "smile", 320)[0]).save(picture)
    return Installed(folder / "site", picture)


def test_wheel_and_sdist_hold_the_model(built: Path) -> None:
    (wheel,), (sdist,) = (list(built.glob(ending)) for ending in ("*.whl", "*.tar.gz"))
    assert {*SHIPPED, "lipseg/cli/app.py"} <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        assert set(SHIPPED) <= {name.split("/", 1)[1] for name in archive.getnames()}


@pytest.mark.parametrize("package", ["jax", "onnx"])
def test_the_workshop_s_packages_are_really_absent(installed: Installed, package: str) -> None:
    code = f"try:\n    import {package}\nexcept ImportError as error:\n    print(error)"
    assert installed.python("-c", code) == f"No module named '{package}'\n"


def test_help_and_info_need_no_workshop(installed: Installed) -> None:
    assert "predict" in installed.lips("--help")
    assert installed.lips("info").startswith(f"model: {installed.site / 'lipseg' / 'shipped'}\n")


def test_predict_finds_the_face_without_the_workshop(installed: Installed) -> None:
    (row,) = map(json.loads, installed.lips("predict", "face.png").splitlines())
    (face,) = row["faces"]
    assert np.shape(face["outer"]) == np.shape(face["inner"]) == (28, 2)


def test_makeup_is_put_on_without_the_workshop(installed: Installed) -> None:
    installed.lips("makeup", "face.png", "--colour", "#b03060", "-o", "painted")
    (painted,) = (installed.picture.parent / "painted").iterdir()
    assert painted.read_bytes() != installed.picture.read_bytes()


def test_the_package_segments_without_the_workshop(installed: Installed) -> None:
    file = installed.site / "lipseg" / "__init__.py"
    assert installed.python("-c", SEGMENT, installed.picture) == f"{file} 56 2\n"
