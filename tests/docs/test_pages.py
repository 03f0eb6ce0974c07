"""Every snippet of README and the pages runs, or is checked where it is marked (see snippets.py)."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import yaml
from snippets import ROOT, check, check_python, leftover, page

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Of code blocks: what is tried here or by another test of this folder, and what is no code.
TRIED = {"sh", "python", "ts", "cpp"}
NO_CODE = {"text", "json", "yaml", "js"}


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


@pytest.fixture
def frameworks(monkeypatch):
    """PyTorch and TensorFlow, or what the pages use of them where they are not installed."""
    tensors = SimpleNamespace(Dataset=Dataset)
    for name, contents in (
        ("torch.utils.data", {"DataLoader": DataLoader}),
        ("tensorflow", {"data": tensors, "TensorSpec": lambda shape, kind: (shape, kind), "uint8": np.uint8}),
    ):
        parts = name.split(".")
        if importlib.util.find_spec(parts[0]) is None:
            for k in range(1, len(parts) + 1):
                monkeypatch.setitem(sys.modules, ".".join(parts[:k]), ModuleType(".".join(parts[:k])))
            vars(sys.modules[name]).update(contents)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_snippets_run(path, workplace, frameworks):
    document = page(path)
    for example in document:
        example.evaluate()
    assert not leftover(document), "a mark that no block of commands follows"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("from lipseg.batch import LipReader", AssertionError),
        ("from lipseg.batch import LipFinder\nLipFinder(colour=1)", TypeError),
        ("import ray", AssertionError),
        ("from lipseg.batch import", SyntaxError),
    ],
)
def test_python_that_is_not_run_is_checked(code, error):
    with pytest.raises(error):
        check_python(code)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_snippet_escapes(path):
    text = path.read_text(encoding="utf-8")
    languages = re.findall(r"^ *```([^\n]+)\n.*?^ *```$", text, re.MULTILINE | re.DOTALL)
    assert {language.split()[0] for language in languages} <= TRIED | NO_CODE
    assert not re.search(r"^    (lipseg|make|python|pip|dvc|npm) ", text, re.MULTILINE), "commands go into ```sh"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_within_the_text_are_right(path, workplace):
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for command in re.findall(r"`((?:lipseg|make|python -m|pip install|dvc|npm) [^`]+)`", text):
        if not re.search(r"\bCOMMAND\b|\bNAME\b", command):
            check(" ".join(command.split()))


def test_every_page_is_listed():
    class Loader(yaml.SafeLoader):
        """Passes over the tags that name Python objects."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
    config = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)

    def pages(nav):
        for entry in nav:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else pages(value)

    # The changes and how to contribute are files of the repository, which the site makes pages of (tools/site.py).
    made = {"changelog.md", "contributing.md"}
    assert sorted(pages(config["nav"])) == sorted(made | {path.name for path in Path(ROOT / "docs").glob("*.md")})
