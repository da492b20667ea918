"""What the tables of runs have in common: which numbers they show, under which headings."""

from collections.abc import Sequence
from typing import Any

from fggm_lab.runs.numbers import NUMBERS, better_of


def default_keys() -> list[str]:
    """The keys of the numbers that a table shows unless others are asked for."""
    return [key for key, number in NUMBERS.items() if number.in_tables]


def lower_is_better(rows: Sequence[dict[str, Any]]) -> set[str]:
    """The keys of the numbers to mark with an arrow, for of them less is better, unlike of most.

    Time and memory are not marked.

    Args:
        rows: of `comparison` or `over_seeds`; they say which way their General is better.

    Returns:
        The keys of the numbers to mark.
    """
    return {
        key
        for key, number in NUMBERS.items()
        if not number.cost and better_of(key, rows) == "lower"
    }


def heading(key: str, marked: set[str]) -> str:
    """The heading of a number's column, with an arrow if its key is among those `marked`."""
    return NUMBERS[key].label + (" ↓" if key in marked else "")
