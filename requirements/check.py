"""Checks that the locks are closed and fit pyproject.toml. Run it in the environment of `make setup`.

`make` installs the locks with `pip install --no-deps`, so a package that a lock forgets is missing and nothing is
fetched in its place. Here every requirement of every locked package, extras included, must be met by a pin of the same
lock; what packages require is read from the installed ones, without a network. Pins for other systems or Pythons,
which are not installed here, are passed over.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parent
# The extras and groups of pyproject.toml that each lock holds; the package's own dependencies come with any extra.
LOCKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "build.lock": ((), ("build",)),
    "pipeline.lock": (("train",), ("build",)),
    "test.lock": (("*",), ("build", "dev")),
    "docs.lock": ((), ("docs",)),
}
# Installed only by `make docs`: where none of it is, whether it is closed cannot be seen, and is seen there.
OPTIONAL = ("docs.lock",)
_PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)( ; (?P<marker>.+?))?( \\)?")

Requires = Callable[[str], Iterable[str] | None]


def read_pins(text: str) -> dict[str, Version]:
    """Returns the pins of a lock that count on this system and Python, by normalised name.

    Args:
        text: of a requirements file in which every line is a pin, a hash or a comment.

    Raises:
        ValueError: naming the line that is something else, or the package without a hash.
    """
    pins: dict[str, Version] = {}
    hashes = 1
    name = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("    --hash=sha256:"):
            hashes += 1
        elif line.strip() and not line.lstrip().startswith("#"):
            pin = _PIN.fullmatch(line)
            if pin is None:
                raise ValueError(f"line {number}: neither name==version nor a hash: {line!r}; run `make lock`")
            if not hashes:
                raise ValueError(f"{name}: has no hash; run `make lock`")
            name, hashes = pin[1], 0
            if pin["marker"] is None or Requirement(f"{name} ; {pin['marker']}").marker.evaluate():  # type: ignore[union-attr]
                pins[canonicalize_name(name)] = Version(pin[2])
    if not hashes:
        raise ValueError(f"{name}: has no hash; run `make lock`")
    return pins


def holes(pins: dict[str, Version], roots: Iterable[str], requires: Requires) -> list[str]:
    """Returns what the pins leave open, a line each: requirements that no pin meets, and pins that nothing wants.

    Args:
        pins: versions by normalised name.
        roots: requirements of the project.
        requires: from a package's name to its requirements, or None where it is not installed.
    """
    found: list[str] = []
    wanted: dict[str, set[str]] = {}
    open_ = [("pyproject.toml", Requirement(root), "") for root in roots]
    while open_:
        origin, requirement, extra = open_.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        pin = pins.get(name)
        if pin is None:
            found.append(f"{origin} wants {requirement}, which is not pinned")
            continue
        if not requirement.specifier.contains(pin, prereleases=True):
            found.append(f"{origin} wants {requirement}, and {pin} is pinned")
        known = wanted.setdefault(name, set())
        new = {"", *requirement.extras} - known
        known |= new
        own = list(requires(name) or ()) if new else ()
        open_ += [(name, Requirement(text), one) for one in new for text in own]
    return found + [f"{name}=={pin}: nothing wants it" for name, pin in pins.items() if name not in wanted]


def roots_of(project: dict[str, object], extras: tuple[str, ...], groups: tuple[str, ...]) -> list[str]:
    """Returns the requirements of a parsed pyproject.toml: with extras also its own; "*" stands for all extras."""
    table: dict = project["project"]  # type: ignore[assignment]
    optional, grouped = table["optional-dependencies"], project["dependency-groups"]
    names = list(optional) if extras == ("*",) else extras
    own = table["dependencies"] if names else []
    return [*own, *(text for name in names for text in optional[name]), *(t for g in groups for t in grouped[g])]  # type: ignore[index]


def _installed(name: str) -> list[str] | None:
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return None


def main() -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    versions: dict[str, dict[str, Version]] = {}
    bad: list[str] = []
    left_out: list[str] = []
    for lock, (extras, groups) in LOCKS.items():
        try:
            pins = versions[lock] = read_pins((HERE / lock).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            bad.append(f"{lock}: {error}")
            continue
        bad += [
            f"{lock}: {name}=={pin} is pinned, and {versions[other][name]} in {other}; run `make lock`"
            for name, pin in pins.items()
            for other in ("build.lock", "test.lock")
            if lock != other and versions.get(other, {}).get(name, pin) != pin
        ]
        roots = roots_of(project, extras, groups)
        if lock in OPTIONAL and any(_installed(Requirement(root).name) is None for root in roots):
            left_out.append(lock)
            continue
        bad += [f"{lock}: {hole}" for hole in holes(pins, roots, _installed)]
        for name, pin in pins.items():
            try:
                installed = distribution(name).version
            except PackageNotFoundError:
                bad.append(f"{lock}: {name}=={pin} is not installed; run `make setup`")
                continue
            if Version(installed) != pin:
                bad.append(f"{lock}: {name}=={pin} is pinned, {installed} is installed; run `make setup`")
    for line in bad:
        print(f"error: requirements/{line}", file=sys.stderr)
    if bad:
        sys.exit(1)
    print("locks: closed, " + ", ".join(f"{lock} {len(pins)} packages" for lock, pins in versions.items()))
    if left_out:
        print(
            f"locks: {', '.join(left_out)}: pins and hashes alone were looked at, since `make docs` did not install it"
        )


if __name__ == "__main__":
    main()
