"""Text from data does no harm where it is shown."""

import json

import pytest

from fggm_lab.escaping import csv_cell, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – Größe 20Minuten 😀", "plain – Größe 20Minuten 😀"),
        ("two\tlines\nhere", "two\tlines\nhere"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("over\rwritten\x07\x00", "over\\x0dwritten\\x07\\x00"),
        ("\x9b2J\x7f", "\\u009b2J\\u007f"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("half\ud800", "half\\ud800"),
    ],
)
def test_what_a_terminal_would_act_on_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    visible(text).encode()


def test_json_keeps_its_values() -> None:
    value = {"\x1b\x9b\x7f\u202e": ["\ud800", "ü\n"]}
    assert json.loads(visible(json.dumps(value, ensure_ascii=False))) == value


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "="]
)  # fmt: skip
def test_a_formula_is_quoted(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=b", "", "sft", -1.5, None, 3, "-1.5", "+2", "-3e-05", "n-m"])
def test_everything_else_stays_as_it_is(value: object) -> None:
    assert csv_cell(value) == value
