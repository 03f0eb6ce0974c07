"""Runs the tool's fast tests with the oldest and with the newest releases of what pyproject.toml permits. Needs uv."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "build/floors"
# The oldest Python that is supported. The newest releases are also those that the locks may not have yet.
PYTHON = "3.11"
KINDS = {"oldest": "lowest-direct", "newest": "highest"}
TESTS = (
    *("tests/cli/test_predict.py", "tests/cli/test_predict_outputs.py", "tests/cli/test_makeup_command.py"),
    *("tests/cli/test_video.py", "tests/cli/test_shipped_model.py", "tests/cli/test_hostile_names.py"),
    *("tests/unit/test_images.py", "tests/unit/test_files.py", "tests/unit/test_hostile_model.py"),
    *("tests/unit/test_segmenter.py", "tests/unit/test_predictor.py", "tests/unit/test_detector.py"),
    *("tests/unit/test_video_files.py", "tests/unit/test_tracker.py", "tests/unit/test_masks.py"),
)


def main() -> int:
    if shutil.which("uv") is None:
        print("error: uv is needed, which installs the oldest releases: https://docs.astral.sh/uv", file=sys.stderr)
        return 2
    failed = 0
    for name, resolution in KINDS.items():
        python = str(PLACE / name / "bin/python")
        install = ["uv", "pip", "install", "--quiet", "--python", python]
        for command in (
            ["uv", "venv", "--quiet", "--clear", "--python", PYTHON, str(PLACE / name)],
            [*install, "--resolution", resolution, f"{ROOT}[video,dlib]"],
            # What the tests themselves need, whose releases are not in question.
            [*install, "pytest", "onnx"],
            ["uv", "pip", "list", "--python", python],
            [python, "-m", "pytest", *TESTS],
        ):
            if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
                print(f"{name}: {' '.join(command[:4])} failed with {code}", file=sys.stderr)
                failed += 1
                break
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
