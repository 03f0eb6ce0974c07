"""Random changes of files: bytes, numbers, lines, and words that mean something to readers."""

import random
import re
from typing import Any

# Bytes of a file.
LARGEST = 200_000

WORDS = (
    *(
        b"nan",
        b"inf",
        b"-inf",
        b"1e999",
        b"-1e999",
        b"1e308",
        b"-1e308",
        b"1e-320",
        b"0",
        b"-0",
        b"-1",
        b"1_0",
        b"0x1p3",
    ),
    *(b"9" * 40, b"9" * 400, b"1" * 5000, b"2147483648", b"9223372036854775808", b"null", b"true", b"[]", b"{}", b'""'),
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\r",
        b"\r\n",
        b"\n",
        b"\n\n",
        b"\t",
        b",",
        b",,",
        b'"',
        b"'",
        b":",
        b"{",
        b"}",
    ),
    *(
        "\u2028".encode(),
        "\x85".encode(),
        "\u0661\u0662".encode(),
        "\u202e".encode(),
        "\U0001f600".encode(),
        b"\xed\xa0\x80",
    ),
    *(b"../../x", b"/etc/hostname", b"a" * 300, b"\x1b[31m", b"[" * 3000, b"{" * 3000, b"%n%s", b"__class__"),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def mutated(content: bytes, rng: random.Random, words: tuple[bytes, ...] = ()) -> bytes:
    """Returns a file with one to some changes."""
    for _ in range(1 + int(rng.expovariate(0.7))):
        content = _MUTATIONS[rng.randrange(len(_MUTATIONS))](content, rng, words)[:LARGEST]
    return content


def _flip(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    # Heads decide more than the rest: every other change is in the first bytes.
    reach = len(changed) if rng.random() < 0.5 else min(len(changed), 200)
    for _ in range(1 + int(rng.expovariate(0.5))):
        at = rng.randrange(reach)
        changed[at] = rng.choice((changed[at] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255, 127, 128))
    return bytes(changed)


def _cut(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _drop(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + 1 + int(rng.expovariate(0.1)) :]


def _repeat(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    at = rng.randrange(len(content) + 1)
    part = content[at : at + 1 + int(rng.expovariate(0.02))]
    return content[:at] + part * rng.choice((1, 1, 2, 50)) + content[at:]


def _insert(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    at = rng.randrange(len(content) + 1)
    known = WORDS + words * 4
    return content[:at] + known[rng.randrange(len(known))] + content[at:]


def _number(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    found = list(_NUMBER.finditer(content[:20_000]))
    if not found:
        return _flip(content, rng, words)
    match = found[rng.randrange(len(found))]
    known = WORDS + words
    return content[: match.start()] + known[rng.randrange(len(known))] + content[match.end() :]


def _lines(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    lines = content.split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(4)
    if how == 0:
        lines[a], lines[b] = lines[b], lines[a]
    elif how == 1:
        del lines[a]
    elif how == 2:
        lines.insert(b, lines[a])
    else:
        lines[a] = b" ".join(lines[a].split()[::-1])
    return b"\n".join(lines)


def _integer(content: bytes, rng: random.Random, words: tuple[bytes, ...]) -> bytes:
    """Exchanges a binary number, as of sizes in heads."""
    if len(content) < 8:
        return _insert(content, rng, words)
    size = rng.choice((2, 4, 8))
    at = rng.randrange(min(len(content), 400) - min(size, 7))
    value = rng.choice((0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 100_000, 65_500))
    order: Any = rng.choice(("little", "big"))
    return content[:at] + (value % 256**size).to_bytes(size, order) + content[at + size :]


_MUTATIONS = (_flip, _flip, _cut, _drop, _repeat, _insert, _number, _number, _lines, _integer)
