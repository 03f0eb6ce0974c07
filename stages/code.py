"""Writes for every stage what its code is: a small file, which dvc.yaml names as that stage's one code dependency.

DVC runs this stage when any file of ``lipseg`` or ``stages`` has changed; it takes a fraction of a second. A stage's
file has a line for its script and for each project module that it imports, directly or not, with a hash of the module's
syntax tree. Comments, docstrings, layout and what only type checkers import are not in that tree. So a changed comment
leaves the file as it was, and DVC leaves the stage alone. Where the file has changed, its lines say by which module.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import stages
from lipseg.errors import DataError
from lipseg.files import whole_folder

ROOT = Path(__file__).parents[1]
# Modules that only accept, refuse or tell: no result depends on how, so that a new section of parameters or a new kind
# of error retrains nothing. (The values of the parameters are DVC's to compare.)
NO_RESULT = ("lipseg/errors.py", "lipseg/params.py", "lipseg/progress.py", "stages/__init__.py", "stages/code.py")
# What a string looks like that names a module of the package.
_MODULE = re.compile(r"lipseg(\.\w+)+")


def code_of(stage: str, root: Path = ROOT) -> str:
    """Returns the code of ``stages/STAGE.py``: a line "HASH PATH" for each of its modules, sorted by path.

    Raises:
        DataError: if a module cannot be read as Python.
    """
    paths = [path.relative_to(root).as_posix() for path in modules_of(root / "stages" / f"{stage}.py", root)]
    return "".join(f"{_hash(root / path)} {path}\n" for path in sorted(paths) if path not in NO_RESULT)


def modules_of(script: Path, root: Path = ROOT) -> set[Path]:
    """Returns the project files that a script imports, directly or not, itself included.

    Imports within functions count, those for type checkers do not. A string that names a module of the package counts:
    the registry of the data's readers names them so.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in _names(path, root) for file in _files(name, root)]
    return found


def _names(path: Path, root: Path) -> Iterator[str]:
    """Yields the dotted names that a module may import; not all of them are modules."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE.fullmatch(node.value):
            yield node.value


def _files(name: str, root: Path) -> list[Path]:
    """Returns the files that importing a dotted name runs: of its packages and its own."""
    parts = name.split(".")
    if parts[0] not in ("lipseg", "stages"):
        return []
    # The package's own front door loads everything when it is asked for: no stage goes through it.
    bases = [root.joinpath(*parts[:depth]) for depth in range(2 if parts[0] == "lipseg" else 1, len(parts) + 1)]
    return [file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]


@cache
def _tree(path: Path) -> ast.Module:
    """Returns the syntax tree of a file without docstrings and without what only type checkers read."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as Python ({' '.join(str(error).split())})") from error
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            if isinstance(body := getattr(node, name, None), list):
                kept = [part for part in body if not (_is_text(part) or _is_for_type_checkers(part))]
                setattr(node, name, kept or [ast.Pass()] if body else [])
    return tree


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_for_type_checkers(node: ast.stmt) -> bool:
    names = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) in names


@cache
def _hash(path: Path) -> str:
    return hashlib.md5(_plain(_tree(path)).encode(), usedforsecurity=False).hexdigest()


def _plain(node: object) -> str:
    """Returns a syntax tree as text. Empty parts are left out: those that a later Python adds change nothing then."""
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return f"{type(node).__name__}({' '.join(f'{name}={_plain(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{' '.join(map(_plain, node))}]"
    return repr(node)


def main() -> None:
    at = stages.paths(__doc__, out="folder of the files")
    with whole_folder(at.out) as folder:
        for script in sorted((ROOT / "stages").glob("[!_]*.py")):
            (folder / f"{script.stem}.txt").write_text(code_of(script.stem), encoding="utf-8")


if __name__ == "__main__":
    stages.run(main)
