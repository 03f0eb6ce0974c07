"""Keeps the code dependencies in dvc.yaml true: every project module that a stage imports, directly or not.

``python -m stages.deps`` rewrites dvc.yaml where it is out of date; the tests only compare.
"""

import ast
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


def modules_of(stage: str) -> list[str]:
    """Returns the project files, relative and sorted, that ``stages/STAGE.py`` imports, itself included."""
    found: set[Path] = set()
    open_files = [ROOT / "stages" / f"{stage}.py"]
    while open_files:
        file = open_files.pop()
        if file in found:
            continue
        found.add(file)
        open_files += _imports(file)
    return sorted(file.relative_to(ROOT).as_posix() for file in found if file.stat().st_size > 1)


@cache
def _imports(file: Path) -> list[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("lipseg."):
            names.add(node.value)  # the registry names its readers as strings
    found = []
    for name in names:
        # The package's own front door loads everything lazily: no stage goes through it.
        parts = name.split(".")
        if parts[0] not in ("lipseg", "stages"):
            continue
        for depth in range(2 if parts[0] == "lipseg" else 1, len(parts) + 1):
            base = ROOT.joinpath(*parts[:depth])
            found += [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return found


def updated(text: str) -> str:
    """Returns the text of dvc.yaml with every stage's code dependencies brought up to date."""
    out: list[str] = []
    stage, in_deps = "", False
    for line in text.splitlines():
        if match := re.fullmatch(r"  (\w+):", line):
            stage = match[1]
        if line.startswith("    ") and not line.startswith("     "):
            in_deps = line.startswith("    deps:")
            if in_deps:
                out.append("    deps:")
                out += [f"      - {name}" for name in modules_of(stage)]
                continue
        if in_deps and re.fullmatch(r"      - (lipseg|stages)/\S+\.py", line):
            continue
        out.append(line)
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    path = ROOT / "dvc.yaml"
    before = path.read_text(encoding="utf-8")
    after = updated(before)
    if after != before:
        path.write_text(after, encoding="utf-8")
        print("dvc.yaml brought up to date", file=sys.stderr)
