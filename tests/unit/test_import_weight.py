"""What the tool's parts import: nothing of the workshop, and a runtime only once a model is opened."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

WORKSHOP = ("jax", "flax", "optax", "sklearn", "yaml", "matplotlib", "onnx", "safetensors", "dvc")


def imported_by(statement: str) -> set[str]:
    """Returns the top packages that a fresh interpreter has imported after a statement, and lipseg's modules."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    names = done.stdout.split()
    return {name.split(".")[0] for name in names} | {name for name in names if name.startswith("lipseg.")}


@pytest.mark.parametrize(
    "module",
    ["segmenter", "predictor", "session", "card", "detector", "yunet", "dlib_faces", "locator", "mouths", "lips"],
)
def test_inference_imports_nothing_of_the_workshop(module):
    found = imported_by(f"import lipseg.inference.{module}")
    assert not found & set(WORKSHOP)
    floors = {name.split(".")[1] for name in found if name.startswith("lipseg.")}
    assert not floors & {"params", "data", "model", "training", "evaluation", "cli"}
    assert "onnxruntime" not in found


def test_the_package_alone_imports_next_to_nothing():
    assert not imported_by("import lipseg") & {*WORKSHOP, "numpy", "cv2", "PIL", "onnxruntime"}


def test_boxes_in_a_file_need_no_pictures():
    assert not imported_by("import lipseg.formats.boxes_csv") & {*WORKSHOP, "cv2", "PIL", "onnxruntime"}


def test_the_contract_on_imports_covers_every_part_of_the_tool():
    """`lint-imports` refuses the workshop only to the parts that its contract names."""
    root = Path(__file__).parents[2]
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in contracts if one["name"].startswith("The tool needs nothing of the workshop"))
    parts = {f"lipseg.{path.stem}" for path in (root / "lipseg").glob("*.py") if path.stem != "__init__"}
    parts |= {f"lipseg.{path.parent.name}" for path in (root / "lipseg").glob("*/__init__.py")}
    workshop = {name for name in contract["forbidden_modules"] if name.startswith("lipseg.")}
    assert set(contract["source_modules"]) == parts - workshop
    assert workshop == {f"lipseg.{name}" for name in ("data", "evaluation", "model", "params", "training")}
    assert set(WORKSHOP) <= set(contract["forbidden_modules"])
