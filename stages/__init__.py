"""The pipeline's stages: thin scripts that read their parameters, load, make one library call and write.

Each runs alone, without DVC: ``python -m stages.crop --help``.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from lipseg.errors import LipsegError


def paths(description: str | None, **options: str) -> argparse.Namespace:
    """Returns the command line's paths: one required option for each keyword, whose value is its help."""
    parser = argparse.ArgumentParser(description=description)
    for name, help_text in options.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=help_text)
    return parser.parse_args()


def run(main: Callable[[], None]) -> None:
    """Runs a stage; an error meant for the user ends it with one line on stderr and exit code 1."""
    try:
        main()
    except LipsegError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
