"""Every reader on damaged, absurd and hostile files: a result that makes sense, or one clear error of lipseg's own.

    python tests/fuzzing.py --runs 100000                # every reader, one after the other; what `make fuzz` runs
    python tests/fuzzing.py --readers helen,boxes        # these
    python tests/fuzzing.py --readers helen --guided --seconds 600  # by coverage, where atheris is; `make fuzz-guided`

A file is a seed, or a case found before (``fuzz_cases``), with some of its bytes, numbers or lines exchanged; the same
seed of the run gives the same files. What fails, hangs, takes more than 1 GB or kills the process is written to
``build/fuzz/READER``, from where it belongs into ``fuzz_cases/READER`` once it is mended.
"""

import argparse
import faulthandler
import hashlib
import importlib.util
import logging
import mmap
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fuzz_mutations import LARGEST, WORDS, mutated
from fuzz_readers import READERS, Reader
from second_readings import require

from lipseg.errors import LipsegError, one_line

HERE = Path(__file__).parent
CASES = HERE / "fuzz_cases"
FOUND = Path("build/fuzz")
MOST_BYTES = 1_000_000_000
# Seconds of a core; a file that takes more hangs.
LONGEST = 20


def check(name: str, content: bytes, folder: Path) -> bool:
    """Reads one file and returns whether it gave a result; an error of lipseg's own is as good.

    Args:
        name: of the reader.
        content: of the file.
        folder: of its own, empty at first; the reader keeps what never changes there.

    Raises:
        Exception: for anything else.
    """
    reader = READERS[name]
    try:
        reader.read(content, folder)
    except LipsegError as error:
        text = one_line(str(error))
        require(bool(text), "an error without words")
        require(len(text) < 3000, f"an error of {len(text)} characters: {text[:200]}")
        require(any(part in text for part in reader.names), f"an error that names no file: {text}")
        return False
    return True


def inputs(name: str, seed: int) -> Iterator[bytes]:
    """Yields files without end: seeds and cases as they are, then changed ones."""
    reader = READERS[name]
    pool = [*reader.seeds(), *(path.read_bytes() for path in cases(name))]
    yield from pool
    rng = random.Random(f"{name} {seed}")
    while True:
        yield mutated(pool[rng.randrange(len(pool))], rng, reader.words)


def cases(name: str) -> list[Path]:
    """Returns the files that a reader once failed on."""
    return sorted((CASES / name).glob("*"))


# ---- the program


class AtWork:
    """The file that is being read, kept where it outlives the process: memory of a file, since opening one takes longer
    than most readers take.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "at-work"
        folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("w+b") as file:
            file.truncate(LARGEST + 8)
            self._memory = mmap.mmap(file.fileno(), 0)

    def put(self, content: bytes) -> None:
        """Keeps a file's content instead of the one before."""
        content = content[:LARGEST]
        self._memory[: 8 + len(content)] = len(content).to_bytes(8, "little") + content

    @staticmethod
    def take(folder: Path) -> None:
        """Makes what a dead process has left the file that it was reading."""
        path = folder / "at-work"
        if path.exists():
            left = path.read_bytes()
            path.write_bytes(left[8 : 8 + int.from_bytes(left[:8], "little")])


def _place() -> str | None:
    """Returns a folder in memory for what the readers read, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run(name: str, runs: int, seed: int, found: Path) -> tuple[int, int]:
    """Reads so many files; returns how many gave a result, and how many failures of different kinds, which are kept."""
    results, failures = 0, set()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_place()) as place:
        folder = Path(place) / "files"
        folder.mkdir()
        at_work = AtWork(found / name)
        before = peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        slowest = 0.0
        for number, content in enumerate(inputs(name, seed)):
            if number == runs:
                break
            at_work.put(content)
            if number and number % 10_000 == 0:
                print(f"{name}: {number} files", flush=True)
            if number % 200 == 0:
                faulthandler.dump_traceback_later(20 * LONGEST, exit=True)
            began = time.process_time()
            try:
                results += check(name, content, folder)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                frames = traceback.extract_tb(error.__traceback__)
                key = (type(error).__name__, [(f.filename, f.lineno) for f in frames][-6:])
                if str(key) not in failures:
                    failures.add(str(key))
                    file = found / name / hashlib.sha256(content).hexdigest()[:16]
                    file.write_bytes(content)
                    last = next((f for f in reversed(frames) if "lipseg" in f.filename), frames[-1])
                    print(
                        f"{name}: {file}: {type(error).__name__}: {one_line(str(error))[:300]}"
                        f" ({Path(last.filename).name}:{last.lineno})",
                        flush=True,
                    )
            took = time.process_time() - began
            if took > max(slowest, LONGEST):
                file = found / name / f"slow-{hashlib.sha256(content).hexdigest()[:16]}"
                file.write_bytes(content)
                print(f"{name}: {file}: took {took:.0f} s", flush=True)
                failures.add(str(file))
            slowest = max(slowest, took)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if peak - before > MOST_BYTES / 1024:
                file = found / name / f"memory-{hashlib.sha256(content).hexdigest()[:16]}"
                file.write_bytes(content)
                print(f"{name}: {file}: took {(peak - before) >> 10} MB", flush=True)
                failures.add(str(file))
                before = peak
        faulthandler.cancel_dump_traceback_later()
        at_work.path.unlink(missing_ok=True)
    print(f"{name}: the slowest file took {slowest:.2f} s, all {(peak - before) >> 10} MB more than none", flush=True)
    return results, len(failures)


def guided(name: str, runs: int, seconds: int, found: Path) -> None:
    """Lets atheris choose the files by what they reach in lipseg; what it keeps is there for the next time.

    It ends the process: at the first file that fails, which it writes to ``crash-HASH``.
    """
    atheris: Any = importlib.import_module("atheris")

    reader, place = READERS[name], found / name
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_place()))
    corpus = place / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for content in (*reader.seeds(), *(path.read_bytes() for path in cases(name))):
        (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    dictionary = place / "dictionary"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in _dictionary(reader)), encoding="ascii")
    # What texts and patterns are compared with is told to the fuzzer too.
    for hook in ("str", "RegEx"):
        atheris.enabled_hooks.add(hook)
    # Readers import what they need when they are first asked.
    with atheris.instrument_imports(include=["lipseg"]):
        for content in reader.seeds():
            check(name, content, folder)

    def one(content: bytes) -> None:
        check(name, content, folder)

    def change(content: bytes, most: int, seed: int) -> bytes:
        if seed % 2:
            return atheris.Mutate(content, most)
        return mutated(content, random.Random(seed), reader.words)[:most]

    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-timeout={LONGEST}"]
    options += ["-rss_limit_mb=1500", "-print_final_stats=1", f"-dict={dictionary}", f"-artifact_prefix={place}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=change)
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _dictionary(reader: Reader) -> list[bytes]:
    """Returns the words that may mean something in a reader's files: common ones, its own, and those of its seeds."""
    own = {word for seed in reader.seeds() for word in re.findall(rb"[A-Za-z_][\w.]{2,30}", seed[:20_000])}
    return [word for word in (*WORDS, *reader.words, *sorted(own)[:500]) if len(word) <= 60]


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\x{byte:02x}" for byte in word)


def _summary(name: str, lines: Iterable[str]) -> bool:
    """Prints in a line what atheris says in many; returns whether it came to an end by itself, without a failure."""
    first, last, stats, done = "", "", {}, False
    for line in lines:
        if match := re.search(r"cov: (\d+) ft: (\d+) corp: (\d+)", line):
            first, last = first or match[1], f"{match[1]} (features {match[2]}, kept files {match[3]})"
        elif match := re.match(r"stat::(\w+):\s+(\d+)", line):
            stats[match[1]] = int(match[2])
        elif line.startswith("Done "):
            done = True
        elif (
            re.match(r"\s*(FuzzError|\w+Error|\w+Exception|ALARM|==\d+==|Test unit written)", line)
            or "artifact" in line
        ):
            print(f"{name}: {line.strip()[:300]}", flush=True)
    files, rate = stats.get("number_of_executed_units", 0), stats.get("average_exec_per_sec", 0)
    print(f"{name}: {files} files by coverage, {rate} a second, edges {first} -> {last}", flush=True)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readers", default=",".join(READERS), help="names with commas")
    parser.add_argument("--runs", type=int, default=100_000, help="files a reader")
    parser.add_argument("--seed", type=int, default=0, help="of the changes")
    parser.add_argument("--guided", action="store_true", help="by coverage: needs atheris")
    parser.add_argument("--seconds", type=int, default=120, help="a reader, at most, by coverage")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = given.readers.split(",")
    if given.guided and not importlib.util.find_spec("atheris"):
        print("error: --guided needs atheris; python -m pip install --no-deps atheris", file=sys.stderr)
        return 2
    if given.alone:
        warnings.simplefilter("ignore")
        logging.disable()
        if given.guided:
            guided(names[0], given.runs, given.seconds, FOUND)
            return 0
        began = time.monotonic()
        results, failures = run(names[0], given.runs, given.seed, FOUND)
        took = time.monotonic() - began
        print(
            f"{names[0]}: {given.runs} files, {results} results, {given.runs - results} errors, {failures} failures, "
            f"{took:.0f} s",
            flush=True,
        )
        return int(failures > 0)
    bad = 0
    for name in names:
        # A process each: what kills it, as a fault in a decoder, ends one reader alone.
        command = [sys.executable, __file__, "--alone", "--readers", name, "--runs", str(given.runs)]
        command += ["--seed", str(given.seed)]
        if given.guided:
            command += ["--guided", "--seconds", str(given.seconds)]
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                assert process.stdout is not None
                bad += not _summary(name, process.stdout)
            continue
        code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
        if code not in (0, 1):
            AtWork.take(FOUND / name)
            print(f"{name}: the process died with {code}; see {FOUND / name / 'at-work'}", flush=True)
        bad += code != 0
    return int(bad > 0)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
