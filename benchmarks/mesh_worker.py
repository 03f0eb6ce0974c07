"""The face mesh from lipseg's side: a process of another Python that answers line by line."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.errors import UsageError

SCRIPT = Path(__file__).with_name("face_mesh.py")


class MeshWorker:
    """MediaPipe in an environment of its own, up until the ``with`` block ends.

    Attributes:
        version: of MediaPipe.
    """

    def __init__(self, python: Path, script: Path = SCRIPT) -> None:
        """Starts the process.

        Args:
            python: of an environment with mediapipe.
            script: that it runs.

        Raises:
            UsageError: if that Python cannot run it.
        """
        self._python = python
        # MediaPipe writes much there; a pipe that nobody reads would fill up and stop it.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [str(python), str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            self._log.close()
            raise self._unusable(error.strerror or str(error)) from error
        try:
            self.version = str(self._ask(task="version")["version"])
        except (KeyError, TypeError) as error:
            self.close()
            raise self._unusable("it does not answer as a Python does") from error
        except UsageError:
            self.close()
            raise

    def points(self, images: Sequence[Path], *, refined: bool) -> list[list[NDArray[np.float64]]]:
        """Returns the faces of each picture: (478, 2) points in pixels, (468, 2) where the lips are not refined."""
        found = self._ask(task="points", images=[str(path.resolve()) for path in images], refined=refined)["faces"]
        return [[np.array(face, np.float64) for face in faces] for faces in found]

    def times(self, images: Sequence[Path]) -> dict[str, list[float]]:
        """Returns CPU milliseconds: "photo", one of each picture, and "tracked", several frames of each."""
        return self._ask(task="times", images=[str(path.resolve()) for path in images])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> "MeshWorker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, **job: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):  # it has ended already: its last words, if any, are still to be read
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        try:
            return json.loads(self._process.stdout.readline())
        except ValueError as error:  # it has ended, or talks of something else
            raise self._unusable(self._last_words()) from error

    def _last_words(self) -> str:
        self._process.kill()
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended without a word"

    def _unusable(self, reason: str) -> UsageError:
        return UsageError(f"--mediapipe: {self._python} cannot run MediaPipe ({reason}); see benchmarks/README.md")
