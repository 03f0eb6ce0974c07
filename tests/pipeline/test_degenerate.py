"""Training faces that no training is made for: the pipeline trains, or one stage says clearly why not."""

import shutil
from typing import Any

import pytest

from .conftest import Project

pytestmark = pytest.mark.pipeline


def faces_of(project: Project, train: int, *, alike: bool) -> None:
    """Exchanges the drawn faces for a folder of so many training faces and two for test; all the same, or not."""
    drawn, own = project.root / "data/synthetic", project.root / "own"
    for part in ("image", "annotation"):
        (own / part).mkdir(parents=True)
    names = sorted(path.stem for path in (drawn / "image").iterdir())
    picture = {path.stem: path for path in (drawn / "image").iterdir()}
    annotation = {path.read_text().splitlines()[0].strip(): path for path in (drawn / "annotation").iterdir()}
    for number in range(train + 2):
        source = names[0 if alike else number]
        shutil.copy(picture[source], own / "image" / f"f{number}{picture[source].suffix}")
        rest = annotation[source].read_text().split("\n", 1)[1]
        (own / "annotation" / f"{number}.txt").write_text(f"f{number}\n{rest}")
    (own / "trainnames.txt").write_text("".join(f"f{number}\n" for number in range(train)))
    (own / "testnames.txt").write_text(f"f{train}\nf{train + 1}\n")
    project.set_params({"data.source": "helen", "data.root": "own"})


@pytest.mark.parametrize(
    ("train", "alike", "changes"),
    [(1, False, {}), (12, True, {}), (12, False, {"cluster.max_components": 1})],
    ids=["one face", "identical faces", "one component"],
)
def test_too_little_to_learn_from_trains_or_is_told(
    copied: Project, train: int, alike: bool, changes: dict[str, Any]
) -> None:
    faces_of(copied, train, alike=alike)
    copied.set_params(changes)
    done = copied.dvc("repro", "bundle", check=False, timeout=400)
    assert "Traceback" not in done.stdout + done.stderr
    if done.returncode == 0:
        assert (copied.root / "models/lipseg/card.json").is_file()
    else:
        told = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error: ")]
        assert len(told) == 1, done.stdout + done.stderr
    assert copied.partials() == []
