"""A tiny model of two sources made, shipped and verified by a rerun, as `make release-model` and `verify-model` do it.

The faces are drawn: one source has their points, in Helen's layout, the other their masks.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from lipseg.errors import LipsegError
from stages import rebuild, recalibrate, release, verify
from stages.release import Limits

from .conftest import STAGES, Project
from .test_datasets import write_masks

pytestmark = pytest.mark.slow

ANY = Limits({}, {})


class Shipped(NamedTuple):
    """The folder of each source's faces, a file that one of them lacks, the folder of the run, and the shipped one."""

    sources: dict[str, Path]
    files: dict[str, Path]
    work: Path
    out: Path

    def rerun(self, work: Path, **sources: Path) -> list[str]:
        """Returns what a rerun finds; what the first run trained is taken from its cache."""
        return verify.compare_rerun(
            self.out, shutil.copytree(self.work, work, symlinks=True), {**self.sources, **sources}, self.files
        )


@pytest.fixture(scope="module")
def shipped(finished: Project, shared: Any) -> Iterator[Shipped]:
    def parts(folder: Path) -> Shipped:
        sources = {"helen": folder / "some faces", "masks": folder / "other faces"}
        return Shipped(
            sources, {"helen/scale.csv": folder / "scale.csv"}, folder / "work", folder / "package" / "shipped"
        )

    def fill(folder: Path) -> None:
        sources, files, work, out = parts(folder)
        shutil.copytree(finished.root / "data" / "synthetic", sources["helen"])
        write_masks(sources["helen"], sources["masks"])
        (name, *_) = (sources["helen"] / "trainnames.txt").read_text(encoding="utf-8").split()
        files["helen/scale.csv"].write_text(f"name,scale\n{name},0.5\n", encoding="utf-8")
        params = finished.params()
        params["data"]["source"] = "masks+helen"
        preset = folder / "preset.yaml"
        preset.write_text(yaml.safe_dump(params), encoding="utf-8")
        with pytest.raises(LipsegError, match=r"not shipped\. .*lips_f1 on jittered boxes"):
            release.release(sources, files, preset, work, out)
        assert not out.exists()
        release.release(sources, files, preset, work, out, ANY)

    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("GIT_", "DVC_", "JAX_", "XLA_")):
                patch.delenv(name)
        for name, value in finished.env.items():
            patch.setenv(name, value)
        yield parts(shared("release", fill))


def test_the_shipped_folder_is_verified_and_holds_no_path(shipped: Shipped) -> None:
    assert verify.check_shipped(shipped.out, ANY) == []
    for name in ("card.json", "dvc.lock", "faces.csv"):
        assert str(shipped.work.parent) not in (shipped.out / name).read_text(encoding="utf-8")
    stages = rebuild.read_lock(shipped.out / "dvc.lock")
    assert set(stages) == set(STAGES) - {"code", "synthesize", "report"}
    (faces,) = (entry for entry in stages["crop"]["deps"] if entry["path"] == rebuild.FACES)
    # The folder's files were all read, through the links.
    below = [path for root in shipped.sources.values() for path in root.rglob("*") if path.is_file()]
    assert faces["nfiles"] == len(below) + 1
    card = json.loads((shipped.out / "card.json").read_text(encoding="utf-8"))
    assert card["data"]["source"] == "masks+helen"
    counts = card["data"]["by_source"]
    assert list(counts) == ["masks", "helen"]
    for split in ("train", "validation", "test"):
        assert sum(count[split] for count in counts.values()) == card["data"][split]
    assert sum(counts["helen"].values()) == len(list((shipped.sources["helen"] / "image").iterdir()))


def test_a_rerun_from_elsewhere_gives_the_same_bytes(
    shipped: Shipped, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = {name: shutil.copytree(root, tmp_path / f"{name} of others") for name, root in shipped.sources.items()}
    assert shipped.rerun(tmp_path / "work", **moved) == []
    printed = capsys.readouterr().out
    assert "networks: equal to the byte" in printed
    assert "differs" not in printed


def test_thresholds_are_fitted_anew_without_training(shipped: Shipped, tmp_path: Path) -> None:
    folder = shutil.copytree(shipped.out, tmp_path / "shipped")
    before = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    other = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    other["runtime"]["thresholds"] |= {"min_score": 0.123, "clear_presence": -7.5}
    other["score"] |= {"min_score": 0.123}
    (folder / "card.json").write_text(json.dumps(other), encoding="utf-8")
    assert verify.check_shipped(folder, ANY) != []
    work = shutil.copytree(shipped.work, tmp_path / "work", symlinks=True)
    recalibrate.recalibrate(folder, work, shipped.sources, shipped.files)
    # On the faces of the training they come out as the training found them.
    assert json.loads((folder / "card.json").read_text(encoding="utf-8")) == before
    for name in verify.NETWORKS:
        assert (folder / name).read_bytes() == (shipped.out / name).read_bytes()
    assert verify.check_shipped(folder, ANY) == []
    assert set(rebuild.read_lock(folder / "dvc.lock")) == {
        *rebuild.read_lock(shipped.out / "dvc.lock"),
        release.RECALIBRATE,
    }
    fewer = shutil.copytree(shipped.sources["masks"], tmp_path / "masks")
    next(fewer.glob("*.mask.png")).unlink()
    with pytest.raises(LipsegError, match="1 of masks are missing"):
        recalibrate.recalibrate(folder, work, {**shipped.sources, "masks": fewer}, shipped.files)
    assert verify.check_shipped(folder, ANY) == []


def test_other_faces_are_told_apart(shipped: Shipped, tmp_path: Path) -> None:
    other = shutil.copytree(shipped.sources["helen"], tmp_path / "faces")
    first = sorted((other / "annotation").iterdir())[0]
    lines = first.read_text(encoding="utf-8").splitlines()
    x, y = lines[60].split(",")
    lines[60] = f"{float(x) + 1} , {y}"
    first.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (found,) = shipped.rerun(tmp_path / "work", helen=other)
    assert "other crops than the card's, of the same names" in found

    fewer = shutil.copytree(shipped.sources["masks"], tmp_path / "masks")
    next(fewer.glob("*.mask.png")).unlink()
    (found,) = shipped.rerun(tmp_path / "again", masks=fewer)
    assert found.endswith(
        "other faces than the card's: 1 of masks are missing or in another split, 0 are not in faces.csv"
    )
