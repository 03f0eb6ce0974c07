"""The built-in dataset: what is drawn, how it is written and read back."""

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lipseg import scheme
from lipseg.data import synthesize
from lipseg.data.annotations import FaceSample
from lipseg.data.annotations.synthetic import read
from lipseg.data.face_shape import MOUTHS, Pose, sample_shape
from lipseg.data.synthesize import STATES, contact_sheet, draw_face, helen_points, write_dataset
from lipseg.errors import DataError
from lipseg.images import read_image

SIZE = 128


def fingerprint(root: Path) -> dict[str, str]:
    """Returns the hash of every file below a folder."""
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "with a space"
    write_dataset(root, train=18, test=7, size=SIZE, seed=5, workers=1)
    return root


def normalised(state: str, seed: int) -> tuple[float, float, float]:
    """Returns width, opening and lip height of a random frontal mouth, in inter-ocular distances."""
    shape = sample_shape(np.random.default_rng([seed, STATES.index(state)]), state)
    points = helen_points(shape, Pose(0.0, 0.0, 0.0, 1.0, np.zeros(2)))
    lips, eyes = points[58:114], scheme.inter_ocular(points)
    opening = lips[49, 1] - lips[35, 1]  # at the middle
    height = lips[20:22, 1].mean() - lips[6:8, 1].mean()
    return np.ptp(lips[:28, 0]) / eyes, opening / eyes, (height - opening) / eyes


@pytest.mark.parametrize("state", STATES)
def test_a_face_and_its_points_fit_the_picture(state):
    for seed in range(8):
        image, points = draw_face(np.random.default_rng(seed), state, SIZE)
        assert image.shape == (SIZE, SIZE, 3)
        assert image.dtype == np.uint8
        assert points.shape == (194, 2)
        assert points.dtype == np.float64
        lips = points[58:114]
        assert (lips > 5).all()
        assert (lips < SIZE - 6).all()
        assert 0.22 * SIZE < scheme.inter_ocular(points) < 0.34 * SIZE


@pytest.mark.parametrize("state", STATES)
def test_points_are_in_the_order_of_the_scheme(state):
    shape = sample_shape(np.random.default_rng(1), state)
    points = helen_points(shape, Pose(0.0, 0.0, 0.0, 1.0, np.zeros(2)))
    lips = points[58:114]
    assert (np.diff(lips[:14, 0]) > 0).all()
    assert (np.diff(lips[13:28, 0]) < 0).all()
    assert (np.diff(lips[28:43, 0]) > 0).all()
    assert (np.diff(lips[42:56, 0]) < 0).all()
    # Upper lip above inner mouth above lower lip, at the middle.
    assert lips[7, 1] < lips[35, 1] <= lips[49, 1] < lips[20, 1]
    # Helen's eyes: first the image-right one; both above the nose, the nose above the mouth, the chin below.
    assert points[114:134, 0].mean() > points[134:154, 0].mean()
    assert points[114:154, 1].max() < points[41:58, 1].max() < lips[:, 1].min()
    assert points[20, 1] > lips[:, 1].max()
    assert points[0, 0] < lips[0, 0]
    assert points[40, 0] > lips[13, 0]


def test_states_differ_in_width_opening_and_thickness():
    means = {state: np.mean([normalised(state, seed) for seed in range(12)], axis=0) for state in STATES}
    width, opening, thickness = ({state: mean[k] for state, mean in means.items()} for k in range(3))
    assert max(opening[state] for state in ("closed", "smile", "pout")) < 0.06
    assert 0.17 < opening["laugh"] < opening["open"]
    assert width["pout"] < width["open"] < width["closed"] < width["smile"]
    assert width["smile"] > 1.12 * width["closed"]
    assert width["pout"] < 0.85 * width["closed"]
    assert thickness["pout"] > 1.25 * thickness["closed"]
    assert thickness["smile"] < 0.85 * thickness["closed"]
    assert set(MOUTHS) == set(STATES)


def test_the_lips_are_drawn_where_the_points_say():
    inside, around = [], []
    for seed in range(12):
        image, points = draw_face(np.random.default_rng(seed), "pout", 192)
        lips = points[58:114]
        centre = lips[:28].mean(0)
        red = image[..., 0].astype(float) - image[..., 1]
        for toward, values in ((0.8, inside), (1.25, around)):
            x, y = np.round((centre + toward * (lips[:28] - centre)).T).astype(int)
            values.append(red[y, x].mean())
    # Lips are redder than the skin around them.
    assert np.mean(inside) > np.mean(around) + 5


def test_a_face_depends_on_its_generator_alone():
    np.testing.assert_array_equal(*(draw_face(np.random.default_rng(3), "laugh", SIZE)[0] for _ in range(2)))
    one, other = (draw_face(np.random.default_rng(seed), "laugh", SIZE)[0] for seed in (3, 4))
    assert np.abs(one.astype(int) - other).mean() > 5


def test_yaw_and_roll_turn_the_points():
    shape = sample_shape(np.random.default_rng(0), "closed")
    front = helen_points(shape, Pose(0.0, 0.0, 0.0, 1.0, np.zeros(2)))
    turned = helen_points(shape, Pose(0.4, 0.0, 0.0, 1.0, np.zeros(2)))
    assert scheme.inter_ocular(turned) < scheme.inter_ocular(front)
    assert turned[49, 0] > front[49, 0] + 10  # positive yaw moves the nose's tip to the right
    rolled = helen_points(shape, Pose(0.0, 0.0, np.pi / 2, 1.0, np.zeros(2)))
    np.testing.assert_allclose(rolled, front[:, ::-1] * [-1, 1], atol=1e-9)


def test_a_dataset_is_read_back_whole(dataset):
    faces = list(read(dataset))
    assert all(isinstance(face, FaceSample) for face in faces)
    assert [face.name for face in faces] == [f"face_{i:05d}" for i in range(25)]
    assert [face.split for face in faces] == ["train"] * 18 + ["test"] * 7
    # Every state as often as the others, in both splits, within one.
    for part, n in ((faces[:18], 18), (faces[18:], 7)):
        counts = [sum(face.state == state for face in part) for state in STATES]
        assert sum(counts) == n
        assert max(counts) - min(counts) <= 1
    image, points = draw_face(np.random.default_rng([5, 1, 20]), faces[20].state, SIZE)
    np.testing.assert_allclose(faces[20].points_px, points[58:114], atol=6e-4)
    assert np.abs(read_image(faces[20].image).astype(int) - image).mean() < 6


def test_a_dataset_does_not_depend_on_the_number_of_workers(tmp_path):
    # Two processes even for so few faces.
    write_dataset(tmp_path / "two", train=43, test=7, size=64, seed=5, workers=2)
    write_dataset(tmp_path / "one", train=43, test=7, size=64, seed=5, workers=1)
    assert fingerprint(tmp_path / "two") == fingerprint(tmp_path / "one")
    write_dataset(tmp_path / "one", train=43, test=7, size=64, seed=6, workers=1)
    assert fingerprint(tmp_path / "two") != fingerprint(tmp_path / "one")


def test_a_dataset_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    drawn = synthesize.draw_face

    def fails_late(rng, state, size, calls=[0]):  # noqa: B006
        calls[0] += 1
        if calls[0] > 3:
            raise KeyboardInterrupt
        return drawn(rng, state, size)

    monkeypatch.setattr(synthesize, "draw_face", fails_late)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "data", train=5, test=2, size=64, seed=0, workers=1)
    assert not (tmp_path / "data").exists()
    # What the interrupted run left does not get in the way of the next.
    monkeypatch.setattr(synthesize, "draw_face", drawn)
    write_dataset(tmp_path / "data", train=5, test=2, size=64, seed=0, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert len(list(read(tmp_path / "data"))) == 7


def test_a_folder_with_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").touch()
    with pytest.raises(DataError, match="photos: exists and was not drawn"):
        write_dataset(tmp_path / "photos", train=5, test=2, size=64, seed=0, workers=1)
    assert (tmp_path / "photos" / "mine.jpg").exists()


def test_the_contact_sheet_has_a_row_for_every_state(dataset):
    sheet = contact_sheet(dataset, columns=3)
    assert sheet.shape == (len(STATES) * (SIZE + 2) + 2, 3 * (SIZE + 2) + 2, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the columns must be name,state"),
        ("name,mood\nface_00000,open\n", "line 1: the columns must be name,state"),
        ("name,state\nface_00000\n", "line 2: expected a name and a state"),
        ("name,state\nface_00000,open,x\n", "line 2: expected a name and a state"),
        ("name,state\nface_00000,\n", "line 2: expected a name and a state"),
        ("name,state\nface_00000,open\nface_00000,pout\n", "line 3: 'face_00000' comes twice"),
        ("name,state\nface_00001,open\n", "no state for the face 'face_00000'"),
    ],
)
def test_a_malformed_table_of_states_is_an_error(dataset, tmp_path, text, said):
    copy = tmp_path / "copy"
    copy.mkdir()
    for entry in dataset.iterdir():
        if entry.name != "states.csv":
            (copy / entry.name).symlink_to(entry)
    with pytest.raises(DataError, match=r"states\.csv: no such file"):
        read(copy)
    (copy / "states.csv").write_text(text)
    with pytest.raises(DataError, match=r"states\.csv.*" + said):
        list(read(copy))


def test_states_are_a_table_of_all_names(dataset):
    with (dataset / "states.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"face_{i:05d}" for i in range(25)]


def test_drawing_needs_neither_jax_nor_scikit_learn():
    code = (
        "import sys, lipseg.data.synthesize; "
        "print([m for m in ('jax', 'sklearn', 'matplotlib', 'flax', 'dvc') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
