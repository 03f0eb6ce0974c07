"""The pipeline's stages: thin scripts that read their parameters, load, make one library call and write.

Each runs alone, without DVC: ``python -m stages.crop --help``.
"""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from lipseg.errors import LipsegError, one_line

# One of each floor is enough to tell an environment that `make` has filled from another.
_NEEDED = ("numpy", "cv2", "yaml", "jax")


def _enter_environment() -> None:
    """Goes on in the project's own environment where this Python lacks the packages.

    `dvc repro` in a shell in which the environment is not activated starts every stage with another Python.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if not missing:
        return
    own = Path(__file__).resolve().parents[1] / ".venv"
    python = own / "bin" / "python"
    if python.is_file() and Path(sys.prefix).resolve() != own:
        os.execv(python, [str(python), *sys.orig_argv[1:]])
    sys.exit(
        f"error: {sys.executable} has no package {missing[0]}; run `make repro`, which installs what the pipeline "
        "needs, or activate the environment that has it before `dvc repro`"
    )


_enter_environment()


def paths(description: str | None, **options: str) -> argparse.Namespace:
    """Returns the command line's paths: one required option for each keyword, whose value is its help."""
    parser = argparse.ArgumentParser(description=description)
    for name, help_text in options.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=help_text)
    return parser.parse_args()


def run(main: Callable[[], None]) -> None:
    """Runs a stage; an error meant for the user ends it with one line on stderr and exit code 1, Ctrl-C with 130."""
    try:
        main()
        return
    except LipsegError as error:
        said, code = one_line(str(error)), 1
    except KeyboardInterrupt:
        said, code = "interrupted; the same command again goes on", 128 + signal.SIGINT
    # The error held the frames of the stage: a progress bar among them draws itself once more as it goes.
    gc.collect()
    print(f"error: {said}", file=sys.stderr)
    sys.exit(code)
