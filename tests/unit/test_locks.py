"""The locks: what is no pin is refused, and a hole is found on the day it is made."""

import re
from pathlib import Path

import pytest
from packaging.version import Version

from requirements.check import holes, read_pins, roots_of

ROOT = Path(__file__).parents[2]
HASH = "    --hash=sha256:" + 64 * "0"


def test_read_pins_takes_only_pins_of_this_system() -> None:
    pins = ("a==1.0", "b-c==2 ; sys_platform == 'nowhere'", "d==3 ; python_version >= '3.11'")
    text = "".join(f"{pin} \\\n{HASH}\n" for pin in pins)
    assert read_pins(text) == {"a": Version("1.0"), "d": Version("3")}


@pytest.mark.parametrize(
    "text", ["a>=1.0 \\\n" + HASH, "a==1.0\nb==2 \\\n" + HASH, "a==1.0\n", f"a @ file:///x\n{HASH}"]
)
def test_read_pins_refuses_what_pip_would_have_to_resolve(text: str) -> None:
    with pytest.raises(ValueError, match="run `make lock`"):
        read_pins(text)


def test_holes_follows_extras_to_the_end() -> None:
    needs = {"cov": ["coverage[toml]>=7"], "coverage": ["tomli; extra == 'toml'", "other; extra == 'never'"]}
    pins = {"cov": Version("6"), "coverage": Version("7.1")}
    assert holes(pins, ["cov"], needs.get) == ['coverage wants tomli; extra == "toml", which is not pinned']
    assert holes({**pins, "tomli": Version("2")}, ["cov"], needs.get) == []


def test_holes_finds_pins_that_are_too_old_or_that_nothing_wants() -> None:
    pins = {"a": Version("1"), "b": Version("1")}
    assert holes(pins, ["a>=2"], lambda _: None) == [
        "pyproject.toml wants a>=2, and 1 is pinned",
        "b==1: nothing wants it",
    ]


def test_a_lock_of_an_extra_holds_the_package_s_own_requirements() -> None:
    project: dict[str, object] = {
        "project": {"dependencies": ["a"], "optional-dependencies": {"x": ["b"], "y": ["c"]}},
        "dependency-groups": {"dev": ["d"]},
    }
    assert roots_of(project, ("x",), ()) == ["a", "b"]
    assert roots_of(project, ("*",), ("dev",)) == ["a", "b", "c", "d"]
    assert roots_of(project, (), ("dev",)) == ["d"]


def test_make_lets_pip_resolve_and_fetch_nothing() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install.*", makefile)
    assert installs
    assert all("--no-deps" in line and "--no-build-isolation" in line for line in installs)
    assert all(
        "--require-hashes" in line or line.endswith("-e .") for line in re.findall(r"\$\(INSTALL\) (.*)", makefile)
    )
