"""The largest picture that is read takes less than 1 GB, whatever is written of it."""

import subprocess
import sys

import pytest
from PIL import Image

import lipseg.images


def peak_of(*arguments: object) -> tuple[int, str]:
    """Returns the most bytes that a run of ``lipseg`` took, and its standard error."""
    program = (
        "import sys; from lipseg.cli.app import main\n"
        "try: main(sys.argv[1:])\n"
        # Not ru_maxrss, which begins with the memory of the process that started this one.
        "finally: print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 3), done.stderr
    return int(done.stdout.split()[-1]) * 1024, done.stderr


@pytest.mark.slow  # seconds a format
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_largest_picture_takes_less_than_a_gigabyte(tmp_path):
    height = 8_000
    width = lipseg.images.MOST_PIXELS // height
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    picture.save(tmp_path / "large.jpg", quality=50)
    formats = "json,mask,matte,overlay,svg,labelme"
    box = f"{width // 2 - 600},{height // 2 - 300},{width // 2 + 600},{height // 2 + 300}"
    options = ("--box", box, "-o", tmp_path / "out")
    peak, _ = peak_of("predict", tmp_path / "large.jpg", *options, "--format", formats)
    assert peak < 1_000_000_000
    assert len(list((tmp_path / "out").iterdir())) == 6
    peak, _ = peak_of("makeup", tmp_path / "large.jpg", *options)
    assert peak < 1_000_000_000
