"""Numbers in other people's text files."""

import math
import re

# No two of its parts can take the same digits, so that a long text that is no number is refused in linear time.
_DECIMAL = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def plain_number(text: str) -> float | None:
    """Returns the finite number that a text holds in decimal digits, as "12", "-0.5" or "1e3", or None.

    Python's ``float`` takes more, which in a file is damage rather than a number: "1_0" as 10, infinities, and the
    digits of other scripts.
    """
    text = text.strip()
    if not _DECIMAL.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
