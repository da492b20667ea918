"""Checks of single settings, each with a sentence that says what the setting may be."""

import errno
import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, get_args

from fggm_lab.errors import SettingError, nearest, shortened

_LONGEST_NAME = "x" * 255
"""As long as file systems let a file's name be; those of a run are shorter."""


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
        raise SettingError(
            f"{name} is '{shortened(value)}'; choose one of: {', '.join(words)}{close}"
        )


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
        and float("-inf") < value < float("inf")
        and (minimum < value if above else minimum <= value)
        and value <= maximum
    )
    if inside:
        return
    if maximum < float("inf"):
        bounds = f"in ({minimum:g}, {maximum:g}]" if above else f"from {minimum:g} to {maximum:g}"
    else:
        bounds = f"above {minimum:g}" if above else f"{minimum:g} or more"
    raise SettingError(f"{name} is {shortened(value)}; it must be {bounds}")


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
    if not isinstance(value, Integral):  # numpy's numbers, too
        raise SettingError(f"{name} is {shortened(value)}; it must be a whole number")


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


def check_path(path: Path | str, inside: str = "") -> None:
    """Check that a path is one that the file system can take, whether anything is there or not.

    Args:
        path: of a file or a folder.
        inside: a folder to be made in it, into which files of any name shall fit.

    Raises:
        SettingError: it is too long, holds a character that no path may, or is not UTF-8, as the
            libraries need that write models and tables.
    """
    try:
        os.path.abspath(path).encode()
    except UnicodeEncodeError:
        raise SettingError(
            f"the path {shortened(repr(os.path.abspath(path)))} is not UTF-8, and models and "
            "tables can be written under no other; rename its folder"
        ) from None
    longest = Path(path, inside, _LONGEST_NAME) if inside else Path(path)
    try:
        longest.lstat()
    except ValueError:
        raise SettingError(
            f"{shortened(repr(str(path)))} is no path, for it holds the character 0; leave it out"
        ) from None
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:
            raise SettingError(
                f"the path {shortened(path)} is too long for this file system; choose a shorter one"
            ) from None


def is_number(value: object) -> bool:
    """Whether a value is a whole or a real number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
