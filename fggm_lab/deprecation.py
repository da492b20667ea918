"""Words of the public surface that have a new name: the old one is accepted for one release."""

import sys
import warnings
from typing import Any

OLD_NAMES = {
    "scope": {"layer": "parameter"},
    "estimator": {"exact": "true"},
}
"""Setting → values by the names they had in version 0.1, and what they are called now."""


def warn_renamed(old: str, new: str) -> None:
    """Warn that `old` is now called `new`, at the line outside this package that wrote it.

    Args:
        old: what the caller wrote, such as `scope="layer"`.
        new: what to write instead.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("fggm_lab"):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"{old} is now called {new}; the old name goes with version 0.3",
        FutureWarning,
        stacklevel=level,
    )


def present_name(setting: str, value: str, *, stored: bool = False) -> str:
    """Translate the old name of a setting's value.

    Args:
        setting: the setting, a key of `OLD_NAMES`.
        value: its value, by the present name or the old one; any other is returned as it is.
        stored: whether it was read from a file; only what a user writes is warned of.

    Returns:
        The value by its present name.
    """
    present = OLD_NAMES[setting].get(value)
    if present is None:
        return value
    if not stored:
        warn_renamed(f'{setting}="{value}"', f'{setting}="{present}"')
    return present


def stored_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """A method's settings as a file of any version has them, with values by their present names.

    Args:
        settings: the settings of one method, or of several combined ones, each under its name.

    Returns:
        A copy in which the values in `OLD_NAMES` have their present names.
    """
    return {
        name: stored_settings(value)
        if isinstance(value, dict)
        else present_name(name, value, stored=True)
        if name in OLD_NAMES and isinstance(value, str)
        else value
        for name, value in settings.items()
    }
