"""docs/mouth-clips.md: its commands and its Python run, in their order; its tables name what there is."""

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from known_model import Ellipses

from lipseg.boxes import Box
from lipseg.geometry import View
from lipseg.inference import segmenter
from lipseg.inference.runtime import Runtime
from lipseg.mouth_clips import PRESETS

av = pytest.importorskip("av")
pytest.importorskip("pyarrow")

PAGE = (Path(__file__).parents[2] / "docs" / "mouth-clips.md").read_text(encoding="utf-8")


class Follows(Ellipses):
    """Sees a mouth as wide as the box that it is looked for in."""

    runtime = Runtime(View(24, "square", 1 / 0.6), 3)


def faces_of(image):
    return [Box.square(80, 55, 60)] if image.mean() > 60 else []


@pytest.fixture
def talks(tmp_path, monkeypatch):
    """A folder with talk.mp4 and talks/, and the known model and detector in the place of the shipped ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(segmenter, "load_predictor", lambda folder, threads=1: Follows())
    monkeypatch.setattr(segmenter, "make_detector", lambda name: faces_of)
    Path("talks").mkdir()
    for name in ("talk.mp4", "talks/one.mp4", "talks/two.mkv"):
        with av.open(name, "w") as container:
            stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
            stream.width, stream.height = 160, 120
            for _ in range(38):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((120, 160, 3), 128, np.uint8))))
            container.mux(stream.encode(None))


class DataLoader:
    """What a DataLoader does with a map-style data set, where PyTorch is not installed: batches by position."""

    def __init__(self, dataset, batch_size, shuffle):
        self.dataset, self.size = dataset, batch_size

    def __iter__(self):
        for start in range(0, len(self.dataset), self.size):
            items = [self.dataset[k] for k in range(start, min(start + self.size, len(self.dataset)))]
            yield {name: np.stack([item[name] for item in items]) for name in items[0] if name != "name"}


class Dataset:
    """Of tf.data what the page uses, where TensorFlow is not installed."""

    def __init__(self, generator, spec):
        self.items = list(generator())
        assert all((item.shape, item.dtype) == spec for item in self.items)

    @staticmethod
    def from_generator(generator, output_signature):
        return Dataset(generator, output_signature)

    def batch(self, size):
        return [np.stack(self.items[k : k + size]) for k in range(0, len(self.items), size)]


def stand_in(monkeypatch, name, **contents):
    if importlib.util.find_spec(name.split(".")[0]) is None:
        parts = name.split(".")
        for k in range(1, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:k]), ModuleType(".".join(parts[:k])))
        vars(sys.modules[name]).update(contents)


def test_the_commands_run(lips, talks):
    calls = [shlex.split(line)[1:] for line in re.findall(r"^    (lipseg .*)$", PAGE, re.MULTILINE)]
    assert len(calls) == 4
    for words in calls:
        assert lips(*words)[0] == 0, words
    assert Path("clips/talk.mouths/1.mp4").exists()
    assert Path("clips/one.mouths/1.npz").exists()
    assert Path("wide/two.mouths/1.parquet").exists()


def test_the_python_runs(talks, monkeypatch, capsys):
    stand_in(monkeypatch, "torch.utils.data", DataLoader=DataLoader)
    tensors = SimpleNamespace(Dataset=Dataset)
    stand_in(monkeypatch, "tensorflow", data=tensors, TensorSpec=lambda shape, kind: (shape, kind), uint8=np.uint8)
    names: dict = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(compile(block, "docs/mouth-clips.md", "exec"), names)
    assert "(96, 96)" in capsys.readouterr().out
    assert tuple(names["frames"].shape)[1:] == (25, 96, 96)
    assert next(iter(names["dataset"])).shape[1:] == (25, 96, 96)


def test_the_table_of_presets_is_theirs():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) x (\d+), (\d+)/s \| (grey|colour)(, not turned)? \| (\d+) px", PAGE, re.M)
    shown = {
        name: (int(w), int(h), float(fps), colour == "grey", bool(flat), float(mouth))
        for name, w, h, fps, colour, flat, mouth in rows
    }
    assert shown == {
        name: (p.width, p.height, p.fps, p.grey, p.align == "none", p.mouth_px) for name, p in PRESETS.items()
    }
