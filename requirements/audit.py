"""Looks the locked packages up in the advisory database of the Python Packaging Authority, by pip-audit.

Exit code 1 if a package has a known weakness. What the service does not tell, because it cannot be reached or does not
know a package, is counted and is no failure: the check must not stand in the way of work without a network.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# An environment of its own: what looks for weaknesses must not add to what is looked at.
PLACE = HERE.parent / "build/audit"


def main() -> int:
    python = PLACE / "bin/python"
    if not (PLACE / "bin/pip-audit").is_file():
        venv.create(PLACE, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pip-audit"]
        if subprocess.run(command, check=False).returncode:
            print("pip-audit cannot be installed now: nothing was looked up")
            return 0
    command = [str(python), "-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    command += ["--format", "json", "--requirement", str(HERE / "test.lock")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"the advisory service cannot be reached: nothing was looked up ({last[:200]})")
        return 0
    lines, weak = told(found)
    print("\n".join(lines))
    return int(weak > 0)


def told(found: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Returns what to print of pip-audit's answer, and how many packages are weak."""
    unknown = [entry["name"] for entry in found if "skip_reason" in entry]
    weak = [entry for entry in found if entry.get("vulns")]
    lines = [
        f"{entry['name']} {entry['version']}: {fault['id']}, mended in {' or '.join(fault['fix_versions'] or ['none'])}"
        for entry in weak
        for fault in entry["vulns"]
    ]
    lines.append(f"{len(found) - len(unknown)} of {len(found)} packages looked up, {len(weak)} with known weaknesses")
    if unknown:
        lines.append(f"not known to the service: {', '.join(unknown[:8])}{' and others' if len(unknown) > 8 else ''}")
    return lines, len(weak)


if __name__ == "__main__":
    sys.exit(main())
