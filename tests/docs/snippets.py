"""How the snippets of a page are tried: Python and commands run in their order, in a folder with drawn faces.

A block that needs other data, minutes or a network follows a line ``<!-- checked: REASON -->``, which readers do not
see. It is not run: each of its commands is checked by a rule of its program, such as that the options exist, and Python
by whether the names of lipseg that it imports exist and take the arguments that they are given.
"""

import ast
import contextlib
import importlib
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import typer.main
import yaml
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer

from lipseg.cli.app import app, main

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
_CHECKED = "checked"


def page(path: Path) -> Document:
    """Returns a page, parsed: its examples are its snippets, in their order."""
    parsers = [_marks, CodeBlockParser("sh", _commands), _python_blocks]
    return Document.parse(str(path), *parsers)


def _python_blocks(document: Document):
    for region in PythonCodeBlockParser()(document):
        region.evaluator = _checked_or(region.evaluator)
        yield region


def _checked_or(run: Callable[[Example], object]) -> Callable[[Example], object]:
    def evaluate(example: Example) -> object:
        return run(example) if example.namespace.pop(_CHECKED, None) is None else check_python(str(example.parsed))

    return evaluate


def check_python(code: str) -> None:
    """Checks what code imports from lipseg, and the arguments that it gives to that.

    Raises:
        AssertionError: naming what does not exist.
        SyntaxError: if it is no Python.
        TypeError: naming an argument that is not taken.
    """
    tree, known = ast.parse(code), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lipseg":
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module} has no {name.name}"
                known[name.asname or name.name] = getattr(module, name.name)
    assert known, "imports nothing of lipseg that could be checked"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            given = {word.arg: None for word in node.keywords if word.arg}
            inspect.signature(known[node.func.id]).bind(*node.args, **given)


def leftover(document: Document) -> str:
    """Returns the reason of a mark that no block follows; "" where there is none."""
    return document.namespace.get(_CHECKED, "")


def _marks(document: Document):
    for region in DirectiveInHTMLCommentLexer(_CHECKED)(document):
        region.parsed = region.lexemes["arguments"].strip()
        region.evaluator = _mark
        yield region


def _mark(example: Example) -> None:
    assert example.parsed, "say after `checked:` why the commands cannot be run"
    assert _CHECKED not in example.namespace, "no block of commands follows the mark before this one"
    example.namespace[_CHECKED] = example.parsed


def _commands(example: Example) -> None:
    checked = example.namespace.pop(_CHECKED, None) is not None
    for line in example.parsed.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            check(line) if checked else _run(line, words)


def _run(line: str, words: list[str]) -> None:
    """Runs a line: a lone call of lipseg in this process, which spares the seconds of its imports; else by bash."""
    file = None
    if ">" in words:
        words, (file,) = words[: words.index(">")], words[words.index(">") + 1 :]
    if words[0] == "lipseg" and "|" not in words:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = _exit_code(lambda: main(words[1:]))
        assert not code, f"{line}: exit code {code}"
        if file:
            Path(file).write_text(out.getvalue(), encoding="utf-8")
        return
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"


def _exit_code(run: Callable[[], object]) -> int | str | None:
    try:
        run()
    except SystemExit as stop:
        return stop.code
    return 0


def check(line: str) -> None:
    """Checks a line of commands by the rule of each program.

    Raises:
        AssertionError: naming what is wrong with it, or the program that has no rule.
    """
    for call in _split(shlex.split(line, comments=True)):
        name = Path(call[0]).name.rstrip("0123456789.")
        rule = _RULES.get(name)
        assert rule is not None, f"{line}: no rule says how to check {call[0]}; run it, or write one"
        rule(call[1:])


def _split(words: list[str]) -> list[list[str]]:
    """Returns the calls of a line that are joined by && or |, without what follows >."""
    calls: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", "|"):
            calls.append([])
        else:
            calls[-1].append(word)
    return [call[: call.index(">")] if ">" in call else call for call in calls]


def _lipseg(words: list[str]) -> None:
    name, *rest = words
    if name in ("--help", "--version"):
        return
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    if rest == ["--help"]:
        return
    try:
        command.make_context(name, list(rest))  # parses, and runs nothing
    except Exception as error:
        # Within a text a command is named with its options, and without its files.
        if type(error).__name__ != "MissingParameter":
            raise AssertionError(f"lipseg {shlex.join(words)}: {error}") from None


def _make(words: list[str]) -> None:
    for word in words:
        name, given, _ = word.partition("=")
        if given:
            assert re.search(rf"\b{name}\b", _MAKEFILE), f"make: nothing uses {name}"
        elif not word.startswith("web") or (ROOT / "web").exists():
            assert re.search(rf"^{name}:", _MAKEFILE, re.MULTILINE), f"make: no target {name}"


def _python(words: list[str]) -> None:
    if words[0] == "-m" and words[1] == "venv":
        return
    if words[0] == "-m" and words[1].split(".")[0] in ("benchmarks", "stages"):
        known = _help(words[1])
        for word in words[2:]:
            if word.startswith("--"):
                assert re.search(rf"{word.partition('=')[0]}\b", known), f"{words[1]} has no {word}"
        return
    assert words[0] != "-m", f"python -m {words[1]}: no rule"
    assert (ROOT / words[0]).exists(), words[0]


def _help(module: str) -> str:
    out, before = io.StringIO(), sys.argv
    sys.argv = [module, "--help"]
    try:
        with contextlib.redirect_stdout(out):
            code = _exit_code(importlib.import_module(module).main)
    finally:
        sys.argv = before
    assert not code, f"{module} --help: exit code {code}"
    return out.getvalue()


def _pip(words: list[str]) -> None:
    assert words[0] == "install"
    for word in words[1:]:
        if word.startswith("jax[cuda"):  # with a version that the shell works out
            continue
        name, extras = re.match(r"([^\[]*)(?:\[(.*)\])?$", word).groups()  # type: ignore[union-attr]
        for extra in (extras or "").split(",") if extras else ():
            assert extra in _PROJECT["project"]["optional-dependencies"], f"no extra {extra}"
        assert name in (".", "-r", "numpy", "onnxruntime", "pillow") or (ROOT / name).exists() or "lipseg" in name, word


def _npm(words: list[str]) -> None:
    assert words[0] in ("install", "publish", "pack"), words
    assert words[0] != "install" or words[1:] in (["lipseg"], ["onnxruntime-web"]), words


def _dvc(words: list[str]) -> None:
    known = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert words[:1] in (["repro"], ["dag"], ["exp"], ["commit"]), words
    for flag, setting in pairwise(words):
        if flag == "-S":
            section, _, key = setting.partition("=")[0].partition(".")
            assert key in known[section], setting


def _cp(words: list[str]) -> None:
    for word in words:
        assert not word.startswith("presets/") or (ROOT / word).exists(), word


_RULES: dict[str, Callable[[list[str]], None]] = {
    "cp": _cp,
    "curl": lambda words: None,
    "dvc": _dvc,
    "export": lambda words: None,
    "git": lambda words: None,
    "lipseg": _lipseg,
    "make": _make,
    "npm": _npm,
    "pip": _pip,
    "python": _python,
}
