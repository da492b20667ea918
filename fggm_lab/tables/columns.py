"""What the tables of runs have in common: which numbers they show, under which headings."""

from collections.abc import Sequence
from typing import Any

from fggm_lab.runs.numbers import NUMBERS, better_of, shown_numbers


def default_keys(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The keys of the numbers that a table shows unless others are asked for.

    Args:
        rows: of `comparison` or `over_seeds`.

    Returns:
        The keys of `shown_numbers`.
    """
    return list(shown_numbers(rows))


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


def short_heading(key: str, keys: Sequence[str], marked: set[str]) -> str:
    """The heading of a number's column beside the others of a table.

    Args:
        key: of the number.
        keys: of all numbers of the table.
        marked: the keys to mark with an arrow.

    Returns:
        The short label, unless another number of the table has the same.
    """
    number = NUMBERS[key]
    same = [other for other in keys if _short(other) == number.short_label]
    label = number.label if number.short_label is None or len(same) > 1 else number.short_label
    return label + (" ↓" if key in marked else "")


def _short(key: str) -> str:
    """The short label, that of variants of one number (`BWT (÷ T)`) their common word."""
    return (NUMBERS[key].short_label or NUMBERS[key].label).partition(" (")[0]
