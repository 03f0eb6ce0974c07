"""JavaScript of the pages: the reader of a model folder gives Python's answer, the browser's snippets fit its types.

Both need Node.js and what ``make web`` puts into ``web/``; LIPSEG_WEB names another such folder.
"""

import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from snippets import ROOT

from lipseg.inference.card import DEFAULT_MODEL

WEB = Path(os.environ.get("LIPSEG_WEB", ROOT / "web"))
# What a page of one's own has beside the snippet.
GIVEN = """
declare const image: ImageBitmap;
declare const video: HTMLVideoElement;
declare const context: CanvasRenderingContext2D;
"""


def needed(*parts):
    missing = [name for name in parts if not (WEB / name).exists()]
    return pytest.mark.skipif(
        shutil.which("node") is None or bool(missing), reason=f"needs node, and {', '.join(missing)} of `make web`"
    )


@needed("node_modules/onnxruntime-web")
@pytest.mark.parametrize("times", [1, 3])  # views about as large as the network's, and shrunk by area
def test_the_reader_in_javascript_answers_as_the_one_in_python(workplace, times):
    picture = Image.open("photo.jpg")
    picture = picture.resize((picture.width * times, picture.height * times))
    picture.save("photo.ppm")
    box = [times * place for place in (210, 305, 298, 351)]
    shutil.copy(ROOT / "docs" / "run_onnx.mjs", workplace)
    (workplace / "node_modules").symlink_to(WEB / "node_modules")
    command = ["node", "run_onnx.mjs", str(DEFAULT_MODEL), "photo.ppm", ",".join(map(str, box))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found = np.array([line.split() for line in done.stdout.splitlines()], float)
    expected, _ = runpy.run_path(str(ROOT / "docs" / "run_onnx.py"))["landmarks"](DEFAULT_MODEL, np.array(picture), box)
    np.testing.assert_allclose(found, expected, atol=0.02 * times)


@needed("node_modules/.bin/tsc", "dist/lib/types", "package.json")
def test_the_browser_s_snippets_fit_the_library_s_types(tmp_path):
    text = (ROOT / "docs" / "browser.md").read_text(encoding="utf-8")
    snippets = re.findall(r"^```ts\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(snippets) == 2
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "lipseg").symlink_to(WEB)
    (tmp_path / "package.json").write_text('{ "type": "module" }')
    files = [f"snippet{k}.ts" for k in range(len(snippets))]
    for file, snippet in zip(files, snippets, strict=True):
        (tmp_path / file).write_text(GIVEN + snippet)
    options = (
        "--noEmit --strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler --lib es2023,dom"
    )
    command = [str(WEB / "node_modules" / ".bin" / "tsc"), *options.split(), *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
