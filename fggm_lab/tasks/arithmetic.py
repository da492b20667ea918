"""Arithmetic answers: the last number of a text, compared by value (GSM8K, arXiv 2110.14168)."""

import re
from collections.abc import Iterable
from decimal import Decimal

MARK = "####"
"""What GSM8K writes before an answer's final number, after the reasoning."""

_NUMBER = re.compile(
    r"(?:(?<![\w)])-)?"  # a sign, not the minus between two numbers
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?=\.\d))(?:\.\d+)?"
)


def final_number(text: str) -> Decimal | None:
    """The number after the first `####`; without that mark, the last number of the text.

    A model that goes on after its answer, with a next question say, has answered all the same.
    Thousands may be parted by commas, and a currency or percent sign stand beside; `1/2` is 2.

    Args:
        text: an answer with its reasoning.

    Returns:
        The number; None where the text has none.
    """
    before, mark, after = text.partition(MARK)
    numbers = _NUMBER.findall((after if mark else before).replace("$", "").replace("−", "-"))
    if not numbers:
        return None
    return Decimal((numbers[0] if mark else numbers[-1]).replace(",", ""))


def same_number(prompt: str, prediction: str, answer: str) -> float:
    """1 where prediction and answer come to the same number: `#### 1,000` and `= $1000.00` do."""
    predicted, expected = final_number(prediction), final_number(answer)
    return float(predicted is not None and predicted == expected)


def is_arithmetic(answers: Iterable[str]) -> bool:
    """Whether all answers are GSM8K-shaped: each has `####` and a number after it."""
    return all(MARK in answer and final_number(answer) is not None for answer in answers)
