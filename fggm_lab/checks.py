"""Checks of single settings, each with a sentence that says what the setting may be."""

import math
from collections.abc import Sequence
from typing import Any, get_args

from fggm_lab.errors import SettingError, nearest


def check_choice(name: str, value: object, choices: Any) -> None:
    """Check that a setting is one of a few words.

    Args:
        name: of the setting, for the message.
        value: what it was given as.
        choices: the `Literal` type that the setting is annotated with, or a sequence of words.

    Raises:
        SettingError: it is none of them.
    """
    words: Sequence[str] = get_args(choices) or tuple(choices)
    if value not in words:
        close = nearest(value, words) if isinstance(value, str) else ""
        raise SettingError(f"{name} is '{value}'; choose one of: {', '.join(words)}{close}")


def check_range(
    name: str, value: float, minimum: float, maximum: float = float("inf"), *, above: bool = False
) -> None:
    """Check that a setting is a finite number between two bounds.

    Args:
        name: of the setting, for the message.
        value: what it was given as.
        minimum: the least that it may be.
        maximum: the most that it may be.
        above: whether it must be greater than `minimum`.

    Raises:
        SettingError: it is outside the bounds, or no finite number.
    """
    inside = (
        is_number(value)
        and math.isfinite(value)
        and (minimum < value if above else minimum <= value)
        and value <= maximum
    )
    if inside:
        return
    if maximum < float("inf"):
        bounds = f"in ({minimum:g}, {maximum:g}]" if above else f"from {minimum:g} to {maximum:g}"
    else:
        bounds = f"above {minimum:g}" if above else f"{minimum:g} or more"
    raise SettingError(f"{name} is {value}; it must be {bounds}")


def check_count(name: str, value: int, minimum: int = 1) -> None:
    """Check that a setting is a whole number.

    Args:
        name: of the setting, for the message.
        value: what it was given as.
        minimum: the least that it may be.

    Raises:
        SettingError: it is less, or no whole number.
    """
    check_range(name, value, minimum)
    if not isinstance(value, int):
        raise SettingError(f"{name} is {value}; it must be a whole number")


def check_optional_count(name: str, value: int | None) -> None:
    """Check that a setting is None or a whole number from 1.

    Args:
        name: of the setting, for the message.
        value: what it was given as.

    Raises:
        SettingError: it is less than 1, or no whole number.
    """
    if value is not None:
        check_count(name, value)


def is_number(value: object) -> bool:
    """Whether a value is a whole or a real number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
