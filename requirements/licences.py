"""Lists the licence of every installed package, as it says itself; those that the tool needs come first.

Exit code 1 if a package says nothing.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_OWN = "lipseg"


def licence_of(package: Distribution) -> str:
    """Returns a package's licence in a few words; "" where it says nothing."""
    told = package.metadata.json
    classified = [line.split(" :: ")[-1] for line in told.get("classifier", []) if line.startswith("License :: ")]
    stated = str(told.get("license_expression") or "; ".join(classified) or told.get("license") or "").strip()
    return re.sub(r"\s+", " ", stated.splitlines()[0])[:80] if stated else ""


def needed(name: str) -> set[str]:
    """Returns the normalised names of what a package needs without extras, its own needs included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        try:
            requires = distribution(waiting.pop()).requires or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, requires):
            name = canonicalize_name(requirement.name)
            if name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                found.add(name)
                waiting.append(name)
    return found


def main() -> int:
    of_tool = needed(_OWN)
    packages = {canonicalize_name(package.metadata["Name"]): package for package in distributions()}
    silent = 0
    for heading, wanted in (("the tool needs", True), ("extras, training, development", False)):
        print(f"\n{heading}:")
        for name in sorted(packages):
            if (name in of_tool) is wanted and name != _OWN:
                licence = licence_of(packages[name])
                silent += not licence
                print(f"  {name:<32}{packages[name].version:<16}{licence or 'says nothing'}")
    return int(silent > 0)


if __name__ == "__main__":
    sys.exit(main())
