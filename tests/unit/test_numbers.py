"""Numbers in text files."""

import time

import pytest

from lipseg.numbers import plain_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12.0), (" -0.5\t", -0.5), ("+3.", 3.0), (".25", 0.25), ("1e3", 1000.0), ("2E-1", 0.2), ("1e-400", 0.0)],
)
def test_decimal_digits_are_a_number(text: str, value: float) -> None:
    assert plain_number(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "-", "e3", "1e", "1_0", "0x1p3", "nan", "inf", "-Infinity", "1e999", "1 2", "\u0661\u0662", "1\x00"],
)
def test_nothing_else_is(text: str) -> None:
    assert plain_number(text) is None


def test_a_long_text_takes_no_time() -> None:
    began = time.process_time()
    assert plain_number("1" * 1_000_000 + "x") is None
    assert plain_number("1." + "1" * 1_000_000 + "x") is None
    assert time.process_time() - began < 1
