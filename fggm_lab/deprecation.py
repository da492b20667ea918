"""Words of the public surface that have a new name: the old one is accepted for one release."""

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

Class = TypeVar("Class")

RENAMED_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "lora": {"rate": "lr_scale"},
    "olora": {"rate": "lr_scale"},
}
"""Method → settings by the names they had in version 0.1, and what they are called now."""

OLD_NAMES = {
    "scope": {"layer": "parameter"},
    "estimator": {"exact": "true"},
}
"""Setting → values by the names they had in version 0.1, and what they are called now."""


ADDED_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "migu": {"magnitude": "share"},
    "mofo": {"first_task": True},
}
"""Method → settings that version 0.1 did not have, and what its runs were trained with."""


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


def stored_settings(method: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A method's settings as a file of any version has them, in present words.

    Args:
        method: the method's name; of combined methods, their names joined with a plus.
        settings: its settings; of combined methods, each one's under its name.

    Returns:
        A copy in which the settings in `RENAMED_SETTINGS` and the values in `OLD_NAMES` have their
        present names, with those of `ADDED_SETTINGS` that the file does not name.
    """
    if "+" in method:
        return {
            part: stored_settings(part, of_part) if isinstance(of_part, Mapping) else of_part
            for part, of_part in settings.items()
        }
    names = RENAMED_SETTINGS.get(method, {})
    present = {
        names.get(name, name): present_name(name, value, stored=True)
        if name in OLD_NAMES and isinstance(value, str)
        else value
        for name, value in settings.items()
    }
    added = ADDED_SETTINGS.get(method, {}).items()
    return present | {name: value for name, value in added if name not in present}


def renamed_arguments(**new_names: str) -> Callable[[type[Class]], type[Class]]:
    """Let a class take keyword arguments by their former names, too, with a warning.

    Args:
        new_names: former name → present name.

    Returns:
        The decorator; on a dataclass it stands above `@dataclass`.
    """

    def decorated(cls: type[Class]) -> type[Class]:
        initialise = cls.__init__

        @wraps(initialise)
        def __init__(self: Class, *arguments: Any, **keywords: Any) -> None:
            for old, new in new_names.items():
                if old in keywords:
                    warn_renamed(f"{cls.__name__}({old}=…)", f"{cls.__name__}({new}=…)")
                    keywords.setdefault(new, keywords.pop(old))
            initialise(self, *arguments, **keywords)

        setattr(cls, "__init__", __init__)  # noqa: B010  (a type checker knows the class by its own)
        return cls

    return decorated
