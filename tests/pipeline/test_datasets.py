"""The choice of faces by two parameters: iBUG's layout, several sources at once, and the real sets where they lie."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from lipseg.data.annotations import FaceSample, synthetic
from lipseg.images import read_image, write_image
from lipseg.rendering.masks import label_map

from .conftest import Project

pytestmark = pytest.mark.slow

# From Helen's 194 points, roughly what the 68-point scheme has: lips as in lipseg.scheme, eyes, and nothing else.
LIPS_68 = [58, 60, 62, 65, 67, 69, 71, 73, 75, 78, 81, 84, 86, 89, 93, 97, 100, 104, 107, 110]
EYES_68 = [114, 117, 120, 124, 128, 131, 134, 137, 140, 144, 148, 151]


def write_ibug(synthetic: Path, to: Path) -> int:
    """Turns drawn faces into iBUG's layout (68 points, pixels from 1) and returns how many there are."""
    to.mkdir(parents=True)
    faces = sorted((synthetic / "annotation").glob("*.txt"))
    for file in faces:
        name, *rows = file.read_text(encoding="utf-8").split("\n")
        points = np.array([[float(x) for x in row.split(",")] for row in rows if row])
        chosen = np.concatenate([np.zeros((36, 2)) + points[0], points[EYES_68], points[LIPS_68]]) + 1
        lines = ["version: 1", "n_points:  68", "{", *(f"{x:.3f} {y:.3f}" for x, y in chosen), "}"]
        (to / f"{name}.pts").write_text("\n".join(lines) + "\n", encoding="utf-8")
        shutil.copy2(synthetic / "image" / f"{name}.jpg", to / f"{name}.jpg")
    return len(faces)


def write_masks(drawn: Path, to: Path) -> None:
    """Turns drawn faces into pictures with masks beside them."""
    to.mkdir(parents=True)
    for face in synthetic.read(drawn):
        assert isinstance(face, FaceSample)
        shutil.copy2(face.image, to)
        height, width = read_image(face.image).shape[:2]
        write_image(to / f"{face.name}.mask.png", label_map(face.points_px, height, width))


def summary(crops: Path) -> dict[str, object]:
    return json.loads((crops / "summary.json").read_text(encoding="utf-8"))


def test_faces_in_ibug_layout_outside_the_project(copied: Project, tmp_path: Path) -> None:
    faces = tmp_path / "my faces"
    count = write_ibug(copied.root / "data/synthetic", faces)
    (faces / "broken.pts").write_text("version: 1\nn_points: 68\n{\n1 2\n}\n", encoding="utf-8")
    copied.set_params({"data.source": "ibug", "data.root": str(faces), "data.test_share": 0.3})
    assert copied.repro("statistics") == ["crop", "statistics"]
    crops = copied.root / "data/crops"
    found = summary(crops)
    assert found["source"] == "ibug"
    assert found["faces"] == count
    with (crops / "skipped.csv").open(encoding="utf-8", newline="") as table:
        (skipped,) = csv.DictReader(table)
    assert skipped["file"] == str(faces / "broken.pts")
    with np.load(crops / "faces.npz", allow_pickle=False) as arrays:
        assert arrays["points_px"].shape == (count, 56, 2)
        assert set(arrays["split"]) == {"train", "validation", "test"}
        names = [name.removeprefix("ibug/") for name in arrays["names"]]
        corners = dict(zip(names, arrays["points_px"][:, 0], strict=True))
    # The left mouth corner is Helen's point 58, on the annotation's line 60.
    for file in (copied.root / "data/synthetic/annotation").glob("*.txt"):
        name, *rows = file.read_text(encoding="utf-8").split("\n")
        np.testing.assert_allclose(corners[name], [float(x) for x in rows[58].split(",")], atol=0.01)
    # A face that is added later is seen: the folder is a dependency.
    assert copied.repro("statistics") == []
    (faces / "broken.pts").unlink()
    assert copied.repro("crop") == ["crop"]


def test_several_sources_at_once(copied: Project) -> None:
    root = copied.root / "faces"
    shutil.copytree(copied.root / "data/synthetic", root / "synthetic")
    count = write_ibug(root / "synthetic", root / "ibug")
    copied.set_params({"data.source": "synthetic+ibug", "data.root": "faces"})
    assert copied.repro("statistics") == ["crop", "statistics"]
    assert summary(copied.root / "data/crops")["faces"] == 2 * count
    with np.load(copied.root / "data/crops/faces.npz", allow_pickle=False) as arrays:
        sources = [name.split("/")[0] for name in arrays["names"]]
    assert {source: sources.count(source) for source in sources} == {"synthetic": count, "ibug": count}


def test_masks_beside_points(copied: Project) -> None:
    root = copied.root / "faces"
    shutil.copytree(copied.root / "data/synthetic", root / "synthetic")
    write_masks(root / "synthetic", root / "masks")
    copied.set_params({"data.source": "synthetic+masks", "data.root": "faces"})
    assert copied.repro("statistics") == ["crop", "statistics"]
    with np.load(copied.root / "data/crops/faces.npz", allow_pickle=False) as arrays:
        points = dict(zip(arrays["names"].tolist(), arrays["points_px"], strict=True))
    off = [
        np.hypot(*(points[name.replace("synthetic", "masks")] - points[name]).T) for name in points if "synth" in name
    ]
    # The drawn mouths are some 40 pixels wide.
    assert len(off) == len(points) / 2
    assert np.mean(off) < 1.5


@pytest.mark.parametrize(
    ("variable", "source"),
    [("LIPSEG_HELEN", "helen"), ("LIPSEG_AFW", "ibug"), ("LIPSEG_CELEBAMASK", "celebamask")],
)
def test_real_faces(variable: str, source: str, copied: Project) -> None:
    if not os.environ.get(variable):
        pytest.skip(f"{variable} does not name a folder")
    copied.set_params(
        {"data.source": source, "data.root": os.environ[variable], "crop.min_mouth_px": 16.0, "crop.workers": 0}
    )
    out = copied.root / "out"
    done = copied.stage("crop", "--out", str(out / "crops"), "--sheet", str(out / "sheet.jpg"))
    assert done.returncode == 0, done.stderr
    done = copied.stage("statistics", "--crops", str(out / "crops"), "--out", str(out / "statistics"))
    assert done.returncode == 0, done.stderr
    found = summary(out / "crops")
    assert found["skipped"] == {}
    if source in ("helen", "celebamask"):
        test, others = {"helen": (165, 870), "celebamask": (120, 680)}[source]
        assert found["test"] == test
        assert int(str(found["train"])) + int(str(found["validation"])) == others
    else:
        assert found["faces"] == 34
    assert (out / "sheet.jpg").stat().st_size > 10_000
    with np.load(out / "statistics/normaliser.npz", allow_pickle=False) as arrays:
        assert all(np.isfinite(array).all() for array in arrays.values())
        assert (arrays["mean"] > 20).all()
