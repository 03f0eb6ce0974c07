"""A tiny model made, shipped and verified by a rerun, as `make release-model` and `make verify-model` do it."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lipseg.errors import LipsegError
from stages import rebuild, release, verify
from stages.release import Limits

from .conftest import STAGES, Project

pytestmark = pytest.mark.pipeline

ANY = Limits({}, {})


@pytest.fixture(scope="module")
def shipped(finished: Project, shared: Any) -> Iterator[tuple[Path, Path, Path]]:
    """Folder of the faces, folder of the run, and the shipped folder."""

    def parts(folder: Path) -> tuple[Path, Path, Path]:
        return folder / "some faces", folder / "work", folder / "package" / "shipped"

    def fill(folder: Path) -> None:
        root, work, out = parts(folder)
        shutil.copytree(finished.root / "data" / "synthetic", root)
        # The same faces elsewhere make the same crops; what was learnt from those need not be learnt again.
        shutil.copytree(finished.root / ".dvc" / "cache", work / ".dvc" / "cache")
        with pytest.raises(LipsegError, match=r"not shipped\. .*lips_f1 on jittered boxes"):
            release.release(root, finished.root / "params.yaml", work, out)
        assert not out.exists()
        release.release(root, finished.root / "params.yaml", work, out, ANY)

    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("GIT_", "DVC_", "JAX_", "XLA_")):
                patch.delenv(name)
        for name, value in finished.env.items():
            patch.setenv(name, value)
        yield parts(shared("release", fill))


def test_the_shipped_folder_is_verified_and_holds_no_path(shipped: tuple[Path, Path, Path]) -> None:
    root, _, out = shipped
    assert verify.check_shipped(out, ANY) == []
    for name in ("card.json", "dvc.lock", "faces.csv"):
        assert str(root.parent) not in (out / name).read_text(encoding="utf-8")
    stages = rebuild.read_lock(out / "dvc.lock")
    assert set(stages) == set(STAGES) - {"code", "synthesize", "report"}
    assert rebuild.ANYWHERE in rebuild.md5_of(stages["crop"], "deps")


def test_a_rerun_from_elsewhere_gives_the_same_bytes(
    shipped: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, work, out = shipped
    moved = shutil.copytree(root, tmp_path / "faces of somebody else")
    # What the first run trained is taken from its cache: whether another folder of faces changes anything is the point.
    again = shutil.copytree(work, tmp_path / "work")
    assert verify.compare_rerun(out, again, moved) == []
    printed = capsys.readouterr().out
    assert "networks: equal to the byte" in printed
    assert "differs" not in printed
    params = yaml.safe_load((again / "params.yaml").read_text(encoding="utf-8"))
    assert params["data"]["root"] == str(moved)


def test_other_faces_are_told_apart(shipped: tuple[Path, Path, Path], tmp_path: Path) -> None:
    root, work, out = shipped
    other = shutil.copytree(root, tmp_path / "faces")
    first = sorted((other / "annotation").iterdir())[0]
    lines = first.read_text(encoding="utf-8").splitlines()
    x, y = lines[60].split(",")
    lines[60] = f"{float(x) + 1} , {y}"
    first.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (found,) = verify.compare_rerun(out, shutil.copytree(work, tmp_path / "work"), other)
    assert "other crops than the card's, of the same names" in found
    assert json.loads((out / "card.json").read_text(encoding="utf-8"))["data"]["train"] > 0
